//! Batches out.

use crate::ledger::intake::is_payload_of;
use crate::ledger::{Content, Event, Ledger, Origin, Outgoing, RESTORED, State, nanos};
use crate::trace::note;
use crate::violation::{CheckResult, ensure, ensure_eq};
use shardbus::{AbandonReason, Abandoned, Action, Batch, BusConfig, Lease, Shared};

/// The bus's next request to its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    Send { lease: u64, deadline: u64, bytes: usize },
    Abandoned,
    Store { ticket: u64 },
    Lost { flush: u32 },
    Yield,
    Load { ticket: u64 },
    WaitUntil(u64),
    Idle,
}

/// Batches of one task. Bodies are too small here to use up its bytes.
const MAX_BATCHES_PER_TASK: u32 = 8;

/// The conditions outside a lane that decide if it may send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) fence: Option<usize>,
    /// True if all lanes with events may send.
    pub(super) is_hurried: bool,
}

/// Leases out.
impl Ledger {
    /// Polls the bus. `keep`: the host keeps the batch referenced.
    pub fn poll(&mut self, now: u64, keep: bool) -> CheckResult<Polled> {
        self.seed();
        self.bus.clock().set(self.wall);
        let is_hurried = self.is_hurried();
        let action = self.bus.poll(now);
        self.follow(true)?;
        self.now = self.now.max(now);
        self.carry_out(action, is_hurried, keep)
    }

    /// True if all lanes with events may send.
    pub(super) fn is_hurried(&self) -> bool {
        let max = self.config().max_bytes;
        self.is_automatic() && (self.is_room_awaited || self.held > max - max / 4)
    }

    /// The state of the model at a poll.
    fn moment(&mut self, is_hurried: bool, shows_abandoned: bool) -> Moment {
        self.expire_leases();
        self.look_at_ages();
        self.give_up_old();
        if !shows_abandoned {
            self.spill();
        }
        let moment = Moment { fence: self.fence(), is_hurried };
        self.tally.fenced += u64::from(moment.fence.is_some());
        moment
    }

    /// The bounds of the time to wait, after a poll without another action.
    pub(super) fn wait_bounds(&mut self, is_hurried: bool) -> CheckResult<Option<(u64, u64)>> {
        let moment = self.moment(is_hurried, false);
        self.bounds(moment)
    }

    /// A batch that was given up is shown.
    pub(super) fn show_abandoned(
        &mut self,
        Abandoned { reason, attempts, batch }: Abandoned,
        keep: bool,
    ) -> CheckResult<Polled> {
        note!(self, "    given up ({reason:?}): {}", batch.id());
        let Some((expected, lane, mut outgoing)) = self.abandoned.pop_front() else {
            ensure!(false, "only what was given up is shown as given up");
            return Ok(Polled::Abandoned);
        };
        ensure_eq!(reason, expected, "what is given up says why");
        ensure_eq!(attempts, outgoing.attempts, "what is given up says how often it was sent");
        self.check_batch(&batch, lane, &mut outgoing)?;
        if keep {
            self.kept.push((batch, outgoing.reservation));
        } else {
            drop(batch);
            self.release(outgoing.reservation);
        }
        Ok(Polled::Abandoned)
    }

    /// Checks the action of a poll.
    pub(super) fn carry_out(
        &mut self,
        action: Action,
        is_hurried: bool,
        keep: bool,
    ) -> CheckResult<Polled> {
        let moment = self.moment(is_hurried, matches!(action, Action::Abandoned(_)));
        match action {
            Action::Send(lease) => {
                self.batches_in_task += 1;
                ensure!(
                    self.batches_in_task <= MAX_BATCHES_PER_TASK,
                    "others get their turn after some batches"
                );
                self.send(lease, moment, keep)
            }
            Action::Yield => {
                ensure_eq!(self.batches_in_task, MAX_BATCHES_PER_TASK, "a task is not cut short");
                self.tally.yields += 1;
                Ok(Polled::Yield)
            }
            Action::Abandoned(abandoned) => self.show_abandoned(abandoned, keep),
            Action::Store(batch) => self.store(&batch, moment),
            Action::Load(head) => self.load(&head, moment),
            Action::WaitUntil(wake) => {
                self.check_wait(Some(wake), moment)?;
                Ok(Polled::WaitUntil(wake))
            }
            _ => {
                self.check_wait(None, moment)?;
                Ok(Polled::Idle)
            }
        }
    }

