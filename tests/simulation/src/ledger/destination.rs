//! What the answers say of the destination: when it is down, and whom that keeps waiting.

use crate::broken::{Checked, ensure};
use crate::ledger::{Ledger, Outgoing, State, nanos};

/// What the answers so far have shown.
#[derive(Debug, Default)]
pub(super) struct Destination {
    /// Failures in a row; those that were under way together count once.
    failures: u32,
    /// The first lease whose failure counts.
    news_from: u64,
    /// Until when it asked to be left alone.
    asked_until: u64,
    /// Until when lanes may take their time after an outage.
    resumes_by: u64,
    /// The lease that probes.
    probe: Option<u64>,
}

impl Ledger {
    fn is_down(&self) -> bool {
        self.destination.failures >= 2
    }

    /// Whether the destination's state may keep a lane from sending.
    pub(super) fn is_withheld(&self, lane: usize) -> bool {
        let has_failed = |outgoing: &Outgoing| outgoing.failures > 0;
        let is_held_up = || {
            self.now < self.destination.asked_until
                || self.lanes[lane].outgoing.front().is_some_and(has_failed)
        };
        self.is_down()
            || self.now < self.destination.resumes_by
            || self.destination.failures > 0 && is_held_up()
    }

    /// A lease was given out that is none of an exit.
    pub(super) fn note_attempt(&mut self, lease: u64) -> Checked {
        if self.is_down() {
            let is_probe = |outgoing: &Outgoing| matches!(outgoing.state, State::Leased { lease, .. } if Some(lease) == self.destination.probe);
            let is_probed =
                self.present.iter().any(|&lane| self.lanes[lane].outgoing.iter().any(is_probe));
            ensure!(!is_probed, "one lane at a time probes a destination that is down");
            self.destination.probe = Some(lease);
            self.tally.probes += 1;
        }
        Ok(())
    }

    pub(super) fn note_unavailable(&mut self, lease: u64, asked_until: u64) {
        let destination = &mut self.destination;
        destination.asked_until = destination.asked_until.max(asked_until);
        if lease >= self.destination.news_from {
            self.destination.failures += 1;
            self.destination.news_from = self.leases;
            self.tally.outages += u64::from(self.destination.failures == 2);
        }
    }

    /// The destination answered, whatever it said.
    pub(super) fn note_answer(&mut self) {
        if self.is_down() {
            self.destination.resumes_by = self.now + nanos(self.retry().base_delay) + 1;
        }
        self.destination.failures = 0;
        self.destination.asked_until = 0;
    }
}
