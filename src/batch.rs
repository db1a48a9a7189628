//! Events that leave a shard together.

mod encoding;
mod head;

use crate::config::Format;
use crate::event::InternalEvent;
use crate::shard::{Index, Record, Reservation};
use crate::sync::Shared;
use bytes::Bytes;

pub use head::BatchHead;

/// Consecutive events of one shard as one body, ready to send.
///
/// The payload bytes count against the bus's bound until the batch is dropped.
pub struct Batch {
    /// The shard.
    pub shard_id: u16,
    /// The index of the first event among all that ever left this shard in a batch. Gap-free: the
    /// next batch starts where this one ends.
    pub sequence_start: u64,
    /// Tells this process's batches from those of another, or of an earlier run; never 0.
    pub process_nonce: u64,
    body: Bytes,
    format: Format,
    records: Index,
    /// Parts of a batch share it.
    reservation: Shared<Reservation>,
}

impl Batch {
    /// A nonce of 0 becomes 1. `records` must not be empty.
    pub(crate) fn new(
        (shard_id, sequence_start, process_nonce): (u16, u64, u64),
        format: Format,
        (body, records, reservation): (Bytes, Index, impl Into<Shared<Reservation>>),
    ) -> Self {
        let process_nonce = process_nonce.max(1);
        let reservation = reservation.into();
        Self { shard_id, sequence_start, process_nonce, body, format, records, reservation }
    }

    /// The format of the body.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Some consecutive events of the batch, with the id of the first of them. The range is not
    /// empty.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let (before, after) = self.format.brackets();
        let mut lens = self.records.iter().map(|record| record.len as usize + 1);
        let skipped: usize = lens.by_ref().take(range.start).sum();
        let taken: usize = lens.take(range.len()).sum();
        let start = before.len() + skipped;
        // Without the separator after the last one.
        let events = &self.body[start..start + taken - 1];
        Self {
            sequence_start: self.sequence_start + range.start as u64,
            body: Bytes::from_owner([before, events, after].concat()),
            records: self.records.part(range),
            reservation: Shared::clone(&self.reservation),
            ..*self
        }
    }

    /// Identifies the batch over all its attempts: `nonce-shard-sequence`, the nonce in
    /// hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:016x}-{}-{}", self.process_nonce, self.shard_id, self.sequence_start)
    }

    /// The events in the bus's [`Format`].
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Number of events.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// True if there is no event; batches that leave a shard have at least one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// The length of each payload, in bytes.
    #[must_use]
    pub fn lens(&self) -> Vec<u32> {
        self.records.iter().map(|record| record.len).collect()
    }

    /// Bytes of a record in [`records`](Self::records).
    #[doc(hidden)]
    pub const RECORD_LEN: usize = Record::LEN;

    /// The events' records as a store [keeps](Self::encode) them: each has the length of a payload (4
    /// bytes) and its timestamp (8), little-endian.
    #[doc(hidden)]
    #[must_use]
    pub const fn records(&self) -> &[u8] {
        self.records.as_bytes()
    }

    /// Bytes of all payloads, without separators and brackets.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.records.iter().map(|record| u64::from(record.len)).sum()
    }

    /// The time at which the first event was accepted, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn first_timestamp(&self) -> u64 {
        self.records.get(0).map_or(0, |record| record.timestamp)
    }

    /// The time at which the last event was accepted, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn last_timestamp(&self) -> u64 {
        self.records.get(self.len().saturating_sub(1)).map_or(0, |record| record.timestamp)
    }

    /// The number of events accepted at `timestamp` or before.
    pub(crate) fn count_until(&self, timestamp: u64) -> usize {
        self.records.iter().take_while(|record| record.timestamp <= timestamp).count()
    }

    /// The events, in the order in which they were accepted. Their payloads share the body.
    pub fn events(&self) -> impl ExactSizeIterator<Item = InternalEvent> {
        let mut start = self.format.brackets().0.len();
        self.records.iter().map(move |record| {
            let end = start + record.len as usize;
            let raw = self.body.slice(start..end);
            start = end + 1;
            InternalEvent { raw, insertion_ts: record.timestamp, shard_id: self.shard_id }
        })
    }
}

impl std::fmt::Debug for Batch {
    /// Everything but the payloads, which do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("id", &self.id())
            .field("len", &self.len())
            .field("body_len", &self.body.len())
            .field("first_timestamp", &self.first_timestamp())
            .field("last_timestamp", &self.last_timestamp())
            .finish()
    }
}
