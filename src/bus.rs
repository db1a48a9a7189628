//! The bus: shards and delivery put together.

use crate::batch::{Batch, BatchHead};
use crate::clock::{Clock, nanos};
use crate::config::{BusConfig, Format, Scheduler};
use crate::delivery::{
    Abandoned, Action, Delivery, DeliveryStats, ExitOrder, Failure, FlushReport, FlushState, Lane,
    Lease, Outcome, Permit,
};
use crate::error::{ConfigError, IngestionError, RestoreError, Rule, ScalingError};
use crate::event::{Event, RawEvent};
use crate::lines::Lines;
use crate::memory;
use crate::shard::{
    Change, ManagerStats, ScalingDecision, ShardManager, ShardMapper, ShardMetricsCollector,
    ShardState, Watermarks,
};
use crate::stats::{AbandonedEvents, BatchStats, BusStats, ByteStats, Rejected, ShardInfo};
use crate::sync::{Counter, Flag, Lock, Shared};
use std::ops::{Deref, Range};

/// A bounded event buffer that decides which batch to send next, and when.
///
/// It does no IO and reads no clock but the one it is given: [`poll`](Self::poll) returns the next
/// action, and the host carries it out.
///
/// # Examples
///
/// ```
/// use shardbus::{Action, BatchConfig, BusConfig, Clock, EventBus};
///
/// let batch = BatchConfig { min_size: 2, max_size: 2, ..BatchConfig::default() };
/// let bus = EventBus::new(BusConfig { batch, ..BusConfig::default() }, Clock::manual(0))?;
/// bus.ingest(br#"{"type":"click"}"#, None)?;
/// bus.ingest(br#"{"type":"scroll"}"#, None)?;
/// let Action::Send(lease) = bus.poll(0) else { panic!("two events are a batch") };
/// assert_eq!(&lease.batch.body()[..], b"{\"type\":\"click\"}\n{\"type\":\"scroll\"}");
/// assert!(bus.acknowledge(lease.id, 0));
/// assert_eq!(bus.stats().delivered, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventBus {
    config: BusConfig,
    clock: Clock,
    manager: ShardManager,
    delivery: Lock<Delivery>,
    offered: Counter,
    oversize: Counter,
    invalid: Counter,
    refused_closed: Counter,
    closed: Flag,
    /// An event had a key: then a change of shards must not let it be overtaken.
    keyed: Flag,
    /// The time of the last collection of metrics.
    scaled_at: Counter,
    /// Somebody waits for room.
    room_awaited: Flag,
    /// Events restored from earlier runs.
    restored: Counter,
}

impl EventBus {
    /// A bus on `clock`, which stamps events.
    ///
    /// # Errors
    ///
    /// The first rule that `config` breaks; on wasm also that there is no memory for its shards.
    pub fn new(config: impl Into<BusConfig>, clock: Clock) -> Result<Self, ConfigError> {
        let config = config.into();
        config.validate()?;
        let no_memory = ConfigError { rule: Rule::ShardsMemory, value: config.shards.into() };
        Self::of_valid(config, clock).ok_or(no_memory)
    }

    /// [`new`](Self::new) for the npm package, which has checked every rule itself; `None` if there is
    /// no memory for the shards.
    #[doc(hidden)]
    #[must_use]
    pub fn of_valid(config: BusConfig, clock: Clock) -> Option<Self> {
        if !has_room_for_shards(config.shards) {
            return None;
        }
        let manager = ShardManager::for_bus(&config, clock.clone());
        let mut delivery = Delivery::new(config);
        for shard in manager.shards() {
            let collector = collector(&manager, shard.id());
            delivery.add_lane(shard, collector);
        }
        let delivery = Lock::new(delivery);
        Some(Self {
            config,
            clock,
            manager,
            delivery,
            offered: Counter::default(),
            oversize: Counter::default(),
            invalid: Counter::default(),
            refused_closed: Counter::default(),
            closed: Flag::default(),
            keyed: Flag::default(),
            scaled_at: Counter::default(),
            room_awaited: Flag::default(),
            restored: Counter::default(),
        })
    }

