//! Events that have become too old to be worth sending.

use crate::delivery::AbandonReason;
use crate::delivery::flush::Exit;
use crate::delivery::lane::Outgoing;
use crate::delivery::machine::Delivery;
use crate::delivery::store::Copy;

impl Delivery {
    /// Gives up events that were accepted too long ago, by the wall clock. Leased batches stay with
    /// the host.
    pub(super) fn give_up_old(&mut self, wall: u64) {
        let Some(max_age) = self.backoff.max_age() else { return };
        let Some(newest) = wall.checked_sub(max_age) else { return };
        for lane in 0..self.lanes.len() {
            self.give_up_old_outgoing(lane, newest);
            // Events in the shard came later than all that have left it.
            while let Some(batch) = self.cut_old(lane, newest) {
                self.count_abandoned(AbandonReason::Expired, 0, batch);
            }
        }
    }

    /// Gives up the first events of each batch, up to those accepted at `newest`.
    fn give_up_old_outgoing(&mut self, lane: usize, newest: u64) {
        let is_old = |outgoing: &Outgoing| {
            !outgoing.is_leased() && outgoing.batch.first_timestamp() <= newest
        };
        while let Some(nth) = self.lanes[lane].outgoing.iter().position(is_old) {
            let outgoing = &mut self.lanes[lane].outgoing;
            let Some(whole) = outgoing.get_mut(nth) else { return };
            let old = whole.batch.count_until(newest);
            if old < whole.batch.len() {
                // The store's copy has the expired events too.
                let copy = Copy::Missing(self.now);
                let rest = Outgoing { copy, ..whole.part(old..whole.batch.len()) };
                *whole = whole.part(0..old);
                outgoing.insert(nth + 1, rest);
            }
            self.abandon(lane, nth, AbandonReason::Expired);
        }
    }

    fn cut_old(&mut self, lane: usize, newest: u64) -> Option<crate::sync::Shared<crate::Batch>> {
        let (now, max_size) = (self.now, self.config.batch.max_size);
        let (batch, first_index) =
            self.lanes[lane].cut(|worker, shard| match shard.count_until(newest, max_size) {
                0 => None,
                old => worker.cut(shard, now, old, usize::MAX),
            })?;
        self.note_exit(lane, first_index, batch.len() as u64, Exit::Abandoned);
        Some(batch)
    }

    /// The time at which the next event will be too old, on the clock of `poll`.
    pub(super) fn next_expiry(&self, wall: u64) -> Option<u64> {
        let max_age = self.backoff.max_age()?;
        let oldest = self.lanes.iter().filter_map(|lane| {
            // Batches of earlier runs need not be in order.
            let outgoing = lane.outgoing.iter().filter(|outgoing| !outgoing.is_leased());
            match outgoing.map(|outgoing| outgoing.batch.first_timestamp()).min() {
                Some(first) => Some(first),
                None => lane.shard.enter()?.oldest_timestamp(),
            }
        });
        let due_in = oldest.min()?.saturating_add(max_age).saturating_sub(wall);
        Some(self.now.saturating_add(due_in))
    }
}
