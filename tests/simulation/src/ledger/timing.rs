//! The time and the size of sends.

use crate::ledger::sending::Moment;
use crate::ledger::{Content, Lane, Ledger, Outgoing, Phase, RESTORED, Reservation, State, nanos};
use crate::violation::{CheckResult, ensure, ensure_eq};

impl Ledger {
    /// The number of the lane's events in its next batch.
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

    /// Takes the oldest of the pending events.
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
            refusals: 0,
            failures: 0,
            asked: 0,
            state: State::Paused { from: now, to: now },
            stores_at: Some(now),
            content: Content::Held,
            reservation,
            address: None,
        }
    }

    /// True if the lane's next batch has reached this size, or its oldest event this age.
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

    pub(super) fn wall_age(&self, event: usize) -> u64 {
        self.wall.saturating_sub(self.events[event].timestamp)
    }

    /// True if the lane's next batch may have a reason to be sent, flushes aside.
    pub(super) fn may_be_due(&self, lane: usize, moment: Moment) -> bool {
        let config = &self.config().batch;
        let size = if config.adaptive { config.min_size } else { config.max_size };
        let since = self.lanes[lane].holding_since;
        moment.is_hurried
            || moment.fence.is_some()
            || self.lanes[lane].phase == Phase::Draining
            || self.is_due(lane, size)
            || since.is_some_and(|since| self.now - since >= nanos(config.max_delay))
    }

    /// True if an outgoing batch waits for events from before a change of shards.
    pub(super) fn is_behind(&self, lane: usize, outgoing: &Outgoing, fence: Option<usize>) -> bool {
        let first = self.lanes[lane].log[outgoing.events.start];
        lane != RESTORED && fence.is_some_and(|fence| first >= fence)
    }

    /// True if only time and size keep the lane from sending.
    fn may_begin(&self, lane: usize, fence: Option<usize>) -> bool {
        let Lane { outgoing, .. } = &self.lanes[lane];
        let is_behind = |outgoing| self.is_behind(lane, outgoing, fence);
        !self.lanes[lane].is_leased()
            && (lane == RESTORED || !outgoing.front().is_some_and(is_behind))
    }

    /// True if nothing keeps the lane from sending now.
    pub(super) fn must_send(&self, lane: usize, moment: Moment) -> bool {
        if !self.may_begin(lane, moment.fence) {
            return false;
        }
        if self.opens(lane).is_none_or(|(_, to)| to > self.now) {
            return false;
        }
        let is_flushed = self.is_flushed(lane);
        match self.lanes[lane].outgoing.front() {
            Some(first) => (is_flushed || self.is_automatic()) && self.can_take(first),
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

    /// Checks that there was nothing to do, and returns the bounds of the time to wait.
    pub(super) fn bounds(&self, moment: Moment) -> CheckResult<Option<(u64, u64)>> {
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
            let Some(opens) = self.opens(id) else { continue };
            let is_automatic = self.is_automatic();
            let (from, to) = match (lane.outgoing.front(), lane.waiting().first()) {
                (Some(_), _) if is_automatic || self.is_flushed(id) => opens,
                (None, Some(&oldest)) if moment.fence.is_some_and(|fence| oldest >= fence) => {
                    continue;
                }
                (None, Some(_)) if self.is_flushed(id) => (self.now, self.now),
                (None, Some(&oldest)) if is_automatic => {
                    let wall_age = self.wall_age(oldest);
                    let age = self.now - lane.holding_since.unwrap_or(self.now);
                    let max_delay = nanos(self.config().batch.max_delay);
                    let rest = |age| max_delay.saturating_sub(age);
                    (self.now + rest(wall_age.max(age)), self.now + rest(wall_age))
                }
                _ => continue,
            };
            let (from, to) = (from.max(opens.0), to.max(opens.1));
            let Some((from, to)) = self.at_hand(lane.outgoing.front(), (from, to)) else {
                continue;
            };
            let (earliest, latest) = bounds.unwrap_or((from, to));
            bounds = Some((earliest.min(from), latest.min(to)));
        }
        if let Some((from, to)) = self.next_store()? {
            let (earliest, latest) = bounds.unwrap_or((from, to));
            bounds = Some((earliest.min(from), latest.min(to)));
        }
        ensure!(!self.must_load_old(), "batches that are too old are loaded to be shown");
        if let Some(at) = self.next_expiry() {
            let (earliest, latest) = bounds.unwrap_or((at, at));
            bounds = Some((earliest.min(at), latest.min(at)));
        }
        Ok(bounds)
    }

    /// Checks that there was nothing to do, and that the time to wait is right.
    pub(super) fn check_wait(&self, wake: Option<u64>, moment: Moment) -> CheckResult {
        let bounds = self.bounds(moment)?;
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
        if wake.is_none() && self.is_automatic() {
            ensure_eq!(self.unsettled(), 0, "a bus that holds something is not idle");
        }
        Ok(())
    }
}
