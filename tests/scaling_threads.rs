//! Shards come and go while producers push and consumers pop, on real threads: nothing is lost,
//! doubled or reordered, and the counters add up exactly.
#![cfg(not(feature = "single-threaded"))]

use shardbus::{
    Action, BackpressureMode, Batch, BatchConfig, BusConfig, Clock, EventBus, InternalEvent, Lease,
    RawEvent, ScalingPolicy, ShardManager,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

const PRODUCERS: u32 = 4;
const EVENTS: u32 = 20_000;
const CHANGES: u32 = 400;

fn policy() -> ScalingPolicy {
    ScalingPolicy {
        min_shards: 1,
        max_shards: 8,
        cooldown: Duration::from_nanos(1),
        ..ScalingPolicy::default()
    }
}

/// Pushes `EVENTS` events, every other one keyed. Returns those accepted, with their shards.
fn produce(manager: &ShardManager, producer: u32) -> Vec<(u32, u16)> {
    let offer = |n: u32| {
        let payload = format!("{producer}:{n}");
        let event = match n % 2 {
            0 => RawEvent::from_str(&payload),
            _ => RawEvent::from_bytes_with_hash(payload, u64::from(n % 16) << 60),
        };
        manager.ingest_raw(event).ok().map(|(shard, _)| (n, shard))
    };
    (0..EVENTS).filter_map(offer).collect()
}

/// Pops the pending events, shard by shard. Returns them with their shard's other events in order.
fn consume(manager: &ShardManager, found: &mut Vec<InternalEvent>) {
    for id in manager.shard_ids() {
        manager.with_shard(id, |shard| shard.pop_batch_into(found, 64));
    }
}

/// Adds, activates, drains and removes shards, by the manager and by its mapper in turn. Returns
/// the events of the removed ones.
fn scale(manager: &ShardManager) -> Vec<InternalEvent> {
    let mut stranded = Vec::new();
    let mapper = manager.mapper().expect("the set of shards can change");
    let active = || mapper.active_shard_ids();
    for change in 0..CHANGES {
        if change % 2 == 0 {
            // The next thread that routes an event makes the shard, if there may be one more.
            let _ = mapper.scale_up_force(1);
        } else if let Ok(id) = manager.add_shard_force() {
            manager.activate_shard(id).expect("nobody else changes shards");
        }
        let oldest = active()[0];
        if change % 3 == 0 && active().len() > 1 {
            if change % 2 == 0 {
                mapper.drain_specific(oldest).expect("another is active");
            } else {
                manager.drain_shard(oldest).expect("another is active");
            }
        }
        if active().len() > 4 || change % 3 == 0 {
            // Sometimes drained before, and sometimes in full use.
            stranded.extend(manager.remove_shard(oldest).expect("any shard can go"));
        }
        manager.collect_metrics();
        thread::yield_now();
    }
    stranded
}

fn run(mode: BackpressureMode) {
    let manager = ShardManager::with_mapper(2, 1024, mode, policy()).expect("the policy is valid");
    let start = Barrier::new(PRODUCERS as usize + 2);
    let (accepted, mut found) = thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let (manager, start) = (&manager, &start);
                scope.spawn(move || {
                    start.wait();
                    produce(manager, producer)
                })
            })
            .collect();
        let scaler = scope.spawn(|| {
            start.wait();
            scale(&manager)
        });
        start.wait();
        let mut found = Vec::new();
        while producers.iter().any(|producer| !producer.is_finished()) || !scaler.is_finished() {
            consume(&manager, &mut found);
        }
        let accepted: Vec<_> = producers.into_iter().map(|p| p.join().expect("no panic")).collect();
        found.extend(scaler.join().expect("no panic"));
        (accepted, found)
    });
    while !manager.all_shards_empty() {
        consume(&manager, &mut found);
    }

    let stats = manager.stats();
    let total: usize = accepted.iter().map(Vec::len).sum();
    assert_eq!(stats.events_ingested, total as u64);
    assert_eq!(stats.events_ingested - stats.events_evicted, found.len() as u64);
    assert_eq!(stats.events_unrouted, 0);
    assert_eq!(
        u64::from(PRODUCERS * EVENTS),
        stats.events_ingested + stats.events_full,
        "every event was accepted or refused"
    );

    let mut unseen: BTreeMap<(u32, u32), u16> = BTreeMap::new();
    for (producer, events) in (0..).zip(&accepted) {
        unseen.extend(events.iter().map(|&(n, shard)| ((producer, n), shard)));
    }
    // In the order of popping: a removed shard's events were taken after those popped before.
    let mut last_stamp = HashMap::new();
    let mut last_number = HashMap::new();
    for event in &found {
        let previous = last_stamp.insert(event.shard_id, event.insertion_ts);
        assert!(previous < Some(event.insertion_ts), "out of order in shard {}", event.shard_id);
        let text = std::str::from_utf8(&event.raw).expect("payloads are text");
        let (producer, n) = text.split_once(':').expect("payloads have two parts");
        let (producer, n) = (producer.parse().expect("a number"), n.parse().expect("a number"));
        assert_eq!(unseen.remove(&(producer, n)), Some(event.shard_id), "{text}");
        let previous = last_number.insert((producer, event.shard_id), n);
        assert!(previous < Some(n), "{text} came after {previous:?}");
    }
    assert_eq!(unseen.len() as u64, stats.events_evicted, "what was not found was evicted");
}

