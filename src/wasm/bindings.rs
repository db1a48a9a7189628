//! The class behind `EventBus`: everything that happens at most once a batch.
//!
//! No method calls JavaScript; what is to be done is returned, and the host does it after the call.

use super::options::Options;
use super::{millis, nanos, numbers, registry};
use crate::sync::Shared;
use crate::{
    AbandonReason, Abandoned, Action, Batch, BusConfig, Clock, ConfigError, EventBus, ExitOrder,
    Failure, Lease, RestoreError, ScalingError,
};
use js_sys::{Array, Uint8Array};
use std::collections::VecDeque;
use std::time::Duration;
use wasm_bindgen::prelude::*;

/// A bus, by its handle, and what it handed out last.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Bus {
    bus: Shared<EventBus>,
    handle: usize,
    wake: u64,
    lease: Option<Lease>,
    reason: Option<AbandonReason>,
    batch: Option<Shared<Batch>>,
    staged: VecDeque<Shared<Batch>>,
}

/// What [`Bus::poll`] says is to be done; `pkg-js/src/core.ts` has the same table.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Idle = 0,
    /// Poll again at `wake_at`.
    WaitUntil = 1,
    /// Send the batch, then answer the lease.
    Send = 2,
    /// The batch was given up for `reason`.
    Abandoned = 3,
}

/// How an attempt failed; `pkg-js/src/core.ts` has the same table.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may succeed.
    Retryable = 0,
    /// None will.
    Permanent = 1,
    /// One with fewer events may.
    TooLarge = 2,
}

