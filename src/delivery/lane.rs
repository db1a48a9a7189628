//! One shard's way out.

use crate::batch::{Batch, BatchHead};
use crate::delivery::NEVER;
use crate::delivery::blame::Suspicion;
use crate::delivery::spill::Content;
use crate::delivery::store::Copy;
use crate::queue::Queue;
use crate::shard::{BatchWorker, Shard, ShardMetricsCollector, ShardRef, Watermarks};
use crate::sync::Shared;

/// A shard, the worker that cuts its batches, and its unsettled batches.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) shard: ShardRef,
    pub(crate) worker: BatchWorker,
    /// In order. There is more than one where a store is asked to keep batches (see
    /// [`store`](super::store)), after a split, after an answer for single events, and in an unload
    /// (see [`exit`](super::exit)). Another than the first is leased in an unload, and while the
    /// first is on trial.
    pub(crate) outgoing: Queue<Outgoing>,
    /// True if the shard takes no more events: its events are sent without waiting for size or
    /// time.
    pub(crate) is_draining: bool,
    /// Told how long batches take, where somebody watches the load.
    pub(crate) collector: Option<Shared<ShardMetricsCollector>>,
    /// The time at which the lane may send again after an outage: lanes do not all begin at one
    /// moment.
    pub(crate) resumes_at: u64,
    /// True if the second outgoing batch is tried before the first, which is suspected to be at
    /// fault for its failures (see [`blame`](super::blame)).
    pub(crate) is_on_trial: bool,
}

/// A batch between its shard and its settlement.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) head: BatchHead,
    pub(crate) content: Content,
    /// Index of the first event among all that the shard ever accepted.
    pub(crate) first_index: u64,
    /// The start of the first attempt.
    pub(crate) sent_at: u64,
    /// Attempts begun so far.
    pub(crate) attempts: u32,
    /// Attempts that the receiver refused.
    pub(crate) refusals: u32,
    /// Attempts in a row that found the destination unavailable.
    pub(crate) failures: u32,
    /// Evidence that the batch itself is at fault.
    pub(crate) suspicion: Suspicion,
    /// The state of its copy in the host's store.
    pub(crate) copy: Copy,
    pub(crate) state: OutgoingState,
}

/// The state of an outgoing batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutgoingState {
    /// The host, until the lease expires.
    Leased {
        /// The lease.
        lease: u64,
        /// The time at which the batch may be leased again.
        expires: u64,
        /// The flush whose owner was given it, if it was asked for by one.
        owner: Option<u32>,
    },
    /// It waits for the end of its pause.
    Waiting {
        /// The earliest start of the next attempt.
        until: u64,
        /// The part of the pause that the receiver asked for, and that nothing cuts short.
        at_least_until: u64,
    },
}

impl OutgoingState {
    /// Free to be sent from `now` on.
    pub(crate) const fn waiting_since(now: u64) -> Self {
        Self::Waiting { until: now, at_least_until: now }
    }
}

impl Outgoing {
    /// A batch that may be sent from `now` on.
    pub(crate) fn new(batch: Shared<Batch>, first_index: u64, now: u64) -> Self {
        let state = OutgoingState::waiting_since(now);
        let (attempts, refusals, failures) = (0, 0, 0);
        let (suspicion, copy) = (Suspicion::default(), Copy::Missing(now));
        let sent_at = now;
        let (head, content) = (batch.head(), Content::Held(batch));
        Self {
            head,
            content,
            first_index,
            sent_at,
            attempts,
            refusals,
            failures,
            suspicion,
            copy,
            state,
        }
    }

    /// Some events of its batch as a batch of their own, with its history.
    pub(crate) fn part(&self, batch: &Batch, range: std::ops::Range<usize>) -> Self {
        let first_index = self.first_index + range.start as u64;
        let part = Shared::new(batch.part(range));
        Self { head: part.head(), content: self.content.with(part), first_index, ..*self }
    }

    /// The batch, if it is in memory.
    pub(crate) const fn batch(&self) -> Option<&Shared<Batch>> {
        self.content.batch()
    }

    /// The earliest start of the next attempt, as far as the batch decides, and the part of that
    /// pause which nothing cuts short; [`NEVER`] while it is leased.
    pub(crate) const fn waits_until(&self) -> (u64, u64) {
        match self.state {
            OutgoingState::Waiting { until, at_least_until } => (until, at_least_until),
            OutgoingState::Leased { .. } => (NEVER, NEVER),
        }
    }

