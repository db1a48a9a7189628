//! Restores batches of earlier runs.

use crate::ledger::{Content, Event, Ledger, Outgoing, RESTORED, Reservation, State};
use crate::plan::Plan;
use crate::trace::{Trace, note};
use crate::violation::{CheckResult, ensure, ensure_eq};
use fastrand::Rng;
use shardbus::RestoreError;

/// The result of an attempt to restore a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    Taken,
    SetAside,
    Left,
}

impl Ledger {
    /// The host has crashed, or released its bus: a new run begins, whose bus takes the place of this
    /// one. Returns the keys of the store's batches, which it may restore.
    pub fn begin_life(
        &mut self,
        plan: &Plan,
        life: u32,
        wall: u64,
        rng: &mut Rng,
    ) -> CheckResult<Vec<String>> {
        let mut outbox = self.outbox.take();
        let mut keys = Vec::new();
        if let Some(outbox) = &mut outbox {
            outbox.die(plan.damaged, rng);
            outbox.check()?;
            keys = outbox.keys();
        }
        let (config, nonce) = plan.of_life(life, rng);
        let trace = std::mem::replace(&mut self.trace, Trace::off());
        *self = Self::restarted(&config, (life, nonce), wall, trace, outbox);
        note!(self, "life {life} begins: {config:?}");
        self.begin_restore();
        Ok(keys)
    }

    pub fn is_restoring(&self) -> bool {
        self.is_restoring || !self.lanes[RESTORED].outgoing.is_empty()
    }

    /// Lets what earlier runs have left come back.
    pub fn begin_restore(&mut self) {
        note!(self, "    begins to restore");
        self.bus.begin_restore();
        self.is_restoring = true;
        if !self.present.contains(&RESTORED) {
            self.present.insert(0, RESTORED);
        }
    }

    /// True if the bus takes a batch of an earlier run now: it holds two at most.
    pub fn wants_restored(&self) -> bool {
        self.is_restoring && !self.is_closed && self.lanes[RESTORED].outgoing.len() < 2
    }

    /// Gives the bus the store's batch of a key.
    pub fn restore(&mut self, key: &str) -> CheckResult<Restored> {
        let Some(kept) = self.outbox.as_ref().and_then(|outbox| outbox.kept.get(key)) else {
            return Ok(Restored::Left);
        };
        let (origin, sequence) = (kept.origin, kept.sequence);
        let start = self.lanes[RESTORED].log.len();
        let outgoing = Outgoing {
            events: start..start + kept.events.len(),
            origin,
            sequence,
            attempts: 0,
            refusals: 0,
            failures: 0,
            asked: 0,
            state: State::Paused { from: self.now, to: self.now },
            stores_at: None,
            content: Content::Held,
            reservation: self.reservations.len(),
            address: None,
        };
        // It is held beside the bound.
        self.reservations.push(Reservation { bytes: 0, holders: 0 });
        let expects = self.wants_restored();
        ensure_eq!(self.bus.wants_restored(), expects, "the bus says when it takes a batch");
        let has_other_format = kept.bytes.get(8).is_some_and(|version| *version != 1);
        let (before, after, _) = origin.brackets();
        let payloads: usize = kept.events.iter().map(|event| usize::from(event.len) + 1).sum();
        let (len, max) = (payloads - 1 + before.len() + after.len(), self.config().batch.max_bytes);
        let result = self.bus.restore(&kept.bytes);
        note!(self, "    restores {key}: {result:?}");
        let expected = if !expects {
            Some(RestoreError::NotNow)
        } else if has_other_format && kept.bytes.starts_with(b"shardbus") {
            Some(RestoreError::OtherFormat(kept.bytes[8]))
        } else if kept.is_damaged {
            Some(RestoreError::Damaged)
        } else if len > max {
            Some(RestoreError::TooLarge { len, max })
        } else {
            None
        };
        match (result, expected) {
            (Err(error), Some(expected)) => {
                ensure_eq!(error, expected, "what is refused says why");
                if error == RestoreError::Damaged {
                    self.tally.damaged += 1;
                    self.outbox.iter_mut().for_each(|outbox| outbox.set_aside(key));
                    return Ok(Restored::SetAside);
                }
                Ok(Restored::Left)
            }
            (Ok(batch), None) => {
                let events = kept.events.clone();
                self.take_in(key, events, outgoing);
                let mut outgoing = self.lanes[RESTORED].outgoing.pop_back();
                if let Some(outgoing) = &mut outgoing {
                    self.check_batch(&batch, RESTORED, outgoing)?;
                }
                self.lanes[RESTORED].outgoing.extend(outgoing);
                Ok(Restored::Taken)
            }
            (result, expected) => {
                ensure!(
                    false,
                    "what is whole, and expected, is restored",
                    "{result:?} instead of {expected:?}"
                );
                Ok(Restored::Left)
            }
        }
    }

    fn take_in(&mut self, key: &str, events: Vec<Event>, outgoing: Outgoing) {
        let count = events.len();
        self.counts.offered += count as u64;
        self.restored += count as u64;
        self.reservations[outgoing.reservation].holders += 1;
        let range = outgoing.events.clone();
        let lane = &mut self.lanes[RESTORED];
        for event in events {
            lane.log.push(self.events.len());
            // Its key is of another run.
            self.events.push(Event { key: None, ..event });
        }
        lane.head = lane.log.len();
        lane.in_flight += count as u64;
        lane.outgoing.push_back(outgoing);
        self.outbox
            .iter_mut()
            .for_each(|outbox| outbox.link(key, RESTORED, range.clone(), range.clone().collect()));
    }

    /// Nothing more comes back.
    pub fn end_restore(&mut self) {
        note!(self, "    ends to restore");
        self.bus.end_restore();
        self.is_restoring = false;
    }
}
