//! On WebAssembly, in Node: the published hashes and routes hold, and a bus delivers.
#![cfg(target_family = "wasm")]

#[path = "common/vectors.rs"]
mod published;

use shardbus::{Action, BackpressureMode, BusConfig, Clock, EventBus, RawEvent, ShardManager};
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
