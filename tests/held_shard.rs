//! A thread that holds a shard may look at the manager, change its set of shards and offer events
//! to other shards: nobody who holds another shard waits for this one.

use shardbus::{BackpressureMode, RawEvent, ScalingPolicy, ShardManager};
use std::time::Duration;

fn dynamic(num_shards: u16) -> ShardManager {
    let policy = ScalingPolicy {
        max_shards: 16,
        cooldown: Duration::from_nanos(1),
        ..ScalingPolicy::default()
    };
    ShardManager::with_mapper(num_shards, 1024, BackpressureMode::DropOldest, policy)
        .expect("the policy is valid")
}

/// An event that always goes to the oldest shard.
fn event() -> RawEvent {
    RawEvent::from_bytes_with_hash("{}", 0)
}

/// Fails, instead of waiting for ever, if `run` does not end.
#[cfg(not(feature = "single-threaded"))]
fn ends(run: impl FnOnce() + Send + 'static) {
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        run();
        ended.send(())
    });
    end.recv_timeout(Duration::from_secs(120))
        .expect("a thread panics, or two wait for each other");
}

#[cfg(feature = "single-threaded")]
fn ends(run: impl FnOnce()) {
    run();
}

#[test]
fn the_manager_can_be_looked_at_and_changed_while_a_shard_is_held() {
    ends(|| {
        let manager = dynamic(3);
        manager.with_shard(1, |held| {
            held.try_push_raw(event()).expect("there is room");
            manager.ingest_raw(event()).expect("there is room");
            assert_eq!(manager.stats().events_ingested, 2);
            assert!(!manager.all_shards_empty());
            assert_eq!(manager.total_pending_in_rings(), 2);
            let metrics = manager.collect_metrics().expect("the set of shards can change");
            assert_eq!(metrics.iter().map(|metrics| metrics.event_rate).sum::<u64>(), 2);
            let id = manager.add_shard_force().expect("there is room");
            manager.activate_shard(id).expect("it is provisioning");
            manager.drain_shard(1).expect("others are active");
            assert_eq!(manager.remove_shard(id), Ok(vec![]));
            assert_eq!((manager.num_shards(), manager.shard_ids()), (3, vec![0, 1, 2]));
        });
        assert_eq!(manager.remove_shard(1).map(|events| events.len()), Ok(1));
    });
}

#[cfg(not(feature = "single-threaded"))]
#[test]
fn changes_do_not_wait_for_a_shard_whose_holder_waits_for_another() {
    use std::sync::Arc;
    use std::thread;

    const CHANGES: u32 = 2_000;

    ends(|| {
        let manager = Arc::new(dynamic(2));
        let changer = thread::spawn({
            let manager = Arc::clone(&manager);
            move || {
                for _ in 0..CHANGES {
                    let id = manager.add_shard_force().expect("there is room");
                    manager.activate_shard(id).expect("it is provisioning");
                    manager.drain_shard(id).expect("others are active");
                    manager.remove_shard(id).expect("the set of shards can change");
                    manager.collect_metrics();
                    assert!(manager.stats().events_unrouted == 0);
                }
            }
        });
        let mut offered = 0;
        while !changer.is_finished() {
            let taker = manager.with_shard(1, |_| manager.ingest_raw(event()));
            assert_eq!(taker.expect("it exists").expect("evicts when full").0, 0);
            offered += 1;
        }
        changer.join().expect("no panic");
        assert_eq!(manager.stats().events_ingested, offered);
    });
}
