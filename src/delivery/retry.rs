//! How long to pause before the next attempt.

use crate::clock::nanos;
use crate::config::RetryPolicy;

/// Exponential backoff with full jitter: a random pause between zero and
/// `min(max_delay, min_delay * 2^(attempt - 1))`.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    rng: fastrand::Rng,
}

impl Backoff {
    /// The same seed gives the same pauses.
    pub(crate) fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self { policy, rng: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.rng.seed(seed);
    }

    /// Whether a batch may be sent again after this many attempts.
    pub(crate) const fn may_retry(&self, attempts: u32) -> bool {
        attempts < self.policy.attempts
    }

    /// Nanoseconds to pause after the attempt with this number, the first being 1.
    pub(crate) fn pause(&mut self, attempt: u32) -> u64 {
        let doublings = attempt.saturating_sub(1).min(63);
        let min = nanos(self.policy.min_delay);
        let max = nanos(self.policy.max_delay);
        // Not `u64(0..=bound)`, which multiplies to 128 bits; what this favours is one in 2^30.
        let bound = min.saturating_mul(1 << doublings).min(max);
        self.rng.u64(..) % bound.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn backoff(seed: u64) -> Backoff {
        let policy = RetryPolicy {
            attempts: 4,
            min_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(1),
        };
        Backoff::new(policy, seed)
    }

    #[test]
    fn pauses_fill_the_doubling_range_up_to_the_maximum() {
        for (attempt, bound) in [(1, 200), (2, 400), (3, 800), (4, 1000), (200, 1000)] {
            let bound = bound * 1_000_000;
            let mut backoff = backoff(7);
            let pauses: Vec<_> = (0..2000).map(|_| backoff.pause(attempt)).collect();
            assert!(pauses.iter().all(|&pause| pause <= bound), "attempt {attempt}");
            assert!(pauses.iter().any(|&pause| pause < bound / 10), "jitter is full");
            assert!(pauses.iter().any(|&pause| pause > bound / 10 * 9), "jitter is full");
        }
    }

    #[test]
    fn a_seed_repeats_its_pauses() {
        let pauses = |seed| {
            let mut backoff = backoff(seed);
            (1..10).map(|attempt| backoff.pause(attempt)).collect::<Vec<_>>()
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }

    #[test]
    fn attempts_count_the_first() {
        assert!(backoff(0).may_retry(3));
        assert!(!backoff(0).may_retry(4));
    }
}