#[test]
fn nothing_is_lost_when_producers_are_refused() {
    run(BackpressureMode::DropNewest);
}

#[test]
fn only_evicted_events_are_lost() {
    run(BackpressureMode::DropOldest);
}

/// The keys of a batch, each with the numbers of its events.
fn numbers(batch: &Batch) -> Vec<(u32, u32)> {
    let name = |event: InternalEvent| {
        let text = std::str::from_utf8(&event.raw).expect("payloads are text");
        let (key, n) = text.split_once(':').expect("payloads have two parts");
        (key.parse().expect("a number"), n.parse().expect("a number"))
    };
    batch.events().map(name).collect()
}

#[test]
fn a_keys_events_are_sent_in_order_while_shards_come_and_go() {
    const KEYS: u32 = 5;
    let config = BusConfig {
        shards: 2,
        backpressure: BackpressureMode::FailProducer,
        batch: BatchConfig { min_size: 1, max_size: 8, ..BatchConfig::default() },
        scaling: Some(ScalingPolicy { auto_scale: false, ..policy() }),
        ..BusConfig::default()
    };
    let bus = EventBus::new(config, Clock::manual(0)).expect("the configuration is valid");
    let start = Barrier::new(PRODUCERS as usize + 2);
    thread::scope(|scope| {
        let (bus, start) = (&bus, &start);
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                scope.spawn(move || {
                    start.wait();
                    for n in 0..EVENTS / 2 {
                        // Each producer has keys of its own, or there were no order to keep.
                        let key = producer * KEYS + n % KEYS;
                        let payload = format!("{key}:{n}");
                        bus.ingest(payload.as_bytes(), Some(&key.to_le_bytes()))
                            .expect("there is room");
                    }
                })
            })
            .collect();
        let scaler = scope.spawn(move || {
            start.wait();
            for _ in 0..CHANGES {
                // More than there may be, or fewer, is refused.
                let _ = bus.scale_up(2);
                let _ = bus.scale_down(1);
                let _ = bus.scale_down(1);
                thread::yield_now();
            }
        });
        start.wait();
        let (mut leases, mut latest) = (VecDeque::new(), HashMap::new());
        let settle = |leases: &mut VecDeque<Lease>| {
            let lease = leases.pop_front();
            lease.is_some_and(|lease| bus.acknowledge(lease.id, 0))
        };
        while producers.iter().any(|producer| !producer.is_finished())
            || !scaler.is_finished()
            || bus.stats().pending > 0
            || !leases.is_empty()
        {
            let Action::Send(lease) = bus.poll(0) else {
                settle(&mut leases);
                continue;
            };
            for (key, n) in numbers(&lease.batch) {
                let earlier = latest.insert(key, n);
                assert!(earlier < Some(n), "{n} of key {key} is sent after {earlier:?}");
                let is_elsewhere =
                    |other: &&Lease| numbers(&other.batch).iter().any(|(other, _)| *other == key);
                let other = leases.iter().find(is_elsewhere).map(|other| other.batch.shard_id);
                assert_eq!(other, None, "key {key} of shard {} is in flight", lease.batch.shard_id);
            }
            leases.push_back(lease);
            if leases.len() > 2 {
                settle(&mut leases);
            }
        }
    });
    assert_eq!(bus.stats().delivered, u64::from(PRODUCERS * (EVENTS / 2)));
}

#[test]
fn concurrent_activation_never_exceeds_the_maximum() {
    for _ in 0..50 {
        let manager = ShardManager::with_mapper(6, 16, BackpressureMode::DropNewest, policy())
            .expect("the policy is valid");
        let ids: Vec<_> = (0..8).map(|_| manager.add_shard_force().expect("provisioned")).collect();
        let start = Barrier::new(ids.len());
        let activated = thread::scope(|scope| {
            let threads: Vec<_> = ids
                .iter()
                .map(|&id| {
                    scope.spawn({
                        let (manager, start) = (&manager, &start);
                        move || {
                            start.wait();
                            manager.activate_shard(id).is_ok()
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().expect("no panic")).filter(|&ok| ok).count()
        });
        assert_eq!((activated, manager.mapper().expect("dynamic").active_shard_count()), (2, 8));
    }
}
