//! Counters of a shard, readable without its lock.

use crate::shard::ShardStats;
use crate::sync::Counter;

/// Only whoever holds the shard writes; anybody reads, without the shard's lock.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    /// Events held now.
    pub(crate) len: Counter,
    pub(crate) ingested: Counter,
    pub(crate) full: Counter,
    pub(crate) sampled: Counter,
    pub(crate) evicted: Counter,
    pub(crate) batches: Counter,
}

impl ShardCounters {
    /// The time of one push in so many is measured: to measure each would cost more than the push.
    const PUSHES_PER_MEASUREMENT: u64 = 64;

    /// Tells whether the next push is to be measured; the first of a shard is.
    #[inline]
    pub(crate) fn measures_next_push(&self) -> bool {
        self.ingested.get().is_multiple_of(Self::PUSHES_PER_MEASUREMENT)
    }

    /// All but the number of events held.
    pub(crate) fn stats(&self) -> ShardStats {
        let (full, sampled, evicted) = (self.full.get(), self.sampled.get(), self.evicted.get());
        ShardStats {
            events_ingested: self.ingested.get(),
            events_dropped: full + sampled + evicted,
            batches_dispatched: self.batches.get(),
            events_full: full,
            events_sampled: sampled,
            events_evicted: evicted,
        }
    }
}
