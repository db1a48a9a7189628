//! Codes, rules, and functions that read and write rows of numbers.

use crate::groups::GROUPS;
use crate::{prose, stats};
use shardbus::{
    AbandonReason, Batch, BusConfig, BusStats, Failure, Field, FlushReport, FlushState,
    IngestionError, RestoreError, Rule, ScalingError, Setting, Shape, Unit,
};
use shardbus_wasm::numbers::{ABANDONED, BATCH, FAILED, LEASE, MISUSED, WAIT, step};

/// Their file.
pub fn write() -> String {
    let rejects = IngestionError::CODES.iter().copied().chain([("misused", MISUSED)]);
    let steps = step::CODES.iter().map(|&(name, code)| (name, code as i32));
    let failures = Failure::CODES.iter().map(|&(name, code)| (name, code + FAILED));
    let outcomes = [("Delivered", 0)].into_iter().chain(failures);
    let restores = RestoreError::CODES.iter().map(|&(name, code)| (capital(name), code));
    let reasons: Vec<_> =
        AbandonReason::CODES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    [
        IMPORTS.to_owned(),
        codes(
            "Refusal",
            "The codes of rejected events; an accepted event returns its shard.",
            rejects,
        ),
        codes("Step", "The next thing to do.", steps),
        codes("FlushState", "The progress of a flush.", FlushState::CODES.iter().copied()),
        codes("FailureKind", "The failures of an attempt.", Failure::CODES.iter().copied()),
        codes("Outcome", "The outcomes of a single event.", outcomes),
        codes("RestoreRefusal", "The reasons not to restore a batch of an earlier run.", restores),
        format!(
            "/** The reasons for which a batch is given up, by their code. */\n\
             export const ABANDON_REASONS = [{}] as const;\n\n\
             export type AbandonReason = (typeof ABANDON_REASONS)[number];\n",
            reasons.join(", ")
        ),
        scaling_refusals(),
        encode(),
        named_places(),
        all_defaults(),
        bounds(),
        rule(
            "VELOCITY_WINDOW",
            "The rule of the window in which events count.",
            Rule::BatchVelocityWindow,
        ),
        rule(
            "MEMORY",
            "The rule that a bus breaks for which there is no memory.",
            Rule::ShardsMemory,
        ),
        defaults(),
        decode("BusCounts", "Stats", "The statistics.", BusStats::FIELDS),
        decode("FlushCounts", "Flush", "The outcome of a flush.", FlushReport::FIELDS),
        row("Lease", "A lease without its batch.", LEASE),
        row("Wait", "The time of the next poll, and the leeway until then.", WAIT),
        row("Abandoned", "The reason for which a batch was given up, and its attempts.", ABANDONED),
        row("Batch", "A batch without its body. Numbers of 64 bits are in halves.", BATCH),
        format!(
            "/** Words of 32 bits in the record of an event. */\nexport const RECORD_WORDS = {};\n",
            Batch::RECORD_LEN / 4
        ),
    ]
    .join("\n")
}

const IMPORTS: &str = "\
import { row } from \"../core/module.js\";
import { backpressureNumber, highHalf, lowHalf } from \"../core/numbers.js\";
import type { ScalingRefusal } from \"../errors/scaling-error.js\";
import type { EventBusOptions } from \"../options.js\";
import type { BatchOptions, RetryOptions, ScalingOptions } from \"./options.js\";
import type { BusCounts, FlushCounts, ShardStats } from \"./stats.js\";
";

fn capital(name: &str) -> String {
    let (initial, rest) = name.split_at(1);
    initial.to_uppercase() + rest
}

fn codes(
    name: &str,
    about: &str,
    codes: impl Iterator<Item = (impl std::fmt::Display, i32)>,
) -> String {
    let codes: String = codes.map(|(name, code)| format!("  {name}: {code},\n")).collect();
    format!("/** {about} */\nexport const {name} = {{\n{codes}}} as const;\n")
}

fn scaling_refusals() -> String {
    let codes = ScalingError::CODES.iter().map(|(name, code)| format!("  [{code}]: \"{name}\",\n"));
    format!(
        "/** The reasons for which the number of shards does not change, by their code. */\n\
         export const SCALING_REFUSALS: {{ readonly [code: number]: ScalingRefusal }} = {{\n{}}};\n",
        codes.collect::<String>()
    )
}

