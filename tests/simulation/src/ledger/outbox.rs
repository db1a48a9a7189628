//! The host's store, which outlives it: unsettled batches, as bytes under keys.

use crate::ledger::{Event, Exit, Ledger, Origin, Outgoing};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use fastrand::Rng;
use shardbus::{AbandonReason, Batch};
use std::collections::BTreeMap;
use std::ops::Range;

/// A batch in the store, and its state.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) is_damaged: bool,
    pub(super) origin: Origin,
    pub(super) sequence: u64,
    pub(super) events: Vec<Event>,
}

/// Tickets from here on are of batches that the bus asked to store.
const FIRST_STORE: u64 = 1 << 63;

/// The position of a stored batch's events in the bus.
#[derive(Debug)]
struct Link {
    key: String,
    lane: usize,
    /// Places in the lane's log.
    events: Range<usize>,
    /// Those that are neither settled nor in a later copy.
    needed: Vec<usize>,
}

impl Link {
    /// True if the copy has these events of a lane.
    fn covers(&self, lane: usize, events: &Range<usize>) -> bool {
        self.lane == lane && self.events.start <= events.start && events.end <= self.events.end
    }

    /// These events of a lane are settled, or in a later copy.
    fn forget(&mut self, lane: usize, events: &Range<usize>) {
        if self.lane == lane {
            self.needed.retain(|event| !events.contains(event));
        }
    }
}

/// A write that is under way: before a batch's first attempt, or because the bus asked for it.
#[derive(Debug, Clone)]
struct Write {
    /// The lease, or a number beyond all of them.
    ticket: u64,
    key: String,
    kept: Kept,
    lane: usize,
    events: Range<usize>,
}

/// The host's knowledge of an event's end.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    is_written: bool,
    is_settled: bool,
}

/// The store of a host, and the host's knowledge of it.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(super) kept: BTreeMap<String, Kept>,
    set_aside: Vec<Kept>,
    links: Vec<Link>,
    writes: Vec<Write>,
    /// Keys whose removal has begun.
    removals: Vec<String>,
    /// By run and number.
    fates: Vec<Vec<Fate>>,
}

/// The key of a batch: keys sort by time.
fn key_of(batch: &Batch) -> String {
    format!("{:020}-{}", batch.first_timestamp(), batch.id())
}

impl Outbox {
    fn fate(&mut self, event: &Event) -> &mut Fate {
        let (life, number) = (event.life as usize, event.number as usize);
        if self.fates.len() <= life {
            self.fates.resize_with(life + 1, Vec::new);
        }
        let fates = &mut self.fates[life];
        if fates.len() <= number {
            fates.resize(number + 1, Fate::default());
        }
        &mut fates[number]
    }

    /// True if the store has these events, and the bus knows it.
    fn covers(&self, lane: usize, events: &Range<usize>) -> bool {
        self.links.iter().any(|link| link.covers(lane, events))
    }

    /// Tells whether this write is under way.
    pub fn has_write(&self, ticket: u64) -> bool {
        self.writes.iter().any(|write| write.ticket == ticket)
    }