    /// Gives the bus its randomness: the nonce that tells its batches from those of every other
    /// bus, from which the pauses between attempts derive as well. Call it once, before the first
    /// [`poll`](Self::poll).
    pub fn seed(&self, nonce: u64) {
        self.with_delivery(|delivery| delivery.seed(nonce));
    }

    /// Runs `f` on the state of delivery. A call from within another one's, which only the build
    /// without threads can tell, changes nothing and has the default result.
    fn with_delivery<R: Default>(&self, f: impl FnOnce(&mut Delivery) -> R) -> R {
        self.delivery.lock().map(|mut delivery| f(&mut delivery)).unwrap_or_default()
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &BusConfig {
        &self.config
    }

    /// The clock that stamps events.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Accepts one JSON text, or refuses it. It is routed by `key`, or by its own bytes. Returns
    /// its shard and its timestamp.
    ///
    /// Only what would break a body is looked for in the text; it is not parsed. A value goes in by
    /// [`ingest_event`](Self::ingest_event), bytes that have their hash by
    /// [`ingest_raw`](Self::ingest_raw).
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest(&self, payload: &[u8], key: Option<&[u8]>) -> Result<(u16, u64), IngestionError> {
        self.refuse_what_breaks_a_body(payload)?;
        self.ingest_line(payload, key)
    }

    /// Accepts a JSON value in canonical form, or refuses it. Returns its shard and its timestamp.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest_event(&self, event: impl Into<Event>) -> Result<(u16, u64), IngestionError> {
        self.ingest_raw(event.into().into_raw())
    }

