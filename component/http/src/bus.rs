//! The resource `bus`.

use crate::counts;
use crate::http_bus as wit;
use crate::options::{config_error, options, rejection};
use crate::receiver::{NO_ANSWER, Receiver};
use crate::storeless;
use shardbus::{Action, Clock, EventBus, FlushReport, Lease};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random::get_random_u64;

/// A bus of the core, and its receiver.
pub struct Bus {
    core: EventBus,
    receiver: Receiver,
}

impl Bus {
    /// Sets the core's wall clock, by which events are stamped and grow old.
    fn set_clock(&self) {
        let now = wall_clock::now();
        self.core.clock().set(now.seconds * 1_000_000_000 + u64::from(now.nanoseconds));
    }

    /// Acts until there is nothing to do now, or until `end`. Returns the time of the next action, if
    /// there is one.
    fn act(&self, end: u64) -> Option<u64> {
        loop {
            self.set_clock();
            let now = monotonic_clock::now();
            if now >= end {
                return Some(now);
            }
            match self.core.poll(now) {
                Action::Send(lease) => self.send(&lease, end),
                Action::WaitUntil(then) => return Some(then),
                Action::Idle => return None,
                // Counted. The others are for hosts with a store or an event loop.
                _ => {}
            }
        }
    }

    /// Makes one attempt, and reports its outcome.
    fn send(&self, lease: &Lease, end: u64) {
        let answer = self.receiver.send(&lease.batch, lease.deadline.min(end));
        let now = monotonic_clock::now();
        match answer {
            Ok(()) => _ = self.core.acknowledge(lease.id, now),
            // The caller's time was over before the attempt's: that tells nothing of the receiver.
            Err(NO_ANSWER) if now >= end && end < lease.deadline => self.core.recall(),
            Err(failure) => _ = self.core.fail(lease.id, failure, now),
        }
    }

    /// Acts until a flush is complete or `end` is reached.
    fn act_until(&self, flush: u32, end: u64) -> FlushReport {
        loop {
            let next = self.act(end);
            let report = self.core.flush_report(flush).unwrap_or_default();
            let now = monotonic_clock::now();
            let Some(next) = next.filter(|_| report.pending > 0 && now < end) else {
                return report;
            };
            monotonic_clock::subscribe_instant(next.min(end)).block();
        }
    }
}

impl wit::GuestBus for Bus {
    fn create(receiver: wit::Receiver, given: wit::Options) -> Result<wit::Bus, wit::CreateError> {
        storeless::check(&given).map_err(wit::CreateError::Options)?;
        let receiver = Receiver::new(receiver).map_err(wit::CreateError::Receiver)?;
        let core = EventBus::new(options(given), Clock::manual(0))
            .map_err(|error| wit::CreateError::Options(config_error(error)))?;
        core.seed(get_random_u64());
        Ok(wit::Bus::new(Self { core, receiver }))
    }

    fn ingest(&self, payload: Vec<u8>, key: Option<Vec<u8>>) -> Result<(), wit::Rejection> {
        self.set_clock();
        let accepted = self.core.ingest(&payload, key.as_deref());
        accepted.map(drop).map_err(|error| rejection(&error))
    }

    fn tick(&self) -> Option<u64> {
        let next = self.act(u64::MAX)?;
        Some(next.saturating_sub(monotonic_clock::now()))
    }

    fn flush(&self, timeout: u64) -> wit::FlushReport {
        let end = monotonic_clock::now().saturating_add(timeout);
        let flush = self.core.begin_flush();
        let report = self.act_until(flush, end);
        self.core.end_flush(flush);
        counts::report(report)
    }

    fn stats(&self) -> wit::Stats {
        self.set_clock();
        counts::stats(self.core.stats())
    }

    fn close(&self) {
        self.core.close();
    }
}
