//! Any bytes as payloads and keys: each is refused for its reason, or comes out as it went in.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, Format, IngestionError,
};
use std::collections::BTreeMap;

#[derive(Debug, Arbitrary)]
struct Input {
    shards: u8,
    json: bool,
    max_batch_len: u8,
    max_event_bytes: u8,
    events: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn config(input: &Input) -> BusConfig {
    let max_size = usize::from(input.max_batch_len).max(1);
    let max_event_bytes = usize::from(input.max_event_bytes).max(1);
    BusConfig {
        shards: u16::from(input.shards % 8) + 1,
        capacity: 64,
        max_event_bytes,
        backpressure: BackpressureMode::DropNewest,
        format: if input.json { Format::Json } else { Format::Ndjson },
        batch: BatchConfig {
            min_size: 1,
            max_size,
            max_bytes: max_event_bytes + 2 + max_size,
            ..BatchConfig::default()
        },
        ..BusConfig::default()
    }
}

fuzz_target!(|input: Input| {
    let config = config(&input);
    let is_ndjson = config.format == Format::Ndjson;
    let (max_len, max_bytes) = (config.batch.max_size, config.batch.max_bytes);
    let bus = EventBus::new(config, Clock::manual(0)).expect("the configuration is valid");
    let mut accepted: BTreeMap<u16, Vec<&[u8]>> = BTreeMap::new();
    for (payload, key) in &input.events {
        match bus.ingest(payload, key.as_deref()) {
            Ok((shard, _)) => {
                assert_eq!(shard, bus.shard_for(key.as_deref().unwrap_or(payload)));
                accepted.entry(shard).or_default().push(payload);
            }
            Err(IngestionError::Invalid) => {
                assert!(payload.is_empty() || is_ndjson && payload.contains(&b'\n'));
            }
            Err(IngestionError::Oversize { len, max }) => {
                assert!(len == payload.len() && len > max);
            }
            Err(IngestionError::Backpressure) => {
                assert!(bus.stats().shards.iter().any(|shard| shard.pending == 63));
            }
            Err(error) => panic!("{error}"),
        }
    }

    let flush = bus.begin_flush();
    while let Action::Send(lease) = bus.poll(0) {
        let batch = &lease.batch;
        assert!(batch.len() <= max_len && batch.body().len() <= max_bytes);
        let expected = accepted.get_mut(&batch.shard_id).expect("the shard accepted something");
        let events: Vec<_> = expected.drain(..batch.len()).collect();
        assert!(batch.events().map(|event| event.raw).eq(events.iter().copied()));
        let body = match is_ndjson {
            true => events.join(&b'\n'),
            false => [b"[", &events.join(&b',')[..], b"]"].concat(),
        };
        assert_eq!(&batch.body()[..], body);
        assert!(bus.acknowledge(lease.id, 0));
    }
    assert!(accepted.values().all(Vec::is_empty));
    let report = bus.flush_report(flush).expect("the flush is open");
    assert_eq!((report.delivered, report.pending), (bus.stats().accepted, 0));
    assert_eq!(bus.stats().bytes.held, 0);
});
