//! A shared handle to a shard.

use crate::shard::{Shard, ShardCounters};
use crate::sync::{Lock, LockGuard, Shared};

/// A handle to a shard. It outlives the shard's removal from the routing table.
#[derive(Debug, Clone)]
pub struct ShardRef(Shared<ShardCell>);

#[derive(Debug)]
struct ShardCell {
    id: u16,
    counters: Shared<ShardCounters>,
    shard: Lock<Shard>,
}

impl ShardRef {
    pub(super) fn new(shard: Shard) -> Self {
        let counters = Shared::clone(shard.counters());
        Self(Shared::new(ShardCell { id: shard.id, counters, shard: Lock::new(shard) }))
    }

    /// The shard's counters, readable without its lock.
    #[inline]
    pub(super) fn counters(&self) -> &ShardCounters {
        &self.0.counters
    }

    /// The shard's id.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.0.id
    }

    /// Waits for exclusive access to the shard.
    ///
    /// # Panics
    ///
    /// In the single-threaded build, if this thread holds the shard already. With threads, that is
    /// a deadlock.
    #[must_use = "the shard stays locked only as long as the guard lives"]
    pub fn lock(&self) -> LockGuard<'_, Shard> {
        match self.0.shard.lock() {
            Ok(guard) => guard,
            Err(error) => panic!("{error}"),
        }
    }

    /// Exclusive access to the shard, if nobody has it now.
    #[must_use]
    pub fn try_lock(&self) -> Option<LockGuard<'_, Shard>> {
        self.0.shard.try_lock()
    }

    /// Exclusive access, or `None` where asking again would be re-entrance.
    pub(crate) fn enter(&self) -> Option<LockGuard<'_, Shard>> {
        self.0.shard.lock().ok()
    }
}
