//! The operating system's clock, at the cost of the processor's counter.

use crate::clock::nanos;
use crate::sync::Counter;
use std::time::SystemTime;

/// The time for which the counter is followed before the system is asked again: it drifts by
/// nanoseconds in that time.
const FOLLOWED_NANOS: u64 = 1_000_000;

/// An answer that took longer may be of another time than the counter's: whoever asked was
/// interrupted, and asks again.
const PROMPT_NANOS: u64 = 10_000;
const ATTEMPTS: u32 = 4;

/// Asks the system what time it is once a millisecond, and counts on from there: to accept an event
/// takes 41 ns so, and 57 ns if the system is asked for each (Linux, x86-64).
#[derive(Debug)]
pub(super) struct SystemClock {
    counter: quanta::Clock,
    /// Wall-clock time less the counter's; wraps.
    offset: Counter,
    /// The counter's time when the system was asked.
    asked_at: Counter,
}

impl SystemClock {
    pub(super) fn new() -> Self {
        let counter = quanta::Clock::new();
        let clock = Self { counter, offset: Counter::default(), asked_at: Counter::default() };
        clock.ask();
        clock
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        let counted = self.counted();
        // Also if the counter went back, as after a machine has slept.
        if counted.wrapping_sub(self.asked_at.get()) >= FOLLOWED_NANOS {
            self.ask();
        }
        counted.wrapping_add(self.offset.get())
    }

    /// Nanoseconds since any fixed point.
    fn counted(&self) -> u64 {
        self.counter.delta_as_nanos(0, self.counter.raw())
    }

    /// Asks the system. A thread that sees one of the two values without the other is off, once, by
    /// the drift since the reading before.
    fn ask(&self) {
        for _ in 0..ATTEMPTS {
            let before = self.counted();
            let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanos);
            let counted = self.counted();
            self.offset.set(wall.wrapping_sub(counted));
            self.asked_at.set(counted);
            if counted.wrapping_sub(before) < PROMPT_NANOS {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_what_the_system_shows() {
        let clock = SystemClock::new();
        let system = || nanos(SystemTime::UNIX_EPOCH.elapsed().expect("it is past 1970"));
        for _ in 0..100_000 {
            let (before, now, after) = (system(), clock.now(), system());
            // Far more than the counter goes astray in a millisecond.
            assert!((before - 100_000..after + 100_000).contains(&now), "{before} {now} {after}");
        }
    }

    #[test]
    fn it_follows_a_system_whose_time_is_set() {
        let clock = SystemClock::new();
        let (right, minute) = (clock.now(), 60_000_000_000);
        clock.offset.add(u64::MAX / 2);
        clock.asked_at.sub(FOLLOWED_NANOS);
        assert!(clock.now().abs_diff(right) < minute);
    }
}
