//! Batches that only the store has.

use crate::ledger::sending::{Moment, Polled};
use crate::ledger::{Content, Exit, Ledger, Outgoing, RESTORED, Reservation, nanos};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use shardbus::{BatchHead, BusConfig, RestoreError};

/// Most batches in memory again, or on their way.
const AT_ONCE: usize = 2;

/// Failures to read a batch after which it is lost.
const MAX_FAILURES: u32 = 3;

impl Ledger {
    fn may_spill(&self) -> bool {
        self.config().has_store && self.config().max_store_bytes > 0
    }

    /// Tells whether pending events of a lane are stored at once.
    pub(super) fn is_pressed(&self, lane: usize) -> bool {
        let pending: u64 = self.present.iter().map(|&lane| self.lanes[lane].bytes).sum();
        self.may_spill()
            && (pending > self.config().max_bytes / 4
                || self.lanes[lane].waiting().len() >= self.high_water())
    }

    fn payload_bytes(&self, lane: usize, outgoing: &Outgoing) -> u64 {
        let events = &self.lanes[lane].log[outgoing.events.clone()];
        events.iter().map(|&event| u64::from(self.events[event].len)).sum()
    }

    /// Payload bytes that only the store has.
    pub(super) fn spilled(&self) -> u64 {
        self.bytes_of(Outgoing::is_spilled)
    }

    fn bytes_of(&self, is_it: impl Fn(&Outgoing) -> bool) -> u64 {
        let of_lane = |&lane: &usize| {
            let outgoing = self.lanes[lane].outgoing.iter().filter(|outgoing| is_it(outgoing));
            outgoing.map(|outgoing| self.payload_bytes(lane, outgoing)).sum::<u64>()
        };
        self.present.iter().filter(|&&lane| lane != RESTORED).map(of_lane).sum()
    }

    /// The bus lets go of the events of stored batches that memory is not for.
    pub(super) fn spill(&mut self) {
        if !self.may_spill() {
            return;
        }
        let may_spill = |outgoing: &Outgoing| outgoing.stores_at.is_none() && !outgoing.is_leased();
        let is_used = |outgoing: &Outgoing| {
            outgoing.content == Content::Loaded { is_used: true } && may_spill(outgoing)
        };
        for place in 0..self.present.len() {
            let lane = self.present[place];
            while let Some(nth) = self.lanes[lane].outgoing.iter().position(is_used) {
                self.let_go_of(lane, nth);
            }
        }
        let is_held = |outgoing: &Outgoing| outgoing.content == Content::Held;
        while self.bytes_of(is_held) > self.config().max_bytes / 2 {
            let last = |&lane: &usize| {
                let is_it = |outgoing: &Outgoing| is_held(outgoing) && may_spill(outgoing);
                Some((lane, self.lanes[lane].outgoing.iter().rposition(is_it)?))
            };
            let shards = self.present.iter().filter(|&&lane| lane != RESTORED);
            let Some((lane, nth)) = shards.filter_map(last).max_by_key(|(_, nth)| *nth) else {
                break;
            };
            self.tally.spills += 1;
            self.let_go_of(lane, nth);
        }
    }

    fn let_go_of(&mut self, lane: usize, nth: usize) {
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        outgoing.content = Content::Spilled { again_at: 0, failures: 0 };
        outgoing.address = None;
        let reservation = outgoing.reservation;
        self.release(reservation);
    }

    fn has_room_to_load(&self) -> bool {
        let is_loaded = |outgoing: &&Outgoing| {
            matches!(outgoing.content, Content::Loaded { .. }) || outgoing.is_being_loaded(self.now)
        };
        let all = self.present.iter().flat_map(|&lane| &self.lanes[lane].outgoing);
        all.filter(is_loaded).count() < AT_ONCE
    }

    /// Tells whether a batch is in memory, or the host can be asked for it now.
    pub(super) fn can_take(&self, outgoing: &Outgoing) -> bool {
        match outgoing.content {
            Content::Spilled { again_at, .. } => again_at <= self.now && self.has_room_to_load(),
            _ => true,
        }
    }

    /// The time at which the lane's first batch is in memory, or asked for again; `None` if that
    /// takes more than time.
    pub(super) fn at_hand(
        &self,
        first: Option<&Outgoing>,
        (from, to): (u64, u64),
    ) -> Option<(u64, u64)> {
        match first.map(|first| first.content) {
            Some(Content::Spilled { again_at, .. }) if again_at > self.now => {
                Some((from.max(again_at), to.max(again_at)))
            }
            Some(Content::Spilled { .. }) if !self.has_room_to_load() => None,
            _ => Some((from, to)),
        }
    }