    /// True if it is leased to the owner of this flush.
    pub(crate) fn is_leased_to(&self, flush: u32) -> bool {
        matches!(self.state, OutgoingState::Leased { owner, .. } if owner == Some(flush))
    }

    /// True if it is leased.
    pub(crate) const fn is_leased(&self) -> bool {
        matches!(self.state, OutgoingState::Leased { .. })
    }

    /// True if it is in memory, and not leased.
    pub(crate) const fn is_at_hand(&self) -> bool {
        !self.is_leased() && self.batch().is_some()
    }

    /// Number of events.
    pub(crate) const fn len(&self) -> u64 {
        self.head.len
    }
}

impl Lane {
    pub(crate) const fn new(
        shard: ShardRef,
        worker: BatchWorker,
        collector: Option<Shared<ShardMetricsCollector>>,
    ) -> Self {
        Self {
            shard,
            worker,
            outgoing: Queue::new(),
            is_draining: false,
            collector,
            resumes_at: 0,
            is_on_trial: false,
        }
    }

    /// The lane of batches of earlier runs. Its shard takes no events.
    pub(crate) const RESTORED: u16 = u16::MAX;

    /// The shard's id.
    pub(crate) fn id(&self) -> u16 {
        self.shard.id()
    }

    /// True for the lane of batches of earlier runs.
    pub(crate) fn is_restored(&self) -> bool {
        self.id() == Self::RESTORED
    }

    /// True if one of the batches is leased.
    pub(crate) fn is_leased(&self) -> bool {
        self.outgoing.iter().any(Outgoing::is_leased)
    }

    /// True if there are events in memory that are not leased.
    pub(crate) fn has_more(&self) -> bool {
        self.outgoing.iter().any(Outgoing::is_at_hand)
            || self.shard.enter().is_some_and(|shard| !shard.is_empty())
    }

    /// The number of the lane's events, in its shard and in flight, that were accepted before a
    /// moment.
    pub(crate) fn count_before(&self, watermarks: &Watermarks) -> u64 {
        let in_flight: u64 = self
            .outgoing
            .iter()
            .map(|outgoing| watermarks.covers(self.id(), outgoing.first_index, outgoing.len()))
            .sum();
        let waiting = self
            .shard
            .enter()
            .map_or(0, |shard| watermarks.covers(shard.id, shard.head_index(), shard.len() as u64));
        in_flight + waiting
    }

    /// True if the shard is draining and has no events left.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_draining
            && self.outgoing.is_empty()
            && self.shard.enter().is_some_and(|shard| shard.is_empty())
    }

    /// The time at which the oldest unsettled event was accepted, by the wall clock.
    pub(crate) fn oldest_timestamp(&self) -> Option<u64> {
        // Batches of earlier runs need not come back in order.
        if self.outgoing.is_empty() {
            return self.shard.enter()?.oldest_timestamp();
        }
        let first = |oldest: u64, outgoing: &Outgoing| oldest.min(outgoing.head.first_timestamp);
        Some(self.outgoing.iter().fold(u64::MAX, first))
    }

    /// The number of events that have left the shard and are not settled.
    pub(crate) fn in_flight(&self) -> u64 {
        self.outgoing.iter().map(Outgoing::len).sum()
    }

    /// True if the size or the age of the pending events lets a batch leave.
    pub(crate) fn is_due(&mut self, now: u64) -> bool {
        self.shard.enter().is_some_and(|shard| self.worker.is_due(&shard, now))
    }

    /// Takes a batch out of the shard, with a body of at most `max_bytes` and at most as many events
    /// as `max_len` says of the shard. Returns it with the index of its first event.
    pub(crate) fn cut(
        &mut self,
        now: u64,
        max_bytes: usize,
        max_len: &dyn Fn(&Shard) -> usize,
    ) -> Option<(Shared<Batch>, u64)> {
        let mut shard = self.shard.enter()?;
        let (max_len, first_index) = (max_len(&shard), shard.head_index());
        let batch = self.worker.cut(&mut shard, now, max_len, max_bytes)?;
        Some((Shared::new(batch), first_index))
    }

    /// [Cuts](Self::cut) a batch and lets it wait. Returns whether there was one.
    pub(crate) fn cut_outgoing(
        &mut self,
        now: u64,
        max_bytes: usize,
        max_len: &dyn Fn(&Shard) -> usize,
    ) -> bool {
        let Some((batch, first_index)) = self.cut(now, max_bytes, max_len) else { return false };
        self.outgoing.push_back(Outgoing::new(batch, first_index, now));
        true
    }
}
