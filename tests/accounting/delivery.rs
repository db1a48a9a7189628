//! The part of the model that sends.

use crate::model::{Checked, Cut, Lane, Model, Outgoing, Place, State, nanos};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{AbandonReason, Abandoned, Action, Failure, Lease, Scheduler};

/// The bound of a pause in an outage, where the settings allow shorter ones.
const MIN_OUTAGE_PAUSE: u64 = 20_000_000;

/// Leases out.
impl Model {
    /// Polls once. Returns whether there was something to do.
    pub fn poll(&mut self, keep: bool) -> Checked<bool> {
        self.advance();
        self.expire_leases();
        let is_short_of_bytes = self.is_short_of_bytes();
        match self.bus.poll(self.time) {
            Action::Send(lease) => {
                prop_assert!(self.abandoned.is_empty(), "what was given up comes first");
                let reservation = self.send(&lease, is_short_of_bytes)?;
                if keep {
                    self.kept.push((lease.batch, reservation));
                }
            }
            Action::Abandoned(Abandoned { reason, batch, .. }) => {
                let Some((expected, mut cut)) = self.abandoned.pop_front() else {
                    return Err(TestCaseError::fail("nothing was given up"));
                };
                prop_assert_eq!(reason, expected);
                self.check_batch(&batch, &mut cut)?;
                if keep {
                    self.kept.push((batch, cut.reservation));
                }
            }
            Action::WaitUntil(wake) => {
                self.check_wait(Some(wake), is_short_of_bytes)?;
                return Ok(false);
            }
            Action::Idle => {
                self.check_wait(None, is_short_of_bytes)?;
                return Ok(false);
            }
            other => return Err(TestCaseError::fail(format!("unknown action {other:?}"))),
        }
        Ok(true)
    }

    fn is_short_of_bytes(&self) -> bool {
        let max = self.config().max_bytes;
        self.is_automatic() && self.held() > max - max / 4
    }

    fn is_automatic(&self) -> bool {
        self.config().scheduler == Scheduler::Auto
    }

    pub fn expire_leases(&mut self) {
        let now = self.now;
        for lane in self.order.clone() {
            let is_over = |outgoing: &Outgoing| matches!(outgoing.state, State::Leased { expires, .. } if expires <= now);
            while let Some(nth) = self.lanes[lane].outgoing.iter().position(is_over) {
                self.expire_lease(lane, nth);
            }
        }
    }

    fn expire_lease(&mut self, lane: usize, nth: usize) {
        let now = self.now;
        self.lanes[lane].outgoing[nth].state = State::Paused { from: now, to: now };
        self.batches.expired += 1;
    }

    /// Checks a lease, and returns its batch's reservation.
    fn send(&mut self, lease: &Lease, is_short_of_bytes: bool) -> Checked<(usize, u64)> {
        let is_restored = lease.batch.process_nonce != self.nonce;
        let shard = if is_restored { self.shards() } else { usize::from(lease.batch.shard_id) };
        let flushed = self.is_flushed(shard);
        prop_assert!(flushed || self.is_automatic(), "a manual bus sends only under a flush");

        let is_leased = self.lanes[shard].outgoing.iter().any(Outgoing::is_leased);
        prop_assert!(!is_leased, "a second live lease");
        match self.lanes[shard].outgoing.front().map(|first| &first.state) {
            Some(State::Paused { from, .. }) => prop_assert!(*from <= self.now, "a pause"),
            Some(State::Leased { .. }) => {}
            None => {
                let may_leave = flushed || is_short_of_bytes || self.may_be_due(shard);
                prop_assert!(may_leave, "neither size nor time nor flush nor want of bytes");
                prop_assert!(self.cut_outgoing(shard, usize::MAX, usize::MAX), "nothing waits");
            }
        }
        self.begin_attempt(lease, shard, 0)
    }

