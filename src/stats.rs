//! Statistics, which account for every event offered to a bus.

use crate::counters::{Nanos, counters};
use crate::shard::ShardState;
use serde::Serialize;

counters! {
    /// Events refused, by reason.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct Rejected {
        /// No room.
        full: u64,
        /// Sampled out because there was little room.
        sampled: u64,
        /// No shard takes them.
        unrouted: u64,
        /// Larger than `max_event_bytes`, or with a key larger than `max_key_bytes`.
        oversize: u64,
        /// Not one JSON text on one line, or not JSON at all.
        invalid: u64,
        /// The bus was closed.
        closed: u64,
    }

    /// Events given up, by reason.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct AbandonedEvents {
        /// The receiver refused them too often, or they failed while it took others.
        retries: u64,
        /// The receiver will never take them.
        permanent: u64,
        /// They got older than `retry.max_age`.
        expired: u64,
        /// The bus was closed first.
        shutdown: u64,
    }

    /// Bytes held and sent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct ByteStats {
        /// Payload bytes held now: pending, in flight and to be retried. At most `max_bytes`.
        held: u64,
        /// Payload bytes that only the store has.
        spilled: u64,
        /// Body bytes delivered.
        delivered: u64,
    }

    /// Batches and attempts.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
    pub struct BatchStats {
        /// Batches delivered.
        delivered: u64,
        /// Attempts after a batch's first.
        retries: u64,
        /// Leases that expired without an answer.
        expired: u64,
    }

    /// One shard, now.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct ShardInfo {
        /// The shard.
        id: u16,
        /// Its state: one that drains takes no events, and is removed once it is empty.
        state: ShardState,
        /// Events accepted.
        accepted: u64,
        /// Events refused as full.
        full: u64,
        /// Events sampled out.
        sampled: u64,
        /// Events evicted.
        evicted: u64,
        /// Events waiting.
        pending: u64,
        /// Events in flight, to be retried, or in the store alone.
        in_flight: u64,
        /// Payload bytes waiting.
        bytes: u64,
        /// The sequence number that the next event to leave will have.
        next_sequence: u64,
        /// The size at which a batch may leave now.
        batch_target: u64,
    }

    /// Accounts for every event offered to a bus.
    ///
    /// After every call: `offered = accepted + rejected` and
    /// `accepted = delivered + evicted + abandoned + drained + pending + in_flight`.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct BusStats {
        /// Events offered.
        offered: u64,
        /// Events accepted.
        accepted: u64,
        /// The part of `accepted` that earlier runs had left in the store.
        restored: u64,
        /// Events refused, by reason.
        rejected: Rejected,
        /// Events delivered: the receiver has them.
        delivered: u64,
        /// Events accepted, and evicted later to make room for newer ones, or lost by the store.
        evicted: u64,
        /// Events accepted, and given up later, by reason.
        abandoned: AbandonedEvents,
        /// Events handed out for good by [`drain`](crate::EventBus::drain), or
        /// [left](crate::EventBus::release) in the store when the bus was closed.
        drained: u64,
        /// Events waiting in their shards.
        pending: u64,
        /// Events in flight, to be retried, or in the store alone.
        in_flight: u64,
        /// The age of the oldest event held, by the wall clock; 0 if none is.
        oldest_age: u64 as Nanos,
        /// Bytes held and sent.
        bytes: ByteStats,
        /// Batches and attempts.
        batches: BatchStats,
        @each
        /// Each shard.
        shards: Vec<ShardInfo>,
    }
}
