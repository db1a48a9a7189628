//! The shards and the routing between them. How the set of shards changes is in `topology`.

use crate::clock::Clock;
use crate::config::{BackpressureMode, BusConfig, Format};
use crate::error::{IngestionError, ScalingError};
use crate::event::{Event, RawEvent, seeded_hash};
use crate::lines::Lines;
use crate::memory;
use crate::scaling_policy::ScalingPolicy;
use crate::shard::ring_buffer::RingBuffer;
use crate::shard::routing::{Routes, RoutingTable};
use crate::shard::shard::{Refusal, check_len};
use crate::shard::{ByteBudget, Shard, ShardMapper, ShardRef};
use crate::sync::{Counter, Lock, Shared, Snapshot};
use serde_json::Value;
use std::ops::Deref;

/// Sums over all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ManagerStats {
    /// Events accepted.
    pub events_ingested: u64,
    /// Events refused as full, sampled out, or evicted.
    pub events_dropped: u64,
    /// Batches cut.
    pub batches_dispatched: u64,
    /// The part of `events_dropped` that was refused as full.
    pub events_full: u64,
    /// The part of `events_dropped` that was sampled out.
    pub events_sampled: u64,
    /// The part of `events_dropped` that was evicted.
    pub events_evicted: u64,
    /// Events that no shard takes.
    pub events_unrouted: u64,
}

/// The guaranteed capacity, whatever the hashes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Events.
    pub(crate) events: usize,
    /// Payload bytes.
    pub(crate) bytes: u64,
}

/// Routes events over shards by hash, and holds them.
///
/// # Examples
///
/// ```
/// use shardbus::{BackpressureMode, RawEvent, ShardManager};
///
/// let manager = ShardManager::new(4, 1024, BackpressureMode::DropOldest);
/// let event = RawEvent::from_str(r#"{"key":"value"}"#);
/// let (shard, _timestamp) = manager.ingest_raw(event)?;
/// assert_eq!(shard, 1);
/// let popped = manager.with_shard(shard, |shard| shard.pop_batch(10)).unwrap();
/// assert_eq!(popped[0].as_bytes(), br#"{"key":"value"}"#);
/// # Ok::<(), shardbus::IngestionError>(())
/// ```
#[derive(Debug)]
pub struct ShardManager {
    pub(super) table: Routes,
    pub(super) rings: RingSpec,
    mode: BackpressureMode,
    pub(super) clock: Clock,
    pub(super) budget: Shared<ByteBudget>,
    /// Keeps the states of the shards, where their set may change.
    pub(super) mapper: Option<Shared<ShardMapper>>,
    /// Held by whoever publishes a routing table, which must be made of the last one. Nobody waits
    /// for a shard meanwhile.
    pub(super) changes: Lock<()>,
    unrouted: Counter,
    /// Events refused as full before they came to a shard: it was held by the very caller that
    /// offered them, or the host had no memory to hand them over.
    full_outside: Counter,
    /// Of the hash of keys and payloads.
    routing_seed: u64,
}

/// The common part of a manager's rings.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingSpec {
    pub(super) capacity: usize,
    format: Format,
    page_size: usize,
    /// A body that there must always be memory for.
    body_len: usize,
    /// Most bytes that a host may still bring in after it was told of room.
    crossing: usize,
}

impl RingSpec {
    /// Events, and bytes of them, that a host brings in at most after it was told that there is room.
    const TOGETHER: usize = 256;
    const TOGETHER_BYTES: usize = 128 << 10;

    /// A body for which every bus leaves room in memory, however full it is itself.
    const COMMON_BODY_LEN: usize = 256 << 10;

    fn with_capacity(capacity: usize) -> Self {
        let format = Format::default();
        Self {
            capacity,
            format,
            page_size: RingBuffer::DEFAULT_PAGE_SIZE,
            body_len: 0,
            crossing: 0,
        }
    }

    fn for_bus(config: &BusConfig) -> Self {
        // Small enough that open pages stay a small part of the bus's bytes.
        let per_shard = config.max_bytes as usize / usize::from(config.shards);
        let page_size = (per_shard / 8).clamp(4 << 10, RingBuffer::DEFAULT_PAGE_SIZE);
        let (capacity, format) = (config.slots(), config.format);
        let body_len = config.max_event_bytes.min(Self::COMMON_BODY_LEN);
        // All events that come together may begin another page.
        let pages = usize::from(config.shards).min(Self::TOGETHER) * page_size;
        Self { capacity, format, page_size, body_len, crossing: Self::TOGETHER_BYTES + pages }
    }
}

