//! The resource `bus`.
#![expect(clippy::disallowed_types, reason = "the seam is for types that threads share")]

use crate::actions::{action, lease, stored};
use crate::batches::{batch, failure, head, outcome};
use crate::counts;
use crate::event_bus as wit;
use crate::options::{config_error, options, rejection, size};
use shardbus::{Batch, Clock, EventBus, ExitOrder, RestoreError, ScalingError, Shared};
use std::cell::RefCell;

/// A bus of the core.
pub struct Bus {
    core: EventBus,
    /// The batches of the last `stage` that were not released.
    staged: RefCell<Vec<Shared<Batch>>>,
}

impl wit::GuestBus for Bus {
    fn create(given: wit::Options, nonce: u64) -> Result<wit::Bus, wit::ConfigError> {
        let core = EventBus::new(options(given), Clock::manual(0)).map_err(config_error)?;
        core.seed(nonce);
        Ok(wit::Bus::new(Self { core, staged: RefCell::default() }))
    }

    fn set_clock(&self, now: u64) {
        self.core.clock().set(now);
    }

    fn ingest(
        &self,
        payload: Vec<u8>,
        key: Option<Vec<u8>>,
    ) -> Result<wit::Receipt, wit::Rejection> {
        let accepted = self.core.ingest(&payload, key.as_deref());
        let (shard, timestamp) = accepted.map_err(|error| rejection(&error))?;
        Ok(wit::Receipt { shard, timestamp })
    }

    fn ingest_many(&self, events: Vec<wit::Event>) -> u32 {
        let accepted =
            |event: &wit::Event| self.core.ingest(&event.payload, event.key.as_deref()).is_ok();
        events.iter().filter(|event| accepted(event)).count() as u32
    }

    fn ingest_lines(&self, text: Vec<u8>) -> u32 {
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| self.core.ingest_line(line, None).is_ok()).count() as u32
    }

    fn is_ready(&self) -> bool {
        self.core.is_ready()
    }

    fn set_room_awaited(&self, awaited: bool) {
        self.core.set_room_awaited(awaited);
    }

    fn shard_for(&self, key_or_payload: Vec<u8>) -> u16 {
        self.core.shard_for(&key_or_payload)
    }

    fn poll(&self, now: u64) -> wit::Action {
        action(self.core.poll(now), now)
    }

    fn acknowledge(&self, lease: u64, now: u64) -> bool {
        self.core.acknowledge(lease, now)
    }

    fn settle(&self, lease: u64, outcomes: Vec<wit::Outcome>, now: u64) -> bool {
        let outcomes: Vec<_> = outcomes.into_iter().map(outcome).collect();
        self.core.settle(lease, &outcomes, now)
    }

    fn fail(&self, lease: u64, given: wit::Failure, now: u64) -> bool {
        self.core.fail(lease, failure(given), now)
    }

    fn expire(&self, lease: u64, now: u64) -> bool {
        self.core.expire(lease, now)
    }

    fn recall(&self) {
        self.core.recall();
    }

    fn probe(&self) {
        self.core.probe();
    }

    fn drain(&self, max_bytes: u32) -> Option<wit::Batch> {
        self.core.drain(size(max_bytes)).map(|it| batch(&it))
    }

    fn poll_exit(&self, now: u64, max_bytes: u32, order: wit::ExitOrder) -> Option<wit::Lease> {
        let order = match order {
            wit::ExitOrder::Oldest => ExitOrder::Oldest,
            wit::ExitOrder::Newest => ExitOrder::Newest,
        };
        self.core.poll_exit(now, size(max_bytes), order).map(|it| lease(&it))
    }

    fn begin_flush(&self) -> u32 {
        self.core.begin_flush()
    }

    fn flush_report(&self, flush: u32) -> Option<wit::FlushReport> {
        self.core.flush_report(flush).map(counts::report)
    }

    fn end_flush(&self, flush: u32) {
        self.core.end_flush(flush);
    }

    fn stage(&self, now: u64) -> Vec<wit::StoredBatch> {
        let batches = self.core.stage(now);
        let copies = batches.iter().map(|batch| stored(batch)).collect();
        self.staged.replace(batches);
        copies
    }

    fn release(&self, id: String) -> bool {
        let mut staged = self.staged.borrow_mut();
        let Some(at) = staged.iter().position(|batch| batch.id() == id) else { return false };
        let is_released = self.core.release(&staged[at]);
        if is_released {
            staged.remove(at);
        }
        is_released
    }

    fn note_stored(&self, nonce: u64, shard: u16, sequence: u64, count: u32) {
        let events = sequence..sequence.saturating_add(count.into());
        self.core.note_stored(nonce, shard, &events);
    }

    fn evict_stored(&self) -> Option<wit::BatchHead> {
        self.core.evict_stored().map(|it| head(&it))
    }

    fn load(&self, bytes: Vec<u8>) -> Result<(), wit::RestoreError> {
        self.core.load(&bytes).map_err(restore_error)
    }

    fn note_unreadable(&self, nonce: u64, shard: u16, sequence: u64, is_gone: bool) -> bool {
        self.core.note_unreadable(nonce, shard, sequence, is_gone)
    }

    fn begin_restore(&self) {
        self.core.begin_restore();
    }

    fn wants_restored(&self) -> bool {
        self.core.wants_restored()
    }

    fn restore(&self, bytes: Vec<u8>) -> Result<wit::BatchHead, wit::RestoreError> {
        let restored = self.core.restore(&bytes).map_err(restore_error)?;
        Ok(head(&restored.head()))
    }

    fn max_restored_bytes(&self) -> u64 {
        self.core.max_restored_bytes() as u64
    }

    fn end_restore(&self) {
        self.core.end_restore();
    }

    fn is_restoring(&self) -> bool {
        self.core.is_restoring()
    }

    fn scale_up(&self, count: u16) -> Result<Vec<u16>, wit::ScalingError> {
        self.core.scale_up(count).map_err(|error| scaling_error(&error))
    }

    fn scale_down(&self, count: u16) -> Result<Vec<u16>, wit::ScalingError> {
        self.core.scale_down(count).map_err(|error| scaling_error(&error))
    }

    fn stats(&self) -> wit::Stats {
        counts::stats(self.core.stats())
    }

    fn close(&self) {
        self.core.close();
    }

    fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    fn abandon_everything(&self) {
        self.core.abandon_everything();
    }
}

const fn restore_error(error: RestoreError) -> wit::RestoreError {
    match error {
        RestoreError::NotNow => wit::RestoreError::NotNow,
        RestoreError::OtherFormat(format) => wit::RestoreError::OtherFormat(format),
        RestoreError::NoMemory => wit::RestoreError::NoMemory,
        RestoreError::TooLarge { .. } => wit::RestoreError::TooLarge,
        _ => wit::RestoreError::Damaged,
    }
}

const fn scaling_error(error: &ScalingError) -> wit::ScalingError {
    match error {
        ScalingError::AtMaxShards => wit::ScalingError::AtMaxShards,
        ScalingError::AtMinShards => wit::ScalingError::AtMinShards,
        ScalingError::InCooldown => wit::ScalingError::InCooldown,
        ScalingError::NoMemory => wit::ScalingError::NoMemory,
        _ => wit::ScalingError::Off,
    }
}
