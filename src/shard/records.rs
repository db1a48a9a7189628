//! The index beside the payload bytes.

use crate::memory;
use crate::shard::stream::Stream;
use std::ops::Range;

/// A ring's record of one event, beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Bytes of the payload.
    pub(crate) len: u32,
    /// The time at which it was accepted, in nanoseconds since the Unix epoch.
    pub(crate) timestamp: u64,
}

impl Record {
    /// Bytes of a record: its length (4) and its timestamp (8), little-endian.
    pub(crate) const LEN: usize = 12;

    #[inline]
    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (len, timestamp) = bytes.split_at_mut(4);
        len.copy_from_slice(&self.len.to_le_bytes());
        timestamp.copy_from_slice(&self.timestamp.to_le_bytes());
        bytes
    }

    #[inline]
    fn of_bytes(&[a, b, c, d, ref timestamp @ ..]: &[u8; Self::LEN]) -> Self {
        Self { len: u32::from_le_bytes([a, b, c, d]), timestamp: u64::from_le_bytes(*timestamp) }
    }
}

/// The records in some bytes.
#[inline]
fn records(bytes: &[u8]) -> impl ExactSizeIterator<Item = Record> {
    bytes.as_chunks().0.iter().map(Record::of_bytes)
}

/// The records of a batch, as a store keeps them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(Vec<u8>);

impl Index {
    /// The records in these bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len() / Record::LEN
    }

    /// The record at an index.
    pub(crate) fn get(&self, index: usize) -> Option<Record> {
        self.0.as_chunks().0.get(index).map(Record::of_bytes)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Record> {
        records(&self.0)
    }

    /// Some of the records.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let bytes = self.0.get(range.start * Record::LEN..range.end * Record::LEN);
        Self::of_bytes(bytes.unwrap_or_default())
    }
}

impl FromIterator<Record> for Index {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        Self(records.into_iter().flat_map(Record::to_bytes).collect())
    }
}

/// A first-in-first-out queue of records.
pub(crate) struct Records {
    stream: Stream,
    len: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self { stream: Stream::new(PAGE_LEN * Record::LEN), len: 0 }
    }
}

/// Records in a page: 6 KiB.
const PAGE_LEN: usize = 512;

impl Records {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether so many records can be pushed without another page.
    #[inline]
    pub(crate) fn has_room(&self, count: usize) -> bool {
        self.stream.room() >= count * Record::LEN
    }

    /// Sees to it that `count` records can be pushed. Returns whether there is memory for that.
    pub(crate) fn reserve(&mut self, count: usize) -> bool {
        self.stream.reserve(count * Record::LEN)
    }

    /// Returns reserved pages that were not used.
    pub(crate) fn drop_spare(&mut self) {
        self.stream.drop_spare();
    }

    /// Room to [take](Self::take_into) `count` records into, if there is memory for it.
    pub(crate) fn room_for(count: usize) -> Option<Vec<u8>> {
        memory::with_capacity(count * Record::LEN)
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.stream.append(&record.to_bytes());
        self.len += 1;
    }

    /// Pushes a record for each length, with timestamps that follow one another.
    pub(crate) fn extend(&mut self, lens: &[u32], first_timestamp: u64) {
        let mut timestamp = first_timestamp;
        for &len in lens {
            self.push(Record { len, timestamp });
            timestamp = timestamp.saturating_add(1);
        }
    }

    pub(crate) fn front(&self) -> Option<Record> {
        self.stream.first().first_chunk().map(Record::of_bytes)
    }

    pub(crate) fn pop(&mut self) -> Option<Record> {
        let record = self.front()?;
        self.stream.skip(Record::LEN);
        self.len -= 1;
        Some(record)
    }

    /// Moves `count` of the oldest records, of which there must be so many, into `taken`.
    pub(crate) fn take_into(&mut self, mut taken: Vec<u8>, count: usize) -> Index {
        self.stream.take_into(&mut taken, count * Record::LEN);
        self.len -= count;
        Index(taken)
    }

    /// The number of the oldest records, at most `max`, with this timestamp or an earlier one.
    pub(crate) fn count_until(&self, timestamp: u64, max: usize) -> usize {
        self.count(max, usize::MAX, timestamp).0
    }

    /// The number of the oldest payloads, at most `max`, that fit into `room` bytes with a
    /// separator after each; and their bytes.
    pub(crate) fn count_within(&self, max: usize, room: usize) -> (usize, usize) {
        self.count(max, room, u64::MAX)
    }

    /// Both: how many of the oldest events, at most `max`, stay within `room` bytes and came no later
    /// than `timestamp`; and how many bytes they take up.
    fn count(&self, max: usize, room: usize, timestamp: u64) -> (usize, usize) {
        let (mut count, mut stored) = (0, 0);
        for run in self.stream.runs() {
            for record in records(run) {
                let with_it = stored + record.len as usize + 1;
                if count == max || with_it > room || record.timestamp > timestamp {
                    return (count, stored);
                }
                (count, stored) = (count + 1, with_it);
            }
        }
        (count, stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn the_room_for_records_is_all_that_they_need() {
        let mut records = Records::default();
        records.extend(&[1; 2000], 0);
        let room = Records::room_for(2000).unwrap_or_default();
        assert_eq!(records.take_into(room, 2000).0.capacity(), 2000 * Record::LEN);
    }

    shardbus_seeds::properties! {
        256;

        #[test]
        fn a_queue_behaves_like_a_vec_deque(
            steps in proptest::collection::vec((0usize..1500, 0usize..1500), 1..12),
        ) {
            let mut records = Records::default();
            let mut model = VecDeque::new();
            let mut next = 0;
            for (pushes, pops) in steps {
                for _ in 0..pushes {
                    let record = Record { len: next as u32, timestamp: next };
                    records.push(record);
                    model.push_back(record);
                    next += 1;
                }
                let last = model.back().map_or(0, |record: &Record| record.timestamp);
                prop_assert_eq!(records.count_until(last, usize::MAX), model.len());
                let half = (pops / 2).min(model.len());
                let taken = records.take_into(Vec::new(), half);
                prop_assert_eq!(taken.len(), half);
                prop_assert!(taken.iter().eq(model.drain(..half)));
                for _ in 0..pops / 2 {
                    prop_assert_eq!(records.pop(), model.pop_front());
                }
                prop_assert_eq!(records.len(), model.len());
                prop_assert_eq!(records.front(), model.front().copied());
            }
        }
    }
}
