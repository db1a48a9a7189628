//! The seam between targets with threads and targets without.
//!
//! Everything that differs between the two is here; no other file names a mutex, an atomic or a
//! cell. `cfg(single_threaded)` (see `build.rs`) picks the implementation.
//!
//! | name | with threads | without |
//! | --- | --- | --- |
//! | [`Lock`] | `parking_lot::Mutex` | `RefCell` |
//! | [`Snapshot`] | `arc_swap::ArcSwap` | `RefCell<Rc<T>>` |
//! | [`Counter`] | `AtomicU64` | `Cell<u64>` |
//! | [`Flag`] | `AtomicBool` | `Cell<bool>` |
//! | [`Shared`] | `Arc` | `Rc` |

#[cfg(single_threaded)]
mod local;
#[cfg(not(single_threaded))]
mod threaded;

#[cfg(single_threaded)]
pub use local::{Counter, Flag, Lock, LockGuard, Shared, Snapshot};
#[cfg(not(single_threaded))]
pub use threaded::{Counter, Flag, Lock, LockGuard, Shared, Snapshot};

impl Counter {
    /// Adds `n`, where nobody else writes at the same time: cheaper than [`add`](Self::add).
    #[inline]
    pub fn add_alone(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }
}

/// A [`Lock`] was asked for by the thread that already holds it.
///
/// Only the single-threaded build can tell; with threads the same mistake is a deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lock is already held here; finish with the first guard before asking again")]
pub struct Reentered;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_adds_subtracts_and_reports_the_new_value() {
        let counter = Counter::new(5);
        assert_eq!(counter.add(3), 8);
        assert_eq!(counter.sub(6), 2);
        counter.set(40);
        counter.add_alone(2);
        assert_eq!(counter.get(), 42);
    }

    #[test]
    fn counter_adds_within_a_maximum_or_not_at_all() {
        let counter = Counter::new(5);
        assert!(counter.add_within(5, 10));
        assert!(!counter.add_within(1, 10));
        assert!(!counter.add_within(u64::MAX, u64::MAX), "the sum overflows");
        assert_eq!(counter.get(), 10);
    }

    #[test]
    fn a_flag_is_as_it_was_set_last() {
        let flag = Flag::new();
        assert!(!flag.get());
        flag.set(true);
        assert!(flag.get());
        flag.set(false);
        assert!(!flag.get());
    }

    #[test]
    fn snapshot_readers_keep_what_they_loaded() {
        let snapshot = Snapshot::new(vec![1]);
        let old = snapshot.load();
        snapshot.store(vec![2, 3]);
        assert_eq!(**old, [1]);
        assert_eq!(**snapshot.load(), [2, 3]);
    }

    #[test]
    fn try_lock_fails_while_the_lock_is_held() {
        let lock = Lock::new(1);
        let guard = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert_eq!(lock.try_lock().map(|value| *value), Some(1));
    }

    #[cfg(single_threaded)]
    #[test]
    fn reentrance_is_an_error_and_not_a_panic() {
        let lock = Lock::new(1);
        let _guard = lock.lock();
        assert_eq!(lock.lock().err(), Some(Reentered));
    }
}
