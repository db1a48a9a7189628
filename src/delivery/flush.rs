//! Flushes: a cut through all shards, and the outcomes of the events before it.

use crate::codes::codes;
use crate::counters::counters;
use crate::shard::Watermarks;

counters! {
    /// The outcomes of all events that had been accepted, and not settled, when a flush began.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct FlushReport {
        /// Events acknowledged since.
        delivered: u64,
        /// Events given up since.
        abandoned: u64,
        /// Events evicted since, to make room for newer ones.
        evicted: u64,
        /// Events drained since.
        drained: u64,
        /// Events that are still waiting or in flight.
        pending: u64,
    }
}

/// The progress of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushState {
    /// Some of its events wait, or are in flight.
    Open,
    /// All of them are settled, and nothing is being restored.
    Settled,
    /// Its time is up.
    TimedOut,
}

codes! {
    FlushState {
        "Open" = 0: Open,
        "Settled" = 1: Settled,
        "TimedOut" = 2: TimedOut,
    }
}

/// The way in which events left the bus.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Exit {
    Delivered,
    Abandoned,
    Drained,
}

/// An open flush.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) id: u32,
    /// Each shard's number of accepted events when the flush began: the index of the first event
    /// that the flush does not cover.
    pub(crate) watermarks: Watermarks,
    /// The time at which it ends, settled or not.
    pub(crate) end: u64,
    /// True if no flush follows, so that it need not wait for an attempt that begins too late.
    pub(crate) is_last: bool,
    /// The number of events that the flush covers.
    covered: u64,
    report: FlushReport,
}

impl Flush {
    pub(crate) fn new(
        id: u32,
        watermarks: Watermarks,
        covered: u64,
        end: u64,
        is_last: bool,
    ) -> Self {
        Self { id, watermarks, end, is_last, covered, report: FlushReport::default() }
    }

    /// Notes that the events `start..start + len` of a shard left the bus.
    pub(crate) fn settle(&mut self, shard: u16, start: u64, len: u64, exit: Exit) {
        let covered = self.watermarks.covers(shard, start, len);
        match exit {
            Exit::Delivered => self.report.delivered += covered,
            Exit::Abandoned => self.report.abandoned += covered,
            Exit::Drained => self.report.drained += covered,
        }
    }

    /// The report, given how many covered events are unsettled. All others that left in
    /// no batch were evicted.
    pub(crate) const fn report(&self, pending: u64) -> FlushReport {
        let FlushReport { delivered, abandoned, drained, .. } = self.report;
        let evicted = self.covered - delivered - abandoned - drained - pending;
        FlushReport { evicted, pending, ..self.report }
    }
}
