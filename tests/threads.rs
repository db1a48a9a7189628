//! With threads: several producers and one drain at a time lose nothing, double nothing and keep
//! each producer's order, and what `stats` says adds up at every moment.
#![cfg(not(feature = "single-threaded"))]

mod common;

use common::{assert_accounts, bus, small};
use shardbus::{
    Action, BackpressureMode, BusConfig, BusStats, Clock, EventBus, Failure, FlushReport,
    InternalEvent, RawEvent, ShardManager, ShardRef,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

const MODES: [BackpressureMode; 4] = [
    BackpressureMode::DropNewest,
    BackpressureMode::DropOldest,
    BackpressureMode::FailProducer,
    BackpressureMode::Sample { rate: 3 },
];

const PRODUCERS: u32 = 4;

/// Which event of which producer.
type Name = (u32, u32);

fn payload((producer, i): Name) -> String {
    format!("[{producer},{i}]")
}

fn name(event: &InternalEvent) -> Name {
    serde_json::from_slice(&event.raw).expect("payloads arrive as they were sent")
}

/// Events that came out, in the order in which they did.
#[derive(Default)]
struct Received(Vec<InternalEvent>);

impl Received {
    /// In each shard the order of acceptance holds, for each producer and overall.
    fn assert_order(&self) {
        let mut last_timestamp = BTreeMap::new();
        let mut last_of_producer = BTreeMap::new();
        for event in &self.0 {
            let (producer, i) = name(event);
            let earlier = last_timestamp.insert(event.shard_id, event.insertion_ts);
            assert!(earlier < Some(event.insertion_ts), "timestamps rise in a shard");
            let earlier = last_of_producer.insert((event.shard_id, producer), i);
            assert!(earlier < Some(i), "a producer's events stay in order in a shard");
        }
    }

    /// Each accepted event came out once, but for those that were evicted.
    fn assert_complete(&self, accepted: &BTreeSet<Name>, evicted: u64) {
        let received: BTreeSet<_> = self.0.iter().map(name).collect();
        assert_eq!(received.len(), self.0.len(), "no event comes out twice");
        assert!(received.is_subset(accepted), "no event was refused and came out");
        assert_eq!((accepted.len() - received.len()) as u64, evicted);
    }
}

#[test]
fn handles_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<EventBus>();
    check::<ShardManager>();
    check::<ShardRef>();
    check::<Action>();
    check::<Clock>();
}

/// Lets each producer offer `count` events by `offer`, while `drain` is called again and again, and
/// once more at the end. Returns which events were accepted.
fn produce(
    count: u32,
    offer: impl Fn(Name) -> bool + Sync,
    mut drain: impl FnMut(),
) -> BTreeSet<Name> {
    let offer = &offer;
    thread::scope(|scope| {
        let produce = |producer| {
            let names = (0..count).map(move |i| (producer, i));
            scope.spawn(move || names.filter(|&name| offer(name)).collect::<Vec<_>>())
        };
        let producers: Vec<_> = (0..PRODUCERS).map(produce).collect();
        while !producers.iter().all(thread::ScopedJoinHandle::is_finished) {
            drain();
        }
        drain();
        let accepted = producers.into_iter().map(|p| p.join().expect("no producer panics"));
        accepted.flatten().collect()
    })
}

#[test]
fn a_manager_keeps_every_event_of_several_producers() {
    for mode in MODES {
        let manager = ShardManager::new(3, 64, mode);
        let mut received = Received::default();
        let accepted = produce(
            4_000,
            |name| manager.ingest_raw(RawEvent::from_str(&payload(name))).is_ok(),
            || {
                for id in manager.shard_ids() {
                    manager.with_shard(id, |shard| shard.pop_batch_into(&mut received.0, 100));
                }
                let (pending, skipped) = manager.try_total_pending_in_rings();
                assert!(pending <= 3 * 63 && skipped <= 3);
            },
        );
        let stats = manager.stats();
        assert!(manager.all_shards_empty());
        assert_eq!(stats.events_ingested, accepted.len() as u64);
        let refused = u64::from(PRODUCERS) * 4_000 - stats.events_ingested;
        assert_eq!(stats.events_full + stats.events_sampled, refused);
        assert_eq!(stats.events_dropped, refused + stats.events_evicted);
        received.assert_order();
        received.assert_complete(&accepted, stats.events_evicted);
    }
}

#[test]
fn batches_of_several_producers_keep_their_order() {
    let manager = ShardManager::new(2, 1 << 14, BackpressureMode::DropNewest);
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let manager = &manager;
            scope.spawn(move || {
                for start in (0..1_000).step_by(50) {
                    let event = |i| RawEvent::from_str(&payload((producer, i)));
                    let batch = (start..start + 50).map(event).collect();
                    assert_eq!(manager.ingest_raw_batch(batch), (50, 0));
                }
            });
        }
    });
    let mut received = Received::default();
    for id in manager.shard_ids() {
        manager.with_shard(id, |shard| shard.pop_batch_into(&mut received.0, usize::MAX));
    }
    received.assert_order();
    assert_eq!(received.0.len(), 4_000);
}

