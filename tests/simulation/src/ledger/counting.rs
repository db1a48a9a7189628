//! The invariants between two steps.

use crate::ledger::{Counts, Ledger, Phase, RESTORED, sum_of};
use crate::violation::{CheckResult, ensure, ensure_eq};
use shardbus::{AbandonedEvents, FlushReport, ShardState};

impl Ledger {
    /// Checks that every number is as it must be.
    pub fn check(&self) -> CheckResult {
        self.bus.clock().set(self.wall);
        let stats = self.bus.stats();
        let Counts { offered, rejected, delivered, evicted, drained, abandoned, batches, .. } =
            &self.counts;
        let rejected_in_all = sum_of(stats.rejected);
        let AbandonedEvents { retries, permanent, expired, shutdown } = stats.abandoned;
        ensure!(
            stats.offered == stats.accepted + rejected_in_all
                && stats.accepted
                    == stats.delivered
                        + stats.evicted
                        + (retries + permanent + expired + shutdown)
                        + stats.drained
                        + stats.pending
                        + stats.in_flight,
            "every event is in exactly one place",
            "{stats:?}"
        );
        ensure!(
            stats.bytes.held <= self.config().max_bytes,
            "the bus holds no more bytes than it may",
            "{}",
            stats.bytes.held
        );
        ensure_eq!(stats.bytes.held, self.held, "what is held is counted");
        ensure_eq!(stats.offered, *offered, "what is offered is counted");
        ensure_eq!(stats.accepted, self.events.len() as u64, "what is accepted is counted");
        ensure_eq!(stats.restored, self.restored, "what is restored is counted");
        ensure_eq!(stats.rejected, *rejected, "what is refused is counted under its reason");
        ensure_eq!(stats.delivered, *delivered, "what is delivered is counted");
        ensure_eq!(stats.evicted, *evicted, "what is evicted is counted");
        ensure_eq!(stats.drained, *drained, "what is drained is counted");
        ensure_eq!(stats.abandoned, *abandoned, "what is given up is counted under its reason");
        ensure_eq!(stats.oldest_age, self.oldest_age(), "the age of the oldest event is right");
        ensure_eq!(stats.batches, *batches, "batches and attempts are counted");
        ensure_eq!(stats.bytes.spilled, self.spilled(), "spilled bytes are counted");
        let bytes = self.counts.body_bytes_delivered;
        ensure_eq!(stats.bytes.delivered, bytes, "delivered bytes are counted");
        ensure_eq!(self.bus.lost(), rejected_in_all + evicted, "losses are counted");
        ensure_eq!(self.bus.offered(), *offered, "what is offered is counted");

        let shards = || self.present.iter().filter(|&&lane| lane != RESTORED);
        ensure_eq!(stats.shards.len(), shards().count(), "shards are there until drained");
        let batch = &self.config().batch;
        let lowest = if batch.adaptive { batch.min_size } else { batch.max_size } as u64;
        for (&id, info) in shards().zip(&stats.shards) {
            let lane = &self.lanes[id];
            let is_right = usize::from(info.id) == id
                && info.state
                    == match lane.phase {
                        Phase::Active => ShardState::Active,
                        Phase::Draining => ShardState::Draining,
                        Phase::Gone => ShardState::Stopped,
                    }
                && info.accepted == lane.log.len() as u64
                && info.full == lane.full
                && info.sampled == lane.sampled
                && info.evicted == lane.evicted
                && info.pending == lane.waiting().len() as u64
                && info.in_flight == lane.in_flight
                && info.bytes == lane.bytes
                && info.next_sequence == lane.next_sequence;
            ensure!(is_right, "a shard's numbers are right", "{info:?} instead of {lane:?}");
            ensure!(
                (lowest..=batch.max_size as u64).contains(&info.batch_target),
                "the size at which a batch leaves is between its bounds",
                "{info:?}"
            );
        }
        for flush in &self.flushes {
            let report = self.bus.flush_report(flush.id);
            ensure_eq!(report, Some(flush.report), "a flush reports what became of its events");
            let FlushReport { delivered, abandoned, evicted, drained, pending } = flush.report;
            let sum = delivered + abandoned + evicted + drained + pending;
            ensure_eq!(sum, flush.covered, "a flush covers what was there");
        }
        Ok(())
    }

    /// Checks that nothing is left once everything was given up and shown.
    pub fn check_end(&mut self) -> CheckResult {
        self.forget_all();
        self.check()?;
        let stats = self.bus.stats();
        let left = (stats.pending, stats.in_flight, stats.bytes.held);
        ensure_eq!(left, (0, 0, 0), "a closed bus holds nothing");
        Ok(())
    }

    /// The age of the oldest event that the bus still holds.
    fn oldest_age(&self) -> u64 {
        // Batches of earlier runs need not come back in order.
        let restored = self.lanes[RESTORED].outgoing.iter();
        let restored = restored.map(|outgoing| self.lanes[RESTORED].log[outgoing.events.start]);
        let oldest = self.present.iter().filter_map(|&lane| self.lanes[lane].oldest());
        let oldest = oldest.chain(restored).map(|event| self.events[event].timestamp).min();
        oldest.map_or(0, |timestamp| self.wall.saturating_sub(timestamp))
    }
}
