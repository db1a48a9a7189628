//! What an earlier life of the host has left.
//!
//! Such batches come back one at a time, through a lane of their own, with the ids that they had.
//! Until the last of them is settled, nothing else is sent.

use crate::batch::Batch;
use crate::delivery::lane::{Lane, Outgoing};
use crate::delivery::machine::Delivery;
use crate::shard::{BatchWorker, Reservation, ShardRef};
use crate::sync::Shared;

impl Delivery {
    /// Holds everything back, until [`end_restore`](Self::end_restore), for what an earlier life
    /// has left. `shard` counts its events; `reserved` are the bytes that one batch of it may have.
    pub(crate) fn begin_restore(&mut self, shard: ShardRef, reserved: Reservation) {
        self.restoring = Some(Shared::new(reserved));
        if self.restored_lane().is_none() {
            let worker = BatchWorker::new(self.config.batch.clone(), 0);
            // The first, so that it is also drained first.
            self.lanes.insert(0, Lane::new(shard, worker, None));
        }
    }

    /// Whether things are held back.
    pub(crate) const fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    /// The bytes for a batch that can be restored now: one is expected, and there is none yet.
    pub(crate) fn room_to_restore(&mut self) -> Option<Shared<Reservation>> {
        let reserved = self.restoring.clone()?;
        self.restored_lane()?.outgoing.is_empty().then_some(reserved)
    }

    /// Takes in a batch of an earlier life.
    pub(crate) fn restore(&mut self, batch: Shared<Batch>) {
        let now = self.now;
        let Some(lane) = self.restored_lane() else { return };
        let Some(mut shard) = lane.shard.enter() else { return };
        let first_index = shard.head_index();
        shard.count_past(batch.len() as u64);
        drop(shard);
        lane.outgoing.push_back(Outgoing::new(batch, first_index, now));
    }

    /// Nothing is held back any more, and the bytes that were kept free are given back, once no
    /// batch has them.
    pub(crate) fn end_restore(&mut self) {
        self.restoring = None;
    }

    fn restored_lane(&mut self) -> Option<&mut Lane> {
        self.lanes.first_mut().filter(|lane| lane.is_restored())
    }
}
