//! The index beside the payload bytes.

use std::collections::VecDeque;

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
    chunks: VecDeque<Vec<Record>>,
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

    pub(crate) fn push(&mut self, record: Record) {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN => chunk.push(record),
            _ => {
                let mut chunk = std::mem::take(&mut self.spare);
                chunk.push(record);
                self.chunks.push_back(chunk);
            }
        }
        self.len += 1;
    }

    pub(crate) fn front(&self) -> Option<Record> {
        self.chunks.front()?.get(self.head).copied()
    }

    pub(crate) fn pop(&mut self) -> Option<Record> {
        let record = self.front()?;
        self.len -= 1;
        self.head += 1;
        if self.head == CHUNK_LEN || self.len == 0 {
            self.head = 0;
            if let Some(mut chunk) = self.chunks.pop_front() {
                chunk.clear();
                self.spare = chunk;
            }
        }
        Some(record)
    }

    /// The records, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Record> {
        self.chunks.iter().flatten().skip(self.head).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
                prop_assert!(records.iter().eq(model.iter().copied()));
                for _ in 0..pops {
                    prop_assert_eq!(records.pop(), model.pop_front());
                }
                prop_assert_eq!(records.len(), model.len());
                prop_assert_eq!(records.front(), model.front().copied());
            }
        }
    }
}
