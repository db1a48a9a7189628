//! Batches that only the host's store has, so that an outage may last longer than memory does.
//!
//! - Stored batches stay in memory as long as they have no more than half of
//!   [`max_bytes`](crate::BusConfig::max_bytes). Beyond that the bus lets go of the events of those
//!   that are sent last, and keeps their [heads](BatchHead), in order.
//! - Pending events are stored at once when they have a quarter of the bytes, or of a shard's slots
//!   all but a quarter: so there is room for those that come while the host writes.
//! - The host [loads](crate::Action::Load) such a batch when its turn to be sent has come. At most
//!   [`AT_ONCE`] are in memory again, beside the bound on bytes: otherwise new events could keep old
//!   ones from ever being sent. An attempt that fails lets go of the events once more.
//! - The store has a bound of its own. Beyond it the oldest stored batches are evicted.

use crate::batch::{Batch, BatchHead};
use crate::delivery::NEVER;
use crate::delivery::lane::{Lane, Outgoing};
use crate::delivery::machine::Delivery;
use crate::delivery::store::Copy;
use crate::sync::Shared;

/// Most batches that are in memory again, or on their way.
pub(crate) const AT_ONCE: usize = 2;

/// Failures to read a batch after which it is taken to be lost.
const MAX_FAILURES: u32 = 3;

/// The place of a batch's events.
#[derive(Debug)]
pub(crate) enum Content {
    /// Memory.
    Held(Shared<Batch>),
    /// Memory again, beside the bound on bytes.
    Loaded {
        batch: Shared<Batch>,
        /// True if an attempt has begun since.
        is_used: bool,
    },
    /// The store alone.
    Spilled {
        /// The time from which the host may be asked for it (again).
        again_at: u64,
        /// Failures to read it.
        failures: u32,
    },
}

impl Content {
    /// The batch, if it is in memory.
    pub(crate) const fn batch(&self) -> Option<&Shared<Batch>> {
        match self {
            Self::Held(batch) | Self::Loaded { batch, .. } => Some(batch),
            Self::Spilled { .. } => None,
        }
    }

    /// The same place for a part of the batch.
    pub(crate) const fn with(&self, part: Shared<Batch>) -> Self {
        match *self {
            Self::Loaded { is_used, .. } => Self::Loaded { batch: part, is_used },
            _ => Self::Held(part),
        }
    }
}

impl Delivery {
    /// True if batches may be in the store alone.
    pub(super) const fn may_spill(&self) -> bool {
        self.config.has_store && self.config.max_store_bytes > 0
    }

    /// True if pending events take so much of the memory that they are stored immediately.
    pub(super) fn is_pressed(&self) -> bool {
        let pending = |lane: &Lane| lane.shard.enter().map_or(0, |shard| shard.bytes() as u64);
        self.may_spill() && self.lanes.iter().map(pending).sum::<u64>() > self.config.max_bytes / 4
    }

    /// Lets go of stored events beyond their share of memory.
    pub(super) fn spill(&mut self) {
        if !self.may_spill() {
            return;
        }
        for lane in &mut self.lanes {
            for outgoing in &mut lane.outgoing {
                let is_used = matches!(outgoing.content, Content::Loaded { is_used: true, .. });
                if is_used && outgoing.may_spill() && !lane.is_on_trial {
                    outgoing.spill();
                }
            }
        }
        let held = |lane: &Lane| lane.outgoing.iter().map(Outgoing::held_bytes).sum::<u64>();
        let shards = self.lanes.iter().filter(|lane| !lane.is_restored());
        let mut held: u64 = shards.map(held).sum();
        while held > self.config.max_bytes / 2
            && let Some((lane, nth)) = self.last_to_spill()
        {
            let Some(last) = self.lanes[lane].outgoing.get_mut(nth) else { return };
            held -= last.held_bytes();
            last.spill();
        }
    }

    /// The batch that is sent last of those that can be spilled: the one with the most before it.
    fn last_to_spill(&self) -> Option<(usize, usize)> {
        let is_it = |outgoing: &Outgoing| outgoing.held_bytes() > 0 && outgoing.may_spill();
        let mut last = None;
        for (index, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| !lane.is_restored()) {
            let least = last.map_or(0, |(_, nth)| nth).max(usize::from(lane.is_on_trial));
            if let Some(nth) = lane.outgoing.iter().rposition(is_it).filter(|&nth| nth >= least) {
                last = Some((index, nth));
            }
        }
        last
    }

    /// Asks the host for a batch that only its store has, unless it was asked already, or enough are
    /// in memory again.
    pub(super) fn ask_for(&mut self, lane: usize, nth: usize) -> Option<BatchHead> {
        let (now, lease_end) = (self.now, self.lease_end());
        let has_room = self.has_room_to_load();
        let outgoing = self.lanes[lane].outgoing.get_mut(nth)?;
        let Content::Spilled { again_at, .. } = &mut outgoing.content else { return None };
        if *again_at > now || !has_room {
            return None;
        }
        *again_at = lease_end;
        Some(outgoing.head)
    }