/// Invariants at every moment, whichever threads are running.
fn assert_at_any_moment(bus: &EventBus, before: &BusStats) -> BusStats {
    let stats = bus.stats();
    assert!(stats.bytes.held <= bus.config().max_bytes, "{stats:?}");
    let abandoned = &stats.abandoned;
    assert_eq!(
        stats.accepted,
        stats.delivered
            + stats.evicted
            + abandoned.retries
            + abandoned.permanent
            + abandoned.shutdown
            + stats.drained
            + stats.pending
            + stats.in_flight,
        "{stats:?}"
    );
    assert!(stats.offered >= stats.accepted + stats.rejected.full + stats.rejected.sampled);
    assert!(stats.accepted >= before.accepted && stats.delivered >= before.delivered);
    stats
}

#[test]
fn a_bus_accounts_for_every_event_of_several_producers() {
    for mode in MODES {
        let bus = bus(BusConfig {
            shards: 3,
            max_bytes: 600,
            max_event_bytes: 16,
            backpressure: mode,
            ..small()
        });
        // Out of the bus, whichever way.
        let mut received = Received::default();
        let mut now = 0;
        let mut lost = BTreeSet::new();
        let (at_work, done) = mpsc::channel::<()>();
        let accepted = thread::scope(|scope| {
            // Dropped at the end, or when something panics before.
            let _at_work = at_work;
            let bus = &bus;
            scope.spawn(move || {
                let mut stats = BusStats::default();
                while done.try_recv() == Err(TryRecvError::Empty) {
                    stats = assert_at_any_moment(bus, &stats);
                }
            });
            let accepted = produce(
                2_000,
                |name| bus.ingest(payload(name).as_bytes(), None).is_ok(),
                || {
                    now += 1_000;
                    step(bus, now, &mut received, &mut lost);
                },
            );
            let flush = bus.begin_flush();
            while bus.flush_report(flush).is_some_and(|report| report.pending > 0) {
                now += 1_000_000;
                step(bus, now, &mut received, &mut lost);
            }
            let report = bus.flush_report(flush).unwrap_or_default();
            assert_eq!(
                FlushReport { delivered: 0, abandoned: 0, ..report },
                FlushReport::default()
            );
            accepted
        });
        while let Action::Abandoned(abandoned) = bus.poll(now) {
            lost.extend(abandoned.batch.events().map(|event| name(&event)));
        }
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!(stats.offered, u64::from(PRODUCERS) * 2_000);
        assert_eq!(stats.accepted, accepted.len() as u64);
        assert_eq!((stats.pending, stats.in_flight, stats.bytes.held), (0, 0, 0));
        assert_eq!(stats.abandoned.permanent, lost.len() as u64);
        assert_eq!(stats.delivered, received.0.len() as u64);
        received.assert_order();
        received.assert_complete(&accepted, stats.evicted + stats.abandoned.permanent);
        assert!(received.0.iter().all(|event| !lost.contains(&name(event))));
    }
}

#[test]
fn the_bound_on_bytes_holds_at_every_moment() {
    let bus = bus(BusConfig {
        max_bytes: 25,
        max_event_bytes: 10,
        backpressure: BackpressureMode::DropNewest,
        ..small()
    });
    for _ in 0..2 {
        bus.ingest(b"0123456789", None).expect("there is room");
    }
    thread::scope(|scope| {
        let refused = || (0..300_000).all(|_| bus.ingest(b"0123456789", None).is_err());
        let producers = [scope.spawn(refused), scope.spawn(refused)];
        while !producers.iter().all(thread::ScopedJoinHandle::is_finished) {
            assert_eq!(
                bus.room(),
                (61, 5),
                "what does not fit takes no room, not even for a moment"
            );
        }
        assert!(producers.into_iter().all(|producer| producer.join().is_ok_and(|refused| refused)));
    });
}

/// Runs the bus's actions: of 16 attempts one fails permanently, two fail, and one is never
/// answered.
fn step(bus: &EventBus, now: u64, received: &mut Received, lost: &mut BTreeSet<Name>) {
    match bus.poll(now) {
        Action::Send(lease) => match lease.id % 16 {
            5 => assert!(bus.fail(lease.id, Failure::Permanent, now)),
            // The last attempt succeeds.
            3 | 9 if lease.attempt < 3 => {
                let retry_after = Duration::ZERO;
                assert!(bus.fail(lease.id, Failure::Refused { retry_after }, now));
            }
            12 if lease.attempt < 3 => {}
            _ => {
                received.0.extend(lease.batch.events());
                assert!(bus.acknowledge(lease.id, now));
            }
        },
        Action::Abandoned(abandoned) => {
            lost.extend(abandoned.batch.events().map(|event| name(&event)));
        }
        _ => {}
    }
}
