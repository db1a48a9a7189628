//! The answers of a bus to a script.

use serde::Serialize;
use shardbus::{Batch, BusStats};
use std::collections::BTreeMap;

/// The answers. Those of several shards do not depend on the order of their batches among each other.
#[derive(Serialize, Default)]
pub struct Answers {
    /// For each event, true if it was accepted.
    pub accepted: Vec<bool>,
    /// The attempts of each shard, in order.
    pub attempts: BTreeMap<u16, Vec<Attempt>>,
    /// Batches that were given up, by shard: sequence number, reason, body.
    pub lost: BTreeMap<u16, Vec<(u64, String, String)>>,
    /// Bodies of batches that were drained.
    pub drained: Vec<String>,
    /// The counts at the end.
    pub counts: BTreeMap<&'static str, u64>,
}

/// An attempt: the number of the host that cut the batch, the batch's sequence number, the number of
/// the attempt, and the body. The first two, with the shard, stand for the batch's id, because each host
/// has a nonce of its own.
pub type Attempt = (u64, u64, u32, String);

/// A batch's body as text.
pub fn text(batch: &Batch) -> String {
    String::from_utf8_lossy(batch.body()).into_owned()
}

/// The counts that do not depend on time.
pub fn counts(stats: &BusStats) -> BTreeMap<&'static str, u64> {
    let rejected = stats.rejected;
    BTreeMap::from([
        ("offered", stats.offered),
        ("accepted", stats.accepted),
        ("restored", stats.restored),
        ("full", rejected.full),
        ("sampled", rejected.sampled),
        ("oversize", rejected.oversize),
        ("invalid", rejected.invalid),
        ("closed", rejected.closed),
        ("delivered", stats.delivered),
        ("evicted", stats.evicted),
        ("retries", stats.abandoned.retries),
        ("permanent", stats.abandoned.permanent),
        ("shutdown", stats.abandoned.shutdown),
        ("drained", stats.drained),
        ("pending", stats.pending + stats.in_flight),
        ("batches", stats.batches.delivered),
        ("repeated", stats.batches.retries),
    ])
}
