//! Events that get too old.

use crate::ledger::{Content, Ledger, Outgoing, RESTORED, nanos};
use shardbus::AbandonReason;

impl Ledger {
    fn max_age(&self) -> Option<u64> {
        self.config().retry.as_ref()?.max_age.map(nanos)
    }

    fn timestamp_of(&self, lane: usize, place: usize) -> u64 {
        self.events[self.lanes[lane].log[place]].timestamp
    }

    /// The bus abandons events that are too old by the wall clock.
    pub(super) fn give_up_old(&mut self) {
        let Some(newest) = self.max_age().and_then(|age| self.wall.checked_sub(age)) else {
            return;
        };
        for place in 0..self.present.len() {
            let lane = self.present[place];
            loop {
                let is_old = |outgoing: &Outgoing| {
                    outgoing.is_at_hand()
                        && self.timestamp_of(lane, outgoing.events.start) <= newest
                };
                let Some(nth) = self.lanes[lane].outgoing.iter().position(is_old) else { break };
                let events = self.lanes[lane].outgoing[nth].events.clone();
                let is_young = |&at: &usize| self.timestamp_of(lane, at) > newest;
                let end = events.clone().find(is_young).unwrap_or(events.end);
                if end < events.end {
                    let Some(whole) = self.lanes[lane].outgoing.remove(nth) else { return };
                    let old = end - events.start;
                    let mut rest = whole.part(old..events.len());
                    rest.stores_at = Some(self.now);
                    self.lanes[lane].outgoing.insert(nth, rest);
                    self.lanes[lane].outgoing.insert(nth, whole.part(0..old));
                    self.reservations[whole.reservation].holders += 1;
                }
                self.abandon(lane, nth, AbandonReason::Expired);
            }
            loop {
                let max = self.config().batch.max_size;
                let waiting = self.lanes[lane].waiting().iter().take(max);
                let old = waiting.take_while(|&&event| self.events[event].timestamp <= newest);
                let old = old.count().min(self.cuttable(lane, None, usize::MAX));
                if old == 0 {
                    break;
                }
                self.cut(lane, old);
                let nth = self.lanes[lane].outgoing.len() - 1;
                self.abandon(lane, nth, AbandonReason::Expired);
            }
        }
    }

    /// Tells whether a batch is loaded to be shown as too old.
    pub(super) fn is_too_old(&self, lane: usize, outgoing: &Outgoing) -> bool {
        let newest = self.max_age().and_then(|age| self.wall.checked_sub(age));
        newest.is_some_and(|newest| self.timestamp_of(lane, outgoing.events.start) <= newest)
    }

    /// The time of the next expiry.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let max_age = self.max_age()?;
        let due = |first: u64| self.now + (first + max_age).saturating_sub(self.wall);
        let of_lane = |&id: &usize| {
            let lane = &self.lanes[id];
            let mut free = lane.outgoing.iter().filter(|outgoing| !outgoing.is_leased()).peekable();
            if free.peek().is_none() {
                let &oldest = lane.waiting().first()?;
                return (id != RESTORED).then(|| due(self.events[oldest].timestamp));
            }
            let at = |outgoing: &Outgoing| {
                let due = due(self.timestamp_of(id, outgoing.events.start));
                Some(self.at_hand(Some(outgoing), (due, due))?.0)
            };
            free.filter_map(at).min()
        };
        self.present.iter().filter_map(of_lane).min()
    }

    /// Tells whether a batch that only the store has must be loaded for its age.
    pub(super) fn must_load_old(&self) -> bool {
        self.present.iter().any(|&lane| {
            self.lanes[lane].outgoing.iter().any(|outgoing| {
                matches!(outgoing.content, Content::Spilled { .. })
                    && self.is_too_old(lane, outgoing)
                    && self.can_take(outgoing)
            })
        })
    }
}