    /// Events of a lane left the bus.
    pub(super) fn note_exit<'a>(
        &mut self,
        lane: usize,
        events: &Range<usize>,
        exit: Exit,
        what: impl Iterator<Item = &'a Event>,
    ) {
        if matches!(exit, Exit::Released | Exit::Abandoned(AbandonReason::Shutdown)) {
            return;
        }
        what.for_each(|event| self.fate(event).is_settled = true);
        self.forget(lane, events);
    }

    /// These events of a lane are settled, or in a later copy: begins to remove copies without others.
    fn forget(&mut self, lane: usize, events: &Range<usize>) {
        let removals = &mut self.removals;
        self.links.retain_mut(|link| {
            link.forget(lane, events);
            if link.needed.is_empty() {
                removals.push(std::mem::take(&mut link.key));
            }
            !link.needed.is_empty()
        });
    }

    /// The store has a copy of these events of a lane, of which some are needed.
    pub(super) fn link(
        &mut self,
        key: &str,
        lane: usize,
        events: Range<usize>,
        needed: Vec<usize>,
    ) {
        if needed.is_empty() {
            self.removals.push(key.to_owned());
            return;
        }
        self.forget(lane, &events);
        // The first, so that it is found before the copy that it replaces.
        self.links.insert(0, Link { key: key.to_owned(), lane, events, needed });
    }

    /// The key of a copy that the store needs of these events; `None` if it has one.
    fn missing_key(&self, batch: &Batch, lane: usize, events: &Range<usize>) -> Option<String> {
        let key = key_of(batch);
        match self.links.iter().find(|link| link.covers(lane, events)) {
            None => Some(key),
            Some(link) if link.events == *events || link.needed.len() == link.events.len() => None,
            // Settled events must not come back with the others.
            Some(_) => Some(format!("{key}-{}", events.len())),
        }
    }

    /// The stored batch that has these events of a lane.
    pub(super) fn kept_of(&self, lane: usize, events: &Range<usize>) -> Option<&Kept> {
        let link = self.links.iter().find(|link| link.covers(lane, events))?;
        self.kept.get(&link.key)
    }

    fn has_link(&self, key: &str) -> bool {
        self.links.iter().any(|link| link.key == key)
    }

    fn keep(&mut self, key: String, kept: Kept) {
        for event in &kept.events {
            self.fate(event).is_written = true;
        }
        self.kept.insert(key, kept);
    }

    /// Removals that the host began are complete.
    pub fn remove(&mut self) {
        for key in self.removals.drain(..) {
            self.kept.remove(&key);
        }
    }

    pub(super) fn set_aside(&mut self, key: &str) {
        self.set_aside.extend(self.kept.remove(key));
    }

    /// The host crashes: its running operations are complete, or not. Some bytes are damaged, of 64
    /// this many.
    pub fn die(&mut self, damaged: u8, rng: &mut Rng) {
        for key in std::mem::take(&mut self.removals) {
            if rng.bool() {
                self.kept.remove(&key);
            }
        }
        for Write { key, kept, .. } in std::mem::take(&mut self.writes) {
            if rng.bool() && !self.kept.contains_key(&key) {
                self.keep(key, kept);
            }
        }
        self.links.clear();
        for kept in self.kept.values_mut() {
            if rng.u8(..64) < damaged && !kept.is_damaged {
                kept.is_damaged = true;
                let at = rng.usize(..kept.bytes.len());
                if rng.bool() {
                    kept.bytes[at] ^= 1 << rng.u8(..8);
                } else {
                    kept.bytes.truncate(at);
                }
            }
        }
    }

    /// The keys of what there is, in order.
    pub fn keys(&self) -> Vec<String> {
        self.kept.keys().cloned().collect()
    }

    /// Checks that nothing that was written is lost.
    pub fn check(&self) -> CheckResult {
        let is_there = |life: usize, number: usize| {
            self.kept.values().chain(&self.set_aside).any(|kept| {
                let is_it =
                    |event: &Event| (event.life as usize, event.number as usize) == (life, number);
                kept.events.iter().any(is_it)
            })
        };
        for (life, fates) in self.fates.iter().enumerate() {
            for (number, fate) in fates.iter().enumerate() {
                ensure!(
                    !fate.is_written || fate.is_settled || is_there(life, number),
                    "what was written is settled, or still there",
                    "event {number} of life {life}"
                );
            }
        }
        Ok(())
    }
}

/// The host's part in it.
impl Ledger {
    fn kept_copy(&self, batch: &Batch, lane: usize, outgoing: &Outgoing) -> Kept {
        let log = &self.lanes[lane].log[outgoing.events.clone()];
        Kept {
            bytes: batch.encode(),
            is_damaged: false,
            origin: outgoing.origin,
            sequence: outgoing.sequence,
            events: log.iter().map(|&event| self.events[event]).collect(),
        }
    }

