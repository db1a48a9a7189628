//! Any sequence of operations: every event stays accounted for, and every bound holds, after each.
#![no_main]
#![allow(clippy::disallowed_types, reason = "the rule is for the library; a derive names a cell")]

#[path = "../../tests/common/mod.rs"]
mod common;

use arbitrary::Arbitrary;
use common::{MS, assert_accounts, bus, ms};
use libfuzzer_sys::fuzz_target;
use shardbus::{
    Action, BackpressureMode, Batch, BatchConfig, BatchHead, BusConfig, BusStats, EventBus,
    ExitOrder, Failure, Format, Lease, Outcome, RestoreError, RetryPolicy, ScalingPolicy,
    Scheduler, Shared,
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
    Exit { max_bytes: u8, newest: bool },
    Stage,
    Recall,
    Release(u8),
    Forget,
    BeginRestore,
    Restore { lens: Vec<u8>, json: bool },
    EndRestore,
    Unavailable(u8, u16),
    Settle { which: u8, delivered: u8, kind: u8 },
    NoteStored { shard: u8, start: u8, len: u8 },
    Write(u8),
    Load(u8),
    FailLoad { which: u8, is_gone: bool },
    EvictStored,
    Probe,
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
        retry: Some(RetryPolicy {
            max_attempts: u32::from(input.attempts % 4) + 1,
            base_delay: ms(10),
            max_delay: ms(30),
            ..RetryPolicy::default()
        }),
        scaling: input.scaling.then(|| ScalingPolicy {
            min_shards: 1,
            max_shards: 6,
            cooldown: ms(20),
            scale_down_delay: ms(40),
            metrics_window: ms(10),
            ..ScalingPolicy::default()
        }),
        has_store: input.nonce % 2 == 1,
        max_store_bytes: input.nonce % 4 * 100,
        timeout: ms(100),
        ..BusConfig::default()
    }
}

struct World {
    bus: EventBus,
    nonce: u64,
    now: u64,
    /// The number of leases so far.
    leases: u64,
    /// Leases that are not answered; some of them are over.
    in_flight: BTreeMap<u64, Lease>,
    /// Every event that has left for good.
    settled: BTreeSet<Event>,
    /// The host's copies of unsettled batches.
    staged: Vec<Shared<Batch>>,
    /// Batches that the bus asked to store, and those of them that the host has written.
    to_write: Vec<Stored>,
    stored: Vec<Stored>,
    /// Batches that the bus asked to load.
    to_load: Vec<BatchHead>,
    /// Every event that the bus evicted from the store.
    evicted: BTreeSet<Event>,
    /// The number of events that were in the store alone when the bus let everything go.
    left: u64,
    /// Counts the batches of earlier runs.
    lives: u64,
    flushes: Vec<u32>,
    before: BusStats,
}

/// An event: its nonce, its shard and its sequence number.
type Event = (u64, u16, u64);

/// A batch in the store, as bytes.
type Stored = (BatchHead, Vec<u8>);

fn sequence(batch: &Batch) -> impl Iterator<Item = Event> {
    events_of(&batch.head())
}

fn events_of(head: &BatchHead) -> impl Iterator<Item = Event> + use<> {
    let BatchHead { process_nonce, shard_id, sequence_start, len, .. } = *head;
    (sequence_start..sequence_start + len).map(move |sequence| (process_nonce, shard_id, sequence))
}

/// A batch of events of these lengths, as a bus with this nonce has left it.
fn left(lens: &[u8], json: bool, nonce: u64) -> Option<Shared<Batch>> {
    let format = if json { Format::Json } else { Format::Ndjson };
    let earlier =
        bus(BusConfig { format, max_event_bytes: MAX_EVENT_BYTES, ..BusConfig::default() });
    earlier.seed(nonce);
    for len in lens.iter().take(5) {
        let _ = earlier.ingest(&vec![b'1'; usize::from(*len) % MAX_EVENT_BYTES], None);
    }
    earlier.drain(usize::MAX)
}

fn expires(lease: &Lease) -> u64 {
    lease.deadline.saturating_add(BusConfig::LEASE_MARGIN.as_nanos() as u64)
}

impl World {
    fn new(input: &Input) -> Self {
        let bus = bus(config(input));
        // Half, so that those of earlier runs, which come after it, are all different.
        let nonce = (input.nonce / 2).max(1);
        bus.seed(nonce);
        Self {
            before: bus.stats(),
            bus,
            nonce,
            now: 0,
            leases: 0,
            in_flight: BTreeMap::new(),
            settled: BTreeSet::new(),
            staged: Vec::new(),
            to_write: Vec::new(),
            stored: Vec::new(),
            to_load: Vec::new(),
            evicted: BTreeSet::new(),
            left: 0,
            lives: 0,
            flushes: Vec::new(),
        }
    }

