//! Counts, from the core's types to those of `wit/types.wit`. Every field is named on both sides, so
//! that the compiler finds a count that one of them lacks.

use crate::types as wit;
use shardbus::{
    AbandonedEvents, BatchStats, BusStats, ByteStats, FlushReport, Rejected, ShardInfo, ShardState,
};

/// The account of every event.
pub fn stats(stats: BusStats) -> wit::Stats {
    let BusStats {
        offered,
        accepted,
        restored,
        rejected,
        delivered,
        evicted,
        abandoned,
        drained,
        pending,
        in_flight,
        oldest_age,
        bytes,
        batches,
        shards,
    } = stats;
    wit::Stats {
        offered,
        accepted,
        restored,
        rejected: rejections(rejected),
        delivered,
        evicted,
        abandoned: losses(abandoned),
        drained,
        pending,
        in_flight,
        oldest_age,
        bytes: byte_counts(bytes),
        batches: batch_counts(batches),
        shards: shards.into_iter().map(shard).collect(),
    }
}

const fn rejections(counts: Rejected) -> wit::RejectedEvents {
    let Rejected { full, sampled, unrouted, oversize, invalid, closed } = counts;
    wit::RejectedEvents { full, sampled, unrouted, oversize, invalid, closed }
}

const fn losses(counts: AbandonedEvents) -> wit::AbandonedEvents {
    let AbandonedEvents { retries, permanent, expired, shutdown } = counts;
    wit::AbandonedEvents { retries, permanent, expired, shutdown }
}

const fn byte_counts(counts: ByteStats) -> wit::ByteStats {
    let ByteStats { held, spilled, delivered } = counts;
    wit::ByteStats { held, spilled, delivered }
}

const fn batch_counts(counts: BatchStats) -> wit::BatchStats {
    let BatchStats { delivered, retries, expired } = counts;
    wit::BatchStats { delivered, retries, expired }
}

fn shard(info: ShardInfo) -> wit::ShardInfo {
    let ShardInfo {
        id,
        state,
        accepted,
        full,
        sampled,
        evicted,
        pending,
        in_flight,
        bytes,
        next_sequence,
        batch_target,
    } = info;
    wit::ShardInfo {
        id: id.into(),
        state: match state {
            ShardState::Draining => wit::ShardState::Draining,
            _ => wit::ShardState::Active,
        },
        accepted,
        full,
        sampled,
        evicted,
        pending,
        in_flight,
        bytes,
        next_sequence,
        batch_target,
    }
}

/// The outcomes of a flush.
pub const fn report(report: FlushReport) -> wit::FlushReport {
    let FlushReport { delivered, abandoned, evicted, drained, pending } = report;
    wit::FlushReport { delivered, abandoned, evicted, drained, pending }
}
