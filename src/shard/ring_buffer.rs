//! The bounded first-in-first-out buffer of one shard.

use crate::config::Format;
use crate::shard::{Record, records::Records};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// A bounded queue of payloads.
///
/// Payloads lie one after another in pages, each followed by the separator that a batch has
/// between two events: what leaves as a body is copied a page at a time, and nothing is allocated
/// per event. A payload never spans two pages; one that is larger than a page gets its own.
pub(crate) struct RingBuffer {
    capacity: usize,
    format: Format,
    page_size: usize,
    /// Oldest first. Only the last page may be empty.
    pages: VecDeque<BytesMut>,
    records: Records,
    /// Payload bytes in the buffer, separators not counted.
    bytes: usize,
}

impl RingBuffer {
    /// Bytes of a page, unless the buffer is told otherwise.
    pub(crate) const DEFAULT_PAGE_SIZE: usize = 64 << 10;

    /// A buffer with `capacity` slots, of which one stays free.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    pub(crate) fn new(capacity: usize, format: Format, page_size: usize) -> Self {
        assert!(
            capacity.is_power_of_two() && capacity >= 2,
            "the capacity of a ring buffer must be a power of two and at least 2"
        );
        Self {
            capacity,
            format,
            page_size,
            pages: VecDeque::new(),
            records: Records::default(),
            bytes: 0,
        }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many events fit: one slot fewer than the capacity.
    pub(crate) const fn usable(&self) -> usize {
        self.capacity - 1
    }

    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How the payloads become a body.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// How long a body of everything would be.
    pub(crate) const fn body_len(&self) -> usize {
        (self.bytes + self.len()).saturating_sub(1) + self.format.frame_len()
    }

    /// The oldest event's record.
    pub(crate) fn front(&self) -> Option<Record> {
        self.records.front()
    }

    /// Appends a payload. Returns false, and changes nothing, if no slot is free.
    ///
    /// A payload must be shorter than 4 GiB.
    pub(crate) fn try_push(&mut self, payload: &[u8], timestamp: u64) -> bool {
        if self.len() >= self.usable() {
            return false;
        }
        let page = self.page_for(payload.len() + 1);
        let separator = self.format.separator();
        let page = &mut self.pages[page];
        page.put_slice(payload);
        page.put_u8(separator);
        self.records.push(Record { len: payload.len() as u32, timestamp });
        self.bytes += payload.len();
        true
    }

    /// Index of a last page with at least `len` free bytes.
    fn page_for(&mut self, len: usize) -> usize {
        let fresh = self.page_size.max(len);
        match self.pages.back_mut() {
            Some(last) => {
                // What was popped from the front of the last page can often be used again.
                let has_room = last.capacity() - last.len() >= len || last.try_reclaim(len);
                if !has_room && last.is_empty() {
                    *last = BytesMut::with_capacity(fresh);
                } else if !has_room {
                    self.pages.push_back(BytesMut::with_capacity(fresh));
                }
            }
            None => self.pages.push_back(BytesMut::with_capacity(fresh)),
        }
        self.pages.len() - 1
    }

    /// Takes the oldest event.
    pub(crate) fn try_pop(&mut self) -> Option<(Bytes, u64)> {
        let record = self.records.pop()?;
        let len = record.len as usize;
        self.bytes -= len;
        let page = self.pages.front_mut()?;
        let payload = page.split_to(len).freeze();
        page.advance(1);
        self.drop_spent_page();
        Some((payload, record.timestamp))
    }

    /// Drops the oldest event and returns how many bytes its payload had.
    pub(crate) fn evict_oldest(&mut self) -> Option<usize> {
        let record = self.records.pop()?;
        let len = record.len as usize;
        self.bytes -= len;
        self.pages.front_mut()?.advance(len + 1);
        self.drop_spent_page();
        Some(len)
    }

    /// Keeps the rule that only the last page may be empty.
    fn drop_spent_page(&mut self) {
        if self.pages.len() > 1 && self.pages.front().is_some_and(BytesMut::is_empty) {
            self.pages.pop_front();
        }
    }

    /// Takes the oldest events out as one body: at most `max_len` of them, and at most `max_bytes`
    /// bytes with separators and brackets. Empty if there is none, or if the oldest does not fit.
    pub(crate) fn take_body(&mut self, max_len: usize, max_bytes: usize) -> (Bytes, Vec<Record>) {
        // With a separator after each payload, the last one's not being part of the body.
        let room = max_bytes.saturating_add(1).saturating_sub(self.format.frame_len());
        let mut stored = 0;
        let count = self
            .records
            .iter()
            .take(max_len)
            .take_while(|record| {
                let with_it = stored + record.len as usize + 1;
                let fits = with_it <= room;
                if fits {
                    stored = with_it;
                }
                fits
            })
            .count();
        if count == 0 {
            return (Bytes::new(), Vec::new());
        }

        let (before, after) = self.format.brackets();
        let mut body = Vec::with_capacity(before.len() + stored + after.len());
        body.extend_from_slice(before);
        let mut rest = stored;
        while rest > 0
            && let Some(page) = self.pages.front_mut()
        {
            let run = rest.min(page.len());
            body.extend_from_slice(&page[..run]);
            page.advance(run);
            rest -= run;
            self.drop_spent_page();
        }
        body.pop();
        body.extend_from_slice(after);

        let records: Vec<_> = std::iter::from_fn(|| self.records.pop()).take(count).collect();
        self.bytes -= stored - count;
        (body.into(), records)
    }
}