    /// [`ingest`](Self::ingest) for an event that is routed by the hash that it has.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest_raw(&self, event: RawEvent) -> Result<(u16, u64), IngestionError> {
        self.refuse_what_breaks_a_body(event.as_bytes())?;
        self.admit(event.len(), event.is_keyed().then_some(0))?;
        self.manager.ingest_raw(event)
    }

    /// Offers events in order, each as [`ingest_raw`](Self::ingest_raw) does. Returns how many were
    /// accepted; [`stats`](Self::stats) says why the others were not.
    pub fn ingest_raw_batch(&self, events: impl IntoIterator<Item = RawEvent>) -> usize {
        events.into_iter().filter_map(|event| self.ingest_raw(event).ok()).count()
    }

    fn refuse_what_breaks_a_body(&self, payload: &[u8]) -> Result<(), IngestionError> {
        let breaks_body = payload.is_empty()
            || (self.config.format == Format::Ndjson && payload.contains(&b'\n'));
        if breaks_body && !self.is_closed() {
            self.refuse_invalid();
            return Err(IngestionError::Invalid);
        }
        Ok(())
    }

    /// Counts an event as offered, and refuses it if the bus is closed, or it or its key is too large.
    #[inline]
    fn admit(&self, len: usize, key_len: Option<usize>) -> Result<(), IngestionError> {
        if self.is_closed() {
            self.refuse_closed();
            return Err(IngestionError::ShuttingDown);
        }
        let max = self.config.max_event_bytes;
        if len > max {
            self.refuse_oversize();
            return Err(IngestionError::Oversize { len, max });
        }
        let max = self.config.max_key_bytes;
        if let Some(len) = key_len.filter(|&len| len > max) {
            self.refuse_oversize();
            return Err(IngestionError::KeyTooLong { len, max });
        }
        self.offered.add(1);
        if key_len.is_some() {
            self.keyed.set(true);
        }
        Ok(())
    }

    /// [`ingest`](Self::ingest) for a payload that is known not to be empty and to hold no newline,
    /// such as a serialiser's compact output.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest_line(
        &self,
        payload: &[u8],
        key: Option<&[u8]>,
    ) -> Result<(u16, u64), IngestionError> {
        self.admit(payload.len(), key.map(<[u8]>::len))?;
        self.manager.ingest_bytes(payload, key)
    }

    /// Offers payloads as [`ingest_line`](Self::ingest_line) does, one after another, each with its
    /// key if there are keys: then there must be as many. Returns how many were accepted.
    ///
    /// For the npm package, which has them in this form.
    #[doc(hidden)]
    pub fn ingest_lines(&self, mut lines: Lines<'_>, mut keys: Option<Lines<'_>>) -> usize {
        debug_assert!(
            keys.is_none_or(|keys| keys.lens().len() == lines.lens().len()),
            "each line has a key, or none has"
        );
        let mut accepted = 0;
        let fit = |lines: &Lines<'_>, max| lines.lens().iter().all(|&len| len as usize <= max);
        if !self.is_closed()
            && fit(&lines, self.config.max_event_bytes)
            && keys.as_ref().is_none_or(|keys| fit(keys, self.config.max_key_bytes))
        {
            accepted = self.manager.ingest_together(lines, keys);
            self.offered.add(accepted as u64);
            lines.skip_first(accepted);
            if let Some(keys) = &mut keys {
                keys.skip_first(accepted);
            }
        }
        for line in lines {
            let key = keys.as_mut().and_then(Iterator::next);
            match self.ingest_line(line, key) {
                Ok(_) => accepted += 1,
                // An accepted event has nothing to drop.
                Err(error) => drop(error),
            }
        }
        accepted
    }

    /// Counts an event that the host refused as invalid before it had bytes to offer.
    pub fn refuse_invalid(&self) {
        self.offered.add(1);
        self.invalid.add(1);
    }

    /// Counts an event that the host refused as too large, or for its key, without copying it.
    pub fn refuse_oversize(&self) {
        self.offered.add(1);
        self.oversize.add(1);
    }

    /// Counts an event that the host refused because it had no memory to hand it over.
    pub fn refuse_full(&self) {
        self.offered.add(1);
        self.manager.count_full();
    }

    fn refuse_closed(&self) {
        self.offered.add(1);
        self.refused_closed.add(1);
    }

    /// The events and payload bytes that are guaranteed to be accepted, whatever their keys:
    /// `(events, bytes)`.
    #[must_use]
    pub fn room(&self) -> (usize, u64) {
        let room = self.manager.room();
        (if self.is_closed() { 0 } else { room.events }, room.bytes)
    }

    /// True if any event that is not too large would be accepted now, and no shard is in its last
    /// quarter.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let budget = self.manager.budget();
        let fits = budget.held() + self.config.max_event_bytes as u64 <= budget.max();
        let below_high_water = || {
            self.manager
                .shards()
                .iter()
                .all(|shard| shard.enter().is_some_and(|shard| shard.len() < shard.high_water()))
        };
        !self.is_closed() && fits && below_high_water()
    }

    /// Says whether somebody waits until the bus [`is_ready`](Self::is_ready). While somebody does,
    /// batches leave without waiting for size or time, unless they leave only in a flush.
    pub fn set_room_awaited(&self, awaited: bool) {
        self.room_awaited.set(awaited);
    }

    /// The next action at `now`, in nanoseconds from any fixed point. Poll again until the action
    /// is to wait. A `now` that goes back is taken to stand still.
    #[must_use]
    pub fn poll(&self, now: u64) -> Action {
        self.poll_for(None, now)
    }

    /// [`poll`](Self::poll) for a host that owns a flush and may end at any moment, such as a request
    /// of Cloudflare Workers. It owns the leases that it is given. One owner sends; the others are
    /// told to wait. [`Idle`](Action::Idle) once the flush is settled, together with the owner's
    /// leases, or its time is up. To look after leases beyond that, end the flush and poll for it
    /// until there is nothing to do.
    ///
    /// An owner that does not poll within a second of the time that it was told loses its leases.
    #[must_use]
    pub fn poll_flush(&self, flush: u32, now: u64) -> Action {
        self.poll_for(Some(flush), now)
    }

    /// The owner of a flush is alive, although it does not poll. Returns whether it is the one that
    /// sends.
    pub fn lead(&self, flush: u32, now: u64) -> bool {
        self.with_delivery(|delivery| delivery.lead(flush, now))
    }

    /// Tells whether the owner of a flush did not poll in time, so that others may take it to be
    /// gone.
    #[must_use]
    pub fn is_silent(&self, flush: u32, now: u64) -> bool {
        self.with_delivery(|delivery| delivery.is_silent(flush, now))
    }

    // Once for both: it is a tenth of the WebAssembly.
    #[inline(never)]
    fn poll_for(&self, flush: Option<u32>, now: u64) -> Action {
        self.scale(now);
        let permit = match self.config.scheduler {
            Scheduler::Manual => Permit::Nothing,
            Scheduler::Auto if self.room_awaited.get() || self.is_short_of_bytes() => {
                Permit::Everything
            }
            Scheduler::Auto => Permit::Due,
        };
        let Ok(mut delivery) = self.delivery.lock() else { return Action::Idle };
        while let Some(id) = delivery.remove_drained_lane() {
            // It is empty and nothing is routed to it, so there is nothing to hand on.
            let removed = self.manager.detach_shard(id);
            debug_assert!(removed.is_ok(), "shard {id} was drained");
        }
        let wall = self.clock.now();
        match flush {
            Some(flush) => delivery.poll_flush(flush, now, wall, permit),
            None => delivery.poll(now, wall, permit),
        }
    }

    /// The number of events, and of their bytes, that need no poll, for hosts that poll after each
    /// event otherwise. Ask after a poll whose answer was to [`WaitUntil`](crate::Action::WaitUntil) a
    /// time: until then, polls have the same answer as long as only events come, and within both
    /// numbers. Each event counts as one byte longer than it is.
    ///
    /// Only the rate that [`adaptive`](crate::BatchConfig::adaptive) batches follow is then measured at
    /// fewer times.
    #[must_use]
    pub fn leeway(&self) -> (usize, usize) {
        if self.is_closed() || self.room_awaited.get() || self.config.scaling.is_some() {
            return (0, 0);
        }
        let short_of_bytes = self.unhurried_bytes().saturating_sub(self.manager.budget().held());
        let (events, bytes) = self.with_delivery(|delivery| delivery.leeway());
        (events, bytes.min(usize::try_from(short_of_bytes).unwrap_or(usize::MAX)))
    }

    /// For hosts with an event loop: a new task begins, in which [`poll`](Self::poll) hands out only
    /// so many batches and bytes before it says [`Yield`](Action::Yield). Without this call there is
    /// no limit.
    pub fn begin_task(&self) {
        self.with_delivery(Delivery::begin_task);
    }

    /// Adds or drains shards if it is time to look at the load and the load asks for it.
    fn scale(&self, now: u64) {
        let Some(mapper) = self.manager.mapper() else { return };
        let policy = mapper.policy();
        let window = nanos(policy.metrics_window);
        if now.saturating_sub(self.scaled_at.get()) < window || self.is_closed() {
            return;
        }
        self.scaled_at.set(now);
        self.manager.collect_metrics();
        // A decision was allowed when it was made; a change by other threads in between may forbid
        // it, and then it is made anew in the next window.
        let _ = match self.manager.evaluate_scaling() {
            ScalingDecision::None => return,
            ScalingDecision::ScaleUp(count) => self.grow(count, true),
            ScalingDecision::ScaleDown(count) => self.shrink(count, true),
        };
    }

    /// Adds `count` shards, cooldown or not. Returns their ids.
    ///
    /// A key may move to another shard then. Events accepted before the change are delivered, or
    /// lost and counted, before any event accepted after it is sent.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMaxShards`], [`NoMemory`](ScalingError::NoMemory), or
    /// [`InvalidPolicy`](ScalingError::InvalidPolicy) if [`BusConfig::scaling`] is not set.
    pub fn scale_up(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.grow(count, false)
    }

    /// Drains up to `count` shards, the emptiest first, cooldown or not. Returns their ids. They
    /// take no more events, and are removed once theirs have been delivered.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`], or [`InvalidPolicy`](ScalingError::InvalidPolicy) if
    /// [`BusConfig::scaling`] is not set.
    pub fn scale_down(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.shrink(count, false)
    }

    fn grow(&self, count: u16, cools: bool) -> Result<Vec<u16>, ScalingError> {
        let Ok(mut delivery) = self.delivery.lock() else { return Err(busy()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        if !has_room_for_shards(count) {
            return Err(ScalingError::NoMemory);
        }
        let Change { ids, watermarks } = self.manager.grow(count, cools)?;
        for shard in ids.iter().filter_map(|&id| self.manager.shard(id)) {
            let collector = collector(&self.manager, shard.id());
            delivery.add_lane(shard, collector);
        }
        self.raise_fence(&mut delivery, watermarks);
        Ok(ids)
    }

    fn shrink(&self, count: u16, cools: bool) -> Result<Vec<u16>, ScalingError> {
        let Ok(mut delivery) = self.delivery.lock() else { return Err(busy()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        self.manager.collect_metrics();
        let Change { ids, watermarks } = self.manager.shrink(count, cools)?;
        for &id in &ids {
            delivery.drain_lane(id);
        }
        self.raise_fence(&mut delivery, watermarks);
        Ok(ids)
    }

    fn raise_fence(&self, delivery: &mut Delivery, watermarks: Watermarks) {
        if self.keyed.get() {
            delivery.raise_fence(watermarks);
        }
    }

    /// The shard that an event with this key would go to now, or one without a key and with these
    /// bytes. Load may send an event without a key elsewhere, but only where scaling is on.
    #[must_use]
    pub fn shard_for(&self, key_or_payload: &[u8]) -> u16 {
        self.manager.select_shard_by_hash(self.manager.hash(key_or_payload))
    }

    /// True if less than a quarter of the bytes is free.
    fn is_short_of_bytes(&self) -> bool {
        self.manager.budget().held() > self.unhurried_bytes()
    }

    /// Most bytes held while batches wait for size and time.
    fn unhurried_bytes(&self) -> u64 {
        let max = self.manager.budget().max();
        max - max / 4
    }

    /// The lease was delivered. Returns whether it was still live; a late answer changes nothing.
    pub fn acknowledge(&self, lease: u64, now: u64) -> bool {
        self.with_delivery(|delivery| delivery.acknowledge(lease, now))
    }

    /// The lease failed. Returns whether it was still live; a late answer changes nothing.
    pub fn fail(&self, lease: u64, failure: Failure, now: u64) -> bool {
        self.with_delivery(|delivery| delivery.fail(lease, failure, now))
    }

    /// The receiver answered for single events: `outcomes` has a run length and an outcome for
    /// consecutive events, in order. Returns whether the lease was still live and `outcomes` covers
    /// its batch; if not, nothing changes.
    pub fn settle(&self, lease: u64, outcomes: &[(usize, Outcome)], now: u64) -> bool {
        self.with_delivery(|delivery| delivery.settle(lease, outcomes, now))
    }

    /// The next batch that was given up, for a host that will not [`poll`](Self::poll) soon.
    #[must_use]
    pub fn next_abandoned(&self) -> Option<Abandoned> {
        self.with_delivery(Delivery::next_abandoned)
    }

    /// The host has reason to believe that the destination is back from an outage: it is probed at
    /// once. A flush probes it too, but no sooner than a second after the last failure.
    pub fn probe(&self) {
        self.with_delivery(Delivery::probe);
    }

    /// The holder of the lease is gone, and will not answer: it expires now. Returns whether it was
    /// still live.
    pub fn expire(&self, lease: u64, now: u64) -> bool {
        self.with_delivery(|delivery| delivery.expire(lease, now))
    }

    /// Takes one batch out of the bus for good: its body has at most `max_bytes` bytes, and it is
    /// not leased. `None` if there is none. Counted as drained.
    #[must_use]
    pub fn drain(&self, max_bytes: usize) -> Option<Shared<Batch>> {
        self.with_delivery(|delivery| delivery.drain(max_bytes))
    }

    /// Leases one batch of at most `max_bytes` before the host goes away, regardless of size, age
    /// and backoff; `None` if there is none. Other batches of its shard may be in flight. `order`
    /// chooses the end of the queue that goes first. Keeps a batch's last attempt, and a pause that
    /// the receiver asked for. Afterwards the bus goes on as always.
    #[must_use]
    pub fn poll_exit(&self, now: u64, max_bytes: usize, order: ExitOrder) -> Option<Lease> {
        self.with_delivery(|delivery| delivery.poll_exit(now, max_bytes, order))
    }

    /// Cuts all pending events into batches, and returns the unsettled batches, leased ones
    /// included: shard by shard, oldest first; not those in the store alone. They stay in the bus.
    /// For a host that keeps copies, as [`Batch::encode`] makes them. Their bytes are held until the
    /// last of them is dropped.
    #[must_use]
    pub fn stage(&self, now: u64) -> Vec<Shared<Batch>> {
        self.with_delivery(|delivery| delivery.stage(now))
    }

    /// The host's store has these events, by their sequence numbers in a shard of a run: as part of
    /// one batch, whether or not the bus asked for it.
    pub fn note_stored(&self, nonce: u64, shard: u16, events: &Range<u64>) {
        self.with_delivery(|delivery| delivery.note_stored((nonce, shard), events));
    }

    /// Takes the oldest stored batch out of the bus if the store has more than
    /// [`max_store_bytes`](BusConfig::max_store_bytes), counted as evicted; the host is to remove it
    /// from the store. Ask again after [`note_stored`](Self::note_stored) until there is none.
    #[must_use]
    pub fn evict_stored(&self) -> Option<BatchHead> {
        self.with_delivery(Delivery::evict_stored)
    }

    /// Hands in a batch that [`poll`](Self::poll) asked to [load](crate::Action::Load), as it was
    /// [encoded](Batch::encode): alone or within a larger one.
    ///
    /// # Errors
    ///
    /// [`RestoreError`]; the bus is as it was. [`RestoreError::NotNow`] if it needs it no longer.
    pub fn load(&self, bytes: &[u8]) -> Result<(), RestoreError> {
        let batch = decode(bytes)?;
        let is_loaded = self.with_delivery(|delivery| delivery.load(batch));
        if is_loaded { Ok(()) } else { Err(RestoreError::NotNow) }
    }

    /// The host could not read the batch with this nonce, shard and first sequence number that it
    /// was asked to [load](crate::Action::Load); if it `is_gone`, it never will. The host is asked
    /// again, but not for ever. Returns whether the batch is lost by now, and counted as evicted.
    pub fn note_unreadable(&self, nonce: u64, shard: u16, sequence: u64, is_gone: bool) -> bool {
        let head = (nonce, shard, sequence);
        self.with_delivery(|delivery| delivery.note_unreadable(head, is_gone))
    }

    /// Takes all leases back without counting an attempt as failed. Answers come too late.
    pub fn recall(&self) {
        self.with_delivery(Delivery::recall);
    }

    /// Takes a batch that was [staged](Self::stage), and is not leased, out of the bus for good: the
    /// host has it elsewhere. Returns whether it was still there. Counted as drained.
    pub fn release(&self, batch: &Shared<Batch>) -> bool {
        self.with_delivery(|delivery| delivery.release(batch))
    }

    /// Lets batches of earlier runs come back, a few at a time and beside new events, until
    /// [`end_restore`](Self::end_restore). An open flush hurries them, but its report covers only
    /// those that had come back when it began; ask [`is_restoring`](Self::is_restoring) for the
    /// others.
    pub fn begin_restore(&self) {
        let Ok(mut delivery) = self.delivery.lock() else { return };
        delivery.begin_restore(self.manager.new_shard(Lane::RESTORED));
    }

    /// Tells whether the bus takes a batch of an earlier run now.
    #[must_use]
    pub fn wants_restored(&self) -> bool {
        !self.is_closed() && self.with_delivery(|delivery| delivery.wants_restored())
    }

    /// Takes in a batch that was [encoded](Batch::encode) in an earlier run of the host, with the id
    /// that it had. Returns it. Its events count as offered, accepted and restored; its bytes count
    /// neither as held nor towards [`max_bytes`](BusConfig::max_bytes).
    ///
    /// # Errors
    ///
    /// [`RestoreError`]; the bus is as it was.
    pub fn restore(&self, bytes: &[u8]) -> Result<Shared<Batch>, RestoreError> {
        let Ok(mut delivery) = self.delivery.lock() else { return Err(RestoreError::NotNow) };
        if self.is_closed() || !delivery.wants_restored() {
            return Err(RestoreError::NotNow);
        }
        let batch = decode(bytes)?;
        let (len, max) = (batch.body().len(), self.config.batch.max_bytes);
        if len > max {
            return Err(RestoreError::TooLarge { len, max });
        }
        let events = batch.len() as u64;
        delivery.restore(Shared::clone(&batch));
        self.offered.add(events);
        self.restored.add(events);
        Ok(batch)
    }

    /// Most bytes that [`restore`](Self::restore) takes: more are no batch that the bus could send.
    #[must_use]
    pub fn max_restored_bytes(&self) -> usize {
        Batch::max_encoded_len(self.config.batch.max_bytes)
    }

    /// Ends the restore: no more batches come back.
    pub fn end_restore(&self) {
        self.with_delivery(Delivery::end_restore);
    }

    /// Tells whether batches of earlier runs may still come back, or are not settled.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.with_delivery(|delivery| delivery.is_restoring())
    }

    /// Opens a flush: all present events may leave without waiting for size or time, until
    /// [`end_flush`](Self::end_flush). Returns its id.
    #[must_use]
    pub fn begin_flush(&self) -> u32 {
        self.begin_flush_until(u64::MAX)
    }

    /// [`begin_flush`](Self::begin_flush) for a host that ends the flush at `end`, on the clock of
    /// [`poll`](Self::poll). On a closed bus, where none follows, its time is up as soon as no
    /// attempt is under way and the next action is after `end`.
    #[must_use]
    pub fn begin_flush_until(&self, end: u64) -> u32 {
        let is_last = self.is_closed();
        let Ok(mut delivery) = self.delivery.lock() else { return u32::MAX };
        delivery.begin_flush(end, is_last)
    }

    /// The progress of a flush as of the last poll. [`TimedOut`](FlushState::TimedOut) if there is
    /// no such flush.
    #[must_use]
    pub fn flush_state(&self, flush: u32) -> FlushState {
        let Ok(delivery) = self.delivery.lock() else { return FlushState::Open };
        delivery.flush_state(flush)
    }

    /// The outcomes so far of the events that a flush covers; it is complete when nothing is
    /// pending. `None` if there is no such flush.
    #[must_use]
    pub fn flush_report(&self, flush: u32) -> Option<FlushReport> {
        self.with_delivery(|delivery| delivery.flush_report(flush))
    }

    /// Closes a flush, complete or not.
    pub fn end_flush(&self, flush: u32) {
        self.with_delivery(|delivery| delivery.end_flush(flush));
    }

    /// Refuses all events from now on. Pending events can still be delivered: batches in backoff
    /// may be sent now, unless the receiver asked for the pause.
    pub fn close(&self) {
        self.closed.set(true);
        self.with_delivery(Delivery::cut_pauses_short);
    }

    /// True if events are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Gives up all events, leased batches included. [`poll`](Self::poll) hands them out as
    /// abandoned. Batches in the store alone stay there, and count as drained.
    pub fn abandon_everything(&self) {
        self.with_delivery(Delivery::abandon_everything);
    }

    /// The number of events that were offered. Cheaper than [`stats`](Self::stats), for hosts that
    /// watch for activity.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered.get()
    }

    /// The number of events that were refused or evicted. Cheaper than [`stats`](Self::stats), for
    /// hosts that watch for losses.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let manager = self.manager.stats();
        manager.events_dropped
            + manager.events_unrouted
            + self.oversize.get()
            + self.invalid.get()
            + self.refused_closed.get()
    }

    /// Accounts for every event.
    #[must_use]
    pub fn stats(&self) -> BusStats {
        let Ok(delivery) = self.delivery.lock() else { return BusStats::default() };
        let (manager, removed) = (self.manager.stats(), self.manager.removed_stats());
        let sent = delivery.stats();
        let mut stats = BusStats {
            accepted: self.restored.get() + removed.events_ingested,
            restored: self.restored.get(),
            rejected: self.rejected(&manager),
            delivered: sent.events_delivered,
            evicted: removed.events_evicted,
            abandoned: abandoned(&sent),
            drained: sent.events_drained,
            bytes: ByteStats {
                held: self.manager.budget().held(),
                spilled: delivery.spilled_bytes(),
                delivered: sent.bytes_delivered,
            },
            batches: BatchStats {
                delivered: sent.batches_delivered,
                retries: sent.retries,
                expired: sent.leases_expired,
            },
            ..BusStats::default()
        };
        // Each shard is seen once: with threads, sums over two looks at it need not add up.
        for lane in delivery.lanes() {
            stats.in_flight += lane.in_flight();
            if !lane.is_restored() {
                let shard = shard_info(lane, self.manager.mapper().map(Deref::deref));
                stats.accepted += shard.accepted;
                stats.evicted += shard.evicted;
                stats.pending += shard.pending;
                stats.shards.push(shard);
            }
        }
        stats.oldest_age = self.oldest_age(delivery.lanes());
        // Last: events that are accepted or refused meanwhile were offered before.
        stats.offered = self.offered.get();
        stats
    }

    fn oldest_age(&self, lanes: &[Lane]) -> u64 {
        let mut oldest = u64::MAX;
        for timestamp in lanes.iter().filter_map(Lane::oldest_timestamp) {
            oldest = oldest.min(timestamp);
        }
        self.clock.now().saturating_sub(oldest)
    }

    fn rejected(&self, manager: &ManagerStats) -> Rejected {
        Rejected {
            full: manager.events_full,
            sampled: manager.events_sampled,
            unrouted: manager.events_unrouted,
            oversize: self.oversize.get(),
            invalid: self.invalid.get(),
            closed: self.refused_closed.get(),
        }
    }
}

