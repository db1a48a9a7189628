//! The seam on targets without threads.
#![expect(clippy::disallowed_types, reason = "the seam is where these types live")]

use super::Reentered;
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

/// A reference-counted pointer that stays on its thread.
pub type Shared<T> = Rc<T>;

/// Exclusive access, such as [`ShardRef::lock`](crate::ShardRef::lock) gives to a shard, until it is
/// dropped.
pub type LockGuard<'a, T> = RefMut<'a, T>;

/// Mutual exclusion, which on one thread means: no re-entrance.
#[derive(Debug, Default)]
pub struct Lock<T>(RefCell<T>);

impl<T> Lock<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// [`Reentered`] if a guard is alive already.
    pub fn lock(&self) -> Result<LockGuard<'_, T>, Reentered> {
        self.0.try_borrow_mut().map_err(|_| Reentered)
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.0.try_borrow_mut().ok()
    }
}

/// A value that is read often and replaced whole.
#[derive(Debug)]
pub struct Snapshot<T>(RefCell<Rc<T>>);

impl<T> Snapshot<T> {
    /// Publishes `value`.
    pub fn new(value: T) -> Self {
        Self(RefCell::new(Rc::new(value)))
    }

    /// The value now; a later [`store`](Self::store) does not change the loaded one.
    pub fn load(&self) -> impl std::ops::Deref<Target = Rc<T>> {
        // No borrow outlives this call or `store`, so the handle cannot be refused.
        Handle(Rc::clone(&self.0.borrow()))
    }

    /// Replaces the value.
    pub fn store(&self, value: T) {
        self.0.replace(Rc::new(value));
    }
}

/// The result of [`Snapshot::load`]: an owned handle behind one more `Deref`, as `ArcSwap`'s guard.
struct Handle<T>(Rc<T>);

impl<T> std::ops::Deref for Handle<T> {
    type Target = Rc<T>;

    fn deref(&self) -> &Rc<T> {
        &self.0
    }
}

/// An unsigned 64-bit count.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// A counter that starts at `value`.
    pub const fn new(value: u64) -> Self {
        Self(Cell::new(value))
    }

    /// Adds `n` and returns the new value.
    pub fn add(&self, n: u64) -> u64 {
        self.set(self.get().wrapping_add(n));
        self.get()
    }

    /// Adds `n` unless the sum would be more than `max`. Returns whether it did.
    pub fn add_within(&self, n: u64, max: u64) -> bool {
        let sum = self.get().checked_add(n).filter(|&sum| sum <= max);
        sum.is_some_and(|sum| {
            self.set(sum);
            true
        })
    }

    /// Subtracts `n` and returns the new value.
    pub fn sub(&self, n: u64) -> u64 {
        self.set(self.get().wrapping_sub(n));
        self.get()
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }
}

/// A shared boolean.
#[derive(Debug, Default)]
pub struct Flag(Cell<bool>);

impl Flag {
    /// A flag that is not set.
    pub const fn new() -> Self {
        Self(Cell::new(false))
    }

    /// The value now.
    pub fn get(&self) -> bool {
        self.0.get()
    }

    /// Replaces the value.
    pub fn set(&self, value: bool) {
        self.0.set(value);
    }
}
