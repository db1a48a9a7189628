//! Any sequence of operations: every event stays accounted for, and every bound holds, after each.
#![no_main]
#![allow(clippy::disallowed_types, reason = "the rule is for the library; a derive names a cell")]

#[path = "../../tests/common/mod.rs"]
mod common;

use arbitrary::Arbitrary;
use common::{MS, assert_accounts, bus, ms};
use libfuzzer_sys::fuzz_target;
use shardbus::{
    Action, BackpressureMode, Batch, BatchConfig, BusConfig, BusStats, EventBus, Failure, Format,
    Lease, RetryPolicy, ScalingPolicy, Scheduler,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Arbitrary)]
struct Input {
    shards: u8,
    log_capacity: u8,
    max_bytes: u8,
    mode: u8,
    json: bool,
    manual: bool,
    scaling: bool,
    attempts: u8,
    nonce: u64,
    operations: Vec<Operation>,
}

#[derive(Debug, Arbitrary)]
enum Operation {
    Ingest { len: u8, key: Option<u8> },
    IngestBytes(Vec<u8>),
    Poll,
    Acknowledge(u8),
    Retry(u8, u16),
    GiveUp(u8),
    Split(u8),
    Expire(u8),
    Pass(u16),
    SetTime(u64),
    SetClock(u64),
    Drain(u16),
    BeginFlush,
    EndFlush(u8),
    ScaleUp(u8),
    ScaleDown(u8),
    Close,
    AbandonEverything,
}

const MAX_EVENT_BYTES: usize = 16;

fn config(input: &Input) -> BusConfig {
    BusConfig {
        shards: u16::from(input.shards % 4) + 1,
        capacity: 2 << (input.log_capacity % 5),
        max_bytes: MAX_EVENT_BYTES as u64 + u64::from(input.max_bytes),
        max_event_bytes: MAX_EVENT_BYTES,
        backpressure: match input.mode % 4 {
            0 => BackpressureMode::DropNewest,
            1 => BackpressureMode::DropOldest,
            2 => BackpressureMode::FailProducer,
            _ => BackpressureMode::Sample { rate: u32::from(input.mode / 4) + 1 },
        },
        format: if input.json { Format::Json } else { Format::Ndjson },
        scheduler: if input.manual { Scheduler::Manual } else { Scheduler::Auto },
        batch: BatchConfig {
            min_size: 2,
            max_size: 5,
            max_bytes: 40,
            max_delay: ms(50),
            ..BatchConfig::default()
        },
        retry: RetryPolicy {
            attempts: u32::from(input.attempts % 4) + 1,
            min_delay: ms(10),
            max_delay: ms(30),
        },
        scaling: input.scaling.then(|| ScalingPolicy {
            min_shards: 1,
            max_shards: 6,
            cooldown: ms(20),
            scale_down_delay: ms(40),
            metrics_window: ms(10),
            ..ScalingPolicy::default()
        }),
        timeout: ms(100),
    }
}

struct World {
    bus: EventBus,
    now: u64,
    /// How many leases were handed out.
    leases: u64,
    /// The lease that each shard's batch in flight was handed out with last.
    in_flight: BTreeMap<u16, Lease>,
    /// Where the next batch of each shard starts.
    next_sequence: BTreeMap<u16, u64>,
    /// Every event that has left for good, by its shard and its sequence number.
    settled: BTreeSet<(u16, u64)>,
    flushes: Vec<u32>,
    before: BusStats,
}

fn sequence(batch: &Batch) -> impl Iterator<Item = (u16, u64)> {
    let start = batch.sequence_start;
    (start..start + batch.len() as u64).map(|sequence| (batch.shard_id, sequence))
}

fn expires(lease: &Lease) -> u64 {
    lease.deadline.saturating_add(BusConfig::LEASE_MARGIN.as_nanos() as u64)
}

impl World {
    fn new(input: &Input) -> Self {
        let bus = bus(config(input));
        bus.seed(input.nonce);
        Self {
            before: bus.stats(),
            bus,
            now: 0,
            leases: 0,
            in_flight: BTreeMap::new(),
            next_sequence: BTreeMap::new(),
            settled: BTreeSet::new(),
            flushes: Vec::new(),
        }
    }

    /// What nobody has seen before continues its shard's sequence, and nothing comes again once it
    /// is settled.
    fn check_batch(&mut self, batch: &Batch) {
        assert!(batch.len() <= 5 && batch.body().len() <= 40, "{batch:?}");
        assert!(sequence(batch).all(|event| !self.settled.contains(&event)), "{batch:?} again");
        let next = self.next_sequence.entry(batch.shard_id).or_default();
        assert!(batch.sequence_start <= *next, "a gap before {batch:?}");
        *next = (*next).max(batch.sequence_start + batch.len() as u64);
    }

    fn settle(&mut self, batch: &Batch) {
        self.check_batch(batch);
        self.settled.extend(sequence(batch));
    }

    /// Returns whether a batch was given up.
    fn poll(&mut self) -> bool {
        match self.bus.poll(self.now) {
            Action::Send(lease) => {
                assert_eq!(lease.id, self.leases, "no lease is used again");
                self.leases += 1;
                self.check_batch(&lease.batch);
                let earlier = self.in_flight.insert(lease.batch.shard_id, lease);
                let is_over = |earlier| expires(&earlier) <= self.now;
                assert!(earlier.is_none_or(is_over), "a second live lease of a shard");
            }
            Action::Abandoned(abandoned) => {
                self.settle(&abandoned.batch);
                return true;
            }
            Action::WaitUntil(wake) => {
                assert!(wake > self.now || self.now == u64::MAX, "{wake} is over at {}", self.now);
            }
            _ => {}
        }
        false
    }

