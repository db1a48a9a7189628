//! One shard: a ring with its mode, its clock and its counters.

use crate::clock::{Clock, TimestampGenerator};
use crate::config::{BackpressureMode, Format};
use crate::error::IngestionError;
use crate::event::{Event, InternalEvent};
use crate::lines::Lines;
use crate::shard::ring_buffer::RingBuffer;
use crate::shard::{ByteBudget, Index, Reservation, ShardCounters, ShardMetricsCollector};
use crate::sync::Shared;
use bytes::Bytes;

/// Counters of one shard since it was made. None of them ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardStats {
    /// Events accepted.
    pub events_ingested: u64,
    /// Events lost here: refused because the shard was full, sampled out, or evicted.
    pub events_dropped: u64,
    /// Batches cut from this shard.
    pub batches_dispatched: u64,
    /// The part of `events_dropped` that was refused as full.
    pub events_full: u64,
    /// The part of `events_dropped` that was sampled out.
    pub events_sampled: u64,
    /// The part of `events_dropped` that was accepted, and evicted later to make room.
    pub events_evicted: u64,
}

impl ShardStats {
    /// The sums of two shards' counters.
    pub(crate) const fn plus(&self, other: &Self) -> Self {
        Self {
            events_ingested: self.events_ingested + other.events_ingested,
            events_dropped: self.events_dropped + other.events_dropped,
            batches_dispatched: self.batches_dispatched + other.batches_dispatched,
            events_full: self.events_full + other.events_full,
            events_sampled: self.events_sampled + other.events_sampled,
            events_evicted: self.events_evicted + other.events_evicted,
        }
    }
}

/// Why a shard does not take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Refused, and counted.
    Full,
    /// Sampled out, and counted.
    Sampled,
    /// The bus is out of bytes and this shard has nothing left to evict; another shard may have.
    /// Not counted yet.
    NeedsBytes,
}

/// A bounded queue of events, in the order in which they were accepted.
#[derive(Debug)]
pub struct Shard {
    /// Identifies the shard; never used again for another one.
    pub id: u16,
    ring: RingBuffer,
    mode: BackpressureMode,
    clock: Clock,
    timestamps: TimestampGenerator,
    budget: Shared<ByteBudget>,
    /// Arrivals in the last quarter since one was admitted; [`BackpressureMode::Sample`] only.
    arrivals_since_admitted: u32,
    counters: Shared<ShardCounters>,
    /// Told of every change, where somebody watches the load.
    collector: Option<Shared<ShardMetricsCollector>>,
    /// The latest version of the routing table that routed to this shard, or whose publisher looked
    /// in: events that were routed by an older one are refused.
    table_version: u64,
    /// The number of events that the shard had accepted by older tables.
    accepted_by_older_tables: u64,
}

/// Lengths are stored in 32 bits.
pub(crate) fn check_len(payload: &[u8]) -> Result<(), IngestionError> {
    let (len, max) = (payload.len(), u32::MAX as usize);
    if len > max { Err(IngestionError::Oversize { len, max }) } else { Ok(()) }
}

impl Shard {
    /// A shard with `capacity` slots, of which one stays free.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    #[must_use]
    pub fn new(id: u16, capacity: usize, mode: BackpressureMode) -> Self {
        let ring = RingBuffer::new(capacity, Format::default(), RingBuffer::DEFAULT_PAGE_SIZE);
        Self::with_parts(id, ring, mode, Clock::default(), Shared::new(ByteBudget::unlimited()))
    }

