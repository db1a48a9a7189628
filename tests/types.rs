//! The crate's own types fit together: an event goes in whichever form the caller has it, and comes
//! out again.

mod common;

use bytes::Bytes;
use common::{bus, expect_send, small};
use serde_json::{Value, json};
use shardbus::{
    BackpressureMode, BatchConfig, BusConfig, Event, IngestionError, RawEvent, ScalingPolicy,
    Shard, ShardManager,
};

const TEXT: &str = r#"{"a":[true],"b":1.5}"#;

fn value() -> Value {
    json!({"b": 1.5, "a": [true]})
}

#[test]
fn a_value_goes_into_an_event_and_out_again() {
    let event = Event::new(value());
    assert_eq!(event.as_value(), &value());
    assert_eq!(event.clone().into_inner(), value());
    assert_eq!(Value::from(event.clone()), value());
    assert_eq!(Event::from(value()), event);
    assert_eq!(Event::from_str(TEXT).expect("it is JSON"), event);
    assert_eq!(Event::from_slice(TEXT.as_bytes()).expect("it is JSON"), event);
    assert_eq!(TEXT.parse::<Event>().expect("it is JSON"), event);
    let Event(inner) = event;
    assert_eq!(inner, value());
}

#[test]
fn an_event_is_its_value_to_serde() {
    let event: Event = serde_json::from_str(TEXT).expect("any JSON is an event");
    assert_eq!(event, Event::new(value()));
    assert_eq!(serde_json::to_value(&event).expect("a value serialises"), value());
}

#[test]
fn every_way_to_a_raw_event_gives_the_same_bytes_and_hash() {
    let raw = RawEvent::from_str(TEXT);
    assert_eq!(RawEvent::from_value(value()), raw);
    assert_eq!(RawEvent::from(value()), raw);
    assert_eq!(RawEvent::from(&value()), raw);
    assert_eq!(RawEvent::from(Event::new(value())), raw);
    assert_eq!(Event::new(value()).into_raw(), raw);
    assert_eq!(raw.as_ref(), TEXT.as_bytes());
}

#[test]
fn a_shard_takes_bytes_in_every_form() {
    let mut shard = Shard::new(0, 16, BackpressureMode::DropNewest);
    let bytes = Bytes::from_static(TEXT.as_bytes());
    let pushes = [
        shard.try_push_raw(&bytes),
        shard.try_push_raw(bytes),
        shard.try_push_raw(TEXT),
        shard.try_push_raw(TEXT.as_bytes()),
        shard.try_push_raw(RawEvent::from_str(TEXT)),
        shard.try_push(value()),
        shard.try_push(Event::new(value())),
    ];
    assert!(pushes.iter().all(Result::is_ok));
    assert!(shard.pop_batch(usize::MAX).iter().all(|event| event.as_bytes() == TEXT.as_bytes()));
}

#[test]
fn a_caller_that_pops_can_count_its_batches() {
    let mut shard = Shard::new(0, 16, BackpressureMode::DropNewest);
    shard.try_push_raw(TEXT).expect("there is room");
    assert_eq!(shard.pop_batch(9).len(), 1);
    shard.record_batch_dispatch();
    assert_eq!(shard.stats().batches_dispatched, 1);
}

#[test]
fn a_manager_takes_values_and_events() {
    let manager = ShardManager::new(3, 16, BackpressureMode::DropNewest);
    let by_value = manager.ingest(value()).expect("there is room").0;
    let by_event = manager.ingest(Event::new(value())).expect("there is room").0;
    let by_raw = manager.ingest_raw(RawEvent::from_str(TEXT)).expect("there is room").0;
    assert_eq!((by_event, by_raw), (by_value, by_value));
}

#[test]
fn a_bus_takes_values_events_and_raw_events() {
    let bus = bus(small());
    assert!(bus.ingest_event(value()).is_ok());
    assert!(bus.ingest_event(Event::new(value())).is_ok());
    assert!(bus.ingest_raw(RawEvent::from_str(TEXT)).is_ok());
    assert!(bus.ingest(TEXT.as_bytes(), None).is_ok());
    let batch = expect_send(&bus, 0).batch;
    assert_eq!(batch.len(), 4);
    assert!(batch.events().all(|event| event.parse().is_ok_and(|parsed| parsed == value())));
}

#[test]
fn a_raw_event_is_routed_by_the_hash_that_it_has() {
    let bus = bus(BusConfig { shards: 4, ..small() });
    for hash in [0, 1 << 62, 1 << 63, u64::MAX] {
        let event = RawEvent::from_bytes_with_hash("{}", hash);
        let shard = (hash >> 62) as u16;
        assert_eq!(bus.ingest_raw(event).expect("there is room").0, shard);
    }
}

#[test]
fn a_batch_of_raw_events_is_refused_event_by_event_and_accounted_for() {
    let bus = bus(BusConfig { max_event_bytes: 4, ..small() });
    let events = ["1", "", "2\n", "12345", "3"].map(RawEvent::from_str);
    assert_eq!(bus.ingest_raw_batch(events), 2);
    let stats = bus.stats();
    assert_eq!((stats.offered, stats.accepted), (5, 2));
    assert_eq!((stats.rejected.invalid, stats.rejected.oversize), (2, 1));
    assert_eq!(&expect_send(&bus, 0).batch.body()[..], b"1\n3");
    bus.close();
    let refused = bus.ingest_raw(RawEvent::from_str(TEXT));
    assert!(matches!(refused, Err(IngestionError::ShuttingDown)));
    assert_eq!(bus.stats().rejected.closed, 1);
}

#[test]
fn an_event_that_does_not_parse_can_be_told_as_a_refusal() {
    fn offer(manager: &ShardManager, text: &str) -> Result<u16, IngestionError> {
        Ok(manager.ingest(Event::from_str(text)?)?.0)
    }
    let manager = ShardManager::new(1, 16, BackpressureMode::DropNewest);
    assert!(matches!(offer(&manager, "not json"), Err(IngestionError::Serialization(_))));
    assert!(offer(&manager, TEXT).is_ok());
}

#[test]
fn a_policy_can_be_made_for_a_number_of_cpus() {
    let policy = ScalingPolicy::default_for_cpus(6);
    assert_eq!((policy.min_shards, policy.max_shards), (1, 6));
    assert_eq!(policy.validate(), Ok(()));
    assert_eq!(ScalingPolicy::default_for_cpus(0).validate(), Ok(()));
}

#[test]
fn the_largest_size_of_a_batch_can_be_asked_for() {
    let max_size = BatchConfig::MAX_BATCH_SIZE_LIMIT;
    let config = BatchConfig { max_size, ..BatchConfig::default() };
    assert_eq!(config.validate(), Ok(()));
    let config = BatchConfig { max_size: max_size + 1, ..BatchConfig::default() };
    assert!(config.validate().is_err());
}
