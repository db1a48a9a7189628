//! Batches of earlier runs of the host.
//!
//! Such batches come back a few at a time, through a lane of their own, with their old ids. The
//! lane takes turns with the others: new events are sent beside old ones. Restored batches are held
//! beside the bound on bytes, so that they take no room from new events.

use crate::batch::Batch;
use crate::delivery::lane::{Lane, Outgoing};
use crate::delivery::machine::Delivery;
use crate::delivery::store::Copy;
use crate::shard::{BatchWorker, ShardRef};
use crate::sync::Shared;

/// Most batches of earlier runs that are in memory, unless they are split.
const AT_ONCE: usize = 2;

impl Delivery {
    /// Takes in, until [`end_restore`](Self::end_restore), the batches of earlier runs. `shard`
    /// counts its events.
    pub(crate) fn begin_restore(&mut self, shard: ShardRef) {
        self.is_restoring = true;
        if self.restored_lane().is_none() {
            let worker = BatchWorker::new(self.config.batch, 0);
            // The first, so that it is also drained first.
            self.lanes.insert(0, Lane::new(shard, worker, None));
        }
    }

    /// Tells whether there may be more to take in, or a restored batch is not settled.
    pub(crate) fn is_restoring(&self) -> bool {
        let is_unsettled = |lane: &Lane| lane.is_restored() && !lane.outgoing.is_empty();
        self.is_restoring || self.lanes.first().is_some_and(is_unsettled)
    }

    /// Tells whether a batch can be taken in now. While one is in flight the next is read; and it
    /// is there to be tried, should the first be at fault (see [`blame`](super::blame)).
    pub(crate) fn wants_restored(&self) -> bool {
        let lane = self.lanes.first().filter(|lane| self.is_restoring && lane.is_restored());
        lane.is_some_and(|lane| lane.outgoing.len() < AT_ONCE)
    }

    /// Takes in a batch of an earlier run.
    pub(crate) fn restore(&mut self, batch: Shared<Batch>) {
        let now = self.now;
        let Some(lane) = self.restored_lane() else { return };
        let Some(mut shard) = lane.shard.enter() else { return };
        let first_index = shard.head_index();
        shard.count_past(batch.len() as u64);
        drop(shard);
        let mut outgoing = Outgoing::new(batch, first_index, now);
        outgoing.copy = Copy::Stored;
        lane.outgoing.push_back(outgoing);
    }

    /// Nothing more is taken in.
    pub(crate) const fn end_restore(&mut self) {
        self.is_restoring = false;
    }

    fn restored_lane(&mut self) -> Option<&mut Lane> {
        self.lanes.first_mut().filter(|lane| lane.is_restored())
    }
}