/// The places of the numbers, by the paths of their settings: `batch.min_size`.
fn places() -> Vec<String> {
    let mut paths = Vec::new();
    for group in &GROUPS {
        paths.extend(group.presence.map(|_| group.name.to_owned()));
        for setting in group.settings {
            let dot = if group.name.is_empty() { "" } else { "." };
            let path = format!("{}{dot}{}", group.name, setting.field);
            paths.extend(numbers_of("", setting).iter().map(|_| path.clone()));
        }
    }
    paths
}

fn place(path: &str) -> usize {
    let place = places().iter().position(|other| other == path);
    place.unwrap_or_else(|| panic!("{path} is the path of a setting"))
}

/// The numbers that JavaScript reads by itself.
const NAMED: [&str; 13] = [
    "capacity",
    "max_bytes",
    "max_event_bytes",
    "max_key_bytes",
    "scheduler",
    "has_store",
    "batch.min_size",
    "batch.max_size",
    "batch.max_bytes",
    "batch.max_delay",
    "batch.adaptive",
    "retry.max_age",
    "scaling",
];

fn named_places() -> String {
    let name = |path: &str| prose::camel_case(&path.replace('.', "_"));
    let places = NAMED.iter().map(|path| format!("  {}: {},\n", name(path), place(path)));
    format!(
        "/** The places of some of them. */\nexport const Place = {{\n{}}} as const;\n",
        places.collect::<String>()
    )
}

/// The defaults of all numbers.
fn all_defaults() -> String {
    let mut numbers = Vec::new();
    for group in &GROUPS {
        numbers.extend(group.presence.map(|(_, is_there)| u8::from(is_there).to_string()));
        for setting in group.settings {
            let number = match setting.unit {
                Unit::Micros => (setting.number)() / 1000.0,
                _ => (setting.number)(),
            };
            let number =
                if number.is_infinite() { "Infinity".to_owned() } else { number.to_string() };
            numbers.extend(numbers_of("", setting).iter().map(|_| number.clone()));
        }
    }
    let lines = shardbus_prose::wrapped(&format!("{},", numbers.join(", ")), 98);
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "/** The defaults of these numbers. */\n\
         // biome-ignore format: they are only many\n\
         export const DEFAULTS: readonly number[] = [\n{lines}];\n"
    )
}

/// The bounds of options by others.
fn bounds() -> String {
    let bounds = BusConfig::BOUNDS.iter().map(|bound| {
        let (field, rule) = bound.rule.parts();
        let least = bound.down_to.map_or("NaN".to_owned(), |least| least.to_string());
        format!(
            "  [{}, {}, {least}, {}, {}, {}, \"{}\", \"{}\"],\n",
            place(bound.lower),
            place(bound.upper),
            bound.goes_up,
            if bound.has_brackets { place("format").to_string() } else { "undefined".to_owned() },
            place(field),
            prose::path(field),
            prose::in_names_of_javascript(rule),
        )
    });
    format!(
        "/**\n \
          * Bounds of options by others: the places of the lower and of the upper number; where the default\n \
          * of the lower one goes down with the upper one, the least that it becomes; whether the default of\n \
          * the upper one goes up with the lower one; the place of the format, if the brackets of a body\n \
          * count with the lower one; and the rule: the place of its option, the option, and a sentence.\n \
          */\n\
         // biome-ignore format: a table\n\
         export const BOUNDS: readonly (readonly [\n  \
           lower: number,\n  \
           upper: number,\n  \
           downTo: number,\n  \
           goesUp: boolean,\n  \
           format: number | undefined,\n  \
           place: number,\n  \
           option: string,\n  \
           rule: string,\n\
         ])[] = [\n{}];\n",
        bounds.collect::<String>()
    )
}

/// A rule that no bound says.
fn rule(name: &str, about: &str, rule: Rule) -> String {
    let (field, sentence) = rule.parts();
    let (path, sentence) = (prose::path(field), prose::in_names_of_javascript(sentence));
    format!(
        "/** {about} */\n\
         // biome-ignore format: as the others\n\
         export const {name}_RULE = [{}, \"{path}\", \"{sentence}\"] as const;\n",
        place(field)
    )
}

