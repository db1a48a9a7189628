//! Unload: sending and copying everything before the host ends.

use crate::ledger::{Exit, Ledger, Outgoing, Polled, State};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use shardbus::{Batch, ExitOrder, Shared};

/// Leases at the last moment.
impl Ledger {
    /// Asks the bus for one more batch of at most `max_bytes` bytes.
    pub fn poll_exit(
        &mut self,
        now: u64,
        max_bytes: usize,
        order: ExitOrder,
        keep: bool,
    ) -> CheckResult<Option<Polled>> {
        self.seed();
        self.bus.clock().set(self.wall);
        let lease = self.bus.poll_exit(now, max_bytes, order);
        self.now = self.now.max(now);
        self.look_at_ages();
        self.expire_leases();
        let Some((lane, nth)) = self.next_to_exit(max_bytes, order) else {
            ensure!(
                lease.is_none(),
                "nothing but what fits and is not in flight exits",
                "{lease:?}"
            );
            return Ok(None);
        };
        let Some(lease) = lease else {
            ensure!(false, "what fits exits", "shard {lane}: {:?}", self.lanes[lane].outgoing[nth]);
            return Ok(None);
        };
        self.tally.exits += 1;
        ensure!(lease.batch.body().len() <= max_bytes, "what exits is not larger than asked for");
        let fits = |outgoing: &Outgoing| {
            outgoing.may_exit(self.now, self.retry().max_attempts)
                && self.body_len(lane, outgoing) <= max_bytes
        };
        let outgoing = &self.lanes[lane].outgoing;
        let is_in_order = match order {
            ExitOrder::Oldest => !outgoing.iter().take(nth).any(fits),
            ExitOrder::Newest => !outgoing.iter().skip(nth + 1).any(fits),
        };
        ensure!(is_in_order, "what exits first fits and is the oldest, or the newest");
        self.begin_attempt(lease, lane, nth, keep).map(Some)
    }

    /// Cuts the model's batches as the bus does for an unload. Returns the position of the next
    /// batch.
    fn next_to_exit(&mut self, max_bytes: usize, order: ExitOrder) -> Option<(usize, usize)> {
        let count = self.present.len();
        let has_more = |lane: &&usize| {
            let lane = &self.lanes[**lane];
            !lane.waiting().is_empty() || lane.outgoing.iter().any(Outgoing::is_at_hand)
        };
        let share = max_bytes / self.present.iter().filter(has_more).count().max(1);
        for step in 0..count {
            let place = (self.next_exit + step) % count;
            let lane = self.present[place];
            if order == ExitOrder::Newest {
                self.cut_for_newest(lane, share);
            }
            let fits = |outgoing: &Outgoing| {
                outgoing.may_exit(self.now, self.retry().max_attempts)
                    && self.body_len(lane, outgoing) <= max_bytes
            };
            let outgoing = &self.lanes[lane].outgoing;
            let nth = match order {
                ExitOrder::Oldest => outgoing.iter().position(fits),
                ExitOrder::Newest => outgoing.iter().rposition(fits),
            };
            if let Some(nth) = nth {
                self.next_exit = (place + 1) % count;
                return Some((lane, nth));
            }
            // All that is before them is in flight or does not fit, so the oldest that wait are next.
            if order == ExitOrder::Oldest
                && (self.cut_within(lane, usize::MAX, share)
                    || self.cut_within(lane, usize::MAX, max_bytes))
            {
                self.next_exit = (place + 1) % count;
                return Some((lane, self.lanes[lane].outgoing.len() - 1));
            }
        }
        None
    }

    /// Cuts all that waits so that the last batch is as large as may be.
    fn cut_for_newest(&mut self, lane: usize, share: usize) {
        let max_size = self.config().batch.max_size;
        loop {
            let (len, bytes) = (self.lanes[lane].waiting().len(), self.lanes[lane].bytes as usize);
            if len == 0 {
                break;
            }
            let body_len = bytes + len - 1 + self.frame_len();
            let (excess, excess_bytes) =
                (len.saturating_sub(max_size), body_len.saturating_sub(share));
            let is_cut = if excess_bytes > 0 {
                self.cut_within(lane, usize::MAX, excess_bytes)
                    || self.cut_within(lane, 1, usize::MAX)
            } else {
                self.cut_within(lane, if excess > 0 { excess } else { len }, usize::MAX)
            };
            if !is_cut {
                break;
            }
        }
    }