impl ShardManager {
    /// `num_shards` shards with `capacity` slots each, on the system's clock (on wasm, which has
    /// none, on one that stands at zero), without a bound on bytes.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    #[must_use]
    pub fn new(num_shards: u16, capacity: usize, mode: BackpressureMode) -> Self {
        Self::with_clock(num_shards, capacity, mode, Clock::default())
    }

    /// [`new`](Self::new) on a clock of the caller's.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    #[must_use]
    pub fn with_clock(
        num_shards: u16,
        capacity: usize,
        mode: BackpressureMode,
        clock: Clock,
    ) -> Self {
        let rings = RingSpec::with_capacity(capacity);
        Self::with_parts(num_shards, rings, mode, clock, ByteBudget::unlimited(), None)
    }

    /// [`new`](Self::new) with a set of shards that can change.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the policy breaks a rule.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    pub fn with_mapper(
        num_shards: u16,
        capacity: usize,
        mode: BackpressureMode,
        policy: ScalingPolicy,
    ) -> Result<Self, ScalingError> {
        Self::with_mapper_and_clock(num_shards, capacity, mode, policy, Clock::default())
    }

    /// [`with_mapper`](Self::with_mapper) on a clock of the caller's.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the policy breaks a rule.
    ///
    /// # Panics
    ///
    /// If `capacity` is not a power of two, or is less than 2.
    pub fn with_mapper_and_clock(
        num_shards: u16,
        capacity: usize,
        mode: BackpressureMode,
        policy: ScalingPolicy,
        clock: Clock,
    ) -> Result<Self, ScalingError> {
        let rings = RingSpec::with_capacity(capacity);
        let mapper = ShardMapper::with_clock(num_shards, capacity, policy, clock.clone())?;
        let budget = ByteBudget::unlimited();
        Ok(Self::with_parts(num_shards, rings, mode, clock, budget, Some(mapper)))
    }

    /// The shards of a bus, whose configuration is valid.
    pub(crate) fn for_bus(config: &BusConfig, clock: Clock) -> Self {
        let BusConfig { shards, backpressure, max_bytes, .. } = *config;
        let mapper = config
            .scaling
            .map(|policy| ShardMapper::of_valid(shards, config.slots(), policy, clock.clone()));
        let (rings, budget) = (RingSpec::for_bus(config), ByteBudget::new(max_bytes));
        let manager = Self::with_parts(shards, rings, backpressure, clock, budget, mapper);
        Self { routing_seed: config.routing_seed, ..manager }
    }

    fn with_parts(
        num_shards: u16,
        rings: RingSpec,
        mode: BackpressureMode,
        clock: Clock,
        budget: ByteBudget,
        mapper: Option<ShardMapper>,
    ) -> Self {
        let mut manager = Self {
            table: Routes::Fixed(RoutingTable::of(Vec::new())),
            rings,
            mode,
            clock,
            budget: Shared::new(budget),
            mapper: mapper.map(Shared::new),
            changes: Lock::default(),
            unrouted: Counter::default(),
            full_outside: Counter::default(),
            routing_seed: 0,
        };
        let table = RoutingTable::of((0..num_shards).map(|id| manager.new_shard(id)).collect());
        manager.table = match manager.mapper {
            Some(_) => Routes::Changing(Snapshot::new(table)),
            None => Routes::Fixed(table),
        };
        manager
    }

    /// [`current_table`](Self::current_table) away from the path of events, where size matters more
    /// than speed.
    #[inline(never)]
    pub(super) fn table(&self) -> impl Deref<Target = RoutingTable> {
        self.current_table()
    }

    /// The table of the moment, which routes as the mapper says.
    #[inline]
    fn current_table(&self) -> impl Deref<Target = RoutingTable> {
        let table = self.table.load();
        match &self.mapper {
            Some(mapper) if mapper.version() != table.mapper_version => {
                drop(table);
                self.follow(mapper);
                self.table.load()
            }
            _ => table,
        }
    }

    /// A shard that reports to the mapper, if there is one.
    pub(crate) fn new_shard(&self, id: u16) -> ShardRef {
        let RingSpec { capacity, format, page_size, body_len, crossing } = self.rings;
        let ring = RingBuffer::new(capacity, format, page_size);
        let ring = ring.leaving_room_for(body_len, crossing);
        let budget = Shared::clone(&self.budget);
        let shard = Shard::with_parts(id, ring, self.mode, self.clock.clone(), budget);
        let collector = self.mapper.as_ref().and_then(|mapper| mapper.metrics_collector(id));
        ShardRef::new(match collector {
            Some(collector) => shard.watched_by(collector),
            None => shard,
        })
    }

    /// Accepts a JSON value in canonical form, or refuses it. Returns its shard and its timestamp.
    ///
    /// # Errors
    ///
    /// As [`ingest_raw`](Self::ingest_raw).
    pub fn ingest(&self, event: impl Into<Event>) -> Result<(u16, u64), IngestionError> {
        self.ingest_raw(event.into().into_raw())
    }

    /// Accepts an event, or refuses it as the mode says. Returns its shard and its timestamp.
    ///
    /// # Errors
    ///
    /// [`IngestionError::Backpressure`], [`Sampled`](IngestionError::Sampled) or
    /// [`Unrouted`](IngestionError::Unrouted).
    #[expect(clippy::needless_pass_by_value, reason = "an event is handed over")]
    pub fn ingest_raw(&self, event: RawEvent) -> Result<(u16, u64), IngestionError> {
        self.push(event.as_bytes(), event.hash(), event.is_keyed())
    }

    /// Accepts a payload that is routed by `key`, or by its own bytes.
    #[inline]
    pub(crate) fn ingest_bytes(
        &self,
        payload: &[u8],
        key: Option<&[u8]>,
    ) -> Result<(u16, u64), IngestionError> {
        // A shard that stays alone takes every hash.
        let hash = if self.table.only().is_some() { 0 } else { self.hash(key.unwrap_or(payload)) };
        self.push(payload, hash, key.is_some())
    }

    /// Takes those of the first payloads, each routed by its key or by its own bytes, that are sure to
    /// be accepted one by one: none where the set of shards can change. Returns how many they are.
    pub(crate) fn ingest_together(&self, lines: Lines<'_>, keys: Option<Lines<'_>>) -> usize {
        if let Some(only) = self.table.only() {
            return only.enter().map_or(0, |mut shard| shard.push_together(lines));
        }
        let Routes::Fixed(table) = &self.table else { return 0 };
        let mut left = lines.lens().iter().map(|&len| u64::from(len)).sum();
        if !self.budget.try_reserve(left) {
            return 0;
        }
        let mut count = 0;
        for (payload, hashed) in lines.zip(keys.unwrap_or(lines)) {
            let target = table.route(self.hash(hashed), keys.is_some());
            let shard = target.and_then(ShardRef::enter);
            if !shard.is_some_and(|mut shard| shard.push_reserved(payload)) {
                break;
            }
            left -= payload.len() as u64;
            count += 1;
        }
        self.budget.release(left);
        count
    }

    #[inline]
    fn push(
        &self,
        payload: &[u8],
        hash: u64,
        is_keyed: bool,
    ) -> Result<(u16, u64), IngestionError> {
        check_len(payload)?;
        loop {
            let table = self.current_table();
            let Some(target) = table.route(hash, is_keyed) else {
                self.unrouted.add(1);
                return Err(IngestionError::Unrouted);
            };
            if let Some(result) = self.push_into(target, payload, table.version) {
                return Ok((target.id(), result?));
            }
            // The set of shards changed since the table was loaded: route anew.
        }
    }

    /// `None`, with nothing changed, if the shard knows of a later table.
    #[inline]
    fn push_into(
        &self,
        target: &ShardRef,
        payload: &[u8],
        table_version: u64,
    ) -> Option<Result<u64, IngestionError>> {
        // Before the shard is locked: to wait for it is a part of the push.
        let is_measured = self.mapper.is_some() && target.counters().measures_next_push();
        let start = is_measured.then(|| self.clock.now());
        while let Some(mut shard) = target.enter() {
            if !shard.see_table(table_version) {
                return None;
            }
            match shard.push(payload) {
                Ok(timestamp) => {
                    if let Some(start) = start {
                        shard.report_push_since(start);
                    }
                    return Some(Ok(timestamp));
                }
                Err(Refusal::Full) => return Some(Err(IngestionError::Backpressure)),
                Err(Refusal::Sampled) => return Some(Err(IngestionError::Sampled)),
                Err(Refusal::NeedsBytes) => {
                    // One shard at a time is locked: two threads that evict from each other's
                    // shards must not wait for each other.
                    drop(shard);
                    if !self.evict_from_fullest() {
                        let Some(mut shard) = target.enter() else { break };
                        shard.count_full();
                        return Some(Err(IngestionError::Backpressure));
                    }
                }
            }
        }
        self.count_full();
        Some(Err(IngestionError::Backpressure))
    }

    /// Counts one event as refused because there was no room, although no shard was asked.
    pub(crate) fn count_full(&self) {
        self.full_outside.add(1);
    }

    /// Evicts the oldest event of the shard that holds most bytes. Returns whether there was one.
    fn evict_from_fullest(&self) -> bool {
        let table = self.table.load();
        let (mut most, mut fullest) = (0, None);
        for shard in &table.shards {
            let bytes = shard.enter().map_or(0, |shard| shard.bytes());
            if bytes >= most {
                (most, fullest) = (bytes, Some(shard));
            }
        }
        fullest.and_then(ShardRef::enter).is_some_and(|mut shard| shard.evict_oldest())
    }

    /// Accepts events in order, each as [`ingest_raw`](Self::ingest_raw) would. Within a shard
    /// their order holds. Returns `(accepted, unrouted)`; the others were refused.
    pub fn ingest_raw_batch(&self, events: Vec<RawEvent>) -> (usize, usize) {
        let (mut accepted, mut unrouted) = (0, 0);
        for event in events {
            match self.ingest_raw(event) {
                Ok(_) => accepted += 1,
                Err(IngestionError::Unrouted) => unrouted += 1,
                Err(_) => {}
            }
        }
        (accepted, unrouted)
    }

    /// The hash that a key, or a payload without one, is routed by.
    pub(crate) fn hash(&self, key_or_payload: &[u8]) -> u64 {
        seeded_hash(key_or_payload, self.routing_seed)
    }

    /// The id of the shard that takes keyed events with this hash: that at index
    /// `floor(hash * n / 2^64)` of the `n` that take events. `u16::MAX`, which is never a shard's
    /// id, if there is none. Events without a key go there too unless the shard is overfull.
    #[must_use]
    pub fn select_shard_by_hash(&self, hash: u64) -> u16 {
        self.table().route(hash, true).map_or(u16::MAX, ShardRef::id)
    }

    /// The id of the shard that takes this value in canonical form.
    #[must_use]
    #[deprecated(note = "hash once with `RawEvent::from_value`, then `select_shard_by_hash`")]
    pub fn select_shard(&self, value: &Value) -> u16 {
        self.select_shard_by_hash(RawEvent::from(value).hash())
    }

    /// A handle to the shard with this id.
    #[must_use]
    pub fn shard(&self, id: u16) -> Option<ShardRef> {
        self.table().find(id).cloned()
    }

    /// Runs `f` with exclusive access to the shard with this id; `None` if there is no such shard.
    ///
    /// # Panics
    ///
    /// As [`ShardRef::lock`].
    pub fn with_shard<R>(&self, id: u16, f: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        // The table is let go of first: `f` may take long.
        self.shard(id).map(|shard| f(&mut shard.lock()))
    }

    /// The ids of all shards, in no particular order.
    #[must_use]
    pub fn shard_ids(&self) -> Vec<u16> {
        self.table().shards.iter().map(ShardRef::id).collect()
    }

    /// The number of shards that take events, or did until they began to drain.
    #[must_use]
    pub fn num_shards(&self) -> u16 {
        self.table().num_activated
    }

    /// The states of the shards, where their set may change. A change there, by whichever handle,
    /// is followed before the next event is routed.
    #[must_use]
    pub const fn mapper(&self) -> Option<&Shared<ShardMapper>> {
        self.mapper.as_ref()
    }

    /// The policy for an event that finds no room.
    #[must_use]
    pub const fn backpressure_mode(&self) -> BackpressureMode {
        self.mode
    }

    /// Sums of all counters, read without waiting for a shard. None of them ever goes down.
    #[must_use]
    pub fn stats(&self) -> ManagerStats {
        let outside = self.full_outside.get();
        let mut sum = ManagerStats {
            events_unrouted: self.unrouted.get(),
            events_full: outside,
            events_dropped: outside,
            ..ManagerStats::default()
        };
        let table = self.table.load();
        let mut all = table.removed;
        for shard in &table.shards {
            all = all.plus(&shard.counters().stats());
        }
        sum.events_ingested += all.events_ingested;
        sum.events_dropped += all.events_dropped;
        sum.batches_dispatched += all.batches_dispatched;
        sum.events_full += all.events_full;
        sum.events_sampled += all.events_sampled;
        sum.events_evicted += all.events_evicted;
        sum
    }

    /// True if no shard holds an event.
    #[must_use]
    pub fn all_shards_empty(&self) -> bool {
        self.table().shards.iter().all(|shard| shard.counters().len.get() == 0)
    }

    /// The number of events in all shards, counted without waiting for a shard.
    #[must_use]
    pub fn total_pending_in_rings(&self) -> u64 {
        self.table().shards.iter().map(|shard| shard.counters().len.get()).sum()
    }

    /// The number of events in the shards that are not locked now, and the number of shards. Never
    /// waits.
    #[must_use]
    pub fn try_total_pending_in_rings(&self) -> (u64, usize) {
        self.table().shards.iter().fold((0, 0), |(sum, skipped), shard| match shard.try_lock() {
            Some(shard) => (sum + shard.len() as u64, skipped),
            None => (sum, skipped + 1),
        })
    }

    /// The bound on bytes, and how many are held.
    pub(crate) fn budget(&self) -> &Shared<ByteBudget> {
        &self.budget
    }

    /// The guaranteed capacity, whatever the hashes are.
    pub(crate) fn room(&self) -> Room {
        let table = self.table();
        let mut events = usize::MAX;
        for shard in &table.keyed {
            events = events.min(shard.enter().map_or(0, |shard| shard.certain_slots()));
        }
        let has_none = table.keyed.is_empty() || memory::is_short();
        Room {
            events: if has_none { 0 } else { events },
            bytes: self.budget.max().saturating_sub(self.budget.held()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(shards: u16, max_bytes: u64) -> ShardManager {
        let config = BusConfig { shards, capacity: 16, max_bytes, ..BusConfig::default() };
        ShardManager::for_bus(&config, Clock::manual(0))
    }

    /// A payload of `len` bytes that goes to shard `shard` of `manager`.
    fn payload_for(manager: &ShardManager, shard: u16, len: usize) -> Vec<u8> {
        (0u32..)
            .map(|i| format!("{i:0>len$}").into_bytes())
            .find(|payload| manager.select_shard_by_hash(manager.hash(payload)) == shard)
            .expect("some payload goes to each shard")
    }

    #[test]
    fn drop_oldest_takes_bytes_from_the_shard_that_holds_most() {
        let manager = bounded(3, 100);
        for (shard, len) in [(0, 20), (1, 30), (1, 30), (0, 20)] {
            let payload = payload_for(&manager, shard, len);
            manager.ingest_bytes(&payload, None).expect("there is room");
        }
        let payload = payload_for(&manager, 2, 25);
        assert_eq!(manager.ingest_bytes(&payload, None).expect("evicts").0, 2);
        let lens: Vec<_> = (0..3).map(|id| manager.with_shard(id, |s| s.len())).collect();
        assert_eq!(lens, [Some(2), Some(1), Some(1)]);
        assert_eq!(manager.stats().events_evicted, 1);
        assert_eq!(manager.budget().held(), 95);
    }

    #[test]
    fn one_shard_needs_no_hash_and_a_key_decides_otherwise() {
        let manager = bounded(4, 1000);
        let by_key = manager.ingest_bytes(b"{\"i\":1}", Some(b"{\"test\":1}")).expect("room").0;
        assert_eq!(by_key, 3);
        assert_eq!(manager.ingest_bytes(b"{\"i\":1}", None).expect("room").0, 1);
    }

    #[test]
    fn room_is_what_the_fullest_shard_has_left() {
        let manager = bounded(2, 1000);
        assert_eq!(manager.room(), Room { events: 15, bytes: 1000 });
        let payload = payload_for(&manager, 1, 10);
        for _ in 0..4 {
            manager.ingest_bytes(&payload, None).expect("there is room");
        }
        assert_eq!(manager.room(), Room { events: 11, bytes: 960 });
    }

    #[test]
    fn no_shard_means_unrouted() {
        let manager = ShardManager::new(0, 16, BackpressureMode::DropNewest);
        assert_eq!(manager.select_shard_by_hash(7), u16::MAX);
        let event = RawEvent::from_str("{}");
        assert!(matches!(manager.ingest_raw(event.clone()), Err(IngestionError::Unrouted)));
        assert_eq!(manager.ingest_raw_batch(vec![event.clone(), event]), (0, 2));
        assert_eq!(manager.stats().events_unrouted, 3);
    }

    #[test]
    fn held_shards_are_skipped_and_counted() {
        let manager = ShardManager::new(2, 16, BackpressureMode::DropNewest);
        for i in 0..10 {
            manager.ingest(serde_json::json!({ "i": i })).expect("there is room");
        }
        let shard = manager.shard(0).expect("shard 0 exists");
        let guard = shard.lock();
        let free = manager.shard(1).expect("shard 1 exists").lock().len() as u64;
        assert_eq!(manager.try_total_pending_in_rings(), (free, 1));
        assert_eq!(free + guard.len() as u64, 10);
    }
}
