//! Answers in.

use crate::ledger::{Exit, Ledger, Outgoing, State, nanos};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use shardbus::{AbandonReason, Failure, Outcome, RetryPolicy};

impl Ledger {
    /// The position of the batch with this lease.
    pub(super) fn place_of(&self, wanted: u64) -> Option<(usize, usize)> {
        let is_it = |outgoing: &Outgoing| matches!(outgoing.state, State::Leased { lease, .. } if lease == wanted);
        let nth = |lane: usize| self.lanes[lane].outgoing.iter().position(is_it);
        self.present.iter().find_map(|&lane| Some((lane, nth(lane)?)))
    }

    pub(super) fn is_live(&self, lease: u64) -> bool {
        self.place_of(lease).is_some()
    }

    /// Checks whether an answer was taken for live, and returns its batch's place if it was.
    fn answered(
        &mut self,
        lease: u64,
        was_live: bool,
        now: u64,
    ) -> CheckResult<Option<(usize, usize)>> {
        self.now = self.now.max(now);
        let place = self.place_of(lease);
        ensure!(
            was_live == place.is_some(),
            "an answer counts if its lease is live, and only then",
            "lease {lease}: {was_live}"
        );
        self.tally.late += u64::from(!was_live);
        note!(self, "    {}", if was_live { "it counts" } else { "it is late" });
        Ok(place)
    }

    pub fn acknowledge(&mut self, lease: u64, now: u64) -> CheckResult {
        note!(self, "    acknowledges lease {lease}");
        let was_live = self.bus.acknowledge(lease, now);
        let Some((lane, nth)) = self.answered(lease, was_live, now)? else { return Ok(()) };
        self.note_answer(lane, lease);
        self.counts.batches.delivered += 1;
        self.deliver(lane, nth);
        Ok(())
    }

    fn deliver(&mut self, lane: usize, nth: usize) {
        if let Some(outgoing) = self.pop(lane, nth, Exit::Delivered) {
            self.counts.body_bytes_delivered += self.body_len(lane, &outgoing) as u64;
            self.release(outgoing.reservation);
        }
    }

    pub fn fail(&mut self, lease: u64, failure: Failure, now: u64) -> CheckResult {
        note!(self, "    fails lease {lease}: {failure:?}");
        let was_live = self.bus.fail(lease, failure, now);
        if let Some((lane, nth)) = self.answered(lease, was_live, now)? {
            self.fail_nth((lane, nth), lease, failure);
        }
        Ok(())
    }

    /// The receiver answers for single events.
    pub fn settle_each(
        &mut self,
        lease: u64,
        outcomes: &[(usize, Outcome)],
        now: u64,
    ) -> CheckResult {
        note!(self, "    settles lease {lease}: {outcomes:?}");
        let was_live = self.bus.settle(lease, outcomes, now);
        let place = self.place_of(lease);
        let len = place.map(|(lane, nth)| self.lanes[lane].outgoing[nth].events.len());
        let covered: usize = outcomes.iter().map(|(len, _)| len).sum();
        if len.is_some_and(|len| len != covered) {
            ensure!(!was_live, "outcomes count if they cover the batch, and only then");
            self.now = self.now.max(now);
            return Ok(());
        }
        let Some((lane, nth)) = self.answered(lease, was_live, now)? else { return Ok(()) };
        self.tally.settlements += 1;
        let is_taken =
            outcomes.iter().any(|&(len, outcome)| len > 0 && outcome == Outcome::Delivered);
        if is_taken {
            self.note_answer(lane, lease);
            self.counts.batches.delivered += 1;
        }
        let runs = outcomes.iter().filter(|(len, _)| *len > 0).count();
        let Some(mut whole) = self.lanes[lane].outgoing.remove(nth) else { return Ok(()) };
        if runs > 1 {
            whole.stores_at = Some(self.now);
        }
        self.reservations[whole.reservation].holders += runs as u32 - 1;
        let others = self.lanes[lane].outgoing.len();
        let mut start = 0;
        for &(len, outcome) in outcomes.iter().filter(|(len, _)| *len > 0) {
            let place = nth + self.lanes[lane].outgoing.len() - others;
            self.lanes[lane].outgoing.insert(place, whole.part(start..start + len));
            start += len;
            match outcome {
                Outcome::Delivered => self.deliver(lane, place),
                Outcome::Failed(failure) => self.fail_nth((lane, place), lease, failure),
            }
        }
        Ok(())
    }

