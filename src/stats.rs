//! Statistics, which account for every event offered to a bus.

use crate::shard::ShardState;
use serde::Serialize;

/// Events refused, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rejected {
    /// No room.
    pub full: u64,
    /// Sampled out because there was little room.
    pub sampled: u64,
    /// No shard takes them.
    pub unrouted: u64,
    /// Larger than the bus allows, or with a key that is.
    pub oversize: u64,
    /// Not one JSON text on one line.
    pub invalid: u64,
    /// The bus was closed.
    pub closed: u64,
}

/// Events given up, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AbandonedEvents {
    /// The receiver refused them too often.
    pub retries: u64,
    /// The receiver will never take them.
    pub permanent: u64,
    /// They got too old.
    pub expired: u64,
    /// The bus was closed first.
    pub shutdown: u64,
}

/// Bytes held and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ByteStats {
    /// Payload bytes held now: waiting, in flight and to be retried.
    pub held: u64,
    /// Body bytes acknowledged.
    pub delivered: u64,
}

/// Batches and attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BatchStats {
    /// Batches acknowledged.
    pub delivered: u64,
    /// Attempts after a batch's first.
    pub retries: u64,
    /// Leases that expired without an answer.
    pub expired: u64,
}

/// One shard, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardInfo {
    /// The shard.
    pub id: u16,
    /// Its state.
    pub state: ShardState,
    /// Events accepted.
    pub accepted: u64,
    /// Events refused as full.
    pub full: u64,
    /// Events sampled out.
    pub sampled: u64,
    /// Events evicted.
    pub evicted: u64,
    /// Events waiting.
    pub pending: u64,
    /// Events in flight or to be retried.
    pub in_flight: u64,
    /// Payload bytes waiting.
    pub bytes: u64,
    /// The sequence number that the next event to leave will have.
    pub next_sequence: u64,
    /// The size at which a batch may leave now.
    pub batch_target: u64,
}

/// Accounts for every event offered to a bus.
///
/// After every call: `offered = accepted + rejected` and
/// `accepted = delivered + evicted + abandoned + drained + pending + in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BusStats {
    /// Events offered.
    pub offered: u64,
    /// Events accepted.
    pub accepted: u64,
    /// The part of `accepted` that was restored from earlier runs.
    pub restored: u64,
    /// Events refused.
    pub rejected: Rejected,
    /// Events acknowledged.
    pub delivered: u64,
    /// Events accepted, and evicted later to make room.
    pub evicted: u64,
    /// Events accepted, and given up later.
    pub abandoned: AbandonedEvents,
    /// Events handed out for good, by [`EventBus::drain`](crate::EventBus::drain) or
    /// [`release`](crate::EventBus::release).
    pub drained: u64,
    /// Events waiting in their shards.
    pub pending: u64,
    /// Events that have left their shards and are not settled.
    pub in_flight: u64,
    /// The age of the oldest event held, in nanoseconds by the wall clock; 0 if none is.
    pub oldest_age: u64,
    /// Bytes held and sent.
    pub bytes: ByteStats,
    /// Batches and attempts.
    pub batches: BatchStats,
    /// Each shard.
    pub shards: Vec<ShardInfo>,
}