    pub(super) fn expire_leases(&mut self) {
        for place in 0..self.present.len() {
            let (lane, mut nth) = (self.present[place], 0);
            while let Some(outgoing) = self.lanes[lane].outgoing.get(nth) {
                let is_over =
                    matches!(outgoing.state, State::Leased { expires, .. } if expires <= self.now);
                let is_gone = is_over && self.expire_lease(lane, nth);
                nth += usize::from(!is_gone);
            }
        }
    }

    /// Returns whether the batch was given up for it.
    pub(super) fn expire_lease(&mut self, lane: usize, nth: usize) -> bool {
        let (now, is_last) = (self.now, self.config().retry.is_none());
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        outgoing.state = State::Paused { from: now, to: now };
        outgoing.asked = 0;
        self.counts.batches.expired += 1;
        if is_last {
            self.abandon(lane, nth, AbandonReason::Retries);
        }
        is_last
    }

    fn send(&mut self, lease: Lease, moment: Moment, keep: bool) -> CheckResult<Polled> {
        let now = self.now;
        ensure!(self.abandoned.is_empty(), "what was given up is shown before anything is sent");
        let is_restored = lease.batch.process_nonce != self.nonce;
        let lane = if is_restored { RESTORED } else { usize::from(lease.batch.shard_id) };
        ensure!(self.present.contains(&lane), "a batch is from a shard that is there");
        let is_flushed = self.is_flushed(lane);
        ensure!(is_flushed || self.is_automatic(), "a manual bus sends only in a flush");
        ensure!(!self.lanes[lane].is_leased(), "a shard has at most one live lease");

        let opens = self.opens(lane);
        ensure!(
            opens.is_some_and(|(from, _)| from <= now),
            "an attempt begins after the pause, and in an outage only as the one probe",
            "{opens:?} at {now}"
        );
        match self.lanes[lane].outgoing.front() {
            Some(outgoing) => {
                ensure!(
                    !self.is_behind(lane, outgoing, moment.fence),
                    "nothing is sent before what it waits for"
                );
            }
            None => {
                ensure!(
                    is_flushed || self.may_be_due(lane, moment),
                    "a batch leaves only when it is large enough, or old enough, or asked for"
                );
                let count = self.cuttable(lane, moment.fence, usize::MAX);
                ensure!(count > 0, "nothing is sent before what it waits for");
                self.cut(lane, count);
            }
        }
        if self.lanes[lane].outgoing[0].attempts == 0 {
            self.check_keys(lane, &self.lanes[lane].outgoing[0])?;
        }
        self.note_attempt(lane, lease.id);
        let polled = self.begin_attempt(lease, lane, 0, keep)?;
        self.check_turns(lane, moment)?;
        Ok(polled)
    }

    /// An outgoing batch is leased.
    pub(super) fn begin_attempt(
        &mut self,
        lease: Lease,
        lane: usize,
        nth: usize,
        keep: bool,
    ) -> CheckResult<Polled> {
        note!(
            self,
            "    lease {}: attempt {} of {}, {} events, until {}",
            lease.id,
            lease.attempt,
            lease.batch.id(),
            lease.batch.len(),
            lease.deadline
        );
        ensure_eq!(lease.id, self.leases, "no lease has the id of another");
        self.leases += 1;
        let deadline = self.now + nanos(self.config().timeout);
        ensure_eq!(lease.deadline, deadline, "an attempt has the time that is configured");
        let Some(mut outgoing) = self.lanes[lane].outgoing.remove(nth) else {
            ensure!(false, "what is leased is there");
            return Ok(Polled::Idle);
        };
        self.counts.batches.retries += u64::from(outgoing.attempts > 0);
        outgoing.attempts += 1;
        ensure_eq!(lease.attempt, outgoing.attempts, "attempts are counted from 1");
        self.check_batch(&lease.batch, lane, &mut outgoing)?;
        let expires = deadline + nanos(BusConfig::LEASE_MARGIN);
        let owner = self.polled_for;
        outgoing.state = State::Leased { lease: lease.id, deadline, expires, owner };
        ensure!(!outgoing.is_spilled(), "only a batch in memory is leased");
        if let Content::Loaded { is_used } = &mut outgoing.content {
            *is_used = true;
        }
        let reservation = outgoing.reservation;
        self.await_write(lease.id, &lease.batch, lane, &outgoing);
        self.lanes[lane].outgoing.insert(nth, outgoing);
        let bytes = lease.batch.body().len();
        if keep {
            self.kept.push((lease.batch, reservation));
            self.reservations[reservation].holders += 1;
        }
        Ok(Polled::Send { lease: lease.id, deadline, bytes })
    }

