//! A batch as bytes, for whoever keeps it beyond the life of the process.
//!
//! Integers are little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `shardbus` |
//! | 1 | version, 1 |
//! | 1 | format: 0 for NDJSON, 1 for JSON |
//! | 2 | shard |
//! | 8 | process nonce |
//! | 8 | sequence number of the first event |
//! | 4 | number of events |
//! | 12 for each event | its length (4) and its timestamp (8) |
//! | | the body |
//! | 8 | XXH3-64 of everything before |

use super::Batch;
use crate::config::{BatchConfig, Format};
use crate::error::RestoreError;
use crate::event::hash;
use crate::memory;
use crate::shard::{Index, Record, Reservation};
use bytes::{BufMut as _, Bytes};

const MAGIC: &[u8] = b"shardbus";
const VERSION: u8 = 1;
const HEADER_LEN: usize = MAGIC.len() + 24;
const CHECKSUM_LEN: usize = 8;

/// The end of the sequence numbers that a host can count with whose numbers are floating-point.
/// Nobody gets there by sending; but anybody may have written the bytes of a store.
const MAX_SEQUENCE: u64 = 1 << 53;

impl Batch {
    /// The batch as bytes that [`EventBus::restore`](crate::EventBus::restore) understands, in this
    /// or a later run of the host. They carry a checksum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_into(Vec::with_capacity(self.encoded_len()))
    }

    /// [`encode`](Self::encode), if there is memory for it.
    #[must_use]
    pub fn try_encode(&self) -> Option<Vec<u8>> {
        memory::with_capacity(self.encoded_len()).map(|bytes| self.encode_into(bytes))
    }

    pub(super) fn encoded_len(&self) -> usize {
        HEADER_LEN + self.records.len() * Record::LEN + self.body.len() + CHECKSUM_LEN
    }

    /// Most bytes of a batch whose body has `body_len`.
    pub(crate) fn max_encoded_len(body_len: usize) -> usize {
        // An event has a byte at least, and a separator.
        let max_records = body_len.div_ceil(2).min(BatchConfig::MAX_BATCH_SIZE_LIMIT);
        body_len.saturating_add(HEADER_LEN + max_records * Record::LEN + CHECKSUM_LEN)
    }

    fn encode_into(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.put_slice(MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u8(match self.format {
            Format::Ndjson => 0,
            Format::Json => 1,
        });
        bytes.put_u16_le(self.shard_id);
        bytes.put_u64_le(self.process_nonce);
        bytes.put_u64_le(self.sequence_start);
        bytes.put_u32_le(self.records.len() as u32);
        bytes.put_slice(self.records.as_bytes());
        bytes.put_slice(&self.body);
        bytes.put_u64_le(hash(&bytes));
        bytes
    }

    /// The batch that was [encoded](Self::encode). Its bytes are held beside the bound.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Damaged`] or [`RestoreError::OtherFormat`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RestoreError> {
        match bytes.strip_prefix(MAGIC).and_then(<[u8]>::first) {
            // Only the beginning is the same in all formats.
            Some(&version) if version != VERSION => Err(RestoreError::OtherFormat(version)),
            _ => Self::decode_whole(bytes).ok_or(RestoreError::Damaged),
        }
    }

    fn decode_whole(bytes: &[u8]) -> Option<Self> {
        let (whole, mut checksum) =
            bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_LEN)?)?;
        if u64::from_le_bytes(take(&mut checksum)?) != hash(whole) {
            return None;
        }
        let mut rest = whole.strip_prefix(MAGIC)?.get(1..)?;
        let format = match take(&mut rest)? {
            [0] => Format::Ndjson,
            [1] => Format::Json,
            _ => return None,
        };
        let shard_id = u16::from_le_bytes(take(&mut rest)?);
        let nonce = u64::from_le_bytes(take(&mut rest)?);
        let sequence = u64::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (index, body) = rest.split_at_checked(count.checked_mul(Record::LEN)?)?;
        let records = Index::of_bytes(index);
        let is_whole = count > 0
            && nonce > 0
            && sequence.checked_add(count as u64).is_some_and(|end| end <= MAX_SEQUENCE)
            && body_len(format, &records) == body.len() as u64;
        let key = (shard_id, sequence, nonce);
        let body = Bytes::from_owner(body.to_vec());
        is_whole.then(|| Self::new(key, format, (body, records, Reservation::of_nothing())))
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// The length of these events' body.
fn body_len(format: Format, records: &Index) -> u64 {
    let with_separators: u64 = records.iter().map(|record| u64::from(record.len) + 1).sum();
    (with_separators + format.frame_len() as u64).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(format: Format, events: &[Vec<u8>], key: (u16, u64, u64)) -> Batch {
        let (before, after) = format.brackets();
        let body = [before, &events.join(&format.separator()), after].concat();
        let record = |(at, event): (usize, &Vec<u8>)| Record {
            len: event.len() as u32,
            timestamp: at as u64,
        };
        let records = events.iter().enumerate().map(record).collect();
        Batch::new(key, format, (body.into(), records, Reservation::of_nothing()))
    }

    fn batches() -> impl Strategy<Value = Batch> {
        let format = prop_oneof![Just(Format::Ndjson), Just(Format::Json)];
        let events = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..9);
        (format, events, any::<u16>(), 0..MAX_SEQUENCE - 9, any::<u64>()).prop_map(
            |(format, events, shard, sequence, nonce)| {
                batch(format, &events, (shard, sequence, nonce))
            },
        )
    }

    #[test]
    fn what_does_not_begin_as_a_batch_is_refused_though_its_checksum_is_right() {
        let mut forged = batch(Format::Ndjson, &[b"1".to_vec()], (0, 0, 1)).encode();
        forged[0] = 0;
        let len = forged.len() - CHECKSUM_LEN;
        let checksum = hash(&forged[..len]).to_le_bytes();
        forged[len..].copy_from_slice(&checksum);
        assert_eq!(Batch::decode(&forged).err(), Some(RestoreError::Damaged));
    }

    #[test]
    fn a_sequence_that_no_host_can_count_with_is_refused() {
        let decoded = |sequence| {
            let forged = batch(Format::Ndjson, &[b"1".to_vec()], (0, sequence, 1));
            Batch::decode(&forged.encode()).is_ok()
        };
        assert!(decoded(MAX_SEQUENCE - 1));
        assert!(!decoded(MAX_SEQUENCE));
        assert!(!decoded(u64::MAX));
    }

    #[test]
    fn no_batch_is_longer_than_the_longest() {
        let events = vec![b"1".to_vec(); 500];
        let longest = batch(Format::Ndjson, &events, (0, 0, 1));
        let body_len = longest.body().len();
        assert_eq!(longest.encode().len(), Batch::max_encoded_len(body_len));
    }

    shardbus_seeds::properties! {
        256;

        #[test]
        fn what_is_encoded_is_decoded(batch in batches()) {
            let decoded = Batch::decode(&batch.encode()).expect("it is whole");
            prop_assert_eq!(decoded.id(), batch.id());
            prop_assert_eq!((decoded.format(), decoded.body()), (batch.format(), batch.body()));
            prop_assert!(decoded.events().map(|e| (e.raw, e.insertion_ts))
                .eq(batch.events().map(|e| (e.raw, e.insertion_ts))));
        }

        #[test]
        fn what_is_damaged_is_not_decoded(
            batch in batches(),
            at in any::<proptest::sample::Index>(),
            bit in 0u8..8,
        ) {
            let whole = batch.encode();
            let mut damaged = whole.clone();
            damaged[at.index(whole.len())] ^= 1 << bit;
            prop_assert!(Batch::decode(&damaged).is_err());
            prop_assert!(Batch::decode(&whole[..at.index(whole.len())]).is_err());
        }

        #[test]
        fn another_format_is_not_taken_for_damage(batch in batches(), version in any::<u8>()) {
            let mut bytes = batch.encode();
            bytes[MAGIC.len()] = version;
            match Batch::decode(&bytes) {
                Ok(_) => prop_assert_eq!(version, VERSION),
                Err(error) => prop_assert_eq!(error, RestoreError::OtherFormat(version)),
            }
        }

        /// A checksum proves nothing about who made it.
        #[test]
        fn any_bytes_are_refused_or_make_a_batch(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            count in 0u32..5,
        ) {
            let mut forged = [MAGIC, &[VERSION], &[0; 19], &count.to_le_bytes()].concat();
            forged.append(&mut bytes);
            forged.extend(hash(&forged).to_le_bytes());
            if let Ok(batch) = Batch::decode(&forged) {
                prop_assert_eq!(batch.events().count(), batch.len());
            }
        }
    }
}