    /// Bounds hold, and nothing comes again once it is settled.
    fn check_batch(&self, batch: &Batch) {
        assert!(batch.len() <= 5 && batch.body().len() <= 40, "{batch:?}");
        let is_new = |event| !self.settled.contains(&event) && !self.evicted.contains(&event);
        assert!(sequence(batch).all(is_new), "{batch:?} again");
    }

    /// Live leases of a shard, or of restored batches. None has an event of this batch.
    fn live(&self, batch: &Batch) -> usize {
        let of_shard = |batch: &Batch| (self.is_restored(batch), batch.shard_id);
        let is_live = |lease: &&Lease| expires(lease) > self.now;
        let live: Vec<_> = self.in_flight.values().filter(is_live).collect();
        let events: BTreeSet<_> = live.iter().flat_map(|lease| sequence(&lease.batch)).collect();
        assert!(sequence(batch).all(|event| !events.contains(&event)), "{batch:?} is leased");
        live.iter().filter(|lease| of_shard(&lease.batch) == of_shard(batch)).count()
    }

    fn is_restored(&self, batch: &Batch) -> bool {
        batch.process_nonce != self.nonce
    }

    fn begin_attempt(&mut self, lease: Lease) {
        assert_eq!(lease.id, self.leases, "no lease is used again");
        self.leases += 1;
        self.check_batch(&lease.batch);
        self.in_flight.insert(lease.id, lease);
    }

    fn settle(&mut self, batch: &Batch) {
        self.check_batch(batch);
        self.settled.extend(sequence(batch));
    }

    /// Returns whether a batch was given up.
    fn poll(&mut self) -> bool {
        match self.bus.poll(self.now) {
            Action::Send(lease) => {
                assert_eq!(self.live(&lease.batch), 0, "a second live lease of a shard");
                self.begin_attempt(lease);
            }
            Action::Abandoned(abandoned) => {
                self.settle(&abandoned.batch);
                return true;
            }
            Action::Store(batch) => {
                self.check_batch(&batch);
                self.to_write.push((batch.head(), batch.encode()));
            }
            Action::Load(head) => self.to_load.push(head),
            Action::WaitUntil(wake) => {
                assert!(wake > self.now || self.now == u64::MAX, "{wake} is over at {}", self.now);
            }
            _ => {}
        }
        false
    }

