//! The time of pushes is measured in every shard, whatever the hashes are.

use shardbus::{
    BackpressureMode, Clock, RawEvent, ScalingPolicy, Shard, ShardManager, ShardMetrics,
    ShardMetricsCollector, Shared,
};

const MODE: BackpressureMode = BackpressureMode::DropOldest;

fn dynamic(num_shards: u16, clock: Clock) -> ShardManager {
    let policy = ScalingPolicy { max_shards: num_shards, ..ScalingPolicy::default() };
    ShardManager::with_mapper_and_clock(num_shards, 1024, MODE, policy, clock)
        .expect("the policy is valid")
}

fn collect(manager: &ShardManager) -> Vec<ShardMetrics> {
    manager.collect_metrics().expect("the set of shards can change")
}

#[test]
fn every_shard_that_takes_events_is_measured_however_few_keys_there_are() {
    for keys in [10, 50, 100] {
        let manager = dynamic(4, Clock::system());
        for n in 0..1000 {
            let payload = format!(r#"{{"user":{}}}"#, n % keys);
            manager.ingest_raw(RawEvent::from_str(&payload)).expect("evicts when full");
        }
        for metrics in collect(&manager) {
            let is_measured = metrics.avg_push_latency_ns > 0;
            assert_eq!(is_measured, metrics.event_rate > 0, "{keys} keys: {metrics:?}");
        }
    }
}

#[test]
fn a_shard_of_ones_own_tells_its_collector_how_long_pushes_take() {
    type Push = fn(&mut Shard);
    let pushes: [Push; 2] = [
        |shard| drop(shard.try_push(serde_json::json!({}))),
        |shard| drop(shard.try_push_raw("{}")),
    ];
    for push in pushes {
        let collector = Shared::new(ShardMetricsCollector::new(0, 1024));
        let mut shard = Shard::with_metrics(0, 1024, MODE, Shared::clone(&collector));
        for _ in 0..1000 {
            push(&mut shard);
        }
        assert_eq!(shard.len(), 1000);
        assert!(collector.collect_and_reset().avg_push_latency_ns > 0);
    }
}

#[test]
fn a_shards_first_push_is_measured() {
    // A clock that is read twice in a row may show one time: more than one shard has its chance.
    let is_measured = |_| {
        let manager = dynamic(1, Clock::system());
        manager.ingest_raw(RawEvent::from_bytes_with_hash("{}", 1)).expect("there is room");
        collect(&manager)[0].avg_push_latency_ns > 0
    };
    assert!((0..100).any(is_measured));
}

/// The clock is set while a producer waits for a shard. Whether it waits already cannot be seen
/// from outside, so it is tried until one did.
#[cfg(not(feature = "single-threaded"))]
#[test]
fn the_wait_for_a_contended_shard_is_a_part_of_the_push() {
    const ATTEMPTS: u32 = 10_000;
    let clock = Clock::manual(0);
    let waited = (0..ATTEMPTS).any(|_| {
        let manager = dynamic(1, clock.clone());
        std::thread::scope(|scope| {
            let shard = manager.shard(0).expect("it exists");
            let held = shard.lock();
            let producer = scope.spawn(|| manager.ingest_raw(RawEvent::from_str("{}")));
            for _ in 0..100 {
                clock.set(clock.now() + 1_000_000);
                std::thread::yield_now();
            }
            drop(held);
            producer.join().expect("no panic").expect("there is room");
        });
        collect(&manager)[0].avg_push_latency_ns >= 1_000_000
    });
    assert!(waited, "no producer of {ATTEMPTS} waited for the shard that was held");
}