    /// Cuts the oldest that wait, up to the next change of shards, and lets them stay. Returns whether
    /// there were any.
    pub(super) fn cut_within(&mut self, lane: usize, max_len: usize, max_bytes: usize) -> bool {
        let waiting = self.lanes[lane].waiting();
        let is_before = |fence: &&usize| waiting.first().is_some_and(|event| event < fence);
        let fence = self.fences.iter().find(is_before).copied();
        let count = self.cuttable(lane, fence, max_bytes).min(max_len);
        if count > 0 {
            self.cut(lane, count);
        }
        count > 0
    }
}

/// Copies of everything.
impl Ledger {
    /// Lets the bus cut everything into batches, which it returns.
    pub(super) fn stage(&mut self, now: u64) -> CheckResult<Vec<Shared<Batch>>> {
        note!(self, "    stages everything");
        self.tally.stages += 1;
        self.seed();
        self.bus.clock().set(self.wall);
        let staged = self.bus.stage(now);
        self.now = self.now.max(now);
        self.look_at_ages();
        let mut seen = staged.iter();
        for place in 0..self.present.len() {
            let lane = self.present[place];
            while self.cut_within(lane, usize::MAX, usize::MAX) {}
            let mut outgoing = std::mem::take(&mut self.lanes[lane].outgoing);
            for outgoing in outgoing.iter_mut().filter(|outgoing| !outgoing.is_spilled()) {
                let Some(batch) = seen.next() else {
                    ensure!(false, "everything is staged", "{staged:?}");
                    continue;
                };
                self.check_batch(batch, lane, outgoing)?;
            }
            self.lanes[lane].outgoing = outgoing;
        }
        ensure!(seen.next().is_none(), "what is staged is in the bus", "{staged:?}");
        Ok(staged)
    }

    /// Copies all unsettled batches and releases the chosen ones; `chooses` gets true if the store
    /// has the batch.
    pub fn stage_and_release(
        &mut self,
        now: u64,
        mut chooses: impl FnMut(bool) -> bool,
    ) -> CheckResult {
        let staged = self.stage(now)?;
        let mut staged = staged.into_iter();
        for place in 0..self.present.len() {
            let (lane, mut nth) = (self.present[place], 0);
            while let Some(outgoing) = self.lanes[lane].outgoing.get(nth) {
                if outgoing.is_spilled() {
                    nth += 1;
                    continue;
                }
                let is_leased = outgoing.is_leased();
                let is_chosen = chooses(self.is_kept(lane, &outgoing.events));
                let Some(batch) = staged.next() else { break };
                if !is_chosen {
                    nth += 1;
                    continue;
                }
                let is_released = self.bus.release(&batch);
                note!(self, "    releases {}: {is_released}", batch.id());
                ensure!(
                    is_released != is_leased,
                    "what is not in flight can be released",
                    "{batch:?}"
                );
                if is_leased {
                    nth += 1;
                    continue;
                }
                ensure!(!self.bus.release(&batch), "what is released is gone");
                drop(batch);
                if let Some(outgoing) = self.pop(lane, nth, Exit::Released) {
                    self.release(outgoing.reservation);
                }
            }
        }
        Ok(())
    }

    /// The host takes all leases back.
    pub fn recall(&mut self) {
        note!(self, "    recalls all leases");
        self.bus.recall();
        let now = self.now;
        for &lane in &self.present {
            for outgoing in self.lanes[lane].outgoing.iter_mut().filter(|at| at.is_leased()) {
                outgoing.state = State::Paused { from: now, to: now };
                outgoing.asked = 0;
            }
        }
    }
}
