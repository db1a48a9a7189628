//! The checks of options, one by one.

use crate::groups::{GROUPS, is_plain};
use shardbus::{Setting, Unit};

/// Their file.
pub fn write() -> String {
    let mut text = "import {\n  flag,\n  integer,\n  milliseconds,\n  orInfinity,\n  share,\n  \
                    someMilliseconds,\n  someShare,\n} from \"../validation/checks.js\";\n\n\
                    /** The checks of the options that are numbers and booleans. */\n\
                    export const schema = () => ({\n"
        .to_owned();
    for group in &GROUPS {
        let indent = if group.name.is_empty() { "  " } else { "    " };
        if !group.name.is_empty() {
            text += &format!("  {}: {{\n", group.name);
        }
        for setting in group.settings.iter().filter(|setting| is_plain(setting)) {
            text += &format!("{indent}{}: {},\n", setting.name, check(setting));
        }
        if !group.name.is_empty() {
            text += "  },\n";
        }
    }
    text + "});\n"
}

fn check(setting: &Setting) -> String {
    match setting.unit {
        Unit::Whole(min, max) => format!("integer({min}, {max})"),
        Unit::WholeOrInfinity(min, max) => format!("orInfinity(integer({min}, {max}))"),
        Unit::Bytes(max) => format!("integer(1, {max})"),
        Unit::Millis | Unit::Micros => "milliseconds".to_owned(),
        Unit::SomeMillis => "someMilliseconds".to_owned(),
        Unit::SomeMillisOrInfinity => "orInfinity(someMilliseconds)".to_owned(),
        Unit::Share => "share".to_owned(),
        Unit::SomeShare => "someShare".to_owned(),
        _ => "flag".to_owned(),
    }
}
