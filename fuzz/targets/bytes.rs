//! Any bytes as payloads and keys, under any bounds: each event is refused for its reason, or comes
//! out as it went in.
#![no_main]
#![allow(clippy::disallowed_types, reason = "the rule is for the library; a derive names a cell")]

#[path = "../../tests/common/mod.rs"]
mod common;

use arbitrary::Arbitrary;
use common::{assert_accounts, bus};
use libfuzzer_sys::fuzz_target;
use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, EventBus, Format, IngestionError, Scheduler,
};
use std::collections::BTreeMap;

#[derive(Debug, Arbitrary)]
struct Input {
    shards: u8,
    log_capacity: u8,
    mode: u8,
    json: bool,
    manual: bool,
    max_batch_len: u8,
    max_event_bytes: u8,
    /// Beyond the largest event.
    max_bytes: u16,
    events: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn config(input: &Input) -> BusConfig {
    let max_size = usize::from(input.max_batch_len).max(1);
    let max_event_bytes = usize::from(input.max_event_bytes).max(1);
    BusConfig {
        shards: u16::from(input.shards % 8) + 1,
        capacity: 2 << (input.log_capacity % 6),
        max_bytes: max_event_bytes as u64 + u64::from(input.max_bytes),
        max_event_bytes,
        backpressure: match input.mode % 4 {
            0 => BackpressureMode::DropNewest,
            1 => BackpressureMode::DropOldest,
            2 => BackpressureMode::FailProducer,
            _ => BackpressureMode::Sample { rate: u32::from(input.mode / 4) + 1 },
        },
        format: if input.json { Format::Json } else { Format::Ndjson },
        scheduler: if input.manual { Scheduler::Manual } else { Scheduler::Auto },
        batch: BatchConfig {
            min_size: 1,
            max_size,
            max_bytes: max_event_bytes + 2 + max_size,
            ..BatchConfig::default()
        },
        ..BusConfig::default()
    }
}

/// Offers an event, and checks that the answer is right. Returns the shard that has accepted it.
fn offer(bus: &EventBus, payload: &[u8], key: Option<&[u8]>) -> Option<u16> {
    let (config, before) = (bus.config(), bus.stats());
    let target = bus.shard_for(key.unwrap_or(payload));
    let breaks_body = config.format == Format::Ndjson && payload.contains(&b'\n');
    let has_room = before.shards[usize::from(target)].pending < config.capacity as u64 - 1
        && before.bytes.held + payload.len() as u64 <= config.max_bytes;
    let evicts = config.backpressure == BackpressureMode::DropOldest;
    let samples = matches!(config.backpressure, BackpressureMode::Sample { .. });

    let result = bus.ingest(payload, key);
    let is_right = match result {
        _ if payload.is_empty() || breaks_body => matches!(result, Err(IngestionError::Invalid)),
        _ if payload.len() > config.max_event_bytes => {
            matches!(result, Err(IngestionError::Oversize { .. }))
        }
        Ok((shard, _)) => shard == target && (has_room || evicts),
        Err(IngestionError::Backpressure) => !has_room && !evicts && !samples,
        Err(IngestionError::Sampled) => samples,
        Err(_) => false,
    };
    assert!(is_right, "{result:?}, after {before:?}");

    let after = bus.stats();
    assert_accounts(&after);
    assert!(after.bytes.held <= config.max_bytes, "{after:?}");
    assert!(after.evicted == before.evicted || evicts && !has_room, "{after:?}");
    result.ok().map(|(shard, _)| shard)
}

fuzz_target!(|input: Input| {
    let bus = bus(config(&input));
    let mut accepted: BTreeMap<u16, Vec<&[u8]>> = BTreeMap::new();
    for (payload, key) in &input.events {
        if let Some(shard) = offer(&bus, payload, key.as_deref()) {
            accepted.entry(shard).or_default().push(payload);
        }
    }
    for shard in bus.stats().shards {
        accepted.entry(shard.id).or_default().drain(..shard.evicted as usize);
    }

    let config = bus.config();
    let flush = bus.begin_flush();
    while let Action::Send(lease) = bus.poll(0) {
        let (batch, body) = (&lease.batch, &lease.batch.body()[..]);
        assert!(batch.len() <= config.batch.max_size && body.len() <= config.batch.max_bytes);
        let expected = accepted.get_mut(&batch.shard_id).expect("the shard is known");
        let events: Vec<_> = expected.drain(..batch.len()).collect();
        assert!(batch.events().map(|event| event.raw).eq(events.iter().copied()));
        match config.format {
            Format::Ndjson => assert!(body.split(|&byte| byte == b'\n').eq(events)),
            Format::Json => assert_eq!(body, [b"[", &events.join(&b',')[..], b"]"].concat()),
        }
        assert!(bus.acknowledge(lease.id, 0));
    }
    assert!(accepted.values().all(Vec::is_empty));
    let (report, end) = (bus.flush_report(flush).expect("the flush is open"), bus.stats());
    assert_eq!((report.delivered, report.pending), (end.accepted - end.evicted, 0));
    assert_eq!((end.pending, end.in_flight, end.bytes.held), (0, 0, 0));
});
