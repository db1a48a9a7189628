//! The interfaces of counts.

use crate::prose;
use shardbus::{BusStats, Field, FlushReport, Shape, ShardInfo};

/// Their file.
pub fn write() -> String {
    let shard = "One shard, now.";
    let bus = "The core's statistics, which account for every event offered.";
    let flush =
        "The outcomes of all events that had been accepted, and not settled, when a flush began.";
    [
        interface("ShardStats", shard, ShardInfo::FIELDS),
        interface("BusCounts", bus, BusStats::FIELDS),
        interface("FlushCounts", flush, FlushReport::FIELDS),
    ]
    .join("\n")
}

fn interface(name: &str, about: &str, fields: &[Field]) -> String {
    let about = prose::comment("", &[about.to_owned()]);
    format!("{about}export interface {name} {{\n{}}}\n", members("  ", fields))
}

fn members(indent: &str, fields: &[Field]) -> String {
    let member = |field: &Field| {
        let about = prose::comment(indent, &[prose::sentence(field.about)]);
        let kind = match &field.shape {
            Shape::Count | Shape::Millis => "number".to_owned(),
            Shape::State => "\"active\" | \"draining\"".to_owned(),
            Shape::Group(fields) => {
                format!("{{\n{}{indent}}}", members(&format!("{indent}  "), fields))
            }
            Shape::List(_) => "readonly ShardStats[]".to_owned(),
        };
        format!("{about}{indent}readonly {}: {kind};\n", name(field))
    };
    fields.iter().map(member).collect()
}

/// Its name in JavaScript.
pub fn name(field: &Field) -> String {
    let name = prose::camel_case(field.name);
    if matches!(field.shape, Shape::Millis) { name + "Ms" } else { name }
}
