//! One shard's way out.

use crate::batch::Batch;
use crate::shard::{BatchWorker, Shard, ShardRef};
use crate::sync::{LockGuard, Shared};

/// A shard, the worker that cuts its batches, and the one batch that has left it and is not
/// settled.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) shard: ShardRef,
    pub(crate) worker: BatchWorker,
    pub(crate) outgoing: Option<Outgoing>,
}

/// A batch between its shard and its settlement.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) batch: Shared<Batch>,
    /// Index of the first event among all that the shard ever accepted.
    pub(crate) first_index: u64,
    /// Attempts begun so far.
    pub(crate) attempts: u32,
    pub(crate) state: OutgoingState,
}

/// Who has an outgoing batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutgoingState {
    /// The host, until the lease expires.
    Leased {
        /// The lease.
        lease: u64,
        /// When the batch may be handed out again.
        expires: u64,
    },
    /// Nobody, until its pause is over.
    Waiting {
        /// When the next attempt may begin.
        until: u64,
    },
}

impl Outgoing {
    /// Number of events.
    pub(crate) fn len(&self) -> u64 {
        self.batch.len() as u64
    }
}

impl Lane {
    pub(crate) const fn new(shard: ShardRef, worker: BatchWorker) -> Self {
        Self { shard, worker, outgoing: None }
    }

    /// How many events have left the shard and are not settled.
    pub(crate) fn in_flight(&self) -> u64 {
        self.outgoing.as_ref().map_or(0, Outgoing::len)
    }

    /// Takes a batch out of the shard by `cut`. Returns it with the index of its first event.
    pub(crate) fn cut(
        &mut self,
        cut: impl FnOnce(&mut BatchWorker, &mut Shard) -> Option<Batch>,
    ) -> Option<(Shared<Batch>, u64)> {
        let mut shard: LockGuard<'_, Shard> = self.shard.enter()?;
        let first_index = shard.head_index();
        let batch = cut(&mut self.worker, &mut shard)?;
        Some((Shared::new(batch), first_index))
    }
}