const fn abandoned(sent: &DeliveryStats) -> AbandonedEvents {
    AbandonedEvents {
        retries: sent.events_abandoned_retries,
        permanent: sent.events_abandoned_permanent,
        expired: sent.events_abandoned_expired,
        shutdown: sent.events_abandoned_shutdown,
    }
}

fn collector(manager: &ShardManager, id: u16) -> Option<Shared<ShardMetricsCollector>> {
    manager.mapper()?.metrics_collector(id)
}

/// Most memory of an empty shard, its lane included.
const SHARD_BYTES: usize = 2 << 10;

/// Decodes a batch, if there is memory for a copy of its body and one of its index.
fn decode(bytes: &[u8]) -> Result<Shared<Batch>, RestoreError> {
    if !memory::can_have(bytes.len().saturating_mul(2).saturating_add(memory::FOR_SMALL)) {
        return Err(RestoreError::NoMemory);
    }
    Batch::decode(bytes).map(Shared::new)
}

/// Tells whether there is memory for so many shards, and for handing events to the first of them.
fn has_room_for_shards(count: u16) -> bool {
    memory::can_have(usize::from(count) * SHARD_BYTES + 2 * memory::FOR_SMALL)
}

fn busy() -> ScalingError {
    ScalingError::InvalidPolicy("the bus is in use by the caller".to_owned())
}

fn shard_info(lane: &Lane, mapper: Option<&ShardMapper>) -> ShardInfo {
    let state = mapper.and_then(|mapper| mapper.shard_state(lane.id()));
    let shard = lane.shard.lock();
    let stats = shard.stats();
    ShardInfo {
        id: shard.id,
        state: state.unwrap_or(ShardState::Active),
        accepted: stats.events_ingested,
        full: stats.events_full,
        sampled: stats.events_sampled,
        evicted: stats.events_evicted,
        pending: shard.len() as u64,
        in_flight: lane.in_flight(),
        bytes: shard.bytes() as u64,
        next_sequence: lane.worker.next_sequence(),
        batch_target: lane.worker.target_batch_size() as u64,
    }
}
