//! Batches out.

use crate::broken::{Checked, ensure, ensure_eq};
use crate::ledger::intake::is_payload_of;
use crate::ledger::{
    Event, Exit, Lane, Ledger, Origin, Outgoing, Phase, RESTORED, Reservation, State, nanos,
};
use crate::trace::note;
use shardbus::{AbandonReason, Abandoned, Action, Batch, BusConfig, Failure, Lease, Shared};

/// What the bus wants of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    Send { lease: u64, deadline: u64, bytes: usize },
    Abandoned,
    WaitUntil(u64),
    Idle,
}

/// What decides whether a lane may send, beside the lane.
#[derive(Debug, Clone, Copy)]
struct Moment {
    fence: Option<usize>,
    /// All that hold something may send.
    is_hurried: bool,
}

/// Leases out.
impl Ledger {
    /// Asks the bus what to do. `keep`: the host holds on to what it gets.
    pub fn poll(&mut self, now: u64, keep: bool) -> Checked<Polled> {
        self.seed();
        self.bus.clock().set(self.wall);
        let max = self.config().max_bytes;
        let is_hurried = self.is_automatic() && (self.is_room_awaited || self.held > max - max / 4);
        let action = self.bus.poll(now);
        self.follow(true)?;
        self.now = self.now.max(now);
        self.expire_leases();
        let moment = Moment { fence: self.fence(), is_hurried };
        self.tally.fenced += u64::from(moment.fence.is_some());
        match action {
            Action::Send(lease) => self.send(lease, moment, keep),
            Action::Abandoned(Abandoned { reason, batch }) => {
                note!(self, "    given up ({reason:?}): {}", batch.id());
                let Some((expected, lane, mut outgoing)) = self.abandoned.pop_front() else {
                    ensure!(false, "only what was given up is shown as given up");
                    return Ok(Polled::Abandoned);
                };
                ensure_eq!(reason, expected, "what is given up says why");
                self.check_batch(&batch, lane, &mut outgoing)?;
                if keep {
                    self.kept.push((batch, outgoing.reservation));
                } else {
                    drop(batch);
                    self.release(outgoing.reservation);
                }
                Ok(Polled::Abandoned)
            }
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
    fn expire_lease(&mut self, lane: usize, nth: usize) -> bool {
        let (now, most) = (self.now, self.config().retry.attempts);
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        outgoing.state = State::Paused { from: now, to: now };
        let is_last = outgoing.attempts >= most;
        self.counts.batches.expired += 1;
        if is_last {
            self.abandon(lane, nth, AbandonReason::Retries);
        }
        is_last
    }

    fn send(&mut self, lease: Lease, moment: Moment, keep: bool) -> Checked<Polled> {
        let now = self.now;
        ensure!(self.abandoned.is_empty(), "what was given up is shown before anything is sent");
        let is_restored = lease.batch.process_nonce != self.nonce;
        let lane = if is_restored { RESTORED } else { usize::from(lease.batch.shard_id) };
        ensure!(self.present.contains(&lane), "a batch is from a shard that is there");
        let is_flushed = self.is_flushed(lane);
        ensure!(is_flushed || self.is_automatic(), "a manual bus sends only in a flush");
        ensure!(
            is_restored || self.restoring.is_none(),
            "what an earlier life has left goes first"
        );
        ensure!(!self.lanes[lane].is_leased(), "a shard has at most one live lease");

        match self.lanes[lane].outgoing.front() {
            Some(outgoing) => {
                if let State::Paused { from, .. } = outgoing.state {
                    ensure!(from <= now, "an attempt begins after the pause", "{from} > {now}");
                }
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
    ) -> Checked<Polled> {
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
        let most = self.config().retry.attempts + outgoing.recalls;
        ensure!(outgoing.attempts <= most, "there are no more attempts than there may be");
        self.check_batch(&lease.batch, lane, &mut outgoing)?;
        let expires = deadline + nanos(BusConfig::LEASE_MARGIN);
        outgoing.state = State::Leased { lease: lease.id, expires };
        let reservation = outgoing.reservation;
        self.await_write(lease.id, &lease.batch, lane, &outgoing);
        self.lanes[lane].outgoing.insert(nth, outgoing);
        let place = self.present.iter().position(|&other| other == lane).unwrap_or_default();
        self.next_turn = (place + 1) % self.present.len();
        let bytes = lease.batch.body().len();
        if keep {
            self.kept.push((lease.batch, reservation));
            self.reservations[reservation].holders += 1;
        }
        Ok(Polled::Send { lease: lease.id, deadline, bytes })
    }

    /// No lane waits for ever while others send.
    fn check_turns(&mut self, sent: usize, moment: Moment) -> Checked {
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
    fn check_keys(&self, lane: usize, outgoing: &Outgoing) -> Checked {
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
    ) -> Checked {
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

/// When to send.
impl Ledger {
    /// How many events of the lane's may leave next in one batch.
    pub(super) fn cuttable(&self, lane: usize, fence: Option<usize>, max_bytes: usize) -> usize {
        let config = &self.config().batch;
        let max_bytes = max_bytes.min(config.max_bytes) + 1;
        let mut len = self.frame_len();
        let fits = |&&event: &&usize| {
            len += usize::from(self.events[event].len) + 1;
            len <= max_bytes && fence.is_none_or(|fence| event < fence)
        };
        self.lanes[lane].waiting().iter().take(config.max_size).take_while(fits).count()
    }

    /// Lets the oldest of the events that wait be the last outgoing batch.
    pub(super) fn cut(&mut self, lane: usize, count: usize) {
        let outgoing = self.take(lane, count);
        self.lanes[lane].outgoing.push_back(outgoing);
    }

    /// Takes the oldest events out of what waits.
    pub(super) fn take(&mut self, lane: usize, count: usize) -> Outgoing {
        let now = self.now;
        let from = &mut self.lanes[lane];
        let events = from.head..from.head + count;
        let bytes: u64 =
            from.log[events.clone()].iter().map(|&event| u64::from(self.events[event].len)).sum();
        let sequence = from.next_sequence;
        from.head = events.end;
        from.bytes -= bytes;
        from.in_flight += count as u64;
        from.next_sequence += count as u64;
        from.holding_since = (!from.waiting().is_empty()).then_some(now);
        let reservation = self.reservations.len();
        self.reservations.push(Reservation { bytes, holders: 1 });
        self.held_by_batches += bytes;
        Outgoing {
            events,
            origin: self.origin_of(lane),
            sequence,
            attempts: 0,
            recalls: 0,
            state: State::Paused { from: now, to: now },
            reservation,
            address: None,
        }
    }

    /// Whether the lane's next batch has reached this size, or its oldest event this age.
    fn is_due(&self, lane: usize, size: usize) -> bool {
        let config = &self.config().batch;
        let lane = &self.lanes[lane];
        let waiting = lane.waiting();
        waiting.first().is_some_and(|&oldest| {
            waiting.len() >= size.min(self.high_water())
                || lane.bytes as usize + waiting.len() - 1 + self.frame_len() >= config.max_bytes
                || self.wall_age(oldest) >= nanos(config.max_delay)
        })
    }

    fn wall_age(&self, event: usize) -> u64 {
        self.wall.saturating_sub(self.events[event].timestamp)
    }

    /// Whether there may be a reason for the lane's next batch to leave, flushes aside.
    fn may_be_due(&self, lane: usize, moment: Moment) -> bool {
        let config = &self.config().batch;
        let size = if config.adaptive { config.min_size } else { config.max_size };
        let since = self.lanes[lane].holding_since;
        moment.is_hurried
            || moment.fence.is_some()
            || self.lanes[lane].phase == Phase::Draining
            || self.is_due(lane, size)
            || since.is_some_and(|since| self.now - since >= nanos(config.max_delay))
    }

    /// Whether an outgoing batch waits for what was accepted before a change of shards.
    pub(super) fn is_behind(&self, lane: usize, outgoing: &Outgoing, fence: Option<usize>) -> bool {
        let first = self.lanes[lane].log[outgoing.events.start];
        lane != RESTORED && fence.is_some_and(|fence| first >= fence)
    }

    /// Whether nothing but time and size keep the lane from sending.
    fn may_begin(&self, lane: usize, fence: Option<usize>) -> bool {
        let Lane { outgoing, .. } = &self.lanes[lane];
        let is_behind = |outgoing| self.is_behind(lane, outgoing, fence);
        !self.lanes[lane].is_leased()
            && (lane == RESTORED
                || self.restoring.is_none() && !outgoing.front().is_some_and(is_behind))
    }

    /// Whether there is no reason for the lane not to send now.
    fn must_send(&self, lane: usize, moment: Moment) -> bool {
        if !self.may_begin(lane, moment.fence) {
            return false;
        }
        let is_flushed = self.is_flushed(lane);
        match self.lanes[lane].outgoing.front().map(|outgoing| outgoing.state) {
            Some(State::Leased { .. }) => false,
            Some(State::Paused { to, .. }) => to <= self.now && (is_flushed || self.is_automatic()),
            None => {
                let is_hurried = moment.is_hurried
                    || moment.fence.is_some()
                    || self.lanes[lane].phase == Phase::Draining;
                let is_automatic = self.is_automatic();
                self.cuttable(lane, moment.fence, usize::MAX) > 0
                    && (is_flushed
                        || is_automatic
                            && (is_hurried || self.is_due(lane, self.config().batch.max_size)))
            }
        }
    }

    /// Checks that there was nothing to do, and that the time to wait is right.
    fn check_wait(&self, wake: Option<u64>, moment: Moment) -> Checked {
        ensure!(self.abandoned.is_empty(), "what was given up is shown before the bus waits");
        let mut bounds: Option<(u64, u64)> = None;
        for &id in &self.present {
            let lane = &self.lanes[id];
            ensure!(!self.must_send(id, moment), "the bus waits only if it must", "shard {id}");
            for outgoing in &lane.outgoing {
                if let State::Leased { expires, .. } = outgoing.state {
                    let (earliest, latest) = bounds.unwrap_or((expires, expires));
                    bounds = Some((earliest.min(expires), latest.min(expires)));
                }
            }
            if !self.may_begin(id, moment.fence) {
                continue;
            }
            let is_automatic = self.is_automatic();
            let (from, to) = match (lane.outgoing.front(), lane.waiting().first()) {
                (Some(Outgoing { state: State::Paused { from, to }, .. }), _)
                    if is_automatic || self.is_flushed(id) =>
                {
                    (*from, *to)
                }
                (None, Some(&oldest))
                    if is_automatic && moment.fence.is_none_or(|fence| oldest < fence) =>
                {
                    let wall_age = self.wall_age(oldest);
                    let age = self.now - lane.holding_since.unwrap_or(self.now);
                    let max_delay = nanos(self.config().batch.max_delay);
                    let rest = |age| max_delay.saturating_sub(age);
                    (self.now + rest(wall_age.max(age)), self.now + rest(wall_age))
                }
                _ => continue,
            };
            let (earliest, latest) = bounds.unwrap_or((from, to));
            bounds = Some((earliest.min(from), latest.min(to)));
        }
        match (wake, bounds) {
            (None, None) => {}
            (Some(wake), Some((from, to))) => {
                ensure!(
                    (from..=to).contains(&wake) && wake > self.now,
                    "the bus waits as long as it must, and no longer",
                    "{wake} is not in {from}..={to} and after {}",
                    self.now
                );
            }
            _ => ensure!(
                false,
                "the bus waits for what is to come, and for nothing else",
                "{wake:?} instead of {bounds:?}"
            ),
        }
        if wake.is_none() && self.is_automatic() && self.restoring.is_none() {
            ensure_eq!(self.unsettled(), 0, "a bus that holds something is not idle");
        }
        Ok(())
    }
}

/// Answers in.
impl Ledger {
    /// Where the batch is that is leased by this.
    fn place_of(&self, wanted: u64) -> Option<(usize, usize)> {
        let is_it = |outgoing: &Outgoing| matches!(outgoing.state, State::Leased { lease, .. } if lease == wanted);
        let nth = |lane: usize| self.lanes[lane].outgoing.iter().position(is_it);
        self.present.iter().find_map(|&lane| Some((lane, nth(lane)?)))
    }

    /// Checks whether an answer was taken for live, and returns its batch's place if it was.
    fn answered(
        &mut self,
        lease: u64,
        was_live: bool,
        now: u64,
    ) -> Checked<Option<(usize, usize)>> {
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

    pub fn acknowledge(&mut self, lease: u64, now: u64) -> Checked {
        note!(self, "    acknowledges lease {lease}");
        let was_live = self.bus.acknowledge(lease, now);
        let Some((lane, nth)) = self.answered(lease, was_live, now)? else { return Ok(()) };
        if let Some(outgoing) = self.pop(lane, nth, Exit::Delivered) {
            self.counts.body_bytes_delivered += self.body_len(lane, &outgoing) as u64;
            self.counts.batches.delivered += 1;
            self.release(outgoing.reservation);
        }
        Ok(())
    }

    pub fn fail(&mut self, lease: u64, failure: Failure, now: u64) -> Checked {
        note!(self, "    fails lease {lease}: {failure:?}");
        let was_live = self.bus.fail(lease, failure, now);
        let Some((lane, nth)) = self.answered(lease, was_live, now)? else { return Ok(()) };
        let (now, retry) = (self.now, self.config().retry.clone());
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        match failure {
            Failure::Permanent => self.abandon(lane, nth, AbandonReason::Permanent),
            Failure::Retryable { .. } if outgoing.attempts >= retry.attempts => {
                self.abandon(lane, nth, AbandonReason::Retries);
            }
            Failure::Retryable { retry_after } => {
                let doubled = retry.min_delay * (1 << (outgoing.attempts - 1));
                let longest = doubled.min(retry.max_delay).max(retry_after);
                let (from, to) = (now + nanos(retry_after), now + nanos(longest));
                outgoing.state = State::Paused { from, to };
            }
            Failure::TooLarge if outgoing.events.len() == 1 => {
                self.abandon(lane, nth, AbandonReason::Permanent);
            }
            Failure::TooLarge => self.split(lane, nth),
        }
        Ok(())
    }

    pub fn expire(&mut self, lease: u64, now: u64) -> Checked {
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
            let Outgoing { events, origin, sequence, reservation, .. } = whole;
            let first_len = events.len().div_ceil(2);
            let middle = events.start + first_len;
            let half = |events, sequence| Outgoing {
                events,
                origin,
                sequence,
                attempts: 0,
                recalls: 0,
                state,
                reservation,
                address: None,
            };
            outgoing.insert(nth, half(middle..events.end, sequence + first_len as u64));
            outgoing.insert(nth, half(events.start..middle, sequence));
            self.reservations[reservation].holders += 1;
        }
    }
}
