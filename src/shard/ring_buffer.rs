//! The bounded first-in-first-out buffer of one shard.

use crate::config::Format;
use crate::lines::Lines;
use crate::memory;
use crate::shard::records::{Index, Record, Records};
use crate::shard::stream::Stream;
use bytes::Bytes;

/// A bounded queue of payloads.
///
/// Payloads lie one after another in pages of one size, each followed by the separator that a batch
/// has between two events: a body is copied out a page at a time, and nothing is allocated per
/// event. Payloads go from one page on to the next, so that no page has room to spare but the last,
/// whatever their sizes.
pub(crate) struct RingBuffer {
    capacity: usize,
    format: Format,
    /// Bytes of memory that must stay free when the buffer grows.
    headroom: usize,
    /// Bytes of memory beside, without which memory is short.
    crossing: usize,
    payloads: Stream,
    records: Records,
    /// Payload bytes in the buffer, separators not counted.
    bytes: usize,
}

impl RingBuffer {
    /// The default bytes of a page: 64 KiB with the allocator's header.
    pub(crate) const DEFAULT_PAGE_SIZE: usize = (64 << 10) - 16;

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
            headroom: memory::FOR_SMALL,
            crossing: 0,
            payloads: Stream::new(page_size),
            records: Records::default(),
            bytes: 0,
        }
    }

    /// Leaves room in memory whenever the buffer grows: for a body of `body_len` bytes. Says that
    /// memory is short when there are no more than `crossing` bytes beside.
    pub(crate) fn leaving_room_for(self, body_len: usize, crossing: usize) -> Self {
        Self { headroom: body_len.saturating_add(memory::FOR_SMALL), crossing, ..self }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The number of events that fit: one slot fewer than the capacity.
    pub(crate) const fn usable(&self) -> usize {
        self.capacity - 1
    }

    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The format of bodies.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// The length of a body of all events.
    pub(crate) const fn body_len(&self) -> usize {
        (self.bytes + self.len()).saturating_sub(1) + self.format.frame_len()
    }

    /// The oldest event's record.
    pub(crate) fn front(&self) -> Option<Record> {
        self.records.front()
    }

    /// The number of the oldest events, at most `max`, with this timestamp or an earlier one.
    pub(crate) fn count_until(&self, timestamp: u64, max: usize) -> usize {
        self.records.count_until(timestamp, max)
    }

    /// Sees to it that so many events with so many payload bytes can be appended. Returns false, and
    /// changes nothing, if there is no memory for them.
    #[inline]
    pub(crate) fn reserve(&mut self, events: usize, bytes: usize) -> bool {
        let stored = bytes + events;
        self.payloads.room() >= stored && self.records.has_room(events)
            || self.grow_for(events, stored)
    }

    #[cold]
    fn grow_for(&mut self, events: usize, stored: usize) -> bool {
        // So large a body may have to be cut.
        let headroom = self.headroom.max(stored.saturating_add(memory::FOR_SMALL));
        let has_reserved = self.payloads.reserve(stored) && self.records.reserve(events);
        let is_roomy = has_reserved && memory::can_have(headroom.saturating_add(self.crossing));
        let has_grown = is_roomy || has_reserved && memory::can_have(headroom);
        memory::set_short(!is_roomy);
        if has_grown {
            self.headroom = headroom;
        } else {
            self.payloads.drop_spare();
            self.records.drop_spare();
        }
        has_grown
    }

    /// Appends a payload. Returns false, and changes nothing, if no slot is free.
    ///
    /// A payload must be shorter than 4 GiB, and there must be [memory](Self::reserve) for it.
    pub(crate) fn try_push(&mut self, payload: &[u8], timestamp: u64) -> bool {
        if self.len() >= self.usable() {
            return false;
        }
        self.append(payload);
        self.records.push(Record { len: payload.len() as u32, timestamp });
        self.bytes += payload.len();
        true
    }

    /// Appends payloads, with timestamps that follow one another; `bytes` is how many they have.
    /// There must be slots and [memory](Self::reserve) for them.
    pub(crate) fn push_together(&mut self, mut lines: Lines<'_>, first_timestamp: u64, bytes: u64) {
        self.bytes += bytes as usize;
        self.records.extend(lines.lens(), first_timestamp);
        while !lines.lens().is_empty() {
            self.append(lines.split_joined());
        }
    }

    /// Appends text and a separator.
    #[inline]
    fn append(&mut self, text: &[u8]) {
        self.payloads.append(text);
        self.payloads.append(&[self.format.separator()]);
    }

    /// Takes the oldest events, at most `max`, out of the first page, and hands them to `take` one
    /// by one; or the oldest alone, if it goes on beyond that page. Returns how many.
    pub(crate) fn pop_run(&mut self, max: usize, mut take: impl FnMut(Bytes, u64)) -> usize {
        let (count, stored) = self.records.count_within(max, self.payloads.first().len());
        if count == 0 && max > 0 {
            return usize::from(self.pop_spanning(take).is_some());
        }
        let run = self.payloads.take_run(stored);
        let mut start = 0;
        for record in self.records.take_into(Vec::new(), count).iter() {
            let end = start + record.len as usize;
            take(run.slice(start..end), record.timestamp);
            start = end + 1;
        }
        self.bytes -= stored - count;
        count
    }

    fn pop_spanning(&mut self, mut take: impl FnMut(Bytes, u64)) -> Option<()> {
        let record = self.records.pop()?;
        let len = record.len as usize;
        let mut payload = Vec::with_capacity(len + 1);
        self.payloads.take_into(&mut payload, len + 1);
        payload.pop();
        self.bytes -= len;
        take(payload.into(), record.timestamp);
        Some(())
    }

    /// Drops the oldest event and returns how many bytes its payload had.
    pub(crate) fn evict_oldest(&mut self) -> Option<usize> {
        let len = self.records.pop()?.len as usize;
        self.bytes -= len;
        self.payloads.skip(len + 1);
        Some(len)
    }

    /// Takes the oldest events out as one body: at most `max_len` of them, and at most `max_bytes`
    /// bytes with separators and brackets; fewer, if there is no memory for more. `None` if there is
    /// none, or if the oldest does not fit.
    pub(crate) fn take_body(
        &mut self,
        mut max_len: usize,
        max_bytes: usize,
    ) -> Option<(Bytes, Index)> {
        // With a separator after each payload, the last one's not being part of the body.
        let room = max_bytes.saturating_add(1).saturating_sub(self.format.frame_len());
        let (before, after) = self.format.brackets();
        let (count, stored, mut body, records) = loop {
            let (count, stored) = self.records.count_within(max_len, room);
            if count == 0 {
                return None;
            }
            let body = memory::with_capacity(before.len() + stored + after.len());
            if let (Some(body), Some(records)) = (body, Records::room_for(count)) {
                break (count, stored, body, records);
            }
            max_len = count / 2;
        };
        body.extend_from_slice(before);
        self.payloads.take_into(&mut body, stored);
        body.pop();
        body.extend_from_slice(after);

        let records = self.records.take_into(records, count);
        self.bytes -= stored - count;
        Some((Bytes::from_owner(body), records))
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
    use std::collections::VecDeque;

    fn ring(capacity: usize) -> RingBuffer {
        RingBuffer::new(capacity, Format::Ndjson, 32)
    }

    fn pop(ring: &mut RingBuffer) -> Option<String> {
        let (payload, _) = pop_event(ring)?;
        Some(String::from_utf8_lossy(&payload).into_owned())
    }

    fn pop_event(ring: &mut RingBuffer) -> Option<(Bytes, u64)> {
        let mut popped = None;
        ring.pop_run(1, |payload, timestamp| popped = Some((payload, timestamp)));
        popped
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
        let (first, _) = pop_event(&mut ring).expect("just pushed");
        for i in 0..100 {
            ring.try_push(b"other", i);
            pop_event(&mut ring);
        }
        assert_eq!(&first[..], b"first");
    }

    #[test]
    fn a_body_is_cut_at_both_maxima() {
        let mut ring = ring(16);
        for payload in ["11", "22", "33", "44", "55"] {
            ring.try_push(payload.as_bytes(), 0);
        }
        let (body, records) = ring.take_body(2, 1000).expect("two fit");
        assert_eq!((&body[..], records.len()), (&b"11\n22"[..], 2));
        let (body, records) = ring.take_body(100, 7).expect("two fit");
        assert_eq!((&body[..], records.len()), (&b"33\n44"[..], 2), "8 bytes would hold no more");
        assert!(ring.take_body(100, 1).is_none(), "what does not fit stays");
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn brackets_count_as_bytes_of_the_body() {
        let mut ring = RingBuffer::new(16, Format::Json, 32);
        for payload in ["11", "22", "33"] {
            ring.try_push(payload.as_bytes(), 0);
        }
        let (body, _) = ring.take_body(100, 9).expect("two fit");
        assert_eq!(&body[..], b"[11,22]");
        let (body, _) = ring.take_body(100, 4).expect("one fits");
        assert_eq!(&body[..], b"[33]");
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(Vec<u8>),
        /// With so many bytes before each.
        Together(Vec<Vec<u8>>, u32),
        Pop(usize),
        Evict,
        Body(usize, usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let payload = proptest::collection::vec(b'a'..=b'z', 0..40);
        let op = prop_oneof![
            5 => payload.clone().prop_map(Op::Push),
            1 => (proptest::collection::vec(payload, 0..8), 0u32..3)
                .prop_map(|(payloads, gap)| Op::Together(payloads, gap)),
            1 => (0usize..6).prop_map(Op::Pop),
            1 => Just(Op::Evict),
            1 => (0usize..12, 0usize..200).prop_map(|(len, bytes)| Op::Body(len, bytes)),
        ];
        proptest::collection::vec(op, 0..400)
    }

    shardbus_seeds::properties! {
        256;

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
                    Op::Together(mut payloads, gap) => {
                        payloads.truncate(15 - model.len());
                        let (mut text, mut lens) = (Vec::new(), Vec::new());
                        for payload in &payloads {
                            text.extend((0..gap).map(|_| b','));
                            text.extend(payload);
                            lens.push(payload.len() as u32);
                        }
                        let bytes = lens.iter().map(|&len| u64::from(len)).sum();
                        let (lines, _) = Lines::new(&text, &lens, gap).expect("long enough");
                        ring.push_together(lines, now, bytes);
                        model.extend(payloads.into_iter().zip(now..));
                    }
                    Op::Pop(max) => {
                        let mut popped = Vec::new();
                        let count = ring.pop_run(max, |payload, at| {
                            popped.push((payload.to_vec(), at));
                        });
                        prop_assert_eq!(count, popped.len());
                        prop_assert_eq!(count == 0, max == 0 || model.is_empty());
                        prop_assert!(model.drain(..count).eq(popped));
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
                        let taken = ring.take_body(max_len, max_bytes);
                        prop_assert_eq!(taken.is_some(), count > 0);
                        let (body, records) = taken.unwrap_or_default();
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
