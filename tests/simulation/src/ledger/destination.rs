//! The destination's availability, as far as answers show it.

use crate::ledger::answers::bound;
use crate::ledger::{Ledger, State, nanos};
use crate::trace::note;
use std::time::Duration;

/// Failures in a row after which no lane sends, unless to probe.
const DOWN_AFTER: u32 = 2;

/// The least bound of a pause.
const MIN_BOUND: u64 = 20_000_000;

/// The time after a failure at which a flush probes.
const FLUSH_PROBE_DELAY: u64 = 1_000_000_000;

/// The findings of attempts. Times that the bus chooses are ranges.
#[derive(Debug, Default)]
pub(super) struct Destination {
    /// Failures in a row; concurrent attempts count once.
    failures: u32,
    /// The first lease whose failure counts.
    news_from: u64,
    failed_at: u64,
    /// The earliest and latest time of the next probe.
    probe: (u64, u64),
    /// The receiver asked to be left alone until then.
    not_before: u64,
    /// The lease that probes, or did.
    probing: Option<u64>,
}

impl Destination {
    fn probe_by(&mut self, at: u64) {
        let (from, to) = self.probe;
        self.probe = (from.min(at).max(self.not_before), to.min(at).max(self.not_before));
    }

    /// A flush waits for held events.
    pub(super) fn probe_soon(&mut self) {
        self.probe_by(self.failed_at + FLUSH_PROBE_DELAY);
    }

    /// The host asks for a probe, or there is no time to wait.
    pub(super) fn probe_now(&mut self) {
        self.probe_by(0);
    }
}

impl Ledger {
    /// True if the lane may send only to probe.
    fn is_gated(&self, lane: usize) -> bool {
        let front = self.lanes[lane].outgoing.front();
        self.destination.failures >= DOWN_AFTER
            || self.destination.failures > 0 && front.is_some_and(|first| first.failures > 0)
    }

    /// The earliest and latest time at which the destination, and the pause of the lane's first
    /// batch, let an attempt begin; `None` while time alone is not enough.
    pub(super) fn opens(&self, lane: usize) -> Option<(u64, u64)> {
        let (from, to, asked) = match self.lanes[lane].outgoing.front() {
            None => (0, 0, 0),
            Some(first) => match first.state {
                State::Leased { .. } => return None,
                State::Paused { from, to } => (from, to, first.asked),
            },
        };
        let destination = &self.destination;
        if self.is_gated(lane) {
            let is_probed = destination.probing.is_some_and(|lease| self.is_live(lease));
            let (from, to) = destination.probe;
            return (!is_probed).then_some((from.max(asked), to.max(asked)));
        }
        let open = destination.not_before;
        let resumes = self.lanes[lane].resumes;
        Some((open.max(resumes.0).max(from), open.max(resumes.1).max(to)))
    }

    /// An attempt of the lane is about to begin with this lease.
    pub(super) fn note_attempt(&mut self, lane: usize, lease: u64) {
        if self.is_gated(lane) {
            self.tally.probes += 1;
            self.destination.probing = Some(lease);
        }
    }

    /// The destination was found unavailable: the batch waits for it.
    pub(super) fn await_destination(
        &mut self,
        (lane, nth): (usize, usize),
        lease: u64,
        retry_after: Duration,
    ) {
        let (now, retry) = (self.now, self.retry());
        let asked = now + nanos(retry_after.min(retry.max_retry_after));
        let destination = &mut self.destination;
        let is_news = lease >= destination.news_from;
        if is_news {
            destination.failures += 1;
            destination.news_from = self.leases;
            destination.failed_at = now;
        }
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        outgoing.failures += 1;
        let bound = bound(&retry, outgoing.failures.max(destination.failures)).max(MIN_BOUND);
        let (from, to) = ((now + bound - bound / 2).max(asked), (now + bound).max(asked));
        outgoing.state = State::Paused { from, to };
        outgoing.asked = asked;
        if is_news {
            destination.probe = (from.max(destination.not_before), to.max(destination.not_before));
        }
        if retry_after > Duration::ZERO {
            destination.not_before = destination.not_before.max(asked);
            destination.probe.0 = destination.probe.0.max(asked);
            destination.probe.1 = destination.probe.1.max(asked);
        }
    }

    /// The destination answered, which ends an outage.
    pub(super) fn note_answer(&mut self, lane: usize, lease: u64) {
        let was_down = self.destination.failures >= DOWN_AFTER;
        self.destination.failures = 0;
        if lease >= self.destination.news_from {
            self.destination.not_before = 0;
        }
        if !was_down {
            return;
        }
        note!(self, "    an outage is over");
        self.tally.outages += 1;
        let (now, spread) = (self.now, bound(&self.retry(), 1));
        for &other in self.present.iter().filter(|&&other| other != lane) {
            let other = &mut self.lanes[other];
            other.resumes = (now, now + spread);
            if let Some(first) = other.outgoing.front_mut()
                && first.failures > 0
                && let State::Paused { from, to } = &mut first.state
            {
                *from = now.max(first.asked);
                *to = *from;
            }
        }
    }

    /// The host has reason to believe that the destination is back.
    pub fn probe(&mut self) {
        self.bus.probe();
        self.destination.probe_now();
    }
}