    /// No lane waits for ever while others send.
    pub(super) fn check_turns(&mut self, sent: usize, moment: Moment) -> CheckResult {
        for nth in 0..self.present.len() {
            let lane = self.present[nth];
            let is_passed_over = lane != sent && self.must_send(lane, moment);
            let times = &mut self.lanes[lane].passed_over;
            *times = if is_passed_over { *times + 1 } else { 0 };
            let times = *times;
            ensure!(times <= 2 * self.present.len(), "every shard has its turn", "{lane}: {times}");
        }
        Ok(())
    }

    /// Everything earlier with the same key has been settled, or is in the same batch.
    fn check_keys(&self, lane: usize, outgoing: &Outgoing) -> CheckResult {
        let mut earlier = [0; crate::ledger::KEYS as usize];
        for &event in &self.lanes[lane].log[outgoing.events.clone()] {
            if let Some(key) = self.events[event].key {
                let key = usize::from(key);
                let next = self.keys[key].pending.get(earlier[key]).copied();
                earlier[key] += 1;
                ensure!(
                    next == Some(event),
                    "an event leaves when all earlier ones with its key are settled",
                    "key {key}: {next:?} before {event}"
                );
            }
        }
        Ok(())
    }

    /// Checks a batch in every respect.
    pub(super) fn check_batch(
        &self,
        batch: &Shared<Batch>,
        lane: usize,
        outgoing: &mut Outgoing,
    ) -> CheckResult {
        let address = Shared::as_ptr(batch);
        let earlier = *outgoing.address.get_or_insert(address);
        ensure!(earlier == address, "all attempts have the same allocation");
        let Origin { nonce, shard, format } = outgoing.origin;
        ensure!(
            batch.shard_id == shard && batch.process_nonce == nonce && batch.format() == format,
            "a batch's id stays"
        );
        ensure_eq!(batch.sequence_start, outgoing.sequence, "sequences have no gaps, and stay");
        ensure_eq!(batch.len(), outgoing.events.len(), "a batch has all events that it may have");
        let config = &self.config().batch;
        let (body, (before, after, separator)) = (&batch.body()[..], outgoing.origin.brackets());
        // An earlier life may have had another maximum.
        ensure!(
            (batch.len() <= config.max_size || lane == RESTORED) && body.len() <= config.max_bytes,
            "a batch is not larger than it may be",
            "{} events, {} bytes",
            batch.len(),
            body.len()
        );
        let events = &self.lanes[lane].log[outgoing.events.clone()];
        let is_right = body.strip_prefix(before).and_then(|body| body.strip_suffix(after));
        let is_right = is_right.is_some_and(|mut rest| {
            events.iter().enumerate().all(|(nth, &event)| {
                if nth > 0 {
                    let Some(after) = rest.strip_prefix(&[separator]) else { return false };
                    rest = after;
                }
                let Event { len, has_newline, number, .. } = self.events[event];
                let parts = rest.split_at_checked(usize::from(len));
                let Some((payload, after)) = parts else { return false };
                rest = after;
                is_payload_of(payload, number as usize, has_newline)
            }) && rest.is_empty()
        });
        ensure!(
            is_right,
            "a batch has the shard's oldest events in order",
            "{} instead of {events:?}",
            String::from_utf8_lossy(body)
        );
        let timestamp = |event: Option<&usize>| event.map(|&event| self.events[event].timestamp);
        ensure!(
            Some(batch.first_timestamp()) == timestamp(events.first())
                && Some(batch.last_timestamp()) == timestamp(events.last()),
            "a batch's timestamps are its events'"
        );
        Ok(())
    }
}
