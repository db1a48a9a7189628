//! A bus as its tasks share it.
#![expect(clippy::disallowed_types, reason = "the seam is for types that threads share")]

use crate::changes::Changes;
use futures::future::select;
use shardbus::{EventBus, FlushReport};
use std::cell::Cell;
use std::pin::pin;
use wasip3::clocks::{monotonic_clock, system_clock};

/// Timers of JavaScript engines end at once if they are set to more than 24 days.
const LONGEST_TIMER: u64 = 24 * 3600 * 1_000_000_000;

/// Waits until a time.
pub async fn wait_until(then: u64) {
    loop {
        let now = monotonic_clock::now();
        if now >= then {
            return;
        }
        monotonic_clock::wait_until(then.min(now.saturating_add(LONGEST_TIMER))).await;
    }
}

/// A bus of the core, and what its tasks tell each other.
pub struct Shared {
    pub core: EventBus,
    pub changes: Changes,
    /// Ends the worker.
    pub is_over: Cell<bool>,
    /// The number of tasks that wait for room.
    awaiting_room: Cell<u32>,
}

impl Shared {
    pub fn new(core: EventBus) -> Self {
        let (changes, is_over) = (Changes::default(), Cell::new(false));
        Self { core, changes, is_over, awaiting_room: Cell::new(0) }
    }

    /// Sets the core's wall clock, by which events are stamped and grow old.
    pub fn set_clock(&self) {
        let now = system_clock::now();
        let seconds = u64::try_from(now.seconds).unwrap_or_default();
        self.core.clock().set(seconds * 1_000_000_000 + u64::from(now.nanoseconds));
    }

    /// Waits for a change after `seen`, or until a time.
    pub async fn change_or(&self, seen: u64, then: u64) {
        let change = pin!(self.changes.after(seen));
        select(change, pin!(wait_until(then))).await;
    }

    /// Lets batches leave early, to make room, as long as the answer is held.
    pub fn await_room(&self) -> AwaitedRoom<'_> {
        self.awaiting_room.set(self.awaiting_room.get() + 1);
        self.core.set_room_awaited(true);
        AwaitedRoom(self)
    }

    /// Flushes, until the flush is complete or until `end`, if there is one.
    pub async fn flush(&self, end: Option<u64>) -> Flush<'_> {
        let flush = Flush { core: &self.core, id: self.core.begin_flush() };
        self.changes.tell();
        loop {
            let seen = self.changes.count();
            if flush.report().pending == 0 || end.is_some_and(|end| monotonic_clock::now() >= end) {
                return flush;
            }
            match end {
                Some(end) => self.change_or(seen, end).await,
                None => self.changes.after(seen).await,
            }
        }
    }
}

/// A wait for room, which ends even if the task is cancelled.
pub struct AwaitedRoom<'a>(&'a Shared);

impl Drop for AwaitedRoom<'_> {
    fn drop(&mut self) {
        self.0.awaiting_room.set(self.0.awaiting_room.get() - 1);
        self.0.core.set_room_awaited(self.0.awaiting_room.get() > 0);
    }
}

/// An open flush, which ends even if the task is cancelled.
pub struct Flush<'a> {
    core: &'a EventBus,
    id: u32,
}

impl Flush<'_> {
    /// The outcomes so far.
    pub fn report(&self) -> FlushReport {
        self.core.flush_report(self.id).unwrap_or_default()
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.core.end_flush(self.id);
    }
}