    /// Checks the lease of an outgoing batch, and returns the batch's reservation.
    pub fn begin_attempt(
        &mut self,
        lease: &Lease,
        lane: usize,
        nth: usize,
    ) -> Checked<(usize, u64)> {
        prop_assert!(self.leases.iter().all(|&earlier| earlier < lease.id), "a lease id again");
        self.leases.push(lease.id);
        prop_assert_eq!(lease.deadline, self.now + nanos(self.config().timeout));
        let Some(mut outgoing) = self.lanes[lane].outgoing.remove(nth) else {
            return Err(TestCaseError::fail("nothing is outgoing"));
        };
        self.check_batch(&lease.batch, &mut outgoing.cut)?;
        self.batches.retries += u64::from(outgoing.attempts > 0);
        outgoing.attempts += 1;
        prop_assert_eq!(lease.attempt, outgoing.attempts);
        let expires = self.now + self.lease_time();
        outgoing.state = State::Leased { lease: lease.id, expires };
        let reservation = outgoing.cut.reservation;
        self.lanes[lane].outgoing.insert(nth, outgoing);
        Ok(reservation)
    }

    /// True if size or time may cause the shard's next batch to be sent.
    fn may_be_due(&self, shard: usize) -> bool {
        let batch = &self.config().batch;
        let target = if batch.adaptive { batch.min_size } else { batch.max_size };
        let waited = self.lanes[shard].holding_since.map(|since| self.now.saturating_sub(since));
        self.is_due(shard, target) || waited.is_some_and(|waited| waited >= nanos(batch.max_delay))
    }

    /// True if the shard's next batch must be sent, given that `target` events are enough.
    fn is_due(&self, shard: usize, target: usize) -> bool {
        let batch = &self.config().batch;
        let waiting: Vec<_> = self.lanes[shard].waiting.iter().copied().collect();
        waiting.first().is_some_and(|&oldest| {
            waiting.len() >= target.min(self.high_water())
                || self.body(&waiting, self.config().format).len() >= batch.max_bytes
                || self.wall_age(oldest) >= nanos(batch.max_delay)
        })
    }

    /// Checks that there was nothing to do, and that the time to wait is right.
    fn check_wait(&self, wake: Option<u64>, is_short_of_bytes: bool) -> Checked {
        prop_assert!(self.abandoned.is_empty(), "something was given up");
        // `tests/outage.rs` and the simulation know the times of an outage.
        let delayed_until = if self.is_failing { u64::MAX } else { self.delayed_until };
        let mut bounds: Option<(u64, u64)> = None;
        for (shard, lane) in self.lanes.iter().enumerate() {
            for outgoing in &lane.outgoing {
                if let State::Leased { expires, .. } = outgoing.state {
                    let (earliest, latest) = bounds.unwrap_or((expires, expires));
                    bounds = Some((earliest.min(expires), latest.min(expires)));
                }
            }
            if lane.outgoing.iter().any(Outgoing::is_leased) {
                continue;
            }
            let may_send = self.is_automatic() || self.is_flushed(shard);
            let (from, to) = match (lane.outgoing.front(), lane.waiting.front()) {
                (Some(Outgoing { state: State::Paused { from, to }, .. }), _) if may_send => {
                    let to = delayed_until.max(*to);
                    prop_assert!(to > self.now, "the pause of shard {shard} is over");
                    (*from, to)
                }
                (None, Some(&oldest)) if may_send => {
                    let batch = &self.config().batch;
                    if delayed_until <= self.now {
                        prop_assert!(!self.is_flushed(shard), "shard {shard} is flushed");
                        prop_assert!(!is_short_of_bytes, "the bus is short of bytes");
                        prop_assert!(!self.is_due(shard, batch.max_size), "shard {shard} is due");
                    }
                    let wall_age = self.wall_age(oldest);
                    let age = self.now.saturating_sub(lane.holding_since.unwrap_or(self.now));
                    let rest = |age| nanos(batch.max_delay).saturating_sub(age);
                    let latest = (self.now + rest(wall_age)).max(delayed_until);
                    let earliest = if self.is_flushed(shard) {
                        self.now
                    } else {
                        self.now + rest(wall_age.max(age))
                    };
                    (earliest, latest)
                }
                _ => continue,
            };
            let (earliest, latest) = bounds.unwrap_or((from, to));
            bounds = Some((earliest.min(from), latest.min(to)));
        }
        prop_assert_eq!(wake.is_some(), bounds.is_some(), "{:?} in {:?}", wake, bounds);
        if let (Some(wake), Some((from, to))) = (wake, bounds) {
            prop_assert!((from..=to).contains(&wake), "{wake} is not in {from}..={to}");
            prop_assert!(wake > self.now, "now is not later");
        }
        Ok(())
    }
}

