//! The state of the destination, which all lanes share.
//!
//! A batch that fails because nobody answers says more about the destination than about itself. So
//! the failures of all lanes count together, pauses grow over failures in a row and not anew with
//! each batch, and the first answer ends them. While the destination is down, one lane at a time
//! probes it.

use crate::delivery::NEVER;

/// Failures in a row after which the destination is taken to be down. One alone may be an accident
/// of one connection, for which the other lanes need not wait.
const DOWN_AFTER: u32 = 2;

/// Nanoseconds between a failure and the probe that a flush asks for: a host that flushes with each
/// request must not turn an outage into a flood.
const FLUSH_PROBE_DELAY: u64 = 1_000_000_000;

/// The lessons of all lanes' attempts about the destination.
#[derive(Debug, Default)]
pub(crate) struct Destination {
    /// Failures in a row; attempts that were under way together count once.
    failures: u32,
    /// The first lease whose failure is news: those before it began before the last one failed.
    news_from: u64,
    /// The time of the last failure that counted.
    failed_at: u64,
    /// The time from which the next probe may begin.
    probe_at: u64,
    /// The pause that the receiver asked for, which nothing cuts short, ends then.
    not_before: u64,
    /// The lease that probes.
    pub(super) probe: Option<u64>,
    /// The number of batches that were delivered, all lanes together.
    deliveries: u64,
}

impl Destination {
    /// True if no lane may send, unless to probe.
    pub(crate) const fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// True if the last telling attempt failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Failures in a row.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// The number of batches that were delivered.
    pub(crate) const fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// The time from which the next probe may begin; [`NEVER`] while one is under way.
    pub(crate) const fn probes_at(&self) -> u64 {
        if self.probe.is_some() { NEVER } else { self.probe_at }
    }

    /// The time from which a lane that has not failed itself may send.
    pub(crate) const fn opens_at(&self) -> u64 {
        self.not_before
    }

    /// Counts the failure of an attempt, unless others that were under way with it said the same;
    /// `next_lease` is the one that would be given out now. Returns whether it counts.
    pub(crate) const fn note_failure(&mut self, lease: u64, next_lease: u64, now: u64) -> bool {
        let is_news = lease >= self.news_from;
        if is_news {
            self.failures = self.failures.saturating_add(1);
            self.news_from = next_lease;
            self.failed_at = now;
        }
        is_news
    }

    /// Lets the next probe begin at `at`.
    pub(crate) const fn probe_from(&mut self, at: u64) {
        self.probe_at = if at > self.not_before { at } else { self.not_before };
    }

    /// The receiver asked to be left alone until `at`.
    pub(crate) fn leave_alone_until(&mut self, at: u64) {
        self.not_before = self.not_before.max(at);
        self.probe_at = self.probe_at.max(at);
    }

    /// Somebody waits for the pending events: probes soon.
    pub(crate) fn probe_soon(&mut self) {
        self.probe_by(self.failed_at.saturating_add(FLUSH_PROBE_DELAY));
    }

    /// There is reason to believe that the destination is back, or no time to wait: probes now.
    pub(crate) fn probe_now(&mut self) {
        self.probe_by(0);
    }

    fn probe_by(&mut self, at: u64) {
        self.probe_at = self.probe_at.min(at).max(self.not_before);
    }

    /// The receiver answered an attempt. Returns whether that ends an outage.
    pub(crate) const fn note_answer(&mut self, lease: u64) -> bool {
        let was_down = self.is_down();
        self.failures = 0;
        // An attempt that began before the receiver asked for a pause says nothing about the pause.
        if lease >= self.news_from {
            self.not_before = 0;
        }
        was_down
    }

    /// A batch was delivered.
    pub(crate) const fn note_delivery(&mut self) {
        self.deliveries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_were_under_way_together_count_once() {
        let mut destination = Destination::default();
        assert!(destination.note_failure(0, 3, 10));
        assert!(!destination.note_failure(1, 3, 11));
        assert!(!destination.note_failure(2, 3, 12));
        assert!(!destination.is_down());
        assert!(destination.note_failure(3, 4, 20));
        assert!(destination.is_down());
    }

    #[test]
    fn the_first_answer_ends_an_outage() {
        let mut destination = Destination::default();
        for lease in 0..5 {
            destination.note_failure(lease, lease + 1, lease);
        }
        destination.leave_alone_until(100);
        assert_eq!(destination.opens_at(), 100);
        assert!(destination.note_answer(5));
        assert_eq!((destination.failures(), destination.opens_at()), (0, 0));
        assert!(!destination.note_answer(5), "there was none to end");
    }

    #[test]
    fn an_answer_to_an_older_attempt_does_not_cut_a_pause_short() {
        let mut destination = Destination::default();
        destination.note_failure(1, 2, 10);
        destination.leave_alone_until(100);
        destination.note_answer(0);
        assert_eq!(destination.opens_at(), 100);
        destination.note_answer(2);
        assert_eq!(destination.opens_at(), 0);
    }

    #[test]
    fn nothing_cuts_short_what_the_receiver_asked_for() {
        let mut destination = Destination::default();
        destination.note_failure(0, 1, 0);
        destination.probe_from(50);
        destination.leave_alone_until(5_000_000_000);
        destination.probe_now();
        assert_eq!(destination.probes_at(), 5_000_000_000);
    }

    #[test]
    fn a_flush_probes_a_second_after_the_last_failure() {
        let mut destination = Destination::default();
        destination.note_failure(0, 1, 7);
        destination.probe_from(60_000_000_000);
        destination.probe_soon();
        assert_eq!(destination.probes_at(), 1_000_000_007);
        destination.probe_soon();
        assert_eq!(destination.probes_at(), 1_000_000_007, "however often");
        destination.probe_now();
        assert_eq!(destination.probes_at(), 0);
    }
}
