//! The events that a host may take in without a poll.
//!
//! A poll after each event costs more than the event. Most of them have the answer of the one before:
//! to wait until a time that earlier events have set.

use crate::delivery::lane::Lane;
use crate::delivery::machine::Delivery;

/// Events, and bytes of them, each event counted as one byte longer than it is.
pub(crate) type Leeway = (usize, usize);

const NONE: Leeway = (0, 0);
const ANY: Leeway = (usize::MAX, usize::MAX);

impl Delivery {
    /// See [`EventBus::leeway`](crate::EventBus::leeway).
    pub(crate) fn leeway(&self) -> Leeway {
        let is_watched = !self.flushes.is_empty()
            || !self.fences.is_empty()
            || self.is_restoring
            || self.config.has_store;
        if is_watched {
            return NONE;
        }
        let least = |least: Leeway, lane: &Lane| {
            let (events, bytes) = self.leeway_of(lane);
            (least.0.min(events), least.1.min(bytes))
        };
        self.lanes.iter().fold(ANY, least)
    }

    fn leeway_of(&self, lane: &Lane) -> Leeway {
        let Some(shard) = lane.shard.enter() else { return NONE };
        let is_first = shard.is_empty();
        // A lane's first event sets the times of its batch and of its expiry.
        if lane.is_on_trial || is_first && (lane.outgoing.is_empty() || self.expires()) {
            return NONE;
        }
        // Events behind a batch wait for its answer or its pause.
        if lane.outgoing.is_empty() { lane.worker.leeway(&shard) } else { ANY }
    }
}