/// Answers in.
impl Model {
    /// A lease to answer: a live one or, if `late`, any.
    fn pick(&self, which: Index, late: bool) -> Option<u64> {
        let is_live = |lease: &&u64| self.place_of(**lease).is_some();
        let candidates: Vec<_> =
            self.leases.iter().filter(|lease| late || is_live(lease)).collect();
        (!candidates.is_empty()).then(|| **which.get(&candidates))
    }

    /// The position of the batch with this lease.
    fn place_of(&self, wanted: u64) -> Option<(usize, usize)> {
        let is_it = |outgoing: &Outgoing| matches!(outgoing.state, State::Leased { lease, .. } if lease == wanted);
        let nth = |lane: &Lane| lane.outgoing.iter().position(is_it);
        self.lanes.iter().enumerate().find_map(|(index, lane)| Some((index, nth(lane)?)))
    }

    pub fn acknowledge(&mut self, which: Index, late: bool) -> Checked {
        let Some(lease) = self.pick(which, late) else {
            return Ok(());
        };
        self.advance();
        let place = self.place_of(lease);
        prop_assert_eq!(self.bus.acknowledge(lease, self.time), place.is_some());
        self.note_answer(place.is_some());
        let settled = place.and_then(|(lane, nth)| self.lanes[lane].outgoing.remove(nth));
        if let Some(Outgoing { cut, .. }) = settled {
            self.place(&cut, Place::Delivered);
            self.batches.delivered += 1;
            self.body_bytes_delivered += cut.body.len() as u64;
        }
        Ok(())
    }

    pub fn fail(&mut self, which: Index, late: bool, failure: Failure) -> Checked {
        let Some(lease) = self.pick(which, late) else {
            return Ok(());
        };
        self.advance();
        let place = self.place_of(lease);
        prop_assert_eq!(self.bus.fail(lease, failure, self.time), place.is_some());
        let Some((lane, nth)) = place else { return Ok(()) };
        let (now, retry) = (self.now, self.retry());
        self.note_answer(!matches!(failure, Failure::Unavailable { .. }));
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        match failure {
            Failure::Unavailable { retry_after } => {
                let from = now + nanos(retry_after);
                let to = (now + nanos(retry.max_delay).max(MIN_OUTAGE_PAUSE)).max(from);
                outgoing.state = State::Paused { from, to };
                self.is_failing = true;
                self.delayed_until = self.delayed_until.max(from);
            }
            Failure::Permanent => self.abandon(lane, nth, AbandonReason::Permanent),
            Failure::Refused { .. } if outgoing.refusals + 1 >= retry.max_attempts => {
                self.abandon(lane, nth, AbandonReason::Retries);
            }
            Failure::Refused { retry_after } => {
                let doubled = retry.base_delay * (1 << outgoing.refusals);
                outgoing.refusals += 1;
                let longest = doubled.min(retry.max_delay).max(retry_after);
                let (from, to) = (now + nanos(retry_after), now + nanos(longest));
                outgoing.state = State::Paused { from, to };
            }
            Failure::Split if outgoing.cut.events.len() == 1 => {
                self.abandon(lane, nth, AbandonReason::Permanent);
            }
            Failure::Split => self.split(lane, nth),
        }
        Ok(())
    }

    /// The receiver answered, which ends an outage; lanes follow one another.
    fn note_answer(&mut self, is_answer: bool) {
        if is_answer && self.is_failing {
            self.is_failing = false;
            let spread = nanos(self.retry().base_delay);
            self.delayed_until = self.delayed_until.max(self.now + spread);
        }
    }

    pub fn expire(&mut self, which: Index, late: bool) -> Checked {
        let Some(lease) = self.pick(which, late) else {
            return Ok(());
        };
        self.advance();
        let place = self.place_of(lease);
        prop_assert_eq!(self.bus.expire(lease, self.time), place.is_some());
        if let Some((lane, nth)) = place {
            self.expire_lease(lane, nth);
        }
        Ok(())
    }
}

