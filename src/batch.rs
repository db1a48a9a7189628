//! What leaves a shard in one piece.

mod encoding;

use crate::config::Format;
use crate::event::InternalEvent;
use crate::shard::{Record, Reservation};
use crate::sync::Shared;
use bytes::Bytes;

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
    records: Vec<Record>,
    /// Halves share it. So do batches of an earlier life, which come one at a time.
    reservation: Shared<Reservation>,
}

impl Batch {
    /// A nonce of 0 becomes 1. `records` must not be empty.
    pub(crate) fn new(
        (shard_id, sequence_start, process_nonce): (u16, u64, u64),
        format: Format,
        (body, records, reservation): (Bytes, Vec<Record>, impl Into<Shared<Reservation>>),
    ) -> Self {
        let process_nonce = process_nonce.max(1);
        let reservation = reservation.into();
        Self { shard_id, sequence_start, process_nonce, body, format, records, reservation }
    }

    /// How the events make up the body.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The batch's events in two batches, each with the id of its first event; `None` if there is
    /// only one event.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.len().div_ceil(2);
        let (before, after) = self.format.brackets();
        let first_len: usize =
            self.records[..middle].iter().map(|record| record.len as usize + 1).sum();
        let start = before.len();
        let end = self.body.len() - after.len();
        let half = |records: &[Record], sequence_start, events: std::ops::Range<usize>| Self {
            sequence_start,
            body: Bytes::from_owner([before, &self.body[events], after].concat()),
            records: records.to_vec(),
            reservation: Shared::clone(&self.reservation),
            ..*self
        };
        (self.len() > 1).then(|| {
            let (first, second) = self.records.split_at(middle);
            let split = start + first_len;
            (
                half(first, self.sequence_start, start..split - 1),
                half(second, self.sequence_start + middle as u64, split..end),
            )
        })
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

    /// Whether there is no event; batches that leave a shard have at least one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all payloads, without separators and brackets.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.records.iter().map(|record| u64::from(record.len)).sum()
    }

    /// When the first event was accepted, nanoseconds since the Unix epoch.
    #[must_use]
    pub fn first_timestamp(&self) -> u64 {
        self.records.first().map_or(0, |record| record.timestamp)
    }

    /// When the last event was accepted, nanoseconds since the Unix epoch.
    #[must_use]
    pub fn last_timestamp(&self) -> u64 {
        self.records.last().map_or(0, |record| record.timestamp)
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
