//! Time: where it comes from, and how it becomes timestamps.

#[cfg(not(target_family = "wasm"))]
mod system;

use crate::sync::{Counter, Shared};
use std::time::Duration;

/// Tells the wall-clock time in nanoseconds since the Unix epoch.
///
/// Cloning gives a second handle to the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    #[cfg(not(target_family = "wasm"))]
    System(Shared<system::SystemClock>),
    Manual(Shared<Counter>),
}

impl Clock {
    /// The operating system's clock, which is asked once a millisecond; in between the processor's
    /// counter is. The first of a process takes some milliseconds to find out how fast that is.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(Shared::new(system::SystemClock::new())))
    }

    /// A clock that shows `now` until its host [`set`](Self::set)s it: on wasm, where the host
    /// sets it at each crossing, and in simulations.
    #[must_use]
    pub fn manual(now: u64) -> Self {
        Self(Source::Manual(Shared::new(Counter::new(now))))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        match &self.0 {
            #[cfg(not(target_family = "wasm"))]
            Source::System(clock) => clock.now(),
            Source::Manual(now) => now.get(),
        }
    }

    /// Sets a manual clock to `now`, forward or back. The system's clock is not ours to set, and
    /// stays as it is.
    pub fn set(&self, now: u64) {
        match &self.0 {
            #[cfg(not(target_family = "wasm"))]
            Source::System(_) => {}
            Source::Manual(cell) => cell.set(now),
        }
    }
}

impl Clock {
    /// Milliseconds, as hosts count them whose numbers are floating-point, in nanoseconds. Whole
    /// milliseconds stay exact.
    #[must_use]
    pub fn nanos_of(ms: f64) -> u64 {
        let whole = ms.trunc();
        (whole as u64).saturating_mul(1_000_000).saturating_add(((ms - whole) * 1e6 + 0.5) as u64)
    }

    /// Nanoseconds as milliseconds, such that [`nanos_of`](Self::nanos_of) them are not fewer: a host
    /// that waits until a time must find it reached.
    #[must_use]
    pub fn millis_of(nanos: u64) -> f64 {
        let ms = (nanos / 1_000_000) as f64 + (nanos % 1_000_000) as f64 / 1e6;
        if Self::nanos_of(ms) < nanos { ms.next_up() } else { ms }
    }
}

impl Default for Clock {
    /// The system's clock; on wasm, which has none, a manual one at zero.
    fn default() -> Self {
        #[cfg(not(target_family = "wasm"))]
        return Self::system();
        #[cfg(target_family = "wasm")]
        return Self::manual(0);
    }
}

/// A duration in nanoseconds; over 584 years count as for ever. Not inlined: it is called in many
/// places, and never for an event, so size matters more than speed.
#[inline(never)]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(duration.subsec_nanos() as u64)
}

/// A duration in milliseconds.
#[inline(never)]
pub(crate) fn millis(duration: Duration) -> f64 {
    nanos(duration) as f64 / 1e6
}

/// Makes strictly increasing timestamps from a clock that may stand still or go back:
/// `max(now, last + 1)`.
#[derive(Debug, Default)]
pub struct TimestampGenerator {
    last: u64,
}

impl TimestampGenerator {
    /// The next timestamp, given that the clock shows `now`.
    pub fn next(&mut self, now: u64) -> u64 {
        self.next_run(now, 1)
    }

    /// The first of the next `count` timestamps, at least one, of which each is one more than the one
    /// before, given that the clock shows `now`.
    pub(crate) fn next_run(&mut self, now: u64, count: u64) -> u64 {
        // Saturates in the year 2554.
        let first = now.max(self.last.saturating_add(1));
        self.last = first.saturating_add(count - 1);
        first
    }

    /// The last timestamp given out; 0 if none was.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_follow_a_clock_that_moves() {
        let mut timestamps = TimestampGenerator::default();
        assert_eq!(timestamps.next(100), 100);
        assert_eq!(timestamps.next(250), 250);
    }

    #[test]
    fn timestamps_rise_by_one_while_the_clock_stands_still_or_goes_back() {
        let mut timestamps = TimestampGenerator::default();
        let issued: Vec<_> = [100, 100, 100, 40, 102, 200].map(|now| timestamps.next(now)).into();
        assert_eq!(issued, [100, 101, 102, 103, 104, 200]);
        assert_eq!(timestamps.last(), 200);
    }

    #[test]
    fn milliseconds_are_not_earlier_than_the_nanoseconds_that_they_stand_for() {
        // Since the process began, and since 1970: there a double tells 244 ns apart.
        for epoch in [0, 1_796_061_787_056_000_000] {
            for nanos in (epoch..).step_by(1_234_567).take(10_000) {
                let again = Clock::nanos_of(Clock::millis_of(nanos));
                assert!((nanos..nanos + 500).contains(&again), "{again} stands for {nanos}");
            }
        }
        assert_eq!(Clock::nanos_of(Clock::millis_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn a_manual_clock_is_shared_by_its_clones() {
        let clock = Clock::manual(7);
        let copy = clock.clone();
        clock.set(9);
        assert_eq!(copy.now(), 9);
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn the_system_clock_counts_from_the_unix_epoch() {
        let year_2020 = 1_577_836_800_000_000_000;
        assert!(Clock::system().now() > year_2020);
    }
}
