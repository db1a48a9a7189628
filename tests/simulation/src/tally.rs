//! Counts of the simulated events.

use std::ops::AddAssign;

/// Counts of the schedules' events, which reveal schedules that do too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Steps.
    pub steps: u64,
    /// Events offered.
    pub offered: u64,
    /// Events refused, for whatever reason.
    pub rejected: u64,
    /// Events delivered.
    pub delivered: u64,
    /// Events evicted.
    pub evicted: u64,
    /// Events drained.
    pub drained: u64,
    /// Events given up.
    pub abandoned: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Times that the destination was found to be down.
    pub outages: u64,
    /// Attempts that probed a destination that was down.
    pub probes: u64,
    /// Leases that expired.
    pub expired: u64,
    /// Batches that were split.
    pub splits: u64,
    /// Answers that came too late.
    pub late: u64,
    /// Changes of the set of shards.
    pub changes: u64,
    /// Times that a fence held something back when the bus was polled.
    pub fenced: u64,
    /// Flushes, those of closing included.
    pub flushes: u64,
    /// Crashes of the host or of its requests.
    pub crashes: u64,
    /// Calls from within callbacks.
    pub reentries: u64,
    /// Attempts that began in an exit.
    pub exits: u64,
    /// Times that everything was staged.
    pub stages: u64,
    /// Times that the host let others have their turn.
    pub yields: u64,
    /// Owners of flushes that fell silent.
    pub lost: u64,
    /// Batches that were written to a store.
    pub writes: u64,
    /// Batches that the bus asked its host to write.
    pub stores: u64,
    /// Answers for single events.
    pub settlements: u64,
    /// Batches that were left to the store alone.
    pub spills: u64,
    /// Batches that the bus asked its host to read.
    pub loads: u64,
    /// Batches that could not be read, and were lost.
    pub unreadable: u64,
    /// Batches that a full store evicted.
    pub store_evictions: u64,
    /// Runs that began with batches of an earlier one.
    pub restarts: u64,
    /// Events that were restored.
    pub restored: u64,
    /// Kept batches that were damaged.
    pub damaged: u64,
}

impl Tally {
    fn counters(&mut self) -> [(&'static str, &mut u64); 33] {
        [
            ("steps", &mut self.steps),
            ("events offered", &mut self.offered),
            ("events refused", &mut self.rejected),
            ("events delivered", &mut self.delivered),
            ("events evicted", &mut self.evicted),
            ("events drained", &mut self.drained),
            ("events given up", &mut self.abandoned),
            ("attempts", &mut self.attempts),
            ("retries", &mut self.retries),
            ("outages", &mut self.outages),
            ("probes in outages", &mut self.probes),
            ("leases expired", &mut self.expired),
            ("batches split", &mut self.splits),
            ("late answers", &mut self.late),
            ("changes of shards", &mut self.changes),
            ("polls with a fence", &mut self.fenced),
            ("flushes", &mut self.flushes),
            ("crashes", &mut self.crashes),
            ("calls from callbacks", &mut self.reentries),
            ("attempts in exits", &mut self.exits),
            ("stagings", &mut self.stages),
            ("yields", &mut self.yields),
            ("owners lost", &mut self.lost),
            ("batches kept", &mut self.writes),
            ("batches kept because they waited", &mut self.stores),
            ("answers for single events", &mut self.settlements),
            ("batches left to the store alone", &mut self.spills),
            ("batches loaded", &mut self.loads),
            ("batches unreadable", &mut self.unreadable),
            ("batches evicted from the store", &mut self.store_evictions),
            ("runs after the first", &mut self.restarts),
            ("events restored", &mut self.restored),
            ("kept batches damaged", &mut self.damaged),
        ]
    }

    /// The names of what never happened.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        self.rows().into_iter().filter(|&(_, count)| count == 0).map(|(name, _)| name).collect()
    }

    /// The names of the counters, and the counters.
    #[must_use]
    pub fn rows(mut self) -> Vec<(&'static str, u64)> {
        self.counters().map(|(name, count)| (name, *count)).into()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, mut other: Self) {
        for ((_, sum), (_, count)) in self.counters().into_iter().zip(other.counters()) {
            *sum += *count;
        }
    }
}
