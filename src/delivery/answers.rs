//! The end of an attempt: its answer, or the lack of one.

use crate::batch::Batch;
use crate::clock::nanos;
use crate::delivery::blame::Suspicion;
use crate::delivery::flush::Exit;
use crate::delivery::lane::{Lane, Outgoing, OutgoingState};
use crate::delivery::machine::Delivery;
use crate::delivery::store::Copy;
use crate::delivery::{AbandonReason, Abandoned, Failure, Outcome};
use crate::sync::Shared;

impl Delivery {
    /// The lease was delivered. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn acknowledge(&mut self, lease: u64, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        self.stats.batches_delivered += 1;
        self.note_delivery(lane, nth, lease);
        self.deliver(lane, nth);
        self.end_trial(lane, nth);
        true
    }

    /// The lease failed. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn fail(&mut self, lease: u64, failure: Failure, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        self.fail_nth(lane, nth, lease, failure);
        true
    }

    /// The receiver answered for single events: `outcomes` has a run length and an outcome for
    /// consecutive events, in order. Returns whether the lease was still live and `outcomes` covers
    /// the batch; if not, nothing changes.
    ///
    /// Remaining events keep their ids, their order and their attempts.
    pub(crate) fn settle(&mut self, lease: u64, outcomes: &[(usize, Outcome)], now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        let Some(whole) = self.lanes[lane].outgoing.get(nth) else { return false };
        let Some(batch) = whole.batch().cloned() else { return false };
        let covered = outcomes.iter().try_fold(0usize, |sum, (len, _)| sum.checked_add(*len));
        if covered != Some(batch.len()) {
            return false;
        }
        let is_taken =
            outcomes.iter().any(|&(len, outcome)| len > 0 && outcome == Outcome::Delivered);
        let ends_trial = is_taken && self.lanes[lane].is_on_trial;
        if is_taken {
            self.stats.batches_delivered += 1;
            self.note_delivery(lane, nth, lease);
        }
        let Some(mut whole) = self.lanes[lane].outgoing.remove(nth) else { return false };
        if outcomes.iter().filter(|(len, _)| *len > 0).count() > 1 {
            // The store's copy may have settled events too.
            whole.copy = Copy::Missing(self.now);
        }
        let others = self.lanes[lane].outgoing.len();
        let mut start = 0;
        for &(len, outcome) in outcomes.iter().filter(|(len, _)| *len > 0) {
            // Behind the parts before it that stay.
            let place = nth + self.lanes[lane].outgoing.len() - others;
            self.lanes[lane].outgoing.insert(place, whole.part(&batch, start..start + len));
            start += len;
            match outcome {
                Outcome::Delivered => self.deliver(lane, place),
                Outcome::Failed(failure) => self.fail_nth(lane, place, lease, failure),
            }
        }
        self.lanes[lane].is_on_trial = ends_trial && nth > 0;
        self.end_trial(lane, nth);
        true
    }

    /// The holder of the lease is gone. Returns whether it was still live.
    pub(crate) fn expire(&mut self, lease: u64, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        self.expire_nth(lane, nth);
        true
    }

    pub(super) fn expire_leases(&mut self) {
        let now = self.now;
        let has_expired = |outgoing: &Outgoing| matches!(outgoing.state, OutgoingState::Leased { expires, .. } if expires <= now);
        while let Some((lane, nth)) = self.find(&has_expired) {
            self.expire_nth(lane, nth);
        }
    }

    /// Takes a lease back. It says something of the host and nothing of the destination.
    pub(super) fn expire_nth(&mut self, lane: usize, nth: usize) {
        self.lanes[lane].is_on_trial = false;
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return };
        self.stats.leases_expired += 1;
        if self.backoff.is_on() {
            outgoing.state = OutgoingState::waiting_since(self.now);
        } else {
            self.abandon(lane, nth, AbandonReason::Retries);
        }
    }

    fn fail_nth(&mut self, lane: usize, nth: usize, lease: u64, failure: Failure) {
        self.lanes[lane].is_on_trial = false;
        if !matches!(failure, Failure::Unavailable { .. }) {
            self.note_answer(lane, lease);
        }
        match failure {
            Failure::Unavailable { retry_after } => {
                self.await_destination(lane, nth, lease, nanos(retry_after));
            }
            Failure::Refused { retry_after } => self.refuse(lane, nth, nanos(retry_after)),
            Failure::Permanent => self.abandon(lane, nth, AbandonReason::Permanent),
            Failure::Split => self.split(lane, nth),
        }
    }

    /// The destination was found unavailable: the batch waits for it.
    fn await_destination(&mut self, lane: usize, nth: usize, lease: u64, retry_after: u64) {
        if !self.backoff.is_on() {
            return self.abandon(lane, nth, AbandonReason::Retries);
        }
        let (now, deliveries) = (self.now, self.destination.deliveries());
        let asked_until = now.saturating_add(self.backoff.capped(retry_after));
        let is_news = self.destination.note_failure(lease, self.next_lease, now);
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return };
        outgoing.failures = outgoing.failures.saturating_add(1);
        outgoing.suspicion.note_failure(now, deliveries);
        let in_a_row = outgoing.failures.max(self.destination.failures());
        let until = now.saturating_add(self.backoff.outage_pause(in_a_row)).max(asked_until);
        outgoing.state = OutgoingState::Waiting { until, at_least_until: asked_until };
        if is_news {
            self.destination.probe_from(until);
        }
        if retry_after > 0 {
            self.destination.leave_alone_until(asked_until);
        }
        if self.is_at_fault(lane, nth) {
            self.abandon(lane, nth, AbandonReason::Retries);
        } else if nth == 0 {
            self.consider_trial(lane);
        }
    }

    /// The receiver refused the batch: it may do so a number of times.
    fn refuse(&mut self, lane: usize, nth: usize, retry_after: u64) {
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return };
        outgoing.refusals = outgoing.refusals.saturating_add(1);
        outgoing.failures = 0;
        let refusals = outgoing.refusals;
        if !self.backoff.may_retry(refusals) {
            return self.abandon(lane, nth, AbandonReason::Retries);
        }
        let at_least_until = self.now.saturating_add(self.backoff.capped(retry_after));
        let until = self.now.saturating_add(self.backoff.pause(refusals)).max(at_least_until);
        outgoing.state = OutgoingState::Waiting { until, at_least_until };
    }

    /// Puts the halves of an outgoing batch in its place. A single event is given up.
    fn split(&mut self, lane: usize, nth: usize) {
        let now = self.now;
        let outgoing = &mut self.lanes[lane].outgoing;
        let Some(whole) = outgoing.get_mut(nth) else { return };
        let Some(batch) = whole.batch().cloned() else { return };
        let len = batch.len();
        if len < 2 {
            return self.abandon(lane, nth, AbandonReason::Permanent);
        }
        let middle = len.div_ceil(2);
        let [first, second] = [0..middle, middle..len].map(|range| {
            let part = whole.part(&batch, range);
            let (state, suspicion) = (OutgoingState::waiting_since(now), Suspicion::default());
            let (attempts, refusals, failures) = (0, 0, 0);
            Outgoing { attempts, refusals, failures, suspicion, state, sent_at: now, ..part }
        });
        *whole = first;
        outgoing.insert(nth + 1, second);
    }

    /// The destination took at least some of a batch.
    fn note_delivery(&mut self, lane: usize, nth: usize, lease: u64) {
        let Lane { collector, outgoing, .. } = &self.lanes[lane];
        if let (Some(collector), Some(outgoing)) = (collector, outgoing.get(nth)) {
            collector.record_flush(self.now.saturating_sub(outgoing.sent_at) / 1000);
        }
        self.note_answer(lane, lease);
        self.destination.note_delivery();
    }

    /// The destination answered: an outage is over, and the lanes that waited for its end follow one
    /// another.
    fn note_answer(&mut self, lane: usize, lease: u64) {
        let now = self.now;
        if !self.destination.note_answer(lease) {
            return;
        }
        for (_, other) in self.lanes.iter_mut().enumerate().filter(|(index, _)| *index != lane) {
            other.resumes_at = now.saturating_add(self.backoff.spread());
            if let Some(Outgoing {
                state: OutgoingState::Waiting { until, at_least_until },
                failures: 1..,
                ..
            }) = other.outgoing.front_mut()
            {
                *until = now.max(*at_least_until);
            }
        }
    }

    fn deliver(&mut self, lane: usize, nth: usize) {
        if let Some(outgoing) = self.take(lane, nth, Exit::Delivered) {
            self.stats.events_delivered += outgoing.len();
            let body = outgoing.batch().map_or(0, |batch| batch.body().len());
            self.stats.bytes_delivered += body as u64;
        }
    }

    /// Gives the first batch up if the destination took the one behind it, unless an exit has sent
    /// it meanwhile: its own answer is to come.
    fn end_trial(&mut self, lane: usize, nth: usize) {
        let was_on_trial = std::mem::take(&mut self.lanes[lane].is_on_trial);
        let is_leased = self.lanes[lane].outgoing.front().is_some_and(Outgoing::is_leased);
        if was_on_trial && nth > 0 && !is_leased {
            self.abandon(lane, 0, AbandonReason::Retries);
        }
    }

    pub(super) fn find_lease(&self, lease: u64) -> Option<(usize, usize)> {
        self.find(&|outgoing| matches!(outgoing.state, OutgoingState::Leased { lease: id, .. } if id == lease))
    }

    /// Takes an outgoing batch out of the bus.
    pub(super) fn take(&mut self, lane: usize, nth: usize, exit: Exit) -> Option<Outgoing> {
        let outgoing = self.lanes[lane].outgoing.remove(nth)?;
        self.next_action = 0;
        if nth == 0 {
            // It was the first batch that was on trial, not the next one.
            self.lanes[lane].is_on_trial = false;
        }
        self.note_exit(lane, outgoing.first_index, outgoing.len(), exit);
        Some(outgoing)
    }

    pub(super) fn note_exit(&mut self, lane: usize, first_index: u64, len: u64, exit: Exit) {
        let shard = self.lanes[lane].id();
        for flush in &mut self.flushes {
            flush.settle(shard, first_index, len, exit);
        }
    }

    /// Gives a batch up. One that only the store has stays there, for the next run to send.
    pub(super) fn abandon(&mut self, lane: usize, nth: usize, reason: AbandonReason) {
        let Some(outgoing) = self.lanes[lane].outgoing.get(nth) else { return };
        let batch = outgoing.batch().cloned();
        let exit = if batch.is_some() { Exit::Abandoned } else { Exit::Drained };
        let Some(outgoing) = self.take(lane, nth, exit) else { return };
        match batch {
            Some(batch) => self.count_abandoned(reason, outgoing.attempts, batch),
            None => self.stats.events_drained += outgoing.len(),
        }
    }

    pub(super) fn count_abandoned(
        &mut self,
        reason: AbandonReason,
        attempts: u32,
        batch: Shared<Batch>,
    ) {
        let count = match reason {
            AbandonReason::Retries => &mut self.stats.events_abandoned_retries,
            AbandonReason::Permanent => &mut self.stats.events_abandoned_permanent,
            AbandonReason::Expired => &mut self.stats.events_abandoned_expired,
            AbandonReason::Shutdown => &mut self.stats.events_abandoned_shutdown,
        };
        *count += batch.len() as u64;
        self.abandoned.push_back(Abandoned { reason, attempts, batch });
    }

    /// Gives up all unsettled events.
    pub(crate) fn abandon_everything(&mut self) {
        let now = self.now;
        self.fences.clear();
        for lane in 0..self.lanes.len() {
            while !self.lanes[lane].outgoing.is_empty() {
                self.abandon(lane, 0, AbandonReason::Shutdown);
            }
            while let Some((batch, first_index)) =
                self.lanes[lane].cut(now, usize::MAX, &|_| usize::MAX)
            {
                self.note_exit(lane, first_index, batch.len() as u64, Exit::Abandoned);
                self.count_abandoned(AbandonReason::Shutdown, 0, batch);
            }
        }
    }
}
