//! Changes that tasks wait for.
#![expect(clippy::disallowed_types, reason = "the seam is for types that threads share")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Tells waiting tasks that something has changed.
#[derive(Default)]
pub struct Changes {
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Changes {
    /// The number of changes so far.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Counts a change, and wakes everybody who waits.
    pub fn tell(&self) {
        self.count.set(self.count.get() + 1);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits until there are more changes than `seen`.
    pub async fn after(&self, seen: u64) {
        poll_fn(|context| {
            if self.count() > seen {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