    /// True if another batch may be loaded.
    #[inline(never)]
    pub(super) fn has_room_to_load(&self) -> bool {
        let mut loaded = 0;
        for lane in &self.lanes {
            for outgoing in &lane.outgoing {
                let is_loaded = matches!(outgoing.content, Content::Loaded { .. })
                    || outgoing.is_being_loaded(self.now);
                loaded += usize::from(is_loaded);
            }
        }
        loaded < AT_ONCE
    }

    /// The host has read a batch. Returns whether it was asked for.
    pub(crate) fn load(&mut self, batch: Shared<Batch>) -> bool {
        let head = batch.head();
        let is_it = |outgoing: &Outgoing| {
            let is_asked_for = matches!(outgoing.content, Content::Spilled { again_at: 1.., .. });
            is_asked_for && head.covers(&outgoing.head)
        };
        let Some((lane, nth)) = self.find(&is_it) else { return false };
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return false };
        let start = (outgoing.head.sequence_start - head.sequence_start) as usize;
        let len = outgoing.head.len as usize;
        let batch =
            if len == batch.len() { batch } else { Shared::new(batch.part(start..start + len)) };
        outgoing.content = Content::Loaded { batch, is_used: false };
        self.next_action = 0;
        true
    }

    /// The host could not read a batch; if it `is_gone`, it never will. Returns whether the batch is
    /// lost by now, counted as evicted.
    pub(crate) fn note_unreadable(&mut self, head: (u64, u16, u64), is_gone: bool) -> bool {
        let is_it = |outgoing: &Outgoing| {
            let BatchHead { process_nonce, shard_id, sequence_start, .. } = outgoing.head;
            outgoing.batch().is_none() && (process_nonce, shard_id, sequence_start) == head
        };
        let Some((lane, nth)) = self.find(&is_it) else { return false };
        let outgoing = self.lanes[lane].outgoing.get_mut(nth);
        let Some(Content::Spilled { failures, .. }) = outgoing.map(|found| &mut found.content)
        else {
            return false;
        };
        *failures += 1;
        let is_lost = is_gone || *failures >= MAX_FAILURES;
        is_lost && self.evict(lane, nth).is_some()
    }

    /// Takes the oldest stored batch out of the bus if the store has more than it may.
    pub(crate) fn evict_stored(&mut self) -> Option<BatchHead> {
        if !self.may_spill() {
            return None;
        }
        let mut stored = 0;
        let mut oldest: Option<(u64, usize, usize)> = None;
        for (index, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| !lane.is_restored()) {
            for (nth, outgoing) in lane.outgoing.iter().enumerate() {
                if outgoing.copy != Copy::Stored {
                    continue;
                }
                let BatchHead { encoded_bytes, first_timestamp, .. } = outgoing.head;
                stored += encoded_bytes;
                let is_oldest = oldest.is_none_or(|(first, ..)| first_timestamp < first);
                if is_oldest && !outgoing.is_leased() {
                    oldest = Some((first_timestamp, index, nth));
                }
            }
        }
        if stored <= self.config.max_store_bytes.max(self.config.max_bytes) {
            return None;
        }
        let (_, lane, nth) = oldest?;
        self.evict(lane, nth)
    }

    /// Takes a batch out without a report: flushes count the missing events as evicted.
    fn evict(&mut self, lane: usize, nth: usize) -> Option<BatchHead> {
        let Lane { shard, outgoing, is_on_trial, .. } = &mut self.lanes[lane];
        // First: a batch that cannot be counted must stay.
        let mut shard = shard.enter()?;
        let evicted = outgoing.remove(nth)?;
        if nth == 0 {
            *is_on_trial = false;
        }
        shard.count_evicted(evicted.len());
        self.next_action = 0;
        Some(evicted.head)
    }

    /// Payload bytes that only the store has.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        let mut spilled = 0;
        for lane in &self.lanes {
            for outgoing in lane.outgoing.iter().filter(|outgoing| outgoing.batch().is_none()) {
                spilled += outgoing.head.payload_bytes;
            }
        }
        spilled
    }
}

impl Outgoing {
    /// True if it is stored, and not leased.
    fn may_spill(&self) -> bool {
        self.copy == Copy::Stored && !self.is_leased()
    }

    /// True if it is in the store alone, and the host is not reading it.
    pub(super) const fn may_be_asked_for(&self, now: u64) -> bool {
        matches!(self.content, Content::Spilled { again_at, .. } if again_at <= now)
    }

    /// The time at which it can be used, from `at` on, or the host asked for it again; [`NEVER`] if
    /// that takes more than time. `has_room` tells whether another batch may be loaded.
    pub(super) fn at_hand_from(&self, at: u64, now: u64, has_room: bool) -> u64 {
        match self.content {
            Content::Spilled { again_at, .. } if again_at > now => at.max(again_at),
            Content::Spilled { .. } if !has_room => NEVER,
            _ => at,
        }
    }

    /// True if the host is reading it.
    pub(super) const fn is_being_loaded(&self, now: u64) -> bool {
        matches!(self.content, Content::Spilled { again_at, .. } if again_at > now)
    }

    fn spill(&mut self) {
        self.content = Content::Spilled { again_at: 0, failures: 0 };
    }

    /// Its payload bytes, if they count towards the bound.
    const fn held_bytes(&self) -> u64 {
        match self.content {
            Content::Held(_) => self.head.payload_bytes,
            _ => 0,
        }
    }
}
