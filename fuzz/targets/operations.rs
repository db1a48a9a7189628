//! Any sequence of operations: every event stays accounted for, and every bound holds, after each.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, BusStats, Clock, EventBus, Failure, Format,
    Lease, RetryPolicy, ScalingPolicy, Scheduler,
};
use std::collections::BTreeMap;
use std::time::Duration;

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
    let ms = Duration::from_millis;
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
    /// Every lease ever handed out.
    leases: Vec<Lease>,
    /// Where the next batch of each shard starts.
    next_sequence: BTreeMap<u16, u64>,
    flushes: Vec<u32>,
    before: BusStats,
}

impl World {
    fn lease(&self, which: u8) -> u64 {
        let index = usize::from(which) % self.leases.len().max(1);
        self.leases.get(index).map_or(u64::from(which), |lease| lease.id)
    }

    /// A batch that nobody has seen before continues its shard's sequence.
    fn check_sequence(&mut self, batch: &shardbus::Batch) {
        let next = self.next_sequence.entry(batch.shard_id).or_default();
        let end = batch.sequence_start + batch.len() as u64;
        assert!(batch.sequence_start <= *next, "a gap before {batch:?}");
        *next = end.max(*next);
    }

    /// Returns whether a batch was given up.
    fn poll(&mut self) -> bool {
        match self.bus.poll(self.now) {
            Action::Send(lease) => {
                assert!(lease.batch.len() <= 5 && lease.batch.body().len() <= 40);
                assert_eq!(lease.id, self.leases.len() as u64, "no lease is used again");
                self.check_sequence(&lease.batch);
                self.leases.push(lease);
            }
            Action::Abandoned(abandoned) => {
                self.check_sequence(&abandoned.batch);
                return true;
            }
            Action::WaitUntil(wake) => {
                assert!(wake > self.now || self.now == u64::MAX, "{wake} is over at {}", self.now);
            }
            _ => {}
        }
        false
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
                let lease = self.lease(*which);
                let was_live = self.bus.acknowledge(lease, self.now);
                assert!(
                    !was_live || !self.bus.acknowledge(lease, self.now),
                    "an answer counts once"
                );
            }
            Operation::Retry(which, after) => {
                let retry_after = Duration::from_millis(u64::from(*after));
                self.bus.fail(self.lease(*which), Failure::Retryable { retry_after }, self.now);
            }
            Operation::GiveUp(which) => {
                self.bus.fail(self.lease(*which), Failure::Permanent, self.now);
            }
            Operation::Split(which) => {
                self.bus.fail(self.lease(*which), Failure::TooLarge, self.now);
            }
            // The bus takes a time that goes back to stand still.
            Operation::Pass(ms) => self.now = self.now.saturating_add(u64::from(*ms) * 1_000_000),
            Operation::SetTime(now) => self.now = self.now.max(*now),
            Operation::SetClock(now) => self.bus.clock().set(*now),
            Operation::Drain(max_bytes) => {
                if let Some(batch) = self.bus.drain(usize::from(*max_bytes)) {
                    assert!(batch.body().len() <= usize::from(*max_bytes));
                    self.check_sequence(&batch);
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
                // Nobody has seen these, so they must be looked at before what comes later.
                while self.poll() {}
            }
        }
    }

    fn check(&mut self) {
        let now = self.bus.stats();
        let rejected = now.rejected;
        let refused = rejected.full
            + rejected.sampled
            + rejected.unrouted
            + rejected.oversize
            + rejected.invalid
            + rejected.closed;
        assert_eq!(now.offered, now.accepted + refused);
        let abandoned = now.abandoned;
        let given_up = abandoned.retries + abandoned.permanent + abandoned.shutdown;
        let left = now.delivered + now.evicted + given_up + now.drained;
        assert_eq!(now.accepted, left + now.pending + now.in_flight);
        assert!(now.bytes.held <= self.bus.config().max_bytes, "{now:?}");
        let usable = self.bus.config().capacity as u64 - 1;
        assert!(now.shards.iter().all(|shard| shard.pending <= usable));
        let counters = |s: &BusStats| [s.offered, s.accepted, s.delivered, s.evicted, s.drained];
        let pairs = counters(&self.before).into_iter().zip(counters(&now));
        assert!(pairs.into_iter().all(|(before, now)| before <= now), "a counter went down");
        for &flush in &self.flushes {
            let report = self.bus.flush_report(flush).expect("the flush is open");
            assert!(report.pending <= now.pending + now.in_flight);
        }
        self.before = now;
    }
}

fuzz_target!(|input: Input| {
    let bus = EventBus::new(config(&input), Clock::manual(0)).expect("the configuration is valid");
    bus.seed(input.nonce);
    let mut world = World {
        bus,
        now: 0,
        leases: Vec::new(),
        next_sequence: BTreeMap::new(),
        flushes: Vec::new(),
        before: BusStats::default(),
    };
    for operation in &input.operations {
        world.step(operation);
        world.check();
    }
    // The end settles everything, and gives every byte back.
    world.bus.close();
    world.bus.abandon_everything();
    while !matches!(world.bus.poll(world.now), Action::Idle) {}
    world.check();
    world.leases.clear();
    let end = world.bus.stats();
    assert_eq!((end.pending, end.in_flight, end.bytes.held), (0, 0, 0));
});