impl std::fmt::Debug for RingBuffer {
    /// Numbers only: payloads do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingBuffer")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(capacity: usize) -> RingBuffer {
        RingBuffer::new(capacity, Format::Ndjson, 32)
    }

    fn pop(ring: &mut RingBuffer) -> Option<String> {
        ring.try_pop().map(|(payload, _)| String::from_utf8_lossy(&payload).into_owned())
    }

    #[test]
    fn one_slot_stays_free() {
        let mut ring = ring(4);
        assert!((0..3).all(|i| ring.try_push(b"x", i)));
        assert!(!ring.try_push(b"y", 3));
        assert_eq!(ring.len(), 3);
        assert_eq!(RingBuffer::new(2, Format::Ndjson, 32).usable(), 1);
    }

    #[test]
    #[should_panic(expected = "power of two")]
    fn the_capacity_must_be_a_power_of_two() {
        ring(3);
    }

    #[test]
    #[should_panic(expected = "at least 2")]
    fn a_single_slot_could_hold_nothing() {
        ring(1);
    }

    #[test]
    fn eviction_takes_the_oldest() {
        let mut ring = ring(4);
        for payload in ["a", "bb", "ccc"] {
            ring.try_push(payload.as_bytes(), 0);
        }
        assert_eq!(ring.evict_oldest(), Some(1));
        assert_eq!(pop(&mut ring).as_deref(), Some("bb"));
        assert_eq!(pop(&mut ring).as_deref(), Some("ccc"));
        assert_eq!(ring.evict_oldest(), None);
    }

    #[test]
    fn a_payload_larger_than_a_page_keeps_its_place() {
        let mut ring = ring(8);
        let large = "L".repeat(100);
        for payload in ["a", &large, "b", ""] {
            assert!(ring.try_push(payload.as_bytes(), 0));
        }
        for expected in ["a", &large, "b", ""] {
            assert_eq!(pop(&mut ring).as_deref(), Some(expected));
        }
        assert_eq!(pop(&mut ring), None);
    }

    #[test]
    fn what_was_popped_stays_whole_while_its_page_is_used_again() {
        let mut ring = ring(4);
        ring.try_push(b"first", 0);
        let (first, _) = ring.try_pop().expect("just pushed");
        for i in 0..100 {
            ring.try_push(b"other", i);
            ring.try_pop();
        }
        assert_eq!(&first[..], b"first");
    }

    #[test]
    fn a_body_is_cut_at_both_maxima() {
        let mut ring = ring(16);
        for payload in ["11", "22", "33", "44", "55"] {
            ring.try_push(payload.as_bytes(), 0);
        }
        let (body, records) = ring.take_body(2, 1000);
        assert_eq!((&body[..], records.len()), (&b"11\n22"[..], 2));
        let (body, records) = ring.take_body(100, 7);
        assert_eq!((&body[..], records.len()), (&b"33\n44"[..], 2), "8 bytes would hold no more");
        let (body, _) = ring.take_body(100, 1);
        assert!(body.is_empty(), "what does not fit stays");
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn brackets_count_as_bytes_of_the_body() {
        let mut ring = RingBuffer::new(16, Format::Json, 32);
        for payload in ["11", "22", "33"] {
            ring.try_push(payload.as_bytes(), 0);
        }
        let (body, _) = ring.take_body(100, 9);
        assert_eq!(&body[..], b"[11,22]");
        let (body, _) = ring.take_body(100, 4);
        assert_eq!(&body[..], b"[33]");
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(Vec<u8>),
        Pop,
        Evict,
        Body(usize, usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let payload = proptest::collection::vec(b'a'..=b'z', 0..40);
        let op = prop_oneof![
            5 => payload.prop_map(Op::Push),
            1 => Just(Op::Pop),
            1 => Just(Op::Evict),
            1 => (0usize..12, 0usize..200).prop_map(|(len, bytes)| Op::Body(len, bytes)),
        ];
        proptest::collection::vec(op, 0..400)
    }

    proptest! {
        #[test]
        fn a_ring_behaves_like_a_bounded_queue(ops in ops()) {
            let mut ring = RingBuffer::new(16, Format::Json, 48);
            let mut model: VecDeque<(Vec<u8>, u64)> = VecDeque::new();
            for (now, op) in (0u64..).zip(ops) {
                match op {
                    Op::Push(payload) => {
                        let fits = model.len() < 15;
                        prop_assert_eq!(ring.try_push(&payload, now), fits);
                        if fits {
                            model.push_back((payload, now));
                        }
                    }
                    Op::Pop => {
                        let popped = ring.try_pop().map(|(payload, at)| (payload.to_vec(), at));
                        prop_assert_eq!(popped, model.pop_front());
                    }
                    Op::Evict => {
                        let evicted = model.pop_front().map(|(payload, _)| payload.len());
                        prop_assert_eq!(ring.evict_oldest(), evicted);
                    }
                    Op::Body(max_len, max_bytes) => {
                        // The longest prefix whose array is short enough.
                        let array = |count: usize| {
                            let payloads: Vec<_> =
                                model.iter().take(count).map(|(p, _)| &p[..]).collect();
                            [b"[", &payloads.join(&b',')[..], b"]"].concat()
                        };
                        let count = (1..=max_len.min(model.len()))
                            .take_while(|&count| array(count).len() <= max_bytes)
                            .count();
                        let expected = if count == 0 { Vec::new() } else { array(count) };
                        let timestamps: Vec<_> = model.drain(..count).map(|(_, at)| at).collect();
                        let (body, records) = ring.take_body(max_len, max_bytes);
                        prop_assert!(body.len() <= max_bytes);
                        prop_assert_eq!(&body[..], &expected[..]);
                        prop_assert!(records.iter().map(|r| r.timestamp).eq(timestamps));
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.bytes(), model.iter().map(|(p, _)| p.len()).sum::<usize>());
                prop_assert_eq!(ring.front().map(|r| r.timestamp), model.front().map(|e| e.1));
            }
        }
    }
}
