//! A store that holds more than memory: an outage loses nothing within its bound, and the oldest
//! events beyond it.

mod common;

use common::{MS, assert_accounts, bus, small, texts};
use shardbus::{
    AbandonReason, Action, Batch, BatchHead, BusConfig, EventBus, Failure, FlushState,
    RestoreError, RetryPolicy, Shared,
};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: u64 = 1_000 * MS;

const DOWN: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// Of four payload bytes each, in batches of four: 1,000 bytes hold 250 events.
fn config() -> BusConfig {
    BusConfig {
        max_bytes: 1_000,
        max_event_bytes: 100,
        retry: Some(RetryPolicy::default()),
        has_store: true,
        max_store_bytes: 1 << 20,
        ..small()
    }
}

/// A host with a store, and a destination that is there or not.
struct Host {
    bus: EventBus,
    now: u64,
    is_down: bool,
    store: BTreeMap<u64, Vec<u8>>,
    delivered: Vec<u32>,
    given_up: Vec<AbandonReason>,
    evicted: Vec<BatchHead>,
}

impl Host {
    fn new(config: BusConfig) -> Self {
        let bus = bus(config);
        bus.seed(7);
        Self {
            bus,
            now: 0,
            is_down: true,
            store: BTreeMap::new(),
            delivered: Vec::new(),
            given_up: Vec::new(),
            evicted: Vec::new(),
        }
    }

    /// Offers numbers of four digits, and performs the bus's actions after each.
    fn offer(&mut self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.bus.ingest(format!("{number:04}").as_bytes(), None).expect("there is room");
            self.work();
            self.pass(MS);
        }
    }

    fn pass(&mut self, by: u64) {
        self.now += by;
        self.bus.clock().set(self.now);
    }

    /// Performs the bus's actions until it has to wait. Returns the time to wait for.
    fn work(&mut self) -> Option<u64> {
        loop {
            assert!(self.bus.stats().bytes.held <= self.bus.config().max_bytes);
            assert_accounts(&self.bus.stats());
            match self.bus.poll(self.now) {
                Action::Send(lease) if self.is_down => {
                    assert!(self.bus.fail(lease.id, DOWN, self.now));
                }
                Action::Send(lease) => {
                    self.delivered.extend(numbers(&lease.batch));
                    self.store.remove(&lease.batch.sequence_start);
                    assert!(self.bus.acknowledge(lease.id, self.now));
                }
                Action::Store(batch) => self.write(&batch),
                Action::Load(head) => {
                    self.bus.load(&self.store[&head.sequence_start]).expect("it was asked for");
                }
                Action::Abandoned(abandoned) => self.given_up.push(abandoned.reason),
                Action::WaitUntil(wake) => return Some(wake),
                _ => return None,
            }
        }
    }

    fn write(&mut self, batch: &Batch) {
        let (start, len) = (batch.sequence_start, batch.len() as u64);
        self.store.insert(start, batch.encode());
        self.bus.note_stored(7, 0, &(start..start + len));
        while let Some(head) = self.bus.evict_stored() {
            self.store.remove(&head.sequence_start).expect("it was there");
            self.evicted.push(head);
        }
    }

    /// Works until nothing is left to do.
    fn rest(&mut self) {
        while let Some(wake) = self.work() {
            self.pass(wake.saturating_sub(self.now));
        }
    }
}

fn numbers(batch: &Shared<Batch>) -> Vec<u32> {
    texts(batch).iter().map(|text| text.parse().expect("a number")).collect()
}

#[test]
fn an_outage_longer_than_memory_loses_nothing() {
    let mut host = Host::new(config());
    host.offer(0..2_000);
    let stats = host.bus.stats();
    assert!(stats.bytes.spilled > 6_000, "{stats:?}");
    assert_eq!(stats.evicted, 0);
    host.is_down = false;
    host.rest();
    assert!(host.delivered.iter().copied().eq(0..2_000), "in order");
    assert!(host.store.is_empty());
    let stats = host.bus.stats();
    assert_eq!((stats.delivered, stats.bytes.spilled, stats.bytes.held), (2_000, 0, 0));
}

#[test]
fn the_oldest_go_first_when_the_store_is_full() {
    let mut host = Host::new(BusConfig { max_store_bytes: 20_000, ..config() });
    host.offer(0..2_000);
    let evicted: u64 = host.evicted.iter().map(|head| head.len).sum();
    let stats = host.bus.stats();
    assert!(evicted > 0);
    assert_eq!((stats.evicted, host.bus.lost()), (evicted, evicted));
    let stored: usize = host.store.values().map(Vec::len).sum();
    assert!((19_000..=20_000).contains(&stored), "{stored}");
    host.is_down = false;
    host.rest();
    let evicted = host.bus.stats().evicted as u32;
    assert!(host.delivered.iter().copied().eq(evicted..2_000), "{evicted} of 2000");
}

#[test]
fn a_flush_counts_events_that_only_the_store_has() {
    let mut host = Host::new(BusConfig { max_store_bytes: 20_000, ..config() });
    host.offer(0..300);
    let flush = host.bus.begin_flush();
    assert_eq!(host.bus.flush_report(flush).map(|report| report.pending), Some(300));
    host.offer(300..2_000);
    host.is_down = false;
    host.rest();
    let report = host.bus.flush_report(flush).expect("it is open");
    let evicted = host.bus.stats().evicted.min(300);
    assert_eq!((report.delivered, report.evicted, report.pending), (300 - evicted, evicted, 0));
}

