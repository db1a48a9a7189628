//! The records of options.

use crate::prose;
use shardbus::{BatchOptions, BusOptions, RetryOptions, ScalingOptions, Setting, Unit};

/// A record and its fields.
struct Group {
    name: &'static str,
    about: &'static str,
    settings: &'static [Setting],
    /// Fields that are no settings.
    others: &'static str,
}

const GROUPS: [Group; 4] = [
    Group {
        name: "batch-options",
        about: "The size of batches, and their longest wait.",
        settings: BatchOptions::SETTINGS,
        others: "",
    },
    Group {
        name: "retry-options",
        about: "The limits of retrying: pauses between attempts, and their end. An outage of the \
                destination ends nothing but what `max-age` says.",
        settings: RetryOptions::SETTINGS,
        others: "",
    },
    Group {
        name: "scaling-options",
        about: "The conditions on which the number of shards changes.",
        settings: ScalingOptions::SETTINGS,
        others: "",
    },
    Group {
        name: "options",
        about: "The options of a bus. Those that are not given have their defaults, and limits that are \
                not given follow those that are.",
        settings: BusOptions::SETTINGS,
        others: OTHERS,
    },
];

/// The fields that choose among groups.
const OTHERS: &str = "    /// The size of batches, and their longest wait.
    batch: option<batch-options>,
    /// The limits of retrying. By default those of `retry-options`.
    retry: option<retry>,
    /// The conditions on which the number of shards changes. By default it never does.
    scaling: option<scaling-options>,
";

/// All records.
pub fn write() -> String {
    GROUPS.iter().map(record).collect::<Vec<_>>().join("\n")
}

fn record(group: &Group) -> String {
    let about = prose::comment("  ", group.about);
    let fields: String = group.settings.iter().map(field).collect();
    format!("{about}  record {} {{\n{fields}{}  }}\n", group.name, group.others)
}

fn field(setting: &Setting) -> String {
    let about = [prose::sentence(setting.about), limits(setting), default(setting)];
    let about: Vec<_> = about.into_iter().filter(|part| !part.is_empty()).collect();
    let (name, kind) = (name(setting), kind(setting));
    format!("{}    {name}: option<{kind}>,\n", prose::comment("    ", &about.join(" ")))
}

/// A field's name. Times have the type `duration`, and no unit in their name.
fn name(setting: &Setting) -> String {
    let field = setting.field;
    prose::kebab(if setting.unit == Unit::Micros { field.trim_end_matches("_us") } else { field })
}

fn kind(setting: &Setting) -> String {
    match setting.unit {
        Unit::Whole(_, max) | Unit::WholeOrInfinity(_, max) | Unit::Bytes(max) => match max {
            0..=0xffff => "u16",
            0x1_0000..=0xffff_ffff => "u32",
            _ => "u64",
        }
        .to_owned(),
        Unit::Millis | Unit::Micros | Unit::SomeMillis | Unit::SomeMillisOrInfinity => {
            "duration".to_owned()
        }
        Unit::Share | Unit::SomeShare => "f64".to_owned(),
        Unit::Flag | Unit::Presence => "bool".to_owned(),
        Unit::Halves | Unit::OfStore => "u64".to_owned(),
        Unit::Choice(_) | Unit::Backpressure => name(setting),
    }
}

/// The values that may be given.
fn limits(setting: &Setting) -> String {
    match setting.unit {
        Unit::Whole(min, max) => format!("From {min} to {max}."),
        Unit::WholeOrInfinity(min, max) => format!("From {min}; {max} is no limit."),
        Unit::Bytes(max) => format!("From 1 to {max}."),
        Unit::SomeMillis => "Greater than 0.".to_owned(),
        Unit::SomeMillisOrInfinity => "Greater than 0; not given, there is no limit.".to_owned(),
        Unit::Share => "From 0 to 1.".to_owned(),
        Unit::SomeShare => "Greater than 0, and at most 1.".to_owned(),
        _ => String::new(),
    }
}

/// The default, as one would say it.
fn default(setting: &Setting) -> String {
    let number = (setting.number)();
    let unit = match setting.unit {
        Unit::Millis | Unit::SomeMillis => " ms",
        _ => "",
    };
    if let Some(spoken) = setting.default {
        let spoken = prose::in_names_of_wit(spoken);
        let (first, rest) = spoken.split_once(',').unwrap_or((&spoken, ""));
        let comma = if rest.is_empty() { "" } else { "," };
        return format!("Default: {first}{unit}{comma}{rest}.");
    }
    let written = match setting.unit {
        Unit::SomeMillisOrInfinity => return String::new(),
        Unit::Choice(names) => format!("`{}`", names[number as usize]),
        Unit::Backpressure => "`drop-oldest`".to_owned(),
        Unit::Flag | Unit::Presence => (number == 1.0).to_string(),
        Unit::Micros => format!("{} ms", number / 1000.0),
        Unit::Bytes(_) => shardbus_prose::bytes(number),
        _ => format!("{number}{unit}"),
    };
    format!("Default: {written}.")
}
