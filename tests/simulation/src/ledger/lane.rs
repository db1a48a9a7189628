//! Shards, and the batches that have left them.

use shardbus::{Batch, Format};
use std::collections::VecDeque;
use std::ops::{Index, IndexMut, Range};

/// The owner of an outgoing batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Leased {
        lease: u64,
        deadline: u64,
        expires: u64,
        /// The flush whose owner was given it.
        owner: Option<u32>,
    },
    /// Nobody; the next attempt may begin at a moment in this range.
    Paused { from: u64, to: u64 },
}

/// The common properties of a shard's batches, in any run that restores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) nonce: u64,
    pub(super) shard: u16,
    pub(super) format: Format,
}

impl Origin {
    /// The bytes before, behind, and between events.
    pub(super) const fn brackets(self) -> (&'static [u8], &'static [u8], u8) {
        match self.format {
            Format::Ndjson => (b"", b"", b'\n'),
            Format::Json => (b"[", b"]", b','),
        }
    }
}

/// A batch that has left its shard and is not settled.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The range of its events in [`Lane::log`].
    pub(super) events: Range<usize>,
    pub(super) origin: Origin,
    pub(super) sequence: u64,
    pub(super) attempts: u32,
    /// The number of refusals by the receiver.
    pub(super) refusals: u32,
    /// The number of consecutive failures by outage.
    pub(super) failures: u32,
    /// Until when the receiver asked it to wait.
    pub(super) asked: u64,
    pub(super) state: State,
    /// The time from which the host may be asked to write it; `None` once its store has it.
    pub(super) stores_at: Option<u64>,
    pub(super) content: Content,
    pub(super) reservation: usize,
    /// Its address in memory, once known.
    pub(super) address: Option<*const Batch>,
}

/// The place of a batch's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Held,
    /// Memory again, beside the bound.
    Loaded {
        is_used: bool,
    },
    /// The store alone. The host may be asked for it from a time on.
    Spilled {
        again_at: u64,
        failures: u32,
    },
}

impl Outgoing {
    /// Some of its events as a batch of their own, with its history.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let start = self.events.start;
        Self {
            events: start + range.start..start + range.end,
            sequence: self.sequence + range.start as u64,
            address: None,
            ..*self
        }
    }

    /// Tells whether only the store has it.
    pub(super) const fn is_spilled(&self) -> bool {
        matches!(self.content, Content::Spilled { .. })
    }

    /// Tells whether the host reads it.
    pub(super) fn is_being_loaded(&self, now: u64) -> bool {
        matches!(self.content, Content::Spilled { again_at, .. } if again_at > now)
    }

    /// Tells whether it is in memory, and the host does not have it.
    pub(super) const fn is_at_hand(&self) -> bool {
        !self.is_leased() && !self.is_spilled()
    }

    /// True if its attempts and its pause let it be sent in an unload at `now`.
    pub(super) const fn may_exit(&self, now: u64, attempts: u32) -> bool {
        let is_free = self.is_at_hand() && self.asked <= now;
        is_free && (self.attempts == 0 || self.refusals + 1 < attempts)
    }

    pub(super) const fn is_leased(&self) -> bool {
        matches!(self.state, State::Leased { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Active,
    Draining,
    Gone,
}

/// A shard.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) phase: Phase,
    /// Every event it ever accepted.
    pub(super) log: Vec<usize>,
    /// The position in the log of the first event that has not left.
    pub(super) head: usize,
    /// Payload bytes from there on.
    pub(super) bytes: u64,
    pub(super) outgoing: VecDeque<Outgoing>,
    pub(super) in_flight: u64,
    pub(super) next_sequence: u64,
    pub(super) full: u64,
    pub(super) sampled: u64,
    pub(super) evicted: u64,
    /// Arrivals in the last quarter since one was admitted.
    pub(super) arrivals: u32,
    pub(super) last_timestamp: u64,
    /// Since when, at the latest, the bus may have seen it hold something.
    pub(super) holding_since: Option<u64>,
    /// The number of times that another lane was served while this one was ready.
    pub(super) passed_over: usize,
    /// The earliest and latest time to send again after an outage.
    pub(super) resumes: (u64, u64),
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Active,
            log: Vec::new(),
            head: 0,
            bytes: 0,
            outgoing: VecDeque::new(),
            in_flight: 0,
            next_sequence: 0,
            full: 0,
            sampled: 0,
            evicted: 0,
            arrivals: 0,
            last_timestamp: 0,
            holding_since: None,
            passed_over: 0,
            resumes: (0, 0),
        }
    }

    pub(super) fn waiting(&self) -> &[usize] {
        &self.log[self.head..]
    }

    /// The oldest event that is waiting or in flight.
    pub(super) fn oldest(&self) -> Option<usize> {
        let at = self.outgoing.front().map_or(self.head, |outgoing| outgoing.events.start);
        self.log.get(at).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.waiting().is_empty()
    }

    pub(super) fn is_leased(&self) -> bool {
        self.outgoing.iter().any(Outgoing::is_leased)
    }
}

/// The lane of what earlier runs have left. It is no shard.
pub(super) const RESTORED: usize = usize::MAX;

/// All lanes: those of shards by their ids, and [`RESTORED`].
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) shards: Vec<Lane>,
    pub(super) restored: Lane,
}

impl Index<usize> for Lanes {
    type Output = Lane;

    #[inline]
    fn index(&self, lane: usize) -> &Lane {
        if lane == RESTORED { &self.restored } else { &self.shards[lane] }
    }
}

impl IndexMut<usize> for Lanes {
    #[inline]
    fn index_mut(&mut self, lane: usize) -> &mut Lane {
        if lane == RESTORED { &mut self.restored } else { &mut self.shards[lane] }
    }
}