/// The other ways out.
impl Model {
    fn abandon(&mut self, lane: usize, nth: usize, reason: AbandonReason) {
        if let Some(Outgoing { cut, .. }) = self.lanes[lane].outgoing.remove(nth) {
            self.place(&cut, Place::Abandoned(reason));
            self.abandoned.push_back((reason, cut));
        }
    }

    fn split(&mut self, lane: usize, nth: usize) {
        if let Some(Outgoing { cut, .. }) = self.lanes[lane].outgoing.remove(nth) {
            for half in self.halves(&cut).into_iter().rev() {
                self.lanes[lane].outgoing.insert(nth, Outgoing::new(half, self.now));
            }
        }
    }

    pub fn abandon_everything(&mut self) {
        self.bus.abandon_everything();
        let reason = AbandonReason::Shutdown;
        for lane in self.order.clone() {
            while !self.lanes[lane].outgoing.is_empty() {
                self.abandon(lane, 0, reason);
            }
            while let Some(cut) = self.cut(lane, usize::MAX, Place::Abandoned(reason)) {
                self.abandoned.push_back((reason, cut));
            }
        }
    }

    pub fn drain(&mut self, max_bytes: usize) -> Checked {
        // The bus takes the time to be that of the last poll.
        self.note_wall_age(self.now);
        let drained = self.bus.drain(max_bytes);
        let mut order = self.order.clone().into_iter();
        let expected = order.find_map(|lane| self.drain_lane(lane, max_bytes));
        prop_assert_eq!(drained.is_some(), expected.is_some(), "{:?} {:?}", drained, expected);
        if let (Some(batch), Some(mut cut)) = (drained, expected) {
            prop_assert!(batch.body().len() <= max_bytes);
            self.check_batch(&batch, &mut cut)?;
            self.kept.push((batch, cut.reservation));
        }
        Ok(())
    }

    fn drain_lane(&mut self, lane: usize, max_bytes: usize) -> Option<Cut> {
        // Leased batches stay with the host; earlier batches of the shard are not overtaken.
        let is_free = |outgoing: &Outgoing| !outgoing.is_leased();
        let Some(oldest) = self.lanes[lane].outgoing.iter().position(is_free) else {
            return self.cut(lane, max_bytes, Place::Drained);
        };
        let fits = self.lanes[lane].outgoing[oldest].cut.body.len() <= max_bytes;
        let outgoing = fits.then(|| self.lanes[lane].outgoing.remove(oldest)).flatten()?;
        self.place(&outgoing.cut, Place::Drained);
        Some(outgoing.cut)
    }
}

/// Flushes and the end.
impl Model {
    fn is_flushed(&self, shard: usize) -> bool {
        if shard == self.shards() {
            return !self.flushes.is_empty();
        }
        let lane = &self.lanes[shard];
        let outgoing = lane.outgoing.iter().flat_map(|outgoing| &outgoing.cut.events);
        let here: Vec<_> = lane.waiting.iter().chain(outgoing).collect();
        self.flushes.values().flatten().any(|event| here.contains(&event))
    }

    pub fn begin_flush(&mut self) -> Checked {
        let flush = self.bus.begin_flush();
        let covered = (0..self.events.len()).filter(|&event| self.is_pending(event)).collect();
        prop_assert!(self.flushes.insert(flush, covered).is_none(), "the id of an open flush");
        Ok(())
    }

    pub fn end_flush(&mut self, which: Index) {
        if !self.flushes.is_empty() {
            let nth = which.index(self.flushes.len());
            let ended = self.flushes.keys().nth(nth).copied();
            self.flushes.retain(|&flush, _| Some(flush) != ended);
            ended.into_iter().for_each(|flush| self.bus.end_flush(flush));
            assert!(ended.is_some_and(|flush| self.bus.flush_report(flush).is_none()));
        }
    }

    /// Closes the bus, abandons its events, and checks that none are left.
    pub fn end(&mut self) -> Checked {
        self.close();
        self.abandon_everything();
        self.check()?;
        self.end_restore()?;
        while self.poll(false)? {
            self.check()?;
        }
        self.kept.clear();
        self.check()?;
        let stats = self.bus.stats();
        prop_assert_eq!((stats.pending, stats.in_flight, stats.bytes.held), (0, 0, 0));
        Ok(())
    }
}
