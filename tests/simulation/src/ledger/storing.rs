//! Batches that the host is asked to write to its store.

use crate::ledger::sending::{Moment, Polled};
use crate::ledger::{Ledger, Origin, Outgoing, RESTORED, nanos};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use shardbus::{Batch, BusConfig, Shared};
use std::ops::Range;

impl Ledger {
    /// The bus asks for a batch to be written.
    pub(super) fn store(&mut self, batch: &Shared<Batch>, moment: Moment) -> CheckResult<Polled> {
        ensure!(self.config().has_store, "only a host with a store is asked to write");
        ensure!(self.abandoned.is_empty(), "what was given up is shown before anything is written");
        for &lane in &self.present {
            ensure!(
                !self.must_send(lane, moment),
                "what can be sent is sent, and not written first"
            );
        }
        let is_restored = batch.process_nonce != self.nonce;
        let lane = if is_restored { RESTORED } else { usize::from(batch.shard_id) };
        let now = self.now;
        let is_it = |outgoing: &Outgoing| {
            outgoing.sequence == batch.sequence_start
                && outgoing.origin.nonce == batch.process_nonce
                && outgoing.origin.shard == batch.shard_id
        };
        // A run that was killed may have left two copies of the same events, of which one is sent or
        // about to be written.
        let is_due = |outgoing: &Outgoing| {
            let may_be_asked_for = outgoing.stores_at.is_some_and(|at| at <= now);
            is_it(outgoing) && !outgoing.is_leased() && may_be_asked_for
        };
        let all = &self.lanes[lane].outgoing;
        let nth = match all.iter().position(is_due).or_else(|| all.iter().position(is_it)) {
            Some(nth) => nth,
            None => {
                ensure!(
                    self.may_have_waited(lane),
                    "what has not waited is not written",
                    "{batch:?} at {now}: {:?}",
                    self.lanes[lane]
                );
                self.cut_within(lane, usize::MAX, usize::MAX);
                self.lanes[lane].outgoing.len() - 1
            }
        };
        let again_at = now + nanos(self.config().timeout + BusConfig::LEASE_MARGIN);
        let Some(mut outgoing) = self.lanes[lane].outgoing.remove(nth) else {
            ensure!(false, "what is to be written is there");
            return Ok(Polled::Idle);
        };
        note!(self, "    {} is to be written", batch.id());
        ensure!(!outgoing.is_leased(), "what is sent is the host's own to write");
        ensure!(
            outgoing.stores_at.is_some_and(|at| at <= now),
            "the host is asked once for what it can write in time",
            "{outgoing:?}"
        );
        self.check_batch(batch, lane, &mut outgoing)?;
        outgoing.stores_at = Some(again_at);
        let ticket = self.await_store(batch, lane, &outgoing);
        self.lanes[lane].outgoing.insert(nth, outgoing);
        self.tally.stores += 1;
        Ok(Polled::Store { ticket })
    }

    /// The bus may look at all pending events, and remember their age by the wall clock.
    pub(super) fn look_at_ages(&mut self) {
        for place in 0..self.present.len() {
            let lane = self.present[place];
            let Some(&oldest) = self.lanes[lane].waiting().first() else { continue };
            let since = self.now.saturating_sub(self.wall_age(oldest));
            let known = self.lanes[lane].holding_since.unwrap_or(since);
            self.lanes[lane].holding_since = Some(known.min(since));
        }
    }

    fn may_have_waited(&self, id: usize) -> bool {
        let lane = &self.lanes[id];
        let max_delay = nanos(self.config().batch.max_delay);
        let has_aged = |&event: &usize| self.wall_age(event) >= max_delay;
        self.is_pressed(id)
            || lane.waiting().first().is_some_and(has_aged)
            || lane.holding_since.is_some_and(|since| self.now - since >= max_delay)
    }

    /// The time of the next request, at the earliest and at the latest.
    pub(super) fn next_store(&self) -> CheckResult<Option<(u64, u64)>> {
        let mut bounds: Option<(u64, u64)> = None;
        if !self.config().has_store {
            return Ok(bounds);
        }
        let max_delay = nanos(self.config().batch.max_delay);
        for &id in &self.present {
            let lane = &self.lanes[id];
            let free = lane.outgoing.iter().filter(|outgoing| !outgoing.is_leased());
            let mut times: Vec<_> =
                free.filter_map(|outgoing| outgoing.stores_at).map(|at| (at, at)).collect();
            if let Some(&oldest) = lane.waiting().first() {
                let age = self.now - lane.holding_since.unwrap_or(self.now);
                let wall_age = self.wall_age(oldest);
                let due_in = |age| self.now + max_delay.saturating_sub(age);
                times.push((due_in(wall_age.max(age)), due_in(wall_age)));
                if self.is_pressed(id) {
                    times.push((self.now, self.now));
                }
            }
            for (from, to) in times {
                ensure!(to > self.now, "what has waited is written", "shard {id}: {lane:?}");
                let (earliest, latest) = bounds.unwrap_or((from, to));
                bounds = Some((earliest.min(from), latest.min(to)));
            }
        }
        Ok(bounds)
    }

    /// The store has these sequence numbers of a lane. Two batches have them if a run was killed
    /// between writing a batch's rest and removing the whole.
    pub(super) fn note_stored(&mut self, lane: usize, origin: Origin, sequences: &Range<u64>) {
        self.bus.note_stored(origin.nonce, origin.shard, sequences);
        for outgoing in &mut self.lanes[lane].outgoing {
            let Outgoing { sequence: start, ref events, .. } = *outgoing;
            let is_within =
                sequences.start <= start && start + events.len() as u64 <= sequences.end;
            if outgoing.origin == origin && is_within {
                outgoing.stores_at = None;
            }
        }
        self.spill();
    }
}
