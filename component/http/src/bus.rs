//! The resource `bus`.

use crate::counts;
use crate::http_bus as wit;
use crate::options::{config_error, options, rejection};
use crate::receiver::Receiver;
use shardbus::{Action, Clock, EventBus, FlushReport};
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

    /// Acts until there is nothing to do now. Returns the time of the next action, if there is one.
    fn act(&self) -> Option<u64> {
        loop {
            self.set_clock();
            match self.core.poll(monotonic_clock::now()) {
                Action::Send(lease) => {
                    let answer = self.receiver.send(&lease);
                    let now = monotonic_clock::now();
                    match answer {
                        Ok(()) => self.core.acknowledge(lease.id, now),
                        Err(failure) => self.core.fail(lease.id, failure, now),
                    };
                }
                Action::WaitUntil(then) => return Some(then),
                Action::Idle => return None,
                // Counted. The others are for hosts with a store or an event loop.
                _ => {}
            }
        }
    }

    /// Acts until a flush is complete or `end` is reached.
    fn act_until(&self, flush: u32, end: u64) -> FlushReport {
        loop {
            let next = self.act();
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
        let next = self.act()?;
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
