//! Events that have become too old to be worth sending.

use crate::batch::BatchHead;
use crate::delivery::flush::Exit;
use crate::delivery::lane::Outgoing;
use crate::delivery::machine::Delivery;
use crate::delivery::store::Copy;
use crate::delivery::{AbandonReason, NEVER};
use crate::shard::Shard;

impl Delivery {
    /// True if events can get too old.
    pub(super) fn expires(&self) -> bool {
        self.backoff.max_age().is_some()
    }

    /// Gives up events that were accepted too long ago, by the wall clock. Leased batches stay with
    /// the host; those that only the store has are loaded first, to be shown.
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
        let is_old =
            |outgoing: &Outgoing| outgoing.is_at_hand() && outgoing.head.first_timestamp <= newest;
        while let Some(nth) = self.lanes[lane].outgoing.iter().position(is_old) {
            let outgoing = &mut self.lanes[lane].outgoing;
            let Some(whole) = outgoing.get_mut(nth) else { return };
            let Some(batch) = whole.batch().cloned() else { return };
            let old = batch.count_until(newest);
            if old < batch.len() {
                // The store's copy has the expired events too.
                let copy = Copy::Missing(self.now);
                let rest = Outgoing { copy, ..whole.part(&batch, old..batch.len()) };
                *whole = whole.part(&batch, 0..old);
                outgoing.insert(nth + 1, rest);
            }
            self.abandon(lane, nth, AbandonReason::Expired);
        }
    }

    /// A batch to load because it is too old.
    pub(super) fn load_old(&mut self, wall: u64) -> Option<BatchHead> {
        let newest = wall.checked_sub(self.backoff.max_age()?)?;
        let is_old = |outgoing: &Outgoing| {
            outgoing.head.first_timestamp <= newest && outgoing.may_be_asked_for(self.now)
        };
        let (lane, nth) = self.find(&is_old)?;
        self.ask_for(lane, nth)
    }

    fn cut_old(&mut self, lane: usize, newest: u64) -> Option<crate::sync::Shared<crate::Batch>> {
        let (now, max_size) = (self.now, self.config.batch.max_size);
        let max_len = |shard: &Shard| shard.count_until(newest, max_size);
        let (batch, first_index) = self.lanes[lane].cut(now, usize::MAX, &max_len)?;
        self.note_exit(lane, first_index, batch.len() as u64, Exit::Abandoned);
        Some(batch)
    }

    /// The time at which the next event will be too old, on the clock of `poll`.
    pub(super) fn next_expiry(&self, wall: u64) -> u64 {
        let Some(max_age) = self.backoff.max_age() else { return NEVER };
        let has_room = self.has_room_to_load();
        let due = |first: u64| {
            let due_in = first.saturating_add(max_age).saturating_sub(wall);
            self.now.saturating_add(due_in)
        };
        let mut next = NEVER;
        for lane in &self.lanes {
            let mut has_outgoing = false;
            // Batches of earlier runs need not be in order.
            for outgoing in lane.outgoing.iter().filter(|outgoing| !outgoing.is_leased()) {
                has_outgoing = true;
                let at = due(outgoing.head.first_timestamp);
                next = next.min(outgoing.at_hand_from(at, self.now, has_room));
            }
            let oldest = || lane.shard.enter()?.oldest_timestamp();
            if !has_outgoing && let Some(oldest) = oldest() {
                next = next.min(due(oldest));
            }
        }
        next
    }
}
