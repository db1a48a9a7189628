//! The pause before the next attempt.

use crate::clock::nanos;
use crate::config::RetryPolicy;

/// The bound of a pause in an outage is at least this: without any pause, a host would do nothing but
/// ask.
pub(crate) const MIN_OUTAGE_BOUND: u64 = 20_000_000;

/// Exponential backoff: the bound of a pause is `min(max_delay, base_delay * 2^(failures - 1))`.
///
/// A refused batch pauses for anything between zero and the bound ("full jitter"); an outage for
/// anything between half of it and all of it ("equal jitter"), because a receiver that is down
/// should not be asked twice within moments.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// `None` if nothing is ever sent again.
    policy: Option<RetryPolicy>,
    rng: fastrand::Rng,
}

impl Backoff {
    /// The same seed gives the same pauses.
    pub(crate) fn new(policy: Option<RetryPolicy>, seed: u64) -> Self {
        Self { policy, rng: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.rng.seed(seed);
    }

    /// True if anything is ever sent again.
    pub(crate) const fn is_on(&self) -> bool {
        self.policy.is_some()
    }

    /// True if a batch may be sent again after the receiver refused it this many times.
    pub(crate) fn may_retry(&self, refusals: u32) -> bool {
        self.policy.as_ref().is_some_and(|policy| {
            policy.max_attempts == RetryPolicy::UNLIMITED || refusals < policy.max_attempts
        })
    }

    /// Nanoseconds to pause after a batch was refused, the first refusal being 1.
    pub(crate) fn pause(&mut self, refusals: u32) -> u64 {
        let bound = self.bound(refusals);
        self.up_to(bound)
    }

    /// Nanoseconds to pause after the destination was found unavailable, the first time being 1.
    pub(crate) fn outage_pause(&mut self, failures: u32) -> u64 {
        let bound = self.bound(failures).max(MIN_OUTAGE_BOUND);
        bound - self.up_to(bound / 2)
    }

    /// Nanoseconds by which lanes are spread after an outage.
    pub(crate) fn spread(&mut self) -> u64 {
        let bound = self.bound(1);
        self.up_to(bound)
    }

    /// The part of a pause that the receiver may ask for.
    pub(crate) fn capped(&self, retry_after: u64) -> u64 {
        let cap = self.policy.as_ref().map_or(u64::MAX, |policy| nanos(policy.max_retry_after));
        retry_after.min(cap)
    }

    /// Nanoseconds after which an event is given up; `None` if it never is.
    pub(crate) fn max_age(&self) -> Option<u64> {
        Some(nanos(self.policy.as_ref()?.max_age?))
    }

    fn bound(&self, failures: u32) -> u64 {
        let Some(policy) = &self.policy else { return 0 };
        let doublings = failures.saturating_sub(1).min(63);
        nanos(policy.base_delay).saturating_mul(1 << doublings).min(nanos(policy.max_delay))
    }

    /// A random number from zero to `bound`.
    fn up_to(&mut self, bound: u64) -> u64 {
        // Not `u64(0..=bound)`, which multiplies to 128 bits; the bias here is one in 2^30.
        self.rng.u64(..) % bound.saturating_add(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn backoff(seed: u64) -> Backoff {
        let policy = RetryPolicy {
            max_attempts: 4,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(1),
            ..RetryPolicy::default()
        };
        Backoff::new(Some(policy), seed)
    }

    #[test]
    fn pauses_fill_the_doubling_range_up_to_the_maximum() {
        for (failures, bound) in [(1, 200), (2, 400), (3, 800), (4, 1000), (200, 1000)] {
            let bound = bound * 1_000_000;
            let mut backoff = backoff(7);
            let pauses: Vec<_> = (0..2000).map(|_| backoff.pause(failures)).collect();
            assert!(pauses.iter().all(|&pause| pause <= bound), "failure {failures}");
            assert!(pauses.iter().any(|&pause| pause < bound / 10), "jitter is full");
            assert!(pauses.iter().any(|&pause| pause > bound / 10 * 9), "jitter is full");
        }
    }

    #[test]
    fn an_outage_pauses_for_half_the_bound_at_least() {
        for (failures, bound) in [(1, 200), (3, 800), (4, 1000)] {
            let bound = bound * 1_000_000;
            let mut backoff = backoff(7);
            let pauses: Vec<_> = (0..2000).map(|_| backoff.outage_pause(failures)).collect();
            assert!(pauses.iter().all(|pause| (bound / 2..=bound).contains(pause)));
            assert!(pauses.iter().any(|&pause| pause < bound / 100 * 55), "failure {failures}");
            assert!(pauses.iter().any(|&pause| pause > bound / 100 * 95), "failure {failures}");
        }
    }

    #[test]
    fn an_outage_pauses_even_without_a_delay() {
        let (base_delay, max_delay) = (Duration::ZERO, Duration::ZERO);
        let policy = RetryPolicy { base_delay, max_delay, ..RetryPolicy::default() };
        let mut backoff = Backoff::new(Some(policy), 7);
        assert_eq!(backoff.pause(3), 0);
        let pauses: Vec<_> = (0..100).map(|_| backoff.outage_pause(3)).collect();
        assert!(
            pauses.iter().all(|pause| (MIN_OUTAGE_BOUND / 2..=MIN_OUTAGE_BOUND).contains(pause))
        );
    }

    #[test]
    fn a_seed_repeats_its_pauses() {
        let pauses = |seed| {
            let mut backoff = backoff(seed);
            (1..10).map(|failures| backoff.pause(failures)).collect::<Vec<_>>()
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }

    #[test]
    fn attempts_count_the_first() {
        assert!(backoff(0).may_retry(3));
        assert!(!backoff(0).may_retry(4));
    }

    #[test]
    fn attempts_may_be_without_limit() {
        let max_attempts = RetryPolicy::UNLIMITED;
        let policy = RetryPolicy { max_attempts, ..RetryPolicy::default() };
        assert!(Backoff::new(Some(policy), 0).may_retry(u32::MAX));
    }

    #[test]
    fn without_a_policy_nothing_is_sent_again() {
        let backoff = Backoff::new(None, 0);
        assert!(!backoff.is_on());
        assert!(!backoff.may_retry(0));
    }
}
