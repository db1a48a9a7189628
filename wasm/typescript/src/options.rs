//! The interfaces of options.

use crate::groups::{GROUPS, Group, is_plain};
use crate::prose;

/// Their file.
pub fn write() -> String {
    GROUPS.iter().map(interface).collect::<Vec<_>>().join("\n")
}

fn interface(group: &Group) -> String {
    let about: Vec<_> = vec![group.about.to_owned()];
    let mut text = prose::comment("", &about);
    text += &format!("export interface {} {{\n", group.interface);
    for setting in group.settings.iter().filter(|setting| is_plain(setting)) {
        let default = match prose::default(setting) {
            (written, Some(spoken)) if spoken.contains(&written) => format!("@default {spoken}"),
            (written, Some(spoken)) => format!("@default {written} ({spoken})"),
            (written, None) => format!("@default {written}"),
        };
        text += &prose::comment("  ", &[prose::about(setting), default]);
        let kind = if setting.unit == shardbus::Unit::Flag { "boolean" } else { "number" };
        text += &format!("  readonly {}?: {kind} | undefined;\n", setting.name);
    }
    text + "}\n"
}