    /// The bus asks for a batch.
    pub(super) fn load(&mut self, head: &BatchHead, moment: Moment) -> CheckResult<Polled> {
        let now = self.now;
        ensure!(self.abandoned.is_empty(), "what was given up is shown before a batch is loaded");
        let lane = usize::from(head.shard_id);
        ensure!(
            head.process_nonce == self.nonce && self.present.contains(&lane),
            "a batch is loaded into the shard that it left"
        );
        let is_it = |outgoing: &Outgoing| {
            outgoing.sequence == head.sequence_start && outgoing.events.len() as u64 == head.len
        };
        let Some(nth) = self.lanes[lane].outgoing.iter().position(is_it) else {
            ensure!(false, "only what the store has is loaded", "{head:?}");
            return Ok(Polled::Idle);
        };
        let outgoing = &self.lanes[lane].outgoing[nth];
        ensure!(
            outgoing.is_spilled() && self.can_take(outgoing),
            "a batch is asked for once at a time"
        );
        let is_old = self.is_too_old(lane, outgoing);
        if !is_old {
            let is_free = self.is_flushed(lane) || self.is_automatic();
            ensure!(is_free, "a manual bus loads only in a flush");
            ensure!(!self.lanes[lane].is_leased(), "nothing is loaded while its shard sends");
            let opens = self.opens(lane);
            let is_open = opens.is_some_and(|(from, _)| from <= now);
            ensure!(nth == 0 && is_open, "a batch is loaded when it is its turn");
            let is_behind = self.is_behind(lane, outgoing, moment.fence);
            ensure!(!is_behind, "a batch behind a fence is not loaded");
        }
        note!(self, "    {head:?} is to be loaded");
        let again_at = now + nanos(self.config().timeout + BusConfig::LEASE_MARGIN);
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        if let Content::Spilled { again_at: at, .. } = &mut outgoing.content {
            *at = again_at;
        }
        self.loads.push((lane, outgoing.sequence));
        self.tally.loads += 1;
        if !is_old {
            self.check_turns(lane, moment)?;
        }
        Ok(Polled::Load { ticket: self.loads.len() as u64 - 1 })
    }

    /// The host has read a batch, or could not.
    pub fn finish_load(&mut self, ticket: u64, is_read: bool) -> CheckResult {
        let (lane, sequence) = self.loads[ticket as usize];
        let is_it = |outgoing: &Outgoing| outgoing.sequence == sequence && outgoing.is_spilled();
        let nth = self.lanes[lane].outgoing.iter().position(is_it);
        note!(self, "    {lane}-{sequence} is {}", if is_read { "read" } else { "not read" });
        if !is_read {
            let is_lost = self.bus.note_unreadable(self.nonce, lane as u16, sequence, false);
            let Some(nth) = nth else {
                ensure!(!is_lost, "only what the store alone has can be lost by it");
                return Ok(());
            };
            let outgoing = &mut self.lanes[lane].outgoing[nth];
            if let Content::Spilled { failures, .. } = &mut outgoing.content {
                *failures += 1;
                let expected = *failures >= MAX_FAILURES;
                ensure!(is_lost == expected, "a batch that cannot be read is lost at last");
            }
            if is_lost {
                self.tally.unreadable += 1;
                self.evict(lane, nth);
            }
            return Ok(());
        }
        let Some(nth) = nth else { return Ok(()) };
        let events = self.lanes[lane].outgoing[nth].events.clone();
        let kept = self.outbox.as_ref().and_then(|outbox| outbox.kept_of(lane, &events));
        let Some(kept) = kept else {
            ensure!(false, "the store has what the bus has left to it", "{lane}-{sequence}");
            return Ok(());
        };
        let result = self.bus.load(&kept.bytes);
        let asked = self.lanes[lane].outgoing.iter().position(|outgoing| {
            let is_asked = matches!(outgoing.content, Content::Spilled { again_at: 1.., .. });
            let (start, end) = (kept.sequence, kept.sequence + kept.events.len() as u64);
            let last = outgoing.sequence + outgoing.events.len() as u64;
            is_asked && start <= outgoing.sequence && last <= end
        });
        let Some(nth) = asked else {
            ensure!(result == Err(RestoreError::NotNow), "nothing is loaded twice", "{result:?}");
            return Ok(());
        };
        ensure!(result == Ok(()), "what was asked for is loaded", "{result:?}");
        let reservation = self.reservations.len();
        self.reservations.push(Reservation { bytes: 0, holders: 1 });
        let outgoing = &mut self.lanes[lane].outgoing[nth];
        outgoing.content = Content::Loaded { is_used: false };
        outgoing.reservation = reservation;
        Ok(())
    }

    /// Takes out the oldest of the batches beyond the store's limit.
    pub fn evict_stored(&mut self) -> CheckResult {
        loop {
            let mut stored = 0;
            let mut oldest: Option<(u64, usize, usize)> = None;
            for &lane in self.present.iter().filter(|&&lane| lane != RESTORED) {
                for (nth, outgoing) in self.lanes[lane].outgoing.iter().enumerate() {
                    if outgoing.stores_at.is_some() {
                        continue;
                    }
                    let len = outgoing.events.len();
                    stored += (40 + 12 * len + self.body_len(lane, outgoing)) as u64;
                    let first = self.lanes[lane].log[outgoing.events.start];
                    let first = self.events[first].timestamp;
                    let is_oldest = oldest.is_none_or(|(other, ..)| first < other);
                    if is_oldest && !outgoing.is_leased() {
                        oldest = Some((first, lane, nth));
                    }
                }
            }
            let max = self.config().max_store_bytes.max(self.config().max_bytes);
            let oldest = oldest.filter(|_| self.may_spill() && stored > max);
            let evicted = self.bus.evict_stored();
            let Some((_, lane, nth)) = oldest else {
                ensure!(
                    evicted.is_none(),
                    "a store that is not full evicts nothing",
                    "{evicted:?}"
                );
                return Ok(());
            };
            let expected = (lane as u16, self.lanes[lane].outgoing[nth].sequence);
            let evicted = evicted.map(|head| (head.shard_id, head.sequence_start));
            ensure!(
                evicted == Some(expected),
                "a full store evicts the oldest batch",
                "{evicted:?} instead of {expected:?}"
            );
            note!(self, "    the store is full: {expected:?} goes");
            self.tally.store_evictions += 1;
            self.evict(lane, nth);
        }
    }

    fn evict(&mut self, lane: usize, nth: usize) {
        if let Some(outgoing) = self.pop(lane, nth, Exit::Evicted) {
            self.lanes[lane].evicted += outgoing.events.len() as u64;
            if !outgoing.is_spilled() {
                self.release(outgoing.reservation);
            }
        }
    }
}
