//! What crosses to JavaScript as a row of numbers; `pkg-js/src/core/layout.ts` gives them their names.

use shardbus::{Batch, BusStats, FlushReport, Format, ShardInfo, ShardState};

/// A number from its high and its low half.
pub(crate) const fn whole(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// A whole bus, and then each of its shards.
pub(crate) fn stats(stats: &BusStats) -> Vec<f64> {
    let BusStats { rejected, abandoned, bytes, batches, .. } = stats;
    let bus = [
        stats.offered,
        stats.accepted,
        stats.restored,
        rejected.full,
        rejected.sampled,
        rejected.unrouted,
        rejected.oversize,
        rejected.invalid,
        rejected.closed,
        stats.delivered,
        stats.evicted,
        abandoned.retries,
        abandoned.permanent,
        abandoned.expired,
        abandoned.shutdown,
        stats.drained,
        stats.pending,
        stats.in_flight,
        stats.oldest_age,
        bytes.held,
        bytes.delivered,
        batches.delivered,
        batches.retries,
        batches.expired,
    ];
    let mut numbers = Vec::new();
    let mut append = |counts: &[u64]| numbers.extend(counts.iter().map(|&count| count as f64));
    append(&bus);
    for info in &stats.shards {
        append(&shard(info));
    }
    numbers
}

fn shard(shard: &ShardInfo) -> [u64; 11] {
    [
        u64::from(shard.id),
        u64::from(shard.state == ShardState::Draining),
        shard.accepted,
        shard.full,
        shard.sampled,
        shard.evicted,
        shard.pending,
        shard.in_flight,
        shard.bytes,
        shard.next_sequence,
        shard.batch_target,
    ]
}

/// What became of a flush.
pub(crate) fn flush_report(report: &FlushReport) -> [f64; 5] {
    let FlushReport { delivered, abandoned, evicted, drained, pending } = *report;
    [delivered, abandoned, evicted, drained, pending].map(|count| count as f64)
}

/// A batch without its body. Numbers of 64 bits are in halves, the high one first.
pub(crate) fn batch(batch: &Batch) -> [f64; 10] {
    let [nonce, first, last] =
        [batch.process_nonce, batch.first_timestamp(), batch.last_timestamp()].map(halves);
    [
        f64::from(batch.shard_id),
        batch.sequence_start as f64,
        batch.len() as f64,
        f64::from(u8::from(batch.format() == Format::Json)),
        nonce[0],
        nonce[1],
        first[0],
        first[1],
        last[0],
        last[1],
    ]
}

/// The high and the low half of a number.
pub(crate) const fn halves(number: u64) -> [f64; 2] {
    [(number >> 32) as u32 as f64, number as u32 as f64]
}
