//! Any bytes as a batch of an earlier run, whole, damaged or forged: they are refused and change
//! nothing, or are a batch that goes the way of every batch.
#![no_main]
#![allow(clippy::disallowed_types, reason = "the rule is for the library; a derive names a cell")]

#[path = "../../tests/common/mod.rs"]
mod common;

use arbitrary::Arbitrary;
use common::{assert_accounts, bus};
use libfuzzer_sys::fuzz_target;
use shardbus::{Action, BatchConfig, BusConfig, EventBus, Failure, Format, RawEvent, RestoreError};
use std::ops::Range;

#[derive(Debug, Arbitrary)]
struct Input {
    json: bool,
    max_bytes: u8,
    bytes: Bytes,
    /// The sequence number, counted down from the last one there is.
    last_sequence: Option<u8>,
    /// Bytes that are replaced.
    damages: Vec<(u16, u8)>,
    /// True if the checksum is corrected afterwards.
    is_forged: bool,
    /// The number of times that the receiver finds a batch too large.
    splits: u8,
}

#[derive(Debug, Arbitrary)]
enum Bytes {
    /// Of a batch of these events.
    Encoded {
        json: bool,
        nonce: u64,
        events: Vec<Vec<u8>>,
    },
    /// With the right beginning.
    Prefixed(Vec<u8>),
    Any(Vec<u8>),
}

/// The position of the sequence number.
const SEQUENCE: Range<usize> = 20..28;

impl Bytes {
    fn get(&self) -> Vec<u8> {
        match self {
            Self::Encoded { json, nonce, events } => {
                let format = if *json { Format::Json } else { Format::Ndjson };
                let earlier =
                    bus(BusConfig { format, max_event_bytes: 64, ..BusConfig::default() });
                earlier.seed(*nonce);
                for event in events {
                    let _ = earlier.ingest(event, None);
                }
                earlier.drain(usize::MAX).map(|batch| batch.encode()).unwrap_or_default()
            }
            Self::Prefixed(bytes) => [b"shardbus\x01", &bytes[..]].concat(),
            Self::Any(bytes) => bytes.clone(),
        }
    }
}

impl Input {
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = self.bytes.get();
        if let (Some(last), Some(sequence)) = (self.last_sequence, bytes.get_mut(SEQUENCE)) {
            sequence.copy_from_slice(&(u64::MAX - u64::from(last)).to_le_bytes());
        }
        for &(at, byte) in &self.damages {
            if let Some(damaged) = bytes.get_mut(usize::from(at)) {
                *damaged = byte;
            }
        }
        if self.is_forged && bytes.len() >= 8 {
            bytes.truncate(bytes.len() - 8);
            let checksum = RawEvent::from_bytes(bytes.clone()).hash();
            bytes.extend(checksum.to_le_bytes());
        }
        bytes
    }

    fn config(&self) -> BusConfig {
        let max_bytes = usize::from(self.max_bytes) + 8;
        BusConfig {
            max_bytes: max_bytes as u64,
            max_event_bytes: 4,
            format: if self.json { Format::Json } else { Format::Ndjson },
            batch: BatchConfig { max_bytes, ..BatchConfig::default() },
            ..BusConfig::default()
        }
    }
}

/// Checks the invariants between two steps.
fn check(bus: &EventBus) {
    let stats = bus.stats();
    assert_accounts(&stats);
    assert!(stats.bytes.held <= bus.config().max_bytes, "{stats:?}");
}

fuzz_target!(|input: Input| {
    let (bytes, bus) = (input.encoded(), bus(input.config()));
    assert_eq!(bus.restore(&bytes).err(), Some(RestoreError::NotNow));
    bus.begin_restore();
    let before = bus.stats();
    let Ok(restored) = bus.restore(&bytes) else {
        assert_eq!(bus.stats(), before, "what is refused changes nothing");
        return;
    };
    check(&bus);
    assert!(restored.body().len() <= bus.config().batch.max_bytes && !restored.is_empty());
    assert_eq!(restored.encode(), bytes, "there is one way to write a batch");
    let payloads: Vec<_> = restored.events().map(|event| event.raw).collect();
    let accepted = payloads.len() as u64;
    assert_eq!((bus.stats().restored, bus.stats().in_flight), (accepted, accepted));

    let (mut splits, mut delivered) = (input.splits, Vec::new());
    drop(restored);
    loop {
        match bus.poll(0) {
            Action::Send(lease) if splits > 0 => {
                splits -= 1;
                assert!(bus.fail(lease.id, Failure::Split, 0));
            }
            Action::Send(lease) => {
                delivered.extend(lease.batch.events().map(|event| event.raw));
                assert!(bus.acknowledge(lease.id, 0));
            }
            Action::Abandoned(given_up) => {
                assert_eq!(given_up.batch.len(), 1, "only a single event cannot be split");
                delivered.extend(given_up.batch.events().map(|event| event.raw));
            }
            _ => break,
        }
        check(&bus);
    }
    // Abandoned batches are reported before later ones are sent.
    assert_eq!(delivered, payloads);
    bus.end_restore();
    let end = bus.stats();
    assert_eq!((end.pending, end.in_flight, end.bytes.held), (0, 0, 0));
});
