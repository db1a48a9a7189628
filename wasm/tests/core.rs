//! On WebAssembly, in Node and in a browser: the published hashes, routes and drop points hold,
//! with and without scaling, a bus delivers, and its statistics can be handed to JavaScript.
#![cfg(target_family = "wasm")]

#[path = "../../tests/common/vectors.rs"]
mod published;

use shardbus::{
    Action, BackpressureMode, BusConfig, Clock, EventBus, InternalEvent, RawEvent, ScalingPolicy,
    ShardManager,
};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn exact_bytes_have_the_published_hashes() {
    for (bytes, hash) in published::read().hashes() {
        assert_eq!(RawEvent::from_bytes(bytes).hash(), hash);
    }
}

#[wasm_bindgen_test]
fn hashes_select_the_published_shards() {
    for (hash, n, shard) in published::read().routes() {
        let manager = ShardManager::new(n, 2, BackpressureMode::DropOldest);
        assert_eq!(manager.select_shard_by_hash(hash), shard, "{hash:016x} of {n}");
    }
}

#[wasm_bindgen_test]
fn events_spread_as_published_before_and_after_a_shard_drains() {
    let policy = ScalingPolicy { max_shards: 8, ..ScalingPolicy::default() };
    let manager = ShardManager::with_mapper(4, 16, BackpressureMode::DropOldest, policy)
        .expect("the policy is valid");
    let spread = || {
        let mut counts = [0; 4];
        for i in 0..10_000 {
            let event = RawEvent::from_str(&format!("{{\"i\":{i}}}"));
            let (shard, _) = manager.ingest_raw(event).expect("evicts when full");
            counts[usize::from(shard)] += 1;
        }
        counts
    };
    assert_eq!(spread(), [2514, 2521, 2482, 2483]);
    manager.drain_shard(1).expect("three others are active");
    assert_eq!(spread(), [3343, 0, 3333, 3324]);
}

#[wasm_bindgen_test]
fn a_full_shard_drops_as_published() {
    let ten = || (0..10).map(|i| RawEvent::from_str(&i.to_string())).collect();
    for (mode, accepted, left) in [
        (BackpressureMode::DropOldest, 10, ["7", "8", "9"]),
        (BackpressureMode::DropNewest, 3, ["0", "1", "2"]),
        (BackpressureMode::FailProducer, 3, ["0", "1", "2"]),
        (BackpressureMode::Sample { rate: 1_000 }, 3, ["0", "1", "2"]),
    ] {
        let manager = ShardManager::new(1, 4, mode);
        assert_eq!(manager.ingest_raw_batch(ten()), (accepted, 0), "{mode:?}");
        let stats = manager.stats();
        assert_eq!((stats.events_ingested, stats.events_dropped), (accepted as u64, 7));
        let held = manager.with_shard(0, |shard| shard.pop_batch(9)).expect("it exists");
        assert!(held.iter().map(InternalEvent::as_bytes).eq(left.map(str::as_bytes)));
    }
}

#[wasm_bindgen_test]
fn a_bus_delivers_what_it_accepts() {
    let wall = 1_700_000_000_000_000_000;
    let bus = EventBus::new(BusConfig::default(), Clock::manual(wall)).expect("valid");
    bus.seed(7);
    for i in 0..1_000u32 {
        let (_, timestamp) = bus.ingest(i.to_string().as_bytes(), None).expect("there is room");
        assert_eq!(timestamp, wall + u64::from(i));
    }
    let flush = bus.begin_flush();
    let mut delivered = 0u32;
    while let Action::Send(lease) = bus.poll(0) {
        for event in lease.batch.events() {
            assert_eq!(event.as_bytes(), delivered.to_string().as_bytes());
            delivered += 1;
        }
        assert!(bus.acknowledge(lease.id, 0));
    }
    assert_eq!(bus.flush_report(flush).map(|report| report.delivered), Some(1_000));
    assert_eq!((bus.stats().delivered, bus.stats().bytes.held), (1_000, 0));
}

#[wasm_bindgen_test]
fn statistics_become_an_object_of_javascript() {
    let bus = EventBus::new(BusConfig::default(), Clock::manual(0)).expect("valid");
    bus.ingest(b"1", None).expect("there is room");
    let object = serde_wasm_bindgen::to_value(&bus.stats()).expect("it is plain data");
    let read: serde_json::Value = serde_wasm_bindgen::from_value(object).expect("so is this");
    assert_eq!(read, serde_json::json!(bus.stats()));
    assert_eq!((&read["inFlight"], &read["shards"][0]["state"]), (&0.into(), &"active".into()));
}