    /// A batch is written, unless the store has its events.
    pub(super) fn await_write(
        &mut self,
        ticket: u64,
        batch: &Batch,
        lane: usize,
        outgoing: &Outgoing,
    ) {
        let events = outgoing.events.clone();
        let Some(outbox) = &self.outbox else { return };
        let Some(key) = outbox.missing_key(batch, lane, &events) else { return };
        let kept = self.kept_copy(batch, lane, outgoing);
        let write = Write { ticket, key, kept, lane, events };
        if let Some(outbox) = &mut self.outbox {
            outbox.writes.push(write);
        }
    }

    /// A write ends, well or not.
    pub fn finish_write(&mut self, ticket: u64, is_written: bool) {
        let Some(outbox) = &mut self.outbox else { return };
        let Some(nth) = outbox.writes.iter().position(|write| write.ticket == ticket) else {
            return;
        };
        let Write { key, kept, lane, events, .. } = outbox.writes.swap_remove(nth);
        note!(self, "    {key} is {}", if is_written { "written" } else { "not written" });
        // A half has the key of its whole; and a batch that is being removed may be gone in a
        // moment.
        if !is_written || outbox.has_link(&key) || outbox.removals.contains(&key) {
            return;
        }
        self.tally.writes += 1;
        let needed = events.clone().zip(&kept.events);
        let needed = needed.filter(|(_, event)| !outbox.fate(event).is_settled);
        let needed: Vec<_> = needed.map(|(place, _)| place).collect();
        let origin = kept.origin;
        let sequences = kept.sequence..kept.sequence + events.len() as u64;
        outbox.keep(key.clone(), kept);
        outbox.link(&key, lane, events.clone(), needed);
        self.note_stored(lane, origin, &sequences);
    }

    /// The bus asked for a batch to be written.
    pub(super) fn await_store(&mut self, batch: &Batch, lane: usize, outgoing: &Outgoing) -> u64 {
        let ticket = FIRST_STORE + self.tally.stores;
        self.await_write(ticket, batch, lane, outgoing);
        ticket
    }

    /// Copies all unsettled batches and writes those that the store does not have; some writes
    /// fail.
    pub fn keep_everything(&mut self, now: u64, mut fails: impl FnMut() -> bool) -> CheckResult {
        let mut staged = self.stage(now)?.into_iter();
        let mut copies = Vec::new();
        for &lane in &self.present {
            let outgoing = self.lanes[lane].outgoing.iter().filter(|at| !at.is_spilled());
            for (outgoing, batch) in outgoing.zip(staged.by_ref()) {
                let copy = self.kept_copy(&batch, lane, outgoing);
                copies.push((batch, lane, outgoing.events.clone(), copy));
            }
        }
        for (batch, lane, events, kept) in copies {
            let Some(outbox) = &mut self.outbox else { return Ok(()) };
            let Some(key) = outbox.missing_key(&batch, lane, &events) else { continue };
            if outbox.has_link(&key) || outbox.removals.contains(&key) || fails() {
                continue;
            }
            note!(self, "    {key} is written");
            self.tally.writes += 1;
            let origin = kept.origin;
            let sequences = kept.sequence..kept.sequence + events.len() as u64;
            outbox.keep(key.clone(), kept);
            outbox.link(&key, lane, events.clone(), events.clone().collect());
            self.note_stored(lane, origin, &sequences);
        }
        self.evict_stored()
    }

    /// Releases everything that the store has.
    pub fn release_kept(&mut self, now: u64) -> CheckResult {
        self.stage_and_release(now, |is_kept| is_kept)
    }

    /// True if the store has these events of a lane.
    pub(super) fn is_kept(&self, lane: usize, events: &Range<usize>) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.covers(lane, events))
    }
}
