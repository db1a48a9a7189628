//! The index beside the payload bytes.

use crate::queue::Queue;

/// What a ring remembers of one event beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Bytes of the payload.
    pub(crate) len: u32,
    /// When it was accepted, nanoseconds since the Unix epoch.
    pub(crate) timestamp: u64,
}

/// A first-in-first-out queue of records in chunks of one size, so that a long queue grows
/// without copying and shrinks without keeping what it no longer needs.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The chunk that is being filled.
    last: Vec<Record>,
    /// The chunks before it, oldest first.
    full: Queue<Vec<Record>>,
    /// Index of the oldest record in the first chunk; less than `CHUNK_LEN`.
    head: usize,
    len: usize,
    /// One emptied chunk, kept so that a queue in steady state does not allocate.
    spare: Vec<Record>,
}

/// Records in a chunk: 8 KiB.
const CHUNK_LEN: usize = 512;

impl Records {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether so many records can be pushed without another chunk.
    #[inline]
    pub(crate) const fn has_room(&self, count: usize) -> bool {
        self.last.len() + count <= CHUNK_LEN
    }

    /// Sees to it that `count` records can be pushed, but for the chunks, which are small. Returns
    /// whether there is memory for that.
    pub(crate) fn reserve(&mut self, count: usize) -> bool {
        self.full.reserve(count / CHUNK_LEN + 1)
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.make_room();
        self.last.push(record);
        self.len += 1;
    }

    /// Pushes a record for each length, with timestamps that follow one another.
    pub(crate) fn extend(&mut self, mut lens: &[u32], first_timestamp: u64) {
        self.len += lens.len();
        let mut timestamp = first_timestamp;
        while !lens.is_empty() {
            self.make_room();
            let room = CHUNK_LEN - self.last.len();
            let (now, later) = lens.split_at(lens.len().min(room));
            self.last.extend(now.iter().map(|&len| {
                let record = Record { len, timestamp };
                timestamp = timestamp.saturating_add(1);
                record
            }));
            lens = later;
        }
    }

    /// Sees to it that the last chunk has room.
    #[inline]
    fn make_room(&mut self) {
        if self.last.len() == CHUNK_LEN {
            let next = std::mem::take(&mut self.spare);
            self.full.push_back(std::mem::replace(&mut self.last, next));
        }
    }

    fn first_chunk(&self) -> &[Record] {
        self.full.front().unwrap_or(&self.last)
    }

    pub(crate) fn front(&self) -> Option<Record> {
        self.get(0)
    }

    pub(crate) fn pop(&mut self) -> Option<Record> {
        let record = self.front()?;
        self.drop_front(1);
        Some(record)
    }

    /// Takes out up to `count` of the oldest records.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Record> {
        let count = count.min(self.len);
        self.take_into(Vec::with_capacity(count), count)
    }

    /// Moves `count` of the oldest records, which there must be, to the end of `taken`.
    pub(crate) fn take_into(&mut self, mut taken: Vec<Record>, count: usize) -> Vec<Record> {
        while taken.len() < count {
            let rest = &self.first_chunk()[self.head..];
            let run = rest.len().min(count - taken.len());
            taken.extend_from_slice(&rest[..run]);
            self.drop_front(run);
        }
        taken
    }

    /// Drops records of the first chunk.
    fn drop_front(&mut self, count: usize) {
        self.len -= count;
        self.head += count;
        if self.head == CHUNK_LEN || self.len == 0 {
            self.head = 0;
            match self.full.pop_front() {
                Some(chunk) => self.spare = chunk,
                None => self.last.clear(),
            }
            self.spare.clear();
        }
    }

    /// How many of the oldest records, at most `max`, have this timestamp or an earlier one.
    pub(crate) fn count_until(&self, timestamp: u64, max: usize) -> usize {
        let is_later = |&at: &usize| self.get(at).is_none_or(|it| it.timestamp > timestamp);
        (0..max).find(is_later).unwrap_or(max)
    }

    /// How many of the oldest payloads, at most `max`, take up no more than `room` bytes with a
    /// separator after each; and how many bytes they do take up.
    pub(crate) fn count_within(&self, max: usize, room: usize) -> (usize, usize) {
        let (mut count, mut stored) = (0, 0);
        while count < max
            && let Some(record) = self.get(count)
        {
            let with_it = stored + record.len as usize + 1;
            if with_it > room {
                break;
            }
            (count, stored) = (count + 1, with_it);
        }
        (count, stored)
    }

    /// The record at an index, the oldest being at 0.
    #[inline]
    fn get(&self, index: usize) -> Option<Record> {
        if index >= self.len {
            return None;
        }
        let index = self.head + index;
        let chunk = self.full.get(index / CHUNK_LEN).unwrap_or(&self.last);
        chunk.get(index % CHUNK_LEN).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

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
                prop_assert!((0..).map_while(|i| records.get(i)).eq(model.iter().copied()));
                let taken = records.take(pops / 2);
                prop_assert!(taken.into_iter().eq(model.drain(..(pops / 2).min(model.len()))));
                for _ in 0..pops / 2 {
                    prop_assert_eq!(records.pop(), model.pop_front());
                }
                prop_assert_eq!(records.len(), model.len());
                prop_assert_eq!(records.front(), model.front().copied());
            }
        }
    }
}