    /// Answers one of the leases in flight or, beyond their number, the lease with this id. Returns
    /// its batch, if the answer counts.
    fn answer(&mut self, which: u8, answer: impl Fn(&EventBus, u64, u64) -> bool) -> Option<Lease> {
        let chosen = self.in_flight.values().nth(usize::from(which));
        let id = chosen.map_or(u64::from(which), |lease| lease.id);
        let counts = answer(&self.bus, id, self.now);
        assert!(!counts || !answer(&self.bus, id, self.now), "an answer counts once");
        let in_flight = self.in_flight.get(&id);
        let is_live = in_flight.is_some_and(|lease| expires(lease) > self.now);
        // Once it is over, it counts until the next poll.
        assert!(counts || !is_live, "the answer to lease {id} is lost");
        assert!(!counts || in_flight.is_some(), "lease {id} was answered before");
        counts.then(|| self.in_flight.remove(&id)).flatten()
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
                self.fail(*which, Failure::Refused { retry_after: ms(u64::from(*after)) });
            }
            Operation::Unavailable(which, after) => {
                self.fail(*which, Failure::Unavailable { retry_after: ms(u64::from(*after)) });
            }
            Operation::Settle { which, delivered, kind } => {
                self.settle_some(*which, usize::from(*delivered), *kind);
            }
            Operation::GiveUp(which) => self.fail(*which, Failure::Permanent),
            Operation::Split(which) => self.fail(*which, Failure::Split),
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
                let drained = self.bus.stats().drained;
                self.bus.abandon_everything();
                self.left += self.bus.stats().drained - drained;
                self.in_flight.clear();
                while self.poll() {}
            }
            operation => self.end_or_begin(operation),
        }
    }

    /// The actions of a host that is about to end, or begins anew.
    fn end_or_begin(&mut self, operation: &Operation) {
        match operation {
            Operation::Exit { max_bytes, newest } => {
                let order = if *newest { ExitOrder::Newest } else { ExitOrder::Oldest };
                let max_bytes = usize::from(*max_bytes);
                if let Some(lease) = self.bus.poll_exit(self.now, max_bytes, order) {
                    assert!(lease.batch.body().len() <= max_bytes);
                    self.live(&lease.batch);
                    self.begin_attempt(lease);
                }
            }
            Operation::Stage => {
                self.staged = self.bus.stage(self.now);
                let stats = self.bus.stats();
                let staged: u64 = self.staged.iter().map(|batch| batch.len() as u64).sum();
                assert_eq!(stats.pending, 0);
                // Those in the store alone are not staged.
                assert!(stats.in_flight == staged || stats.bytes.spilled > 0, "{stats:?}");
                self.staged.iter().for_each(|batch| self.check_batch(batch));
            }
            Operation::Recall => {
                self.bus.recall();
                self.in_flight.clear();
            }
            Operation::Release(which) => {
                if let Some(batch) = self.staged.get(usize::from(*which)).map(Shared::clone)
                    && self.bus.release(&batch)
                {
                    self.live(&batch);
                    self.settle(&batch);
                }
            }
            Operation::Forget => self.staged.clear(),
            Operation::BeginRestore => {
                self.bus.begin_restore();
            }
            Operation::Restore { lens, json } => {
                self.lives += 1;
                let nonce = self.nonce + self.lives;
                if let Some(left) = left(lens, *json, nonce)
                    && let Ok(batch) = self.bus.restore(&left.encode())
                {
                    assert_eq!((batch.id(), batch.body()), (left.id(), left.body()));
                }
            }
            Operation::NoteStored { shard, start, len } => {
                let start = u64::from(*start);
                let events = start..start + u64::from(*len);
                self.bus.note_stored(self.nonce, u16::from(*shard), &events);
            }
            Operation::Probe => self.bus.probe(),
            Operation::EndRestore => self.bus.end_restore(),
            operation => self.use_store(operation),
        }
    }

    /// The actions of a host with a store.
    fn use_store(&mut self, operation: &Operation) {
        match operation {
            Operation::Write(which) if !self.to_write.is_empty() => {
                let index = usize::from(*which) % self.to_write.len();
                let (head, bytes) = self.to_write.swap_remove(index);
                let BatchHead { process_nonce, shard_id, sequence_start, len, .. } = head;
                self.stored.push((head, bytes));
                let events = sequence_start..sequence_start + len;
                self.bus.note_stored(process_nonce, shard_id, &events);
            }
            Operation::Load(which) if !self.to_load.is_empty() => {
                let index = usize::from(*which) % self.to_load.len();
                let head = self.to_load.swap_remove(index);
                let has_all = |(stored, _): &&Stored| {
                    let events: Vec<_> = events_of(stored).collect();
                    events_of(&head).all(|event| events.contains(&event))
                };
                match self.stored.iter().find(has_all) {
                    Some((_, bytes)) => {
                        let loaded = self.bus.load(bytes);
                        assert!(matches!(loaded, Ok(()) | Err(RestoreError::NotNow)), "{loaded:?}");
                    }
                    None => self.fail_load(&head, true),
                }
            }
            Operation::FailLoad { which, is_gone } if !self.to_load.is_empty() => {
                let index = usize::from(*which) % self.to_load.len();
                let head = self.to_load.swap_remove(index);
                self.fail_load(&head, *is_gone);
            }
            Operation::EvictStored => {
                while let Some(head) = self.bus.evict_stored() {
                    self.evict(&head);
                }
            }
            _ => {}
        }
    }

    fn fail_load(&mut self, head: &BatchHead, is_gone: bool) {
        let BatchHead { process_nonce, shard_id, sequence_start, .. } = *head;
        if self.bus.note_unreadable(process_nonce, shard_id, sequence_start, is_gone) {
            self.evict(head);
        }
    }

    fn evict(&mut self, head: &BatchHead) {
        for event in events_of(head) {
            assert!(!self.settled.contains(&event), "{head:?} is settled");
            assert!(self.evicted.insert(event), "{head:?} again");
        }
    }

    /// The receiver has the first events of a lease, and the others have arbitrary outcomes.
    fn settle_some(&mut self, which: u8, delivered: usize, kind: u8) {
        let nth = self.in_flight.values().nth(usize::from(which));
        let lease = nth.or_else(|| self.in_flight.get(&u64::from(which)));
        let len = lease.map_or(1, |lease| lease.batch.len());
        let delivered = delivered % (len + 1);
        let failure = match kind % 4 {
            0 => Failure::Unavailable { retry_after: ms(0) },
            1 => Failure::Refused { retry_after: ms(0) },
            2 => Failure::Permanent,
            _ => Failure::Split,
        };
        let outcomes =
            [(delivered, Outcome::Delivered), (len - delivered, Outcome::Failed(failure))];
        let settled = self.answer(which, |bus, lease, now| bus.settle(lease, &outcomes, now));
        if let Some(lease) = settled {
            self.settled.extend(sequence(&lease.batch).take(delivered));
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
        self.step(&Operation::EndRestore);
        self.step(&Operation::Forget);
        self.check();
        let end = self.bus.stats();
        assert_eq!((end.pending, end.in_flight), (0, 0));
        assert_eq!((end.bytes.held, end.bytes.spilled), (0, 0));
        assert_eq!(self.settled.len() as u64 + self.left, end.accepted - end.evicted);
        let mut sequences: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for (nonce, shard, sequence) in &self.settled | &self.evicted {
            sequences.entry((nonce, shard)).or_default().push(sequence);
        }
        let has_gap =
            |sequences: &Vec<u64>| !sequences.iter().copied().eq(0..sequences.len() as u64);
        assert!(self.left > 0 || !sequences.values().any(has_gap), "{sequences:?}");
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
