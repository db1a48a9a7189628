//! Batches whose events are elsewhere.

use super::Batch;
use crate::config::Format;

/// A batch without its events: its name and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHead {
    /// As [`Batch::process_nonce`].
    pub process_nonce: u64,
    /// As [`Batch::shard_id`].
    pub shard_id: u16,
    /// As [`Batch::sequence_start`].
    pub sequence_start: u64,
    /// Number of events.
    pub len: u64,
    /// As [`Batch::format`].
    pub format: Format,
    /// As [`Batch::payload_bytes`].
    pub payload_bytes: u64,
    /// Length of the batch as [encoded](Batch::encode).
    pub encoded_bytes: u64,
    /// As [`Batch::first_timestamp`].
    pub first_timestamp: u64,
    /// As [`Batch::last_timestamp`].
    pub last_timestamp: u64,
}

impl Batch {
    /// The batch without its events.
    #[must_use]
    pub fn head(&self) -> BatchHead {
        BatchHead {
            process_nonce: self.process_nonce,
            shard_id: self.shard_id,
            sequence_start: self.sequence_start,
            len: self.len() as u64,
            format: self.format(),
            payload_bytes: self.payload_bytes(),
            encoded_bytes: self.encoded_len() as u64,
            first_timestamp: self.first_timestamp(),
            last_timestamp: self.last_timestamp(),
        }
    }
}

impl BatchHead {
    /// Tells whether the other batch is of the same shard and run, and has no events but those of
    /// this one.
    pub(crate) const fn covers(&self, other: &Self) -> bool {
        self.process_nonce == other.process_nonce
            && self.shard_id == other.shard_id
            && self.sequence_start <= other.sequence_start
            && other.sequence_start + other.len <= self.sequence_start + self.len
    }
}
