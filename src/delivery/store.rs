//! Copies in the host's store of events that have waited for long, whether or not their turn to be
//! sent has come. So the end of the host costs no more than the last moments.
//!
//! Pending events of a shard are cut into a batch for the store once the oldest has waited for
//! [`max_delay`](crate::BatchConfig::max_delay), or memory gets short (see
//! [`spill`](super::spill)). The host stores a leased batch itself: before it sends it.

use crate::batch::{Batch, BatchHead};
use crate::delivery::NEVER;
use crate::delivery::lane::{Lane, Outgoing};
use crate::delivery::machine::Delivery;
use crate::sync::Shared;
use std::ops::Range;

/// The state of a batch's copy in the host's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    /// It has not; the host may be asked from this time on to write it.
    Missing(u64),
    /// It has, alone or within a larger one.
    Stored,
}

impl Delivery {
    /// The next batch that the host is to write; nothing if there is none. The host is asked again
    /// for a batch that it has not written in the time of a lease.
    pub(super) fn next_to_store(&mut self) -> Option<Shared<Batch>> {
        if !self.config.has_store {
            return None;
        }
        let again_at = self.lease_end();
        let (lane, nth) = self.find_to_store()?;
        let outgoing = self.lanes[lane].outgoing.get_mut(nth)?;
        outgoing.copy = Copy::Missing(again_at);
        outgoing.batch().cloned()
    }

    fn find_to_store(&mut self) -> Option<(usize, usize)> {
        let now = self.now;
        if let Some(place) = self.find(&|outgoing| outgoing.stores_at() <= now) {
            return Some(place);
        }
        let is_pressed = self.is_pressed();
        (0..self.lanes.len()).find_map(|lane| {
            let has_waited = self.stores_at(lane, is_pressed) <= now;
            let is_cut = has_waited && self.cut_outgoing(lane, usize::MAX, usize::MAX);
            is_cut.then(|| (lane, self.lanes[lane].outgoing.len() - 1))
        })
    }

    /// The time at which there is something to write, if nothing happens until then.
    pub(super) fn next_store(&mut self) -> u64 {
        if !self.config.has_store {
            return NEVER;
        }
        let is_pressed = self.is_pressed();
        let mut next = NEVER;
        for lane in 0..self.lanes.len() {
            next = next.min(self.stores_at(lane, is_pressed));
            next = self.lanes[lane].outgoing.iter().map(Outgoing::stores_at).fold(next, u64::min);
        }
        next
    }

    /// The host's store has these events, by their sequence numbers in a shard of a run.
    pub(crate) fn note_stored(&mut self, (nonce, shard): (u64, u16), events: &Range<u64>) {
        for lane in &mut self.lanes {
            for outgoing in &mut lane.outgoing {
                let BatchHead { process_nonce, shard_id, sequence_start: start, .. } =
                    outgoing.head;
                let is_of_shard = (process_nonce, shard_id) == (nonce, shard);
                if is_of_shard && events.start <= start && start + outgoing.len() <= events.end {
                    outgoing.copy = Copy::Stored;
                }
            }
        }
        self.spill();
    }
}

impl Outgoing {
    /// The time from which the host may be asked to write it; [`NEVER`] if it has, or sends it.
    fn stores_at(&self) -> u64 {
        match self.copy {
            Copy::Missing(at) if !self.is_leased() => at,
            _ => NEVER,
        }
    }
}

impl Delivery {
    /// The time at which the oldest pending event of a lane has waited for long; [`NEVER`] with
    /// none. Where they press, they need not wait.
    fn stores_at(&mut self, lane: usize, is_pressed: bool) -> u64 {
        let (now, may_spill) = (self.now, self.may_spill());
        let Lane { shard, worker, .. } = &mut self.lanes[lane];
        let Some(shard) = shard.enter() else { return NEVER };
        let is_pressed = is_pressed || may_spill && shard.len() >= shard.high_water();
        match worker.deadline(&shard, now) {
            Some(_) if is_pressed => now,
            deadline => deadline.unwrap_or(NEVER),
        }
    }
}
