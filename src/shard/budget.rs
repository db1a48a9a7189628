//! The budget of payload bytes.

use crate::sync::{Counter, Shared};

/// Counts the payload bytes that all shards and all batches together hold, and refuses to go
/// over a maximum.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    max: u64,
    /// Bytes in rings and in batches.
    held: Counter,
    /// The part of `held` that batches have taken out of the rings, and that cannot be evicted.
    in_batches: Counter,
}

impl ByteBudget {
    /// A budget of `max` bytes.
    pub(crate) const fn new(max: u64) -> Self {
        Self { max, held: Counter::new(0), in_batches: Counter::new(0) }
    }

    /// A budget that never refuses, and so has no need to count.
    pub(crate) const fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    const fn is_unlimited(&self) -> bool {
        self.max == u64::MAX
    }

    /// Most bytes that may be held.
    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// Bytes held now; 0 in an unlimited budget.
    pub(crate) fn held(&self) -> u64 {
        self.held.get()
    }

    /// True if `len` bytes would fit if every ring were empty.
    pub(crate) fn could_fit(&self, len: u64) -> bool {
        self.in_batches.get().saturating_add(len) <= self.max
    }

    /// Takes `len` bytes if they fit.
    pub(crate) fn try_reserve(&self, len: u64) -> bool {
        self.is_unlimited() || self.held.add_within(len, self.max)
    }

    /// Gives back bytes that left a ring.
    pub(crate) fn release(&self, len: u64) {
        if !self.is_unlimited() {
            self.held.sub(len);
        }
    }

    /// Turns `len` bytes that are held in a ring into bytes that are held until the reservation
    /// is dropped.
    pub(crate) fn move_to_batch(self: &Shared<Self>, len: u64) -> Reservation {
        self.in_batches.add(len);
        Reservation { budget: Shared::clone(self), len }
    }
}

/// The bytes of one batch; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Shared<ByteBudget>,
    len: u64,
}

impl Reservation {
    /// For bytes that are held beside the bound.
    pub(crate) fn of_nothing() -> Self {
        Self { budget: Shared::new(ByteBudget::unlimited()), len: 0 }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.in_batches.sub(self.len);
        self.budget.release(self.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_takes_up_to_its_maximum() {
        let budget = ByteBudget::new(10);
        assert!(budget.try_reserve(6));
        assert!(!budget.try_reserve(5));
        assert!(budget.try_reserve(4));
        budget.release(10);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_a_batch_holds_counts_until_the_batch_is_dropped() {
        let budget = Shared::new(ByteBudget::new(10));
        assert!(budget.try_reserve(8));
        let reservation = budget.move_to_batch(8);
        assert_eq!(budget.held(), 8);
        assert!(!budget.could_fit(3), "no eviction frees what a batch holds");
        drop(reservation);
        assert_eq!(budget.held(), 0);
        assert!(budget.could_fit(10));
    }
}