    /// Tells whether the receiver refuses the batch of a lease for its own sake, if of 64 events so
    /// many are poisonous.
    pub fn has_poison(&self, lease: u64, of_64: u8) -> bool {
        self.place_of(lease).is_some_and(|(lane, nth)| {
            let events = self.lanes[lane].outgoing[nth].events.clone();
            let is_poison = |&event: &usize| (event * 29 % 64) < usize::from(of_64);
            self.lanes[lane].log[events].iter().any(is_poison)
        })
    }

    /// The number of events in a lease's batch.
    pub fn len_of(&self, lease: u64) -> Option<usize> {
        let (lane, nth) = self.place_of(lease)?;
        Some(self.lanes[lane].outgoing[nth].events.len())
    }

    fn fail_nth(&mut self, (lane, nth): (usize, usize), lease: u64, failure: Failure) {
        let (now, retry) = (self.now, self.retry());
        if !matches!(failure, Failure::Unavailable { .. }) {
            self.note_answer(lane, lease);
        }
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        match failure {
            Failure::Unavailable { .. } if retry.max_attempts == 0 => {
                self.abandon(lane, nth, AbandonReason::Retries);
            }
            Failure::Unavailable { retry_after } => {
                self.await_destination((lane, nth), lease, retry_after);
            }
            Failure::Permanent => self.abandon(lane, nth, AbandonReason::Permanent),
            Failure::Refused { retry_after } => {
                outgoing.refusals += 1;
                outgoing.failures = 0;
                let refusals = outgoing.refusals;
                if refusals >= retry.max_attempts {
                    self.abandon(lane, nth, AbandonReason::Retries);
                } else {
                    let asked = nanos(retry_after.min(retry.max_retry_after));
                    let longest = bound(&retry, refusals).max(asked);
                    outgoing.asked = now + asked;
                    outgoing.state = State::Paused { from: now + asked, to: now + longest };
                }
            }
            Failure::Split if outgoing.events.len() == 1 => {
                self.abandon(lane, nth, AbandonReason::Permanent);
            }
            Failure::Split => self.split(lane, nth),
        }
    }

    pub fn expire(&mut self, lease: u64, now: u64) -> CheckResult {
        note!(self, "    lease {lease} is lost");
        let was_live = self.bus.expire(lease, now);
        if let Some((lane, nth)) = self.answered(lease, was_live, now)? {
            self.expire_lease(lane, nth);
        }
        Ok(())
    }

    pub(super) fn pop(&mut self, lane: usize, nth: usize, exit: Exit) -> Option<Outgoing> {
        let outgoing = self.lanes[lane].outgoing.remove(nth)?;
        self.lanes[lane].in_flight -= outgoing.events.len() as u64;
        self.settle(lane, outgoing.events.clone(), exit);
        Some(outgoing)
    }

    pub(super) fn abandon(&mut self, lane: usize, nth: usize, reason: AbandonReason) {
        if self.lanes[lane].outgoing[nth].is_spilled() {
            // The store has it.
            self.pop(lane, nth, Exit::Released);
            return;
        }
        if let Some(outgoing) = self.pop(lane, nth, Exit::Abandoned(reason)) {
            self.abandoned.push_back((reason, lane, outgoing));
        }
    }

    /// Puts the halves of a batch in its place.
    fn split(&mut self, lane: usize, nth: usize) {
        self.tally.splits += 1;
        let state = State::Paused { from: self.now, to: self.now };
        let outgoing = &mut self.lanes[lane].outgoing;
        if let Some(whole) = outgoing.remove(nth) {
            let Outgoing { events, origin, sequence, reservation, stores_at, content, .. } = whole;
            let first_len = events.len().div_ceil(2);
            let middle = events.start + first_len;
            let half = |events, sequence| Outgoing {
                events,
                origin,
                sequence,
                attempts: 0,
                refusals: 0,
                failures: 0,
                asked: 0,
                state,
                stores_at,
                content,
                reservation,
                address: None,
            };
            outgoing.insert(nth, half(middle..events.end, sequence + first_len as u64));
            outgoing.insert(nth, half(events.start..middle, sequence));
            self.reservations[reservation].holders += 1;
        }
    }
}

/// The longest pause after this many failures in a row.
pub(super) fn bound(retry: &RetryPolicy, failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(31);
    nanos(retry.base_delay * (1 << doublings)).min(nanos(retry.max_delay))
}
