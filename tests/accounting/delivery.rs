//! The part of the model that sends.

use crate::model::{Checked, Cut, Model, Outgoing, Place, State, nanos};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{AbandonReason, Abandoned, Action, Failure, Lease, Scheduler};

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
            Action::Abandoned(Abandoned { reason, batch }) => {
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

    fn expire_leases(&mut self) {
        let now = self.now;
        for lane in 0..self.lanes.len() {
            let Some(outgoing) = self.lanes[lane].outgoing.front() else { continue };
            let State::Leased { expires, .. } = outgoing.state else {
                continue;
            };
            if expires > now {
                continue;
            }
            self.expire_lease(lane);
        }
    }

    fn expire_lease(&mut self, lane: usize) {
        let (now, attempts) = (self.now, self.config().retry.attempts);
        let Some(outgoing) = self.lanes[lane].outgoing.front_mut() else { return };
        outgoing.state = State::Paused { from: now, to: now };
        let is_last = outgoing.attempts >= attempts;
        self.batches.expired += 1;
        if is_last {
            self.abandon(lane, AbandonReason::Retries);
        }
    }

    /// Checks a lease, and returns its batch's reservation.
    fn send(&mut self, lease: &Lease, is_short_of_bytes: bool) -> Checked<(usize, u64)> {
        let now = self.now;
        prop_assert!(self.leases.iter().all(|&earlier| earlier < lease.id), "a lease id again");
        self.leases.push(lease.id);
        prop_assert_eq!(lease.deadline, now + nanos(self.config().timeout));
        let shard = usize::from(lease.batch.shard_id);
        let flushed = self.is_flushed(shard);
        prop_assert!(flushed || self.is_automatic(), "a manual bus sends only under a flush");

        let (mut cut, attempts) = match self.lanes[shard].outgoing.pop_front() {
            Some(Outgoing { cut, attempts, state: State::Paused { from, .. } }) => {
                prop_assert!(from <= now, "the pause is not over");
                self.batches.retries += u64::from(attempts > 0);
                (cut, attempts)
            }
            Some(leased) => {
                return Err(TestCaseError::fail(format!("a second live lease: {leased:?}")));
            }
            None => {
                let may_leave = flushed || is_short_of_bytes || self.may_be_due(shard);
                prop_assert!(may_leave, "neither size nor time nor flush nor want of bytes");
                let Some(cut) = self.cut(shard, usize::MAX, Place::InFlight) else {
                    return Err(TestCaseError::fail("nothing waits"));
                };
                (cut, 0)
            }
        };
        self.check_batch(&lease.batch, &mut cut)?;
        let attempts = attempts + 1;
        prop_assert_eq!(lease.attempt, attempts);
        prop_assert!(attempts <= self.config().retry.attempts);
        let state = State::Leased { lease: lease.id, expires: now + self.lease_time() };
        let reservation = cut.reservation;
        self.lanes[shard].outgoing.push_front(Outgoing { cut, attempts, state });
        Ok(reservation)
    }

    /// Whether size or time may be a reason for the shard's next batch to leave.
    fn may_be_due(&self, shard: usize) -> bool {
        let batch = &self.config().batch;
        let target = if batch.adaptive { batch.min_size } else { batch.max_size };
        let waited = self.lanes[shard].holding_since.map(|since| self.now - since);
        self.is_due(shard, target) || waited.is_some_and(|waited| waited >= nanos(batch.max_delay))
    }

    /// Whether the shard's next batch has to leave, given that `target` events are enough.
    fn is_due(&self, shard: usize, target: usize) -> bool {
        let batch = &self.config().batch;
        let waiting: Vec<_> = self.lanes[shard].waiting.iter().copied().collect();
        waiting.first().is_some_and(|&oldest| {
            waiting.len() >= target.min(self.high_water())
                || self.body(&waiting).len() >= batch.max_bytes
                || self.wall_age(oldest) >= nanos(batch.max_delay)
        })
    }

    /// Checks that there was nothing to do, and that the time to wait is right.
    fn check_wait(&self, wake: Option<u64>, is_short_of_bytes: bool) -> Checked {
        prop_assert!(self.abandoned.is_empty(), "something was given up");
        let mut bounds: Option<(u64, u64)> = None;
        for (shard, lane) in self.lanes.iter().enumerate() {
            let may_send = self.is_automatic() || self.is_flushed(shard);
            let (from, to) = match (lane.outgoing.front(), lane.waiting.front()) {
                (Some(Outgoing { state: State::Leased { expires, .. }, .. }), _) => {
                    (*expires, *expires)
                }
                (Some(Outgoing { state: State::Paused { from, to }, .. }), _) if may_send => {
                    prop_assert!(*to > self.now, "the pause of shard {shard} is over");
                    (*from, *to)
                }
                (None, Some(&oldest)) if may_send => {
                    let batch = &self.config().batch;
                    prop_assert!(!self.is_flushed(shard), "shard {shard} is flushed");
                    prop_assert!(!is_short_of_bytes, "the bus is short of bytes");
                    prop_assert!(!self.is_due(shard, batch.max_size), "shard {shard} is due");
                    let wall_age = self.wall_age(oldest);
                    let age = self.now - lane.holding_since.unwrap_or(self.now);
                    let rest = |age| nanos(batch.max_delay).saturating_sub(age);
                    (self.now + rest(wall_age.max(age)), self.now + rest(wall_age))
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
        let is_live = |lease: &&u64| self.lane_of(**lease).is_some();
        let candidates: Vec<_> =
            self.leases.iter().filter(|lease| late || is_live(lease)).collect();
        (!candidates.is_empty()).then(|| **which.get(&candidates))
    }

    fn lane_of(&self, wanted: u64) -> Option<usize> {
        self.lanes.iter().position(|lane| {
            let state = lane.outgoing.front().map(|outgoing| &outgoing.state);
            matches!(state, Some(State::Leased { lease, .. }) if *lease == wanted)
        })
    }

    pub fn acknowledge(&mut self, which: Index, late: bool) -> Checked {
        let Some(lease) = self.pick(which, late) else {
            return Ok(());
        };
        self.advance();
        let lane = self.lane_of(lease);
        prop_assert_eq!(self.bus.acknowledge(lease, self.time), lane.is_some());
        let settled = lane.and_then(|lane| self.lanes[lane].outgoing.pop_front());
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
        let lane = self.lane_of(lease);
        prop_assert_eq!(self.bus.fail(lease, failure, self.time), lane.is_some());
        let Some(lane) = lane else { return Ok(()) };
        let (now, retry) = (self.now, self.config().retry.clone());
        let Some(outgoing) = self.lanes[lane].outgoing.front_mut() else { return Ok(()) };
        match failure {
            Failure::Permanent => self.abandon(lane, AbandonReason::Permanent),
            Failure::Retryable { .. } if outgoing.attempts >= retry.attempts => {
                self.abandon(lane, AbandonReason::Retries);
            }
            Failure::Retryable { retry_after } => {
                let doubled = retry.min_delay * (1 << (outgoing.attempts - 1));
                let longest = doubled.min(retry.max_delay).max(retry_after);
                let (from, to) = (now + nanos(retry_after), now + nanos(longest));
                outgoing.state = State::Paused { from, to };
            }
            Failure::TooLarge if outgoing.cut.events.len() == 1 => {
                self.abandon(lane, AbandonReason::Permanent);
            }
            Failure::TooLarge => self.split(lane),
        }
        Ok(())
    }

    pub fn expire(&mut self, which: Index, late: bool) -> Checked {
        let Some(lease) = self.pick(which, late) else {
            return Ok(());
        };
        self.advance();
        let lane = self.lane_of(lease);
        prop_assert_eq!(self.bus.expire(lease, self.time), lane.is_some());
        if let Some(lane) = lane {
            self.expire_lease(lane);
        }
        Ok(())
    }
}

/// The other ways out.
impl Model {
    fn abandon(&mut self, lane: usize, reason: AbandonReason) {
        if let Some(Outgoing { cut, .. }) = self.lanes[lane].outgoing.pop_front() {
            self.place(&cut, Place::Abandoned(reason));
            self.abandoned.push_back((reason, cut));
        }
    }

    fn split(&mut self, lane: usize) {
        if let Some(Outgoing { cut, .. }) = self.lanes[lane].outgoing.pop_front() {
            for half in self.halves(&cut).into_iter().rev() {
                let state = State::Paused { from: self.now, to: self.now };
                let outgoing = Outgoing { cut: half, attempts: 0, state };
                self.lanes[lane].outgoing.push_front(outgoing);
            }
        }
    }

    pub fn abandon_everything(&mut self) {
        self.bus.abandon_everything();
        let reason = AbandonReason::Shutdown;
        for lane in 0..self.lanes.len() {
            while !self.lanes[lane].outgoing.is_empty() {
                self.abandon(lane, reason);
            }
            while let Some(cut) = self.cut(lane, usize::MAX, Place::Abandoned(reason)) {
                self.abandoned.push_back((reason, cut));
            }
        }
    }

    pub fn drain(&mut self, max_bytes: usize) -> Checked {
        let drained = self.bus.drain(max_bytes);
        let expected = (0..self.lanes.len()).find_map(|lane| self.drain_lane(lane, max_bytes));
        prop_assert_eq!(drained.is_some(), expected.is_some(), "{:?} {:?}", drained, expected);
        if let (Some(batch), Some(mut cut)) = (drained, expected) {
            prop_assert!(batch.body().len() <= max_bytes);
            self.check_batch(&batch, &mut cut)?;
            self.kept.push((batch, cut.reservation));
        }
        Ok(())
    }

    fn drain_lane(&mut self, lane: usize, max_bytes: usize) -> Option<Cut> {
        // What is leased stays with the host; what left its shard earlier is not overtaken.
        let is_paused = |outgoing: &Outgoing| matches!(outgoing.state, State::Paused { .. });
        let Some(oldest) = self.lanes[lane].outgoing.iter().position(is_paused) else {
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

    /// Closes the bus, gives up what it holds, and checks that nothing is left.
    pub fn end(&mut self) -> Checked {
        self.bus.close();
        self.abandon_everything();
        self.check()?;
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