    /// Answers one of the leases in flight or, beyond their number, the lease with this id. Returns
    /// what was in flight by it, if the answer counts.
    fn answer(&mut self, which: u8, answer: impl Fn(&EventBus, u64, u64) -> bool) -> Option<Lease> {
        let chosen = self.in_flight.values().nth(usize::from(which));
        let id = chosen.map_or(u64::from(which), |lease| lease.id);
        let counts = answer(&self.bus, id, self.now);
        assert!(!counts || !answer(&self.bus, id, self.now), "an answer counts once");
        let in_flight = self.in_flight.values().find(|lease| lease.id == id);
        let is_live = in_flight.is_some_and(|lease| expires(lease) > self.now);
        // Once it is over, it counts until somebody polls.
        assert!(counts || !is_live, "the answer to lease {id} is lost");
        assert!(!counts || in_flight.is_some(), "lease {id} was answered before");
        let shard = in_flight.filter(|_| counts)?.batch.shard_id;
        self.in_flight.remove(&shard)
    }

    fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Ingest { len, key } => {
                let payload = vec![b'0'; usize::from(*len) % (MAX_EVENT_BYTES + 2)];
                let key = key.map(|key| [key]);
                let _ = self.bus.ingest(&payload, key.as_ref().map(|key| &key[..]));
            }
            Operation::IngestBytes(payload) => {
                let _ = self.bus.ingest(payload, None);
            }
            Operation::Poll => {
                self.poll();
            }
            Operation::Acknowledge(which) => {
                if let Some(lease) = self.answer(*which, EventBus::acknowledge) {
                    self.settle(&lease.batch);
                }
            }
            Operation::Retry(which, after) => {
                self.fail(*which, Failure::Retryable { retry_after: ms(u64::from(*after)) });
            }
            Operation::GiveUp(which) => self.fail(*which, Failure::Permanent),
            Operation::Split(which) => self.fail(*which, Failure::TooLarge),
            Operation::Expire(which) => {
                self.answer(*which, EventBus::expire);
            }
            // The bus takes a time that goes back to stand still.
            Operation::Pass(ms) => self.now = self.now.saturating_add(u64::from(*ms) * MS),
            Operation::SetTime(now) => self.now = self.now.max(*now),
            Operation::SetClock(now) => self.bus.clock().set(*now),
            Operation::Drain(max_bytes) => {
                if let Some(batch) = self.bus.drain(usize::from(*max_bytes)) {
                    assert!(batch.body().len() <= usize::from(*max_bytes));
                    self.settle(&batch);
                }
            }
            Operation::BeginFlush if self.flushes.len() < 4 => {
                self.flushes.push(self.bus.begin_flush());
            }
            Operation::BeginFlush => {}
            Operation::EndFlush(which) => {
                if !self.flushes.is_empty() {
                    let index = usize::from(*which) % self.flushes.len();
                    self.bus.end_flush(self.flushes.swap_remove(index));
                }
            }
            Operation::ScaleUp(count) => {
                let _ = self.bus.scale_up(u16::from(*count));
            }
            Operation::ScaleDown(count) => {
                let _ = self.bus.scale_down(u16::from(*count));
            }
            Operation::Close => self.bus.close(),
            Operation::AbandonEverything => {
                self.bus.abandon_everything();
                self.in_flight.clear();
                // Nobody has seen these, so they must be looked at before what comes later.
                while self.poll() {}
            }
        }
    }

    fn fail(&mut self, which: u8, failure: Failure) {
        self.answer(which, |bus, lease, now| bus.fail(lease, failure, now));
    }

    fn check(&mut self) {
        let now = self.bus.stats();
        assert_accounts(&now);
        assert!(now.bytes.held <= self.bus.config().max_bytes, "{now:?}");
        let usable = self.bus.config().capacity as u64 - 1;
        assert!(now.shards.iter().all(|shard| shard.pending <= usable), "{now:?}");
        let counters = |s: &BusStats| [s.offered, s.accepted, s.delivered, s.evicted, s.drained];
        let pairs = counters(&self.before).into_iter().zip(counters(&now));
        assert!(pairs.into_iter().all(|(before, now)| before <= now), "a counter went down");
        for &flush in &self.flushes {
            let report = self.bus.flush_report(flush).expect("the flush is open");
            assert!(report.pending <= now.pending + now.in_flight);
        }
        self.before = now;
    }

    /// The end settles everything, each event once, and gives every byte back.
    fn end(mut self) {
        self.step(&Operation::Close);
        self.step(&Operation::AbandonEverything);
        self.check();
        let end = self.bus.stats();
        assert_eq!((end.pending, end.in_flight, end.bytes.held), (0, 0, 0));
        assert_eq!(self.settled.len() as u64, end.accepted - end.evicted);
    }
}

fuzz_target!(|input: Input| {
    let mut world = World::new(&input);
    for operation in &input.operations {
        world.step(operation);
        world.check();
    }
    world.end();
});