#[test]
fn without_a_bound_of_the_store_memory_is_the_bound() {
    let mut host = Host::new(BusConfig { max_store_bytes: 0, ..config() });
    host.offer(0..2_000);
    let stats = host.bus.stats();
    assert_eq!(stats.bytes.spilled, 0);
    assert!(stats.evicted > 0);
}

#[test]
fn a_batch_that_the_store_has_lost_is_counted_and_holds_nobody_up() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    host.is_down = false;
    let head = loop {
        match host.bus.poll(host.now) {
            Action::Send(lease) => {
                assert!(host.bus.acknowledge(lease.id, host.now));
            }
            Action::Load(head) => break head,
            Action::Store(batch) => host.write(&batch),
            Action::WaitUntil(wake) => host.pass(wake.saturating_sub(host.now)),
            other => panic!("batches are loaded: {other:?}"),
        }
    };
    assert!(host.bus.note_unreadable(7, 0, head.sequence_start, true));
    assert_eq!(host.bus.stats().evicted, head.len);
    host.rest();
    assert_eq!(host.bus.stats().delivered, 1_000 - head.len);
}

#[test]
fn a_batch_that_cannot_be_read_is_tried_three_times() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    host.is_down = false;
    let mut asked = Vec::new();
    while asked.len() < 3 {
        match host.bus.poll(host.now) {
            Action::Send(lease) => assert!(host.bus.acknowledge(lease.id, host.now)),
            Action::Load(head) => {
                asked.push(host.now);
                let is_lost = host.bus.note_unreadable(7, 0, head.sequence_start, false);
                assert_eq!(is_lost, asked.len() == 3);
            }
            Action::Store(batch) => host.write(&batch),
            Action::WaitUntil(wake) => host.pass(wake.saturating_sub(host.now)),
            other => panic!("batches are loaded: {other:?}"),
        }
    }
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= SECOND), "{asked:?}");
}

#[test]
fn the_last_flush_sends_a_batch_whose_load_it_has_awaited() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    host.bus.close();
    let end = host.now + MS;
    let flush = host.bus.begin_flush_until(end);
    let head = loop {
        match host.bus.poll(host.now) {
            Action::Load(head) => break head,
            Action::Send(lease) => assert!(host.bus.acknowledge(lease.id, host.now)),
            other => panic!("expected a batch to send or to load, got {other:?}"),
        }
    };
    let awaited = host.bus.poll(host.now);
    assert!(matches!(awaited, Action::WaitUntil(wake) if wake > end), "{awaited:?}");
    assert_eq!(host.bus.flush_state(flush), FlushState::Open, "the host reads a batch");
    host.bus.load(&host.store[&head.sequence_start]).expect("it was asked for");
    assert_eq!(host.bus.flush_state(flush), FlushState::Open, "it can be sent now");
    assert!(matches!(host.bus.poll(host.now), Action::Send(_)));
}

#[test]
fn nothing_is_loaded_unless_asked_for() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    let last = host.store.values().next_back().expect("there are some");
    assert_eq!(host.bus.load(last), Err(RestoreError::NotNow));
    assert_eq!(host.bus.load(b""), Err(RestoreError::Damaged));
}

#[test]
fn batches_in_the_store_alone_are_neither_staged_nor_given_up() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    let in_memory: usize = host.bus.stage(host.now).iter().map(|batch| batch.len()).sum();
    assert!(in_memory <= 250, "{in_memory}");
    host.bus.close();
    host.bus.abandon_everything();
    host.rest();
    let stats = host.bus.stats();
    assert_eq!(stats.abandoned.shutdown, in_memory as u64);
    assert_eq!(stats.drained, 1_000 - in_memory as u64);
    assert_accounts(&stats);
}

#[test]
fn expired_batches_are_told_with_their_events() {
    let retry = RetryPolicy { max_age: Some(Duration::from_secs(60)), ..RetryPolicy::default() };
    let mut host = Host::new(BusConfig { retry: Some(retry), ..config() });
    host.offer(0..1_000);
    assert!(host.bus.stats().bytes.spilled > 0);
    host.pass(100 * SECOND);
    host.rest();
    assert_eq!(host.bus.stats().abandoned.expired, 1_000);
    assert!(host.given_up.iter().all(|reason| *reason == AbandonReason::Expired));
    assert_accounts(&host.bus.stats());
}

#[test]
fn a_batch_that_was_loaded_and_fails_gives_its_memory_back() {
    let mut host = Host::new(config());
    host.offer(0..1_000);
    host.is_down = false;
    let lease = loop {
        let lease = expect_send_or_work(&mut host);
        if host.bus.stats().bytes.spilled == 0 || lease.batch.sequence_start > 500 {
            break lease;
        }
        assert!(host.bus.acknowledge(lease.id, host.now));
    };
    let spilled = host.bus.stats().bytes.spilled;
    assert!(host.bus.fail(lease.id, DOWN, host.now));
    drop(host.bus.poll(host.now));
    assert!(host.bus.stats().bytes.spilled > spilled);
}

fn expect_send_or_work(host: &mut Host) -> shardbus::Lease {
    loop {
        match host.bus.poll(host.now) {
            Action::Send(lease) => return lease,
            Action::Load(head) => {
                host.bus.load(&host.store[&head.sequence_start]).expect("it was asked for");
            }
            Action::Store(batch) => host.write(&batch),
            Action::WaitUntil(wake) => host.pass(wake.saturating_sub(host.now)),
            other => panic!("there is more to send: {other:?}"),
        }
    }
}