    /// [`new`](Self::new), with a collector that is told how full the shard is and how much
    /// arrives.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn with_metrics(
        id: u16,
        capacity: usize,
        mode: BackpressureMode,
        collector: Shared<ShardMetricsCollector>,
    ) -> Self {
        Self::new(id, capacity, mode).watched_by(collector)
    }

    pub(crate) fn watched_by(self, collector: Shared<ShardMetricsCollector>) -> Self {
        Self { collector: Some(collector), ..self }
    }

    pub(crate) fn with_parts(
        id: u16,
        ring: RingBuffer,
        mode: BackpressureMode,
        clock: Clock,
        budget: Shared<ByteBudget>,
    ) -> Self {
        Self {
            id,
            ring,
            mode,
            clock,
            timestamps: TimestampGenerator::default(),
            budget,
            arrivals_since_admitted: 0,
            counters: Shared::default(),
            collector: None,
            table_version: 0,
            accepted_by_older_tables: 0,
        }
    }

    /// Notes that a table of this version may route here. Returns false, with nothing changed, if
    /// the shard knows of a later one.
    #[inline]
    pub(super) fn see_table(&mut self, version: u64) -> bool {
        if version > self.table_version {
            self.table_version = version;
            self.accepted_by_older_tables = self.counters.ingested.get();
        }
        version == self.table_version
    }

    /// The number of events that the shard had accepted before it [saw](Self::see_table) the latest
    /// table.
    pub(super) const fn accepted_by_older_tables(&self) -> u64 {
        self.accepted_by_older_tables
    }

    /// The counters, readable without the shard's lock.
    pub(super) const fn counters(&self) -> &Shared<ShardCounters> {
        &self.counters
    }

    /// Accepts a JSON value in canonical form, or refuses it as the mode says. Returns its
    /// timestamp.
    ///
    /// # Errors
    ///
    /// As [`try_push_raw`](Self::try_push_raw).
    pub fn try_push(&mut self, event: impl Into<Event>) -> Result<u64, IngestionError> {
        self.try_push_raw(event.into().into_raw())
    }

    /// Copies an event's bytes, or refuses it as the mode says. Returns its timestamp.
    ///
    /// Bytes, text and a [`RawEvent`](crate::RawEvent) will do: the shard has been chosen, and no
    /// hash is needed.
    ///
    /// # Errors
    ///
    /// [`IngestionError::Backpressure`], [`Sampled`](IngestionError::Sampled), or
    /// [`Oversize`](IngestionError::Oversize) for 4 GiB and more.
    pub fn try_push_raw(&mut self, event: impl AsRef<[u8]>) -> Result<u64, IngestionError> {
        let payload = event.as_ref();
        check_len(payload)?;
        let is_measured = self.collector.is_some() && self.counters.measures_next_push();
        let start = is_measured.then(|| self.clock.now());
        let timestamp = self.push(payload).map_err(|refusal| match refusal {
            Refusal::Sampled => IngestionError::Sampled,
            Refusal::Full => IngestionError::Backpressure,
            Refusal::NeedsBytes => {
                self.count_full();
                IngestionError::Backpressure
            }
        })?;
        if let Some(start) = start {
            self.report_push_since(start);
        }
        Ok(timestamp)
    }

    /// Accepts a payload shorter than 4 GiB, or refuses it as the mode says.
    #[inline]
    pub(crate) fn push(&mut self, payload: &[u8]) -> Result<u64, Refusal> {
        let len = payload.len() as u64;
        let full = match self.mode {
            BackpressureMode::DropOldest if self.budget.could_fit(len) => {
                if self.is_full() {
                    self.evict_oldest();
                }
                while !self.budget.try_reserve(len) {
                    if !self.evict_oldest() {
                        return Err(Refusal::NeedsBytes);
                    }
                }
                false
            }
            BackpressureMode::Sample { rate } => {
                if self.is_full() || !self.admits(rate) || !self.budget.try_reserve(len) {
                    self.counters.sampled.add_alone(1);
                    return Err(Refusal::Sampled);
                }
                false
            }
            // `DropOldest` ends here when evicting every ring would not make enough room.
            BackpressureMode::DropOldest
            | BackpressureMode::DropNewest
            | BackpressureMode::FailProducer => self.is_full() || !self.budget.try_reserve(len),
        };
        if full {
            self.count_full();
            return Err(Refusal::Full);
        }
        if !self.ring.reserve(1, payload.len()) {
            self.budget.release(len);
            self.count_full();
            return Err(Refusal::Full);
        }
        Ok(self.take_in(payload))
    }

    /// Takes in a payload that there is room for. Returns its timestamp.
    #[inline]
    fn take_in(&mut self, payload: &[u8]) -> u64 {
        let timestamp = self.timestamps.next(self.clock.now());
        self.ring.try_push(payload, timestamp);
        self.counters.ingested.add_alone(1);
        self.report();
        timestamp
    }

    /// Accepts those of the first payloads that are sure to be accepted one by one. Returns how many
    /// they are.
    pub(crate) fn push_together(&mut self, lines: Lines<'_>) -> usize {
        let room = self.budget.max().saturating_sub(self.budget.held());
        let (mut count, mut bytes) = (0, 0);
        for &len in lines.lens().iter().take(self.certain_slots()) {
            let with_it = bytes + u64::from(len);
            if with_it > room {
                break;
            }
            (count, bytes) = (count + 1, with_it);
        }
        // Other threads may have taken what there was.
        if count == 0 || !self.budget.try_reserve(bytes) {
            return 0;
        }
        if !self.ring.reserve(count, bytes as usize) {
            self.budget.release(bytes);
            return 0;
        }
        let timestamp = self.timestamps.next_run(self.clock.now(), count as u64);
        self.ring.push_together(lines.first(count), timestamp, bytes);
        self.counters.ingested.add_alone(count as u64);
        self.report();
        count
    }

    /// Accepts a payload whose bytes are reserved. Returns false, with nothing changed, unless it is
    /// sure to be accepted.
    pub(super) fn push_reserved(&mut self, payload: &[u8]) -> bool {
        let is_sure = self.certain_slots() > 0 && self.ring.reserve(1, payload.len());
        if is_sure {
            self.take_in(payload);
        }
        is_sure
    }

    /// Shows everybody how much the shard holds, and tells the collector how things stand.
    #[inline]
    fn report(&self) {
        let len = self.len() as u64;
        self.counters.len.set(len);
        if let Some(collector) = &self.collector {
            collector.record_state(len, self.counters.ingested.get());
        }
    }

    /// Tells the collector of a push that began at `start`, by the shard's clock.
    pub(super) fn report_push_since(&self, start: u64) {
        if let Some(collector) = &self.collector {
            collector.record_push(self.clock.now().saturating_sub(start));
        }
    }

    /// Counts one event as refused because there was no room.
    pub(crate) fn count_full(&mut self) {
        self.counters.full.add_alone(1);
    }

    /// Counts events as accepted that go past the ring.
    pub(crate) fn count_past(&mut self, count: u64) {
        self.counters.ingested.add_alone(count);
    }

    /// The start of the last quarter: the length at which sampling begins.
    pub(crate) const fn high_water(&self) -> usize {
        self.ring.usable() - self.ring.usable() / 4
    }

    /// True if sampling admits this arrival: all before the last quarter, then every `rate`-th.
    fn admits(&mut self, rate: u32) -> bool {
        if self.len() < self.high_water() {
            return true;
        }
        self.arrivals_since_admitted += 1;
        let admitted = self.arrivals_since_admitted >= rate;
        if admitted {
            self.arrivals_since_admitted = 0;
        }
        admitted
    }

    /// Counts events as evicted that left it in a batch.
    pub(crate) fn count_evicted(&mut self, count: u64) {
        self.counters.evicted.add_alone(count);
    }

    /// Drops the oldest event, counted as evicted. Returns whether there was one.
    pub(crate) fn evict_oldest(&mut self) -> bool {
        let Some(len) = self.ring.evict_oldest() else { return false };
        self.budget.release(len as u64);
        self.counters.evicted.add_alone(1);
        self.report();
        true
    }

    /// Counts a batch that whoever pops the events has made of them; a
    /// [`BatchWorker`](crate::BatchWorker) counts its own.
    pub fn record_batch_dispatch(&mut self) {
        self.counters.batches.add_alone(1);
    }

    /// Takes the oldest event.
    pub fn try_pop(&mut self) -> Option<InternalEvent> {
        self.pop_batch(1).pop()
    }

    /// Takes up to `max` of the oldest events, in order.
    pub fn pop_batch(&mut self, max: usize) -> Vec<InternalEvent> {
        let mut events = Vec::new();
        self.pop_batch_into(&mut events, max);
        events
    }

    /// Appends up to `max` of the oldest events to `events`, in order. Returns how many.
    pub fn pop_batch_into(&mut self, events: &mut Vec<InternalEvent>, max: usize) -> usize {
        let (shard_id, before) = (self.id, self.ring.bytes());
        let count = max.min(self.len());
        events.reserve_exact(count);
        let mut rest = count;
        while rest > 0 {
            rest -= self.ring.pop_run(rest, |raw, insertion_ts| {
                events.push(InternalEvent { raw, insertion_ts, shard_id });
            });
        }
        self.budget.release((before - self.ring.bytes()) as u64);
        self.report();
        count
    }

    /// Takes the oldest events as one body; see [`RingBuffer::take_body`]. Their bytes stay held
    /// until the reservation is dropped.
    pub(crate) fn take_body(
        &mut self,
        max_len: usize,
        max_bytes: usize,
    ) -> Option<(Bytes, Index, Reservation)> {
        let before = self.ring.bytes();
        let (body, records) = self.ring.take_body(max_len, max_bytes)?;
        self.counters.batches.add_alone(1);
        self.report();
        let reservation = self.budget.move_to_batch((before - self.ring.bytes()) as u64);
        Some((body, records, reservation))
    }

    /// Number of events held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ring.len()
    }

    /// Payload bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// The format of bodies.
    pub(crate) const fn format(&self) -> Format {
        self.ring.format()
    }

    /// The length of a body of all held events.
    pub(crate) const fn body_len(&self) -> usize {
        self.ring.body_len()
    }

    /// True if no event is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if no slot is free; one slot is never used.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len() >= self.ring.usable()
    }

    /// Events held, as a share of the capacity: 0 when empty, just under 1 when full.
    #[must_use]
    pub fn fill_ratio(&self) -> f64 {
        self.len() as f64 / self.capacity() as f64
    }

    /// Number of slots, the free one included.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Slots that can be filled with certainty: until the shard is full or, in
    /// [`BackpressureMode::Sample`], until sampling starts.
    pub(crate) const fn certain_slots(&self) -> usize {
        let limit = match self.mode {
            BackpressureMode::Sample { .. } => self.high_water(),
            _ => self.ring.usable(),
        };
        limit.saturating_sub(self.len())
    }

    /// The number of events accepted before the oldest one held; without one, the number of all
    /// accepted events. An event's index is this value at the time when the event was the oldest.
    pub(crate) fn head_index(&self) -> u64 {
        self.counters.ingested.get() - self.len() as u64
    }

    /// The age of the oldest event in nanoseconds, by the wall clock; 0 without one.
    pub(crate) fn oldest_age(&self) -> u64 {
        self.ring.front().map_or(0, |oldest| self.clock.now().saturating_sub(oldest.timestamp))
    }

    /// The number of the oldest events, at most `max`, accepted at `time` or before, by the wall
    /// clock.
    pub(crate) fn count_until(&self, time: u64, max: usize) -> usize {
        self.ring.count_until(time, max)
    }

    /// The time at which the oldest event was accepted, by the wall clock.
    pub(crate) fn oldest_timestamp(&self) -> Option<u64> {
        self.ring.front().map(|oldest| oldest.timestamp)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        self.counters.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RawEvent;

    fn shard(mode: BackpressureMode) -> Shard {
        Shard::new(3, 4, mode)
    }

    fn with_budget(mode: BackpressureMode, max: u64) -> (Shard, Shared<ByteBudget>) {
        let budget = Shared::new(ByteBudget::new(max));
        let ring = RingBuffer::new(16, Format::Ndjson, 64);
        let shard = Shard::with_parts(0, ring, mode, Clock::manual(0), Shared::clone(&budget));
        (shard, budget)
    }

    fn texts(events: &[InternalEvent]) -> Vec<&str> {
        events.iter().map(|e| std::str::from_utf8(&e.raw).expect("test events are text")).collect()
    }

    fn push_all(shard: &mut Shard, payloads: &[&str]) -> Vec<bool> {
        payloads.iter().map(|text| shard.try_push_raw(RawEvent::from_str(text)).is_ok()).collect()
    }

    #[test]
    fn drop_newest_refuses_and_keeps_the_buffer() {
        for mode in [BackpressureMode::DropNewest, BackpressureMode::FailProducer] {
            let mut shard = shard(mode);
            assert_eq!(push_all(&mut shard, &["1", "2", "3", "4"]), [true, true, true, false]);
            assert!(matches!(
                shard.try_push_raw(RawEvent::from_str("5")),
                Err(IngestionError::Backpressure)
            ));
            assert_eq!(texts(&shard.pop_batch(9)), ["1", "2", "3"]);
            let stats = shard.stats();
            assert_eq!((stats.events_ingested, stats.events_full, stats.events_dropped), (3, 2, 2));
        }
    }

    #[test]
    fn drop_oldest_accepts_and_counts_each_eviction_once() {
        let mut shard = shard(BackpressureMode::DropOldest);
        assert!(push_all(&mut shard, &["1", "2", "3", "4", "5"]).iter().all(|&accepted| accepted));
        assert_eq!(texts(&shard.pop_batch(9)), ["3", "4", "5"]);
        let stats = shard.stats();
        assert_eq!((stats.events_ingested, stats.events_evicted, stats.events_dropped), (5, 2, 2));
    }

    #[test]
    fn sample_fills_a_tiny_shard_and_samples_from_then_on() {
        let mut shard = shard(BackpressureMode::Sample { rate: 10 });
        assert_eq!(push_all(&mut shard, &["1", "2", "3"]), [true; 3]);
        for _ in 0..50 {
            assert!(matches!(
                shard.try_push_raw(RawEvent::from_str("x")),
                Err(IngestionError::Sampled)
            ));
        }
        assert_eq!(shard.stats().events_sampled, 50);
    }

    #[test]
    fn sample_admits_one_arrival_in_rate_in_the_last_quarter_and_none_when_full() {
        // 31 usable slots; the last quarter begins at 31 - 7 = 24.
        let mut shard = Shard::new(0, 32, BackpressureMode::Sample { rate: 4 });
        let accepted = push_all(&mut shard, &["x"; 24 + 4 * 7 + 8]);
        assert!(accepted[..24].iter().all(|&a| a), "all before the last quarter");
        for (i, &admitted) in accepted[24..24 + 4 * 7].iter().enumerate() {
            assert_eq!(admitted, i % 4 == 3, "arrival {i} of the last quarter");
        }
        assert!(shard.is_full());
        assert!(accepted[24 + 4 * 7..].iter().all(|&a| !a), "none when full");
    }

    #[test]
    fn out_of_bytes_is_out_of_room() {
        for mode in [BackpressureMode::DropNewest, BackpressureMode::FailProducer] {
            let (mut shard, budget) = with_budget(mode, 10);
            assert_eq!(shard.push(b"123456"), Ok(1));
            assert_eq!(shard.push(b"12345"), Err(Refusal::Full));
            assert_eq!(shard.push(b"1234"), Ok(2));
            assert_eq!((budget.held(), shard.stats().events_full), (10, 1));
        }
        let (mut shard, _) = with_budget(BackpressureMode::Sample { rate: 2 }, 10);
        assert_eq!(shard.push(b"123456"), Ok(1));
        assert_eq!(shard.push(b"12345"), Err(Refusal::Sampled));
    }

    #[test]
    fn drop_oldest_evicts_until_the_bytes_fit() {
        let (mut shard, budget) = with_budget(BackpressureMode::DropOldest, 10);
        for payload in ["aaa", "bbb", "ccc"] {
            shard.push(payload.as_bytes()).expect("there is room");
        }
        shard.push(b"dddddd").expect("two evictions make room");
        assert_eq!(texts(&shard.pop_batch(9)), ["ccc", "dddddd"]);
        assert_eq!((budget.held(), shard.stats().events_evicted), (0, 2));
    }

    #[test]
    fn drop_oldest_evicts_nothing_when_that_could_not_help() {
        let (mut shard, _budget) = with_budget(BackpressureMode::DropOldest, 10);
        shard.push(b"inflight").expect("there is room");
        let in_flight = shard.take_body(9, 99).expect("one event waits");
        shard.push(b"w").expect("there is room");
        assert_eq!(shard.push(b"123"), Err(Refusal::Full));
        assert_eq!((shard.len(), shard.stats().events_evicted), (1, 0));
        drop(in_flight);
        assert!(shard.push(b"123").is_ok());
    }

    #[test]
    fn drop_oldest_with_nothing_of_its_own_left_asks_for_other_shards_bytes() {
        let (mut shard, budget) = with_budget(BackpressureMode::DropOldest, 10);
        assert!(budget.try_reserve(9), "as if another shard held 9 bytes");
        assert_eq!(shard.push(b"12"), Err(Refusal::NeedsBytes));
        budget.release(9);
        assert_eq!(shard.push(b"12"), Ok(1));
    }

    #[test]
    fn timestamps_rise_within_a_shard_while_the_clock_stands_still() {
        let clock = Clock::manual(50);
        let ring = RingBuffer::new(16, Format::Ndjson, 64);
        let budget = Shared::new(ByteBudget::unlimited());
        let mut shard =
            Shard::with_parts(0, ring, BackpressureMode::DropNewest, clock.clone(), budget);
        let mut stamps = Vec::new();
        for now in [50, 50, 20, 90] {
            clock.set(now);
            stamps.push(shard.push(b"x").expect("there is room"));
        }
        assert_eq!(stamps, [50, 51, 52, 90]);
        assert!(shard.pop_batch(9).iter().map(|e| e.insertion_ts).eq(stamps));
    }

    #[test]
    fn popping_appends_and_says_how_many() {
        let mut shard = shard(BackpressureMode::DropNewest);
        push_all(&mut shard, &["1", "2", "3"]);
        let mut events = shard.pop_batch(1);
        assert_eq!(shard.pop_batch_into(&mut events, 5), 2);
        assert_eq!(texts(&events), ["1", "2", "3"]);
        assert_eq!(events[0].shard_id, 3);
        assert!(shard.try_pop().is_none());
    }

    #[test]
    fn values_are_stored_in_canonical_form() {
        let mut shard = shard(BackpressureMode::DropNewest);
        shard.try_push(serde_json::json!({"b": 1.0, "a": [true]})).expect("there is room");
        assert_eq!(texts(&shard.pop_batch(1)), [r#"{"a":[true],"b":1.0}"#]);
    }

    #[test]
    fn fill_ratio_counts_the_free_slot() {
        let mut shard = shard(BackpressureMode::DropNewest);
        assert_eq!(shard.fill_ratio(), 0.0);
        push_all(&mut shard, &["1", "2", "3"]);
        assert!(shard.is_full());
        assert_eq!(shard.fill_ratio(), 0.75);
    }
}
