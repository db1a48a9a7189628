//! The seam on targets with threads.
#![expect(clippy::disallowed_types, reason = "the seam is where these types live")]

use super::Reentered;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A reference-counted pointer that can be sent wherever `T` can.
pub type Shared<T> = Arc<T>;

/// Exclusive access, such as [`ShardRef::lock`](crate::ShardRef::lock) gives to a shard, until it is
/// dropped.
pub type LockGuard<'a, T> = MutexGuard<'a, T>;

/// Mutual exclusion.
#[derive(Debug, Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// Never in this build; the single-threaded one reports [`Reentered`].
    pub fn lock(&self) -> Result<LockGuard<'_, T>, Reentered> {
        Ok(self.0.lock())
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.0.try_lock()
    }
}

/// A value that is read often and replaced whole.
#[derive(Debug)]
pub struct Snapshot<T>(ArcSwap<T>);

impl<T> Snapshot<T> {
    /// Publishes `value`.
    pub fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    /// The value now; a later [`store`](Self::store) does not change the loaded one.
    pub fn load(&self) -> impl std::ops::Deref<Target = Arc<T>> {
        self.0.load()
    }

    /// Replaces the value.
    pub fn store(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

/// An unsigned 64-bit count.
///
/// Relaxed: a count orders nothing; ordered values are under a [`Lock`].
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter that starts at `value`.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Adds `n` and returns the new value.
    pub fn add(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Relaxed).wrapping_add(n)
    }

    /// Adds `n` unless the sum would be more than `max`. Returns whether it did; nobody ever sees
    /// more than `max`.
    pub fn add_within(&self, n: u64, max: u64) -> bool {
        let add = |value: u64| value.checked_add(n).filter(|&sum| sum <= max);
        self.0.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Subtracts `n` and returns the new value.
    pub fn sub(&self, n: u64) -> u64 {
        self.0.fetch_sub(n, Relaxed).wrapping_sub(n)
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// A shared boolean. Relaxed, as a [`Counter`].
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// A flag that is not set.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The value now.
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Replaces the value.
    pub fn set(&self, value: bool) {
        self.0.store(value, Relaxed);
    }
}