#[wasm_bindgen]
impl Bus {
    /// Takes the options as numbers, in the order of `optionNumbers` in `pkg-js/src/numbers.ts`.
    /// Throws `[field, value, rule]` if they break a rule.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &[f64]) -> Result<Bus, JsValue> {
        let config = BusConfig::from(Options::from_numbers(options));
        let bus = Shared::new(EventBus::new(config, Clock::manual(0)).map_err(broken_rule)?);
        let handle = registry::with(|registry| registry.add(Shared::clone(&bus)))
            .ok_or("the registry is in use")?;
        let staged = VecDeque::new();
        Ok(Self { bus, handle, wake: 0, lease: None, reason: None, batch: None, staged })
    }

    /// Names the bus on the event path.
    pub fn handle(&self) -> usize {
        self.handle
    }

    /// Gives the bus 64 random bits. Call it once, before the first `poll`.
    pub fn seed(&self, high: u32, low: u32) {
        self.bus.seed(u64::from(high) << 32 | u64::from(low));
    }

    /// What to do next, `now_ms` milliseconds after any fixed point. `wall_ms` is the wall clock.
    pub fn poll(&mut self, wall_ms: f64, now_ms: f64) -> Step {
        self.bus.clock().set(nanos(wall_ms));
        self.forget();
        match self.bus.poll(nanos(now_ms)) {
            Action::Send(lease) => self.show(lease),
            Action::Abandoned(Abandoned { reason, batch }) => {
                self.batch = Some(batch);
                self.reason = Some(reason);
                Step::Abandoned
            }
            Action::WaitUntil(wake) => {
                self.wake = wake;
                Step::WaitUntil
            }
            Action::Idle => Step::Idle,
        }
    }

    /// Hands out a batch of at most `max_bytes` bytes although another one of its shard may be in
    /// flight: `Step::Send`, or `Step::Idle` if there is none. The last events of a shard go first if
    /// `newest`.
    pub fn poll_exit(&mut self, wall_ms: f64, now_ms: f64, max_bytes: usize, newest: bool) -> Step {
        self.bus.clock().set(nanos(wall_ms));
        self.forget();
        let order = if newest { ExitOrder::Newest } else { ExitOrder::Oldest };
        let lease = self.bus.poll_exit(nanos(now_ms), max_bytes, order);
        lease.map_or(Step::Idle, |lease| self.show(lease))
    }

    fn show(&mut self, lease: Lease) -> Step {
        self.batch = Some(Shared::clone(&lease.batch));
        self.lease = Some(lease);
        Step::Send
    }

    /// Lets go of what was handed out last, so that its bytes are held no longer than they must be.
    pub fn forget(&mut self) {
        (self.lease, self.reason, self.batch) = (None, None, None);
    }

    /// When to poll again, after `Step::WaitUntil`.
    pub fn wake_at(&self) -> f64 {
        millis(self.wake)
    }

    /// The lease's id, after `Step::Send`.
    pub fn lease_id(&self) -> f64 {
        self.lease.as_ref().map_or(-1.0, |lease| lease.id as f64)
    }

    /// The attempt's number, 1 for the first, after `Step::Send`.
    pub fn lease_attempt(&self) -> u32 {
        self.lease.as_ref().map_or(0, |lease| lease.attempt)
    }

    /// When to cut the attempt off, after `Step::Send`.
    pub fn lease_deadline(&self) -> f64 {
        self.lease.as_ref().map_or(0.0, |lease| millis(lease.deadline))
    }

    /// Why the batch was given up, after `Step::Abandoned`: 0 for retries, 1 for permanent, 2 for
    /// shutdown.
    pub fn abandon_reason(&self) -> u32 {
        match self.reason {
            Some(AbandonReason::Retries) | None => 0,
            Some(AbandonReason::Permanent) => 1,
            Some(AbandonReason::Shutdown) => 2,
        }
    }

    /// The batch without its body, as numbers in the order of `batchOf` in
    /// `pkg-js/src/numbers.ts`.
    pub fn batch_numbers(&self) -> Vec<f64> {
        self.batch.as_ref().map(|batch| numbers::batch(batch)).unwrap_or_default()
    }

    /// A copy of the batch's body.
    pub fn batch_body(&self) -> Uint8Array {
        Uint8Array::from(self.batch.as_ref().map_or(&[][..], |batch| batch.body()))
    }

    /// The batch as bytes for a store.
    pub fn batch_encode(&self) -> Uint8Array {
        let bytes = self.batch.as_ref().map(|batch| batch.encode()).unwrap_or_default();
        Uint8Array::from(&bytes[..])
    }

    /// The lease was delivered. Returns whether it was still live.
    pub fn acknowledge(&self, lease: f64, now_ms: f64) -> bool {
        self.bus.acknowledge(lease as u64, nanos(now_ms))
    }

    /// The lease failed; `retry_after_ms` counts for what is retryable. Returns whether it was still
    /// live.
    pub fn fail(&self, lease: f64, kind: FailureKind, retry_after_ms: f64, now_ms: f64) -> bool {
        let retry_after = Duration::from_nanos(nanos(retry_after_ms));
        let failure = match kind {
            FailureKind::Retryable => Failure::Retryable { retry_after },
            FailureKind::Permanent => Failure::Permanent,
            FailureKind::TooLarge => Failure::TooLarge,
        };
        self.bus.fail(lease as u64, failure, nanos(now_ms))
    }

    /// Whoever had the lease is gone. Returns whether it was still live.
    pub fn expire(&self, lease: f64, now_ms: f64) -> bool {
        self.bus.expire(lease as u64, nanos(now_ms))
    }

    /// Takes a batch out whose body has at most `max_bytes` bytes. Returns whether there was one.
    pub fn drain(&mut self, max_bytes: usize) -> bool {
        self.forget();
        self.batch = self.bus.drain(max_bytes);
        self.batch.is_some()
    }

    /// Cuts everything into batches and begins to go through all that are not settled.
    pub fn stage(&mut self, now_ms: f64) {
        self.staged = self.bus.stage(nanos(now_ms));
    }

    /// Goes on to the next staged batch. Returns whether there is one.
    pub fn next_staged(&mut self) -> bool {
        self.forget();
        self.batch = self.staged.pop_front();
        self.batch.is_some()
    }

    /// Takes the staged batch out for good. Returns whether it was there and not leased.
    pub fn release(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| self.bus.release(batch))
    }

    /// Takes all leases back.
    pub fn recall(&self) {
        self.bus.recall();
    }

    /// Holds everything back for what an earlier life has left. Returns whether there is room for it.
    pub fn begin_restore(&self) -> bool {
        self.bus.begin_restore()
    }

    /// Takes in what `batch_encode` made in an earlier life; then the batch is the one handed out
    /// last. Returns 0, or why not: 1 for not now, 2 for damaged, 3 for too large.
    pub fn restore(&mut self, bytes: &[u8]) -> u32 {
        self.forget();
        match self.bus.restore(bytes) {
            Ok(batch) => {
                self.batch = Some(batch);
                0
            }
            Err(RestoreError::NotNow) => 1,
            Err(RestoreError::Damaged) => 2,
            Err(RestoreError::TooLarge { .. }) => 3,
        }
    }

    /// Nothing is held back any more.
    pub fn end_restore(&self) {
        self.bus.end_restore();
    }

    /// Whether things are held back.
    pub fn is_restoring(&self) -> bool {
        self.bus.is_restoring()
    }

    /// Opens a flush and returns its id.
    pub fn begin_flush(&self) -> u32 {
        self.bus.begin_flush()
    }

    /// What became of everything the flush covers, as numbers in the order of `flushReport` in
    /// `pkg-js/src/numbers.ts`.
    pub fn flush_report(&self, flush: u32) -> Vec<f64> {
        numbers::flush_report(self.bus.flush_report(flush).unwrap_or_default())
    }

    /// Closes a flush.
    pub fn end_flush(&self, flush: u32) {
        self.bus.end_flush(flush);
    }

    /// Adds `count` shards. Returns their ids, or a refusal.
    pub fn scale_up(&self, count: u16) -> Vec<f64> {
        changed(self.bus.scale_up(count))
    }

    /// Drains up to `count` shards. Returns their ids, or a refusal.
    pub fn scale_down(&self, count: u16) -> Vec<f64> {
        changed(self.bus.scale_down(count))
    }

    /// The shard that an event with this key would go to now, or one with this payload and no key.
    pub fn shard_for(&self, key_or_payload: &[u8]) -> u16 {
        self.bus.shard_for(key_or_payload)
    }

    /// Whether there is room again.
    pub fn is_ready(&self) -> bool {
        self.bus.is_ready()
    }

    /// Says whether somebody waits for room.
    pub fn set_room_awaited(&self, awaited: bool) {
        self.bus.set_room_awaited(awaited);
    }

    /// Counts an event as refused because it cannot be written as JSON.
    pub fn refuse_invalid(&self) {
        self.bus.refuse_invalid();
    }

    /// Counts an event as refused because it is too large.
    pub fn refuse_oversize(&self) {
        self.bus.refuse_oversize();
    }

    /// Refuses all events from now on.
    pub fn close(&self) {
        self.bus.close();
    }

    /// Gives up everything; `poll` hands it out as abandoned.
    pub fn abandon_everything(&self) {
        self.bus.abandon_everything();
    }

    /// When the last event of the event path was accepted, nanoseconds since the Unix epoch: the
    /// high and the low half. Numbers of 64 bits do not cross, because not every host has them.
    pub fn last_timestamp(&self) -> Vec<f64> {
        numbers::halves(registry::with(|registry| registry.last_timestamp).unwrap_or(0)).into()
    }

    /// Most bytes of one event.
    pub fn max_event_bytes(&self) -> usize {
        self.bus.config().max_event_bytes
    }

    /// How many events were offered.
    pub fn offered(&self) -> f64 {
        self.bus.offered() as f64
    }

    /// How many events were refused or evicted.
    pub fn lost(&self) -> f64 {
        self.bus.lost() as f64
    }

    /// Where every event is, as numbers in the order of `busStats` in `pkg-js/src/numbers.ts`.
    pub fn stats(&self) -> Vec<f64> {
        numbers::stats(&self.bus.stats())
    }
}

/// What the constructor throws: the field's path in the core, its value, and the rule;
/// `pkg-js/src/check-options.ts` gives the field the name that the user wrote.
#[expect(clippy::needless_pass_by_value, reason = "an error is handed over")]
fn broken_rule(ConfigError { field, value, rule }: ConfigError) -> JsValue {
    Array::of3(&field.into(), &value.into(), &rule.into()).into()
}

/// The ids of the shards that were added or drain; or alone, and negative, why not:
/// `pkg-js/src/core.ts` has the same table.
fn changed(change: Result<Vec<u16>, ScalingError>) -> Vec<f64> {
    let refusal = match change {
        Ok(ids) => return ids.into_iter().map(f64::from).collect(),
        Err(ScalingError::AtMaxShards) => -1.0,
        Err(ScalingError::AtMinShards) => -2.0,
        Err(ScalingError::InCooldown) => -3.0,
        Err(ScalingError::InvalidPolicy(_)) => -4.0,
    };
    vec![refusal]
}

impl Drop for Bus {
    fn drop(&mut self) {
        registry::with(|registry| registry.remove(self.handle));
    }
}
