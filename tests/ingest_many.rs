//! Events ingested together have the same results as events ingested one by one.

use proptest::prelude::*;
use shardbus::{
    BackpressureMode, BatchConfig, BusConfig, BusStats, Clock, EventBus, Format, InternalEvent,
    Lines,
};

/// Events ingested at one time: each with its key, if there are keys.
#[derive(Debug, Clone)]
struct Arrival {
    events: Vec<(Vec<u8>, Vec<u8>)>,
    keyed: bool,
    gap: u32,
    /// The number of batches that are sent afterwards.
    batches: usize,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let payload = proptest::collection::vec(b'a'..=b'z', 1..60);
    let key = proptest::collection::vec(b'0'..=b'9', 0..4);
    let events = proptest::collection::vec((payload, key), 0..40);
    (events, proptest::bool::ANY, 0u32..4, 0usize..3)
        .prop_map(|(events, keyed, gap, batches)| Arrival { events, keyed, gap, batches })
}

fn config() -> impl Strategy<Value = BusConfig> {
    let mode = prop_oneof![
        Just(BackpressureMode::DropNewest),
        Just(BackpressureMode::DropOldest),
        Just(BackpressureMode::FailProducer),
        (1u32..4).prop_map(|rate| BackpressureMode::Sample { rate }),
    ];
    let format = prop_oneof![Just(Format::Ndjson), Just(Format::Json)];
    let bounds = (prop_oneof![Just(32usize), Just(1024)], prop_oneof![Just(600u64), Just(1 << 20)]);
    (prop_oneof![Just(1u16), Just(3)], mode, format, bounds, 30usize..80).prop_map(
        |(shards, backpressure, format, (capacity, max_bytes), max_event_bytes)| BusConfig {
            shards,
            backpressure,
            format,
            capacity,
            max_bytes,
            max_event_bytes,
            batch: BatchConfig {
                min_size: 1,
                max_size: 25,
                max_bytes: 500,
                ..BatchConfig::default()
            },
            ..BusConfig::default()
        },
    )
}

/// The payloads or keys as one text, `gap` bytes before each.
fn text<'a>(
    parts: impl Iterator<Item = &'a Vec<u8>>,
    gap: u32,
    separator: u8,
) -> (Vec<u8>, Vec<u32>) {
    let (mut text, mut lens) = (Vec::new(), Vec::new());
    for part in parts {
        text.extend((0..gap).map(|_| separator));
        text.extend(part);
        lens.push(part.len() as u32);
    }
    (text, lens)
}

fn offer_together(bus: &EventBus, arrival: &Arrival) -> usize {
    let separator = if bus.config().format == Format::Json { b',' } else { b'\n' };
    let (payloads, lens) =
        text(arrival.events.iter().map(|event| &event.0), arrival.gap, separator);
    let (keys, key_lens) = text(arrival.events.iter().map(|event| &event.1), 0, separator);
    let (lines, _) = Lines::new(&payloads, &lens, arrival.gap).expect("as long as it says");
    let (keys, _) = Lines::new(&keys, &key_lens, 0).expect("as long as it says");
    bus.ingest_lines(lines, arrival.keyed.then_some(keys))
}

fn offer_one_by_one(bus: &EventBus, arrival: &Arrival) -> usize {
    let accepted = |event: &&(Vec<u8>, Vec<u8>)| {
        bus.ingest_line(&event.0, arrival.keyed.then_some(&event.1[..])).is_ok()
    };
    arrival.events.iter().filter(accepted).count()
}

/// The visible results of a bus that takes these arrivals.
fn observe(
    config: &BusConfig,
    arrivals: &[Arrival],
    offer: impl Fn(&EventBus, &Arrival) -> usize,
) -> Vec<(usize, BusStats, Vec<Vec<InternalEvent>>)> {
    let bus = EventBus::new(*config, Clock::manual(0)).expect("the configuration is valid");
    let mut seen = Vec::new();
    for (time, arrival) in (1_000u64..).step_by(25).zip(arrivals) {
        bus.clock().set(time);
        let accepted = offer(&bus, arrival);
        let stats = bus.stats();
        let drained = std::iter::from_fn(|| bus.drain(usize::MAX)).take(arrival.batches);
        let batches = drained.map(|batch| batch.events().collect()).collect();
        seen.push((accepted, stats, batches));
    }
    bus.close();
    let accepted = arrivals.first().map_or(0, |arrival| offer(&bus, arrival));
    let drained = std::iter::from_fn(|| bus.drain(usize::MAX));
    seen.push((accepted, bus.stats(), drained.map(|batch| batch.events().collect()).collect()));
    seen
}

shardbus_seeds::properties! {
    256;

    #[test]
    fn together_is_one_by_one(
        config in config(),
        arrivals in proptest::collection::vec(arrival(), 1..12),
    ) {
        let together = observe(&config, &arrivals, offer_together);
        prop_assert_eq!(together, observe(&config, &arrivals, offer_one_by_one));
    }
}
