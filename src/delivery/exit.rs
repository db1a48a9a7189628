//! Unload: sends or saves everything before the host goes away.
//!
//! There is no time to wait for answers then, so the rules of lanes are relaxed: several batches of
//! a shard may be in flight, and newer ones before older ones.

use crate::batch::Batch;
use crate::delivery::Lease;
use crate::delivery::flush::Exit;
use crate::delivery::lane::{Lane, Outgoing, OutgoingState};
use crate::delivery::machine::{Delivery, before};
use crate::shard::{Shard, Watermarks};
use crate::sync::Shared;

/// Which events of a shard go first when not all can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExitOrder {
    /// In the order in which they came.
    #[default]
    Oldest,
    /// The last ones first.
    Newest,
}

impl Delivery {
    /// Leases one batch whose body has at most `max_bytes` bytes, whatever else is in flight.
    /// Shards take turns, and share the bytes.
    pub(crate) fn poll_exit(
        &mut self,
        now: u64,
        max_bytes: usize,
        order: ExitOrder,
    ) -> Option<Lease> {
        self.advance(now);
        self.expire_leases();
        let sharing = self.lanes.iter().filter(|lane| lane.has_more()).count();
        let share = max_bytes / sharing.max(1);
        let count = self.lanes.len();
        (0..count).find_map(|step| {
            let lane = (self.next_exit + step) % count;
            let nth = match order {
                ExitOrder::Oldest => self.oldest_for_exit(lane, share, max_bytes),
                ExitOrder::Newest => self.newest_for_exit(lane, share, max_bytes),
            }?;
            self.next_exit = (lane + 1) % count;
            self.begin_attempt(lane, nth)
        })
    }

    fn oldest_for_exit(&mut self, lane: usize, share: usize, max_bytes: usize) -> Option<usize> {
        let fits = |outgoing: &Outgoing| self.may_exit(outgoing, max_bytes);
        let waiting = self.lanes[lane].outgoing.iter().position(fits);
        waiting.or_else(|| {
            let is_cut = self.cut_outgoing(lane, usize::MAX, share)
                || self.cut_outgoing(lane, usize::MAX, max_bytes);
            is_cut.then(|| self.lanes[lane].outgoing.len() - 1)
        })
    }

    fn newest_for_exit(&mut self, lane: usize, share: usize, max_bytes: usize) -> Option<usize> {
        // Cut so that the last batch has as much as fits.
        while let Some((len, body_len)) = self.lanes[lane].waiting() {
            let excess_len = len.saturating_sub(self.config.batch.max_size);
            let excess = body_len.saturating_sub(share);
            let is_cut = match (excess_len, excess) {
                (0, 0) => self.cut_outgoing(lane, usize::MAX, usize::MAX),
                (_, 0) => self.cut_outgoing(lane, excess_len, usize::MAX),
                _ => {
                    self.cut_outgoing(lane, usize::MAX, excess)
                        || self.cut_outgoing(lane, 1, usize::MAX)
                }
            };
            if !is_cut {
                break;
            }
        }
        let fits = |outgoing: &Outgoing| self.may_exit(outgoing, max_bytes);
        self.lanes[lane].outgoing.iter().rposition(fits)
    }

    /// True if an outgoing batch may leave in an unload. The host may stay after all, so the last
    /// attempt is left for later, and a pause that the receiver asked for is kept.
    fn may_exit(&self, outgoing: &Outgoing, max_bytes: usize) -> bool {
        let is_free = matches!(outgoing.state, OutgoingState::Waiting { at_least_until, .. } if at_least_until <= self.now);
        let has_more_attempts =
            outgoing.attempts == 0 || self.backoff.may_retry(outgoing.refusals + 1);
        let fits = outgoing.batch().is_some_and(|batch| batch.body().len() <= max_bytes);
        is_free && has_more_attempts && fits
    }

    /// Cuts everything into batches, and returns all in memory that are not settled, leased ones
    /// included: shard by shard, oldest first.
    pub(crate) fn stage(&mut self, now: u64) -> Vec<Shared<Batch>> {
        self.advance(now);
        for lane in 0..self.lanes.len() {
            while self.cut_outgoing(lane, usize::MAX, usize::MAX) {}
        }
        let mut batches = Vec::new();
        for lane in &self.lanes {
            for batch in lane.outgoing.iter().filter_map(Outgoing::batch) {
                batches.push(Shared::clone(batch));
            }
        }
        batches
    }

    /// Takes all leases back. No attempt is counted as failed; answers come too late.
    pub(crate) fn recall(&mut self) {
        let now = self.now;
        self.next_action = 0;
        for lane in &mut self.lanes {
            for outgoing in lane.outgoing.iter_mut().filter(|outgoing| outgoing.is_leased()) {
                outgoing.state = OutgoingState::waiting_since(now);
            }
        }
    }

    /// Takes a staged batch out for good. Returns whether it was there and not leased.
    pub(crate) fn release(&mut self, batch: &Shared<Batch>) -> bool {
        let is_it = |outgoing: &Outgoing| {
            let is_same = outgoing.batch().is_some_and(|held| Shared::ptr_eq(held, batch));
            is_same && !outgoing.is_leased()
        };
        let Some((lane, nth)) = self.find(&is_it) else { return false };
        let released = self.take(lane, nth, Exit::Drained);
        self.stats.events_drained += released.map_or(0, |outgoing| outgoing.len());
        true
    }

    /// Lets every pause end that the receiver did not ask for.
    pub(crate) fn cut_pauses_short(&mut self) {
        self.destination.probe_now();
        for lane in &mut self.lanes {
            lane.resumes_at = 0;
            for outgoing in &mut lane.outgoing {
                if let OutgoingState::Waiting { until, at_least_until } = &mut outgoing.state {
                    *until = *at_least_until;
                }
            }
        }
    }

    /// Cuts a batch off the lane's shard and lets it wait. Returns whether there was one.
    pub(super) fn cut_outgoing(&mut self, lane: usize, max_len: usize, max_bytes: usize) -> bool {
        let (now, fences) = (self.now, &self.fences);
        let max_len = |shard: &Shard| max_len.min(up_to_fence(fences, shard));
        self.lanes[lane].cut_outgoing(now, max_bytes, &max_len)
    }
}

impl Lane {
    /// The number of pending events in the shard, and the length of their body; `None` with none.
    fn waiting(&self) -> Option<(usize, usize)> {
        let shard = self.shard.enter()?;
        (!shard.is_empty()).then(|| (shard.len(), shard.body_len()))
    }
}

/// The number of events in a shard that a batch may have which stays in the bus: it must not lie on
/// both sides of a fence.
fn up_to_fence(fences: &[Watermarks], shard: &Shard) -> usize {
    fences.iter().map(|fence| before(Some(fence), shard)).find(|&len| len > 0).unwrap_or(usize::MAX)
}