/// Makes numbers of options.
fn encode() -> String {
    let mut numbers = String::new();
    for group in &GROUPS {
        if let Some((presence, _)) = group.presence {
            numbers += &format!("    {presence},\n");
        }
        let of = if group.name.is_empty() { "given" } else { group.name };
        for setting in group.settings {
            for number in numbers_of(of, setting) {
                numbers += &format!("    {number},\n");
            }
        }
    }
    format!(
        "/** A group of options of which none was given. */\n\
         const NONE = /* @__PURE__ */ Object.freeze(/* @__PURE__ */ Object.create(null));\n\n\
         /** The options as numbers: NaN for one that is not given, 0 or 1 for a boolean. */\n\
         export function encodeOptions<T>(given: EventBusOptions<T>): Float64Array {{\n  \
           const batch: BatchOptions = given.batch ?? NONE;\n  \
           const retry: RetryOptions = given.retry || NONE;\n  \
           const scaling: ScalingOptions = given.scaling || NONE;\n  \
           return Float64Array.from([\n{numbers}  ] as number[]);\n}}\n"
    )
}

fn numbers_of(of: &str, setting: &Setting) -> Vec<String> {
    let given = format!("{of}.{}", setting.name);
    match setting.unit {
        Unit::Choice([_, second]) => vec![format!("{given} === \"{second}\"")],
        Unit::Presence => vec![format!("{given} !== undefined")],
        Unit::OfStore => vec![format!("given.store?.{}", setting.name)],
        Unit::Backpressure => vec![format!("backpressureNumber({given})")],
        Unit::Halves => vec![format!("highHalf({given})"), format!("lowHalf({given})")],
        _ => vec![given],
    }
}

/// Makes an object of numbers.
fn decode(interface: &str, name: &str, about: &str, fields: &[Field]) -> String {
    let list = |field: &Field| {
        let Shape::List(items) = field.shape else { return None };
        let (name, item) = (stats::name(field), members("      ", items));
        Some(format!("  while (at < length) {{\n    counts.{name}.push({{\n{item}    }});\n  }}\n"))
    };
    let of_list = fields.iter().find_map(list).unwrap_or_default();
    let fields = members("    ", fields);
    format!(
        "/** {about} An object's values are read in the order in which they are written. */\n\
         export function read{name}(length: number): {interface} {{\n  \
           const numbers = row(length);\n  \
           let at = 0;\n  \
           const next = () => numbers[at++] as number;\n  \
           const counts = {{\n{fields}  }};\n{of_list}  \
           return counts;\n}}\n"
    )
}

fn members(indent: &str, fields: &[Field]) -> String {
    let member = |field: &Field| {
        let value = match &field.shape {
            Shape::Count | Shape::Millis => "next()".to_owned(),
            Shape::State => {
                "(next() === 0 ? \"active\" : \"draining\") as ShardStats[\"state\"]".to_owned()
            }
            Shape::Group(fields) => {
                format!("{{\n{}{indent}}}", members(&format!("{indent}  "), fields))
            }
            Shape::List(_) => "[] as ShardStats[]".to_owned(),
        };
        format!("{indent}{}: {value},\n", stats::name(field))
    };
    fields.iter().map(member).collect()
}

/// Gives the numbers of a row their names.
fn row(name: &str, about: &str, names: &[&str]) -> String {
    let numbers = names
        .iter()
        .enumerate()
        .map(|(at, name)| format!("    {}: numbers[{at}] as number,\n", prose::camel_case(name)));
    format!(
        "/** {about} */\n\
         export function read{name}() {{\n  \
           const numbers = row({});\n  \
           return {{\n{}  }};\n}}\n",
        names.len(),
        numbers.collect::<String>()
    )
}

/// The bus's own options whose defaults JavaScript needs.
const DECIDING: [&str; 3] = ["shards", "maxBytes", "timeoutMs"];

fn defaults() -> String {
    let deciding = |setting: &&Setting| {
        DECIDING.contains(&setting.name) && !matches!(setting.unit, Unit::OfStore)
    };
    GROUPS[0]
        .settings
        .iter()
        .filter(deciding)
        .map(|setting| {
            let (written, _) = prose::default(setting);
            let name = prose::upper_case(setting.name);
            format!(
                "/** The default of `{}`. */\nexport const DEFAULT_{name} = {written};\n",
                setting.name
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}
