//! Telling an outage from a batch that is at fault itself.
//!
//! A callback may throw because of the very events that it was given, with an error that reads like
//! an outage. Such a batch must not hold its lane for ever, and a real outage must cost nothing. What
//! tells them apart is whether the destination takes other batches:
//!
//! - Other lanes deliver between this batch's failures. Each such failure is held against it.
//! - With no other lane to compare with, the batch behind it is tried once it has failed for
//!   [`SUSPECT_AFTER`]. If the destination takes that one, the first is at fault, and is given up:
//!   later events were delivered, so it can no longer be sent in order.
//!
//! In an outage nothing else is delivered either, so nothing is given up, however long it lasts.

use crate::clock::nanos;
use crate::delivery::machine::Delivery;
use std::time::Duration;

/// The time for which a batch fails before it is suspected. Long, because a batch that is given up
/// wrongly is lost, and one that is at fault delays only its own lane.
pub(crate) const SUSPECT_AFTER: Duration = Duration::from_secs(3600);

/// The evidence that a batch is at fault for its own failures.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Suspicion {
    /// The time at which the destination was first found unavailable for it.
    since: Option<u64>,
    /// The number of batches that had been delivered at its last failure.
    deliveries: u64,
    /// Failures before which others were delivered.
    against: u32,
    /// The time from which the batch behind it may be tried.
    trial_at: u64,
}

impl Suspicion {
    /// Notes a failure at `now`, when `deliveries` batches had been delivered in all.
    pub(crate) fn note_failure(&mut self, now: u64, deliveries: u64) {
        if self.since.is_none() {
            self.since = Some(now);
            self.trial_at = now.saturating_add(nanos(SUSPECT_AFTER));
        } else if deliveries > self.deliveries {
            self.against = self.against.saturating_add(1);
        }
        self.deliveries = deliveries;
    }

    /// True if it has failed long enough to be suspected.
    fn is_due(&self, now: u64) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= nanos(SUSPECT_AFTER))
    }
}

impl Delivery {
    /// True if a batch that has just failed is at fault itself: it has failed for long, and others
    /// were delivered in between as often as a batch may be refused.
    pub(super) fn is_at_fault(&self, lane: usize, nth: usize) -> bool {
        let outgoing = self.lanes[lane].outgoing.get(nth);
        outgoing.is_some_and(|outgoing| {
            let suspicion = &outgoing.suspicion;
            suspicion.is_due(self.now) && !self.backoff.may_retry(suspicion.against)
        })
    }

    /// Has the batch behind the first one tried next, if it is time to.
    pub(super) fn consider_trial(&mut self, lane: usize) {
        let now = self.now;
        let lane = &mut self.lanes[lane];
        let Some(first) = lane.outgoing.front_mut() else { return };
        let suspicion = &mut first.suspicion;
        lane.is_on_trial = suspicion.is_due(now) && suspicion.trial_at <= now;
        if lane.is_on_trial {
            suspicion.trial_at = now.saturating_add(nanos(SUSPECT_AFTER));
        }
    }
}
