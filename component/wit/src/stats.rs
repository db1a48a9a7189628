//! The records of counts.

use crate::prose;
use shardbus::{BusStats, Field, FlushReport, Shape, ShardInfo};

/// The fields whose counts are a record of their own, and its name.
const GROUPS: [(&str, &str); 4] = [
    ("rejected", "rejected-events"),
    ("abandoned", "abandoned-events"),
    ("bytes", "byte-stats"),
    ("batches", "batch-stats"),
];

/// All records, each after those that it has.
pub fn write() -> String {
    let mut records = Vec::new();
    for field in BusStats::FIELDS {
        if let Shape::Group(fields) = field.shape {
            records.push(record(group(field), &prose::sentence(field.about), fields));
        }
    }
    let shard = "One shard, now.";
    let stats = "Accounts for every event offered. After every call, `offered = accepted + rejected`, and \
                 `accepted = delivered + evicted + abandoned + drained + pending + in-flight`.";
    let flush =
        "The outcomes of all events that had been accepted, and not settled, when a flush began.";
    records.push(record("shard-info", shard, ShardInfo::FIELDS));
    records.push(record("stats", stats, BusStats::FIELDS));
    records.push(record("flush-report", flush, FlushReport::FIELDS));
    records.join("\n")
}

fn record(name: &str, about: &str, fields: &[Field]) -> String {
    let fields: String = fields.iter().map(field).collect();
    format!("{}  record {name} {{\n{fields}  }}\n", prose::comment("  ", about))
}

fn field(field: &Field) -> String {
    let kind = match field.shape {
        Shape::Count => "u64",
        Shape::Millis => "duration",
        Shape::State => "shard-state",
        Shape::Group(_) => group(field),
        Shape::List(_) => "list<shard-info>",
    };
    let about = prose::comment("    ", &prose::sentence(field.about));
    format!("{about}    {}: {kind},\n", prose::kebab(field.name))
}

fn group(field: &Field) -> &'static str {
    let name = GROUPS.iter().find(|(name, _)| *name == field.name);
    name.map(|(_, name)| *name).expect("`GROUPS` has a record's name for each group of counts")
}
