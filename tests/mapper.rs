//! A change of a manager's mapper reaches its routing, whichever handle makes it.

use shardbus::{
    BackpressureMode, Clock, IngestionError, RawEvent, ScalingPolicy, ShardManager, ShardMapper,
    ShardState, Shared,
};
use std::collections::BTreeMap;

/// A manager of `num_shards` shards that may become 8, with its mapper.
fn dynamic(num_shards: u16) -> (ShardManager, Shared<ShardMapper>) {
    let policy = ScalingPolicy { min_shards: 1, max_shards: 8, ..ScalingPolicy::default() };
    let mode = BackpressureMode::DropNewest;
    let manager =
        ShardManager::with_mapper_and_clock(num_shards, 1024, mode, policy, Clock::manual(0))
            .expect("the policy is valid");
    let mapper = Shared::clone(manager.mapper().expect("the set of shards can change"));
    (manager, mapper)
}

/// The number of events, of 200, that each shard takes.
fn spread(manager: &ShardManager) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for i in 0..200 {
        let (shard, _) =
            manager.ingest_raw(RawEvent::from_str(&format!("{i}"))).expect("there is room");
        *counts.entry(shard).or_default() += 1;
    }
    counts
}

fn takers(manager: &ShardManager) -> Vec<u16> {
    spread(manager).into_keys().collect()
}

#[test]
fn a_shard_that_the_mapper_drains_takes_nothing_more() {
    let (manager, mapper) = dynamic(3);
    assert_eq!(takers(&manager), [0, 1, 2]);
    let drained = mapper.scale_down(1).expect("two may go");
    assert_eq!(drained, [0]);
    assert_eq!(takers(&manager), [1, 2]);
    mapper.drain_specific(2).expect("one may go");
    assert_eq!(takers(&manager), [1]);
    for hash in [0, 1 << 63, u64::MAX] {
        assert_eq!(manager.select_shard_by_hash(hash), 1);
        let keyed = RawEvent::from_bytes_with_hash("{}", hash);
        assert_eq!(manager.ingest_raw(keyed).expect("there is room").0, 1);
    }
}

#[test]
fn a_shard_that_the_mapper_has_forgotten_keeps_its_events_until_it_is_removed() {
    let (manager, mapper) = dynamic(2);
    let late = manager.shard(0).expect("it exists");
    mapper.drain_specific(0).expect("one may go");
    assert_eq!(mapper.finalize_draining(), [0]);
    late.lock().try_push_raw("late").expect("there is room");
    assert_eq!(mapper.remove_stopped_shards(), [0]);
    assert_eq!(takers(&manager), [1]);
    assert_eq!((manager.shard_ids(), manager.num_shards()), (vec![0, 1], 2));
    let stranded = manager.remove_shard(0).expect("nobody holds it");
    assert_eq!(stranded.iter().map(|event| &event.raw[..]).collect::<Vec<_>>(), [b"late"]);
    assert_eq!((manager.shard_ids(), manager.num_shards()), (vec![1], 1));
    assert_eq!(manager.stats().events_ingested, 201);
}

#[test]
fn shards_that_the_mapper_adds_have_rings_and_take_events() {
    let (manager, mapper) = dynamic(2);
    assert_eq!(mapper.scale_up(2), Ok(vec![2, 3]));
    assert_eq!(manager.shard_ids(), [0, 1, 2, 3]);
    assert_eq!(manager.num_shards(), 4);
    assert!(manager.shard(3).is_some());
    let counts = spread(&manager);
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&0, &1, &2, &3]);
    for (id, count) in counts {
        assert_eq!(manager.with_shard(id, |shard| shard.len()), Some(count));
    }
    assert_eq!(manager.total_pending_in_rings(), 200);
}

#[test]
fn a_shard_that_the_mapper_activates_takes_events() {
    let (manager, mapper) = dynamic(1);
    assert_eq!(mapper.scale_up_provisioning(1), Ok(vec![1]));
    assert_eq!((manager.num_shards(), takers(&manager)), (1, vec![0]));
    assert_eq!(mapper.activate(1), Ok(true));
    assert_eq!((manager.num_shards(), takers(&manager)), (2, vec![0, 1]));
    // The manager's own operation finds nothing left to do, and undoes nothing.
    assert_eq!(manager.activate_shard(1), Ok(()));
    assert_eq!(takers(&manager), [0, 1]);
}

#[test]
fn a_change_is_followed_although_the_caller_holds_a_shard() {
    let (manager, mapper) = dynamic(3);
    let taker = manager.with_shard(2, |_| {
        mapper.drain_specific(0).expect("two may go");
        manager.ingest_raw(RawEvent::from_bytes_with_hash("{}", 0)).map(|(shard, _)| shard)
    });
    assert_eq!(taker.expect("it exists").expect("there is room"), 1);
}

#[test]
fn load_that_the_mapper_collects_steers_unkeyed_events() {
    let (manager, mapper) = dynamic(2);
    manager.with_shard(0, |shard| {
        while shard.fill_ratio() < 0.9 {
            shard.try_push_raw("{}").expect("there is room");
        }
    });
    mapper.collect_metrics();
    assert_eq!(takers(&manager), [1]);
}

#[test]
fn a_mapper_that_has_no_active_shard_leaves_events_unrouted() {
    let (manager, mapper) = dynamic(0);
    assert_eq!(mapper.scale_up_provisioning(1), Ok(vec![0]));
    let event = || RawEvent::from_str("{}");
    assert!(matches!(manager.ingest_raw(event()), Err(IngestionError::Unrouted)));
    mapper.activate(0).expect("it is provisioning");
    assert_eq!(manager.ingest_raw(event()).expect("there is room").0, 0);
}

#[test]
fn the_handle_to_the_mapper_outlives_the_manager() {
    let (manager, mapper) = dynamic(2);
    drop(manager);
    assert_eq!(mapper.shard_state(1), Some(ShardState::Active));
}
