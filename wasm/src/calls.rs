//! Calls made at most once a batch, in which numbers cross: exports that take the bus's handle
//! first. A boolean crosses as 0 or 1. A handle that is not a bus's does nothing, and gives 0.
//!
//! A call with more than one number to return leaves a row of them, and returns its length.

use crate::numbers::{self, FAILED, step};
use crate::registry;
use crate::registry::Bus;
use shardbus::{
    Abandoned, Action, Clock, ExitOrder, Failure, Lease, Outcome, ScalingError, Shared,
};
use std::time::Duration;

/// No flush; -1 in JavaScript.
const NO_FLUSH: u32 = u32::MAX;

/// Exports functions of a bus by its handle.
macro_rules! calls {
    ($($(#[$doc:meta])* fn $name:ident($bus:ident $(, $arg:ident: $type:ty)*) $(-> $result:ty)? $body:block)*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            extern "C" fn $name(handle: usize $(, $arg: $type)*) $(-> $result)? {
                registry::with_bus(handle, |$bus| $body).unwrap_or_default()
            }
        )*
    };
}

calls! {
    /// Gives the bus 64 random bits. Call it once, before the first `bus_poll`.
    fn bus_seed(bus, high: u32, low: u32) {
        bus.core.seed(numbers::whole(high, low));
    }

    /// The next thing to do, `now_ms` milliseconds after any fixed point, for the owner of a flush or,
    /// if it is [`NO_FLUSH`], for the only host. `wall_ms` is the wall clock. Leaves the row that goes
    /// with the step.
    fn bus_poll(bus, flush: u32, wall_ms: f64, now_ms: f64) -> u32 {
        bus.core.clock().set(Clock::nanos_of(wall_ms));
        let now = Clock::nanos_of(now_ms);
        let action = match flush {
            NO_FLUSH => bus.core.poll(now),
            _ => bus.core.poll_flush(flush, now),
        };
        lay_out_action(bus, action)
    }

    /// Says that the owner of a flush is alive. Returns whether it sends.
    fn bus_lead(bus, flush: u32, now_ms: f64) -> bool {
        bus.core.lead(flush, Clock::nanos_of(now_ms))
    }

    /// Tells whether the owner of a flush did not poll in time.
    fn bus_is_silent(bus, flush: u32, now_ms: f64) -> bool {
        bus.core.is_silent(flush, Clock::nanos_of(now_ms))
    }

    /// The host begins a task of its event loop.
    fn bus_begin_task(bus) {
        bus.core.begin_task();
    }

    /// Hands out the next batch that was given up, or says that there is none.
    fn bus_next_abandoned(bus) -> u32 {
        match bus.core.next_abandoned() {
            Some(abandoned) => show_abandoned(bus, abandoned),
            None => step::IDLE,
        }
    }

    /// The destination may be back.
    fn bus_probe(bus) {
        bus.core.probe();
    }

    /// Hands out a batch of at most `max_bytes` bytes although another one of its shard may be in
    /// flight: to send, or nothing if there is none. The last events of a shard go first if
    /// `newest`.
    fn bus_poll_exit(bus, wall_ms: f64, now_ms: f64, max_bytes: usize, newest: bool) -> u32 {
        bus.core.clock().set(Clock::nanos_of(wall_ms));
        let order = if newest { ExitOrder::Newest } else { ExitOrder::Oldest };
        let lease = bus.core.poll_exit(Clock::nanos_of(now_ms), max_bytes, order);
        lease.map_or(step::IDLE, |lease| send(bus, &lease))
    }

    /// Leaves a row: the batch that was handed out last, without its body.
    fn bus_batch_head(bus) -> usize {
        bus.batch.as_ref().map_or(0, |batch| registry::lay_out(&numbers::batch(&batch.head())))
    }

    /// Lets go of the batch that was handed out last, so that its bytes are held no longer than they
    /// must be.
    fn bus_forget(bus) {
        bus.batch = None;
    }

    /// The lease was delivered. Returns whether it was still live.
    fn bus_acknowledge(bus, lease: f64, now_ms: f64) -> bool {
        bus.core.acknowledge(lease as u64, Clock::nanos_of(now_ms))
    }

    /// The lease failed with this [code](Failure::code). Returns whether it was still live.
    fn bus_fail(bus, lease: f64, code: i32, retry_after_ms: f64, now_ms: f64) -> bool {
        bus.core.fail(lease as u64, failure(code, retry_after_ms), Clock::nanos_of(now_ms))
    }

    /// The receiver answered for single events. The host has handed [in](registry::take_in) pairs
    /// of numbers: of consecutive events, and 0 if they were delivered or else one more than the
    /// code of their failure (see [`failure`]). Returns whether the lease was still live.
    fn bus_settle(bus, lease: f64, retry_after_ms: f64, now_ms: f64) -> bool {
        let bytes = registry::take_in();
        let mut outcomes = Vec::new();
        for pair in bytes.as_chunks::<8>().0.as_chunks::<2>().0 {
            let [count, code] = pair.map(f64::from_le_bytes);
            outcomes.push((count as usize, outcome(code as i32, retry_after_ms)));
        }
        bus.core.settle(lease as u64, &outcomes, Clock::nanos_of(now_ms))
    }

    /// Takes a batch out whose body has at most `max_bytes` bytes. Returns whether there was one.
    fn bus_drain(bus, max_bytes: usize) -> bool {
        bus.batch = bus.core.drain(max_bytes);
        bus.batch.is_some()
    }

    /// Cuts everything into batches and begins to go through all that are not settled.
    fn bus_stage(bus, now_ms: f64) {
        bus.staged = bus.core.stage(Clock::nanos_of(now_ms)).into_iter();
    }

    /// Goes on to the next staged batch. Returns whether there is one.
    fn bus_next_staged(bus) -> bool {
        bus.batch = bus.staged.next();
        bus.batch.is_some()
    }

    /// Takes the staged batch out for good. Returns whether it was there and not leased.
    fn bus_release(bus) -> bool {
        bus.batch.as_ref().is_some_and(|batch| bus.core.release(batch))
    }

    /// The store has `count` events of a shard of a run, the first with this sequence number.
    fn bus_note_stored(bus, nonce_high: u32, nonce_low: u32, shard: u32, sequence: f64, count: u32) {
        let nonce = numbers::whole(nonce_high, nonce_low);
        let start = sequence as u64;
        bus.core.note_stored(nonce, shard as u16, &(start..start + u64::from(count)));
    }

    /// Takes the oldest stored batch out if the store has more than it may. Leaves a row: its head;
    /// none, if there is none.
    fn bus_evict_stored(bus) -> usize {
        bus.core.evict_stored().map_or(0, |head| registry::lay_out(&numbers::batch(&head)))
    }

    /// Takes in the batch that was to be loaded, handed [in](registry::take_in). Returns 0, or the
    /// code of the error.
    fn bus_load(bus) -> i32 {
        bus.core.load(&registry::take_in()).map_or_else(|error| error.code(), |()| 0)
    }

    /// The batch that was to be loaded cannot be read. Returns whether it is lost by now.
    fn bus_note_unreadable(bus, nonce_high: u32, nonce_low: u32, shard: u32, sequence: f64, is_gone: bool) -> bool {
        let nonce = numbers::whole(nonce_high, nonce_low);
        bus.core.note_unreadable(nonce, shard as u16, sequence as u64, is_gone)
    }

    /// Takes all leases back.
    fn bus_recall(bus) {
        bus.core.recall();
    }

    /// Lets batches of earlier runs come back.
    fn bus_begin_restore(bus) {
        bus.core.begin_restore();
    }

    /// Most bytes that may be handed in for `bus_restore`.
    fn bus_max_restored_bytes(bus) -> usize {
        bus.core.max_restored_bytes()
    }

    /// Restores the batch of an earlier run that was handed [in](registry::take_in); then it is the
    /// one handed out last. Returns 0, or the code of the error.
    fn bus_restore(bus) -> i32 {
        bus.batch = None;
        match bus.core.restore(&registry::take_in()) {
            Ok(batch) => {
                bus.batch = Some(batch);
                0
            }
            Err(error) => error.code(),
        }
    }

    /// Nothing more comes back.
    fn bus_end_restore(bus) {
        bus.core.end_restore();
    }

    /// Tells whether more batches may come back, or a restored one is not settled.
    fn bus_is_restoring(bus) -> bool {
        bus.core.is_restoring()
    }

    /// Tells whether a batch may come back now.
    fn bus_wants_restored(bus) -> bool {
        bus.core.wants_restored()
    }

    /// Opens a flush that ends at `end_ms`, and returns its id.
    fn bus_begin_flush(bus, end_ms: f64) -> u32 {
        bus.core.begin_flush_until(Clock::nanos_of(end_ms))
    }

    /// The code of the progress of a flush.
    fn bus_flush_state(bus, flush: u32) -> i32 {
        bus.core.flush_state(flush).code()
    }

    /// Leaves a row: the outcome of everything that the flush covers.
    fn bus_flush_report(bus, flush: u32) -> usize {
        let report = bus.core.flush_report(flush).unwrap_or_default();
        registry::lay_out(&report.numbers())
    }

    /// Closes a flush.
    fn bus_end_flush(bus, flush: u32) {
        bus.core.end_flush(flush);
    }

    /// Tells whether there is room again.
    fn bus_is_ready(bus) -> bool {
        bus.core.is_ready()
    }

    /// Says whether somebody waits for room.
    fn bus_set_room_awaited(bus, awaited: bool) {
        bus.core.set_room_awaited(awaited);
    }

    /// Counts an event as refused because it cannot be written as JSON.
    fn bus_refuse_invalid(bus) {
        bus.core.refuse_invalid();
    }

    /// Counts an event as refused because it is too large.
    fn bus_refuse_oversize(bus) {
        bus.core.refuse_oversize();
    }

    /// Counts an event as refused because there is no memory to hand it over.
    fn bus_refuse_full(bus) {
        bus.core.refuse_full();
    }

    /// Adds `count` shards. Leaves a row: their ids, or a refusal.
    fn bus_scale_up(bus, count: u32) -> usize {
        changed(bus.core.scale_up(count as u16))
    }

    /// Drains up to `count` shards. Leaves a row: their ids, or a refusal.
    fn bus_scale_down(bus, count: u32) -> usize {
        changed(bus.core.scale_down(count as u16))
    }

    /// Leaves a row: where every event is. Returns how many numbers it has.
    fn bus_stats(bus) -> usize {
        registry::lay_out(&bus.core.stats().numbers())
    }

    /// Refuses all events from now on.
    fn bus_close(bus) {
        bus.core.close();
    }

    /// Gives up everything; `bus_poll` hands it out as abandoned.
    fn bus_abandon_everything(bus) {
        bus.core.abandon_everything();
    }

    /// Most bytes of one event.
    fn bus_max_event_bytes(bus) -> usize {
        bus.core.config().max_event_bytes
    }

    /// Most bytes of a key.
    fn bus_max_key_bytes(bus) -> usize {
        bus.core.config().max_key_bytes
    }

    /// The number of events offered.
    fn bus_offered(bus) -> f64 {
        bus.core.offered() as f64
    }

    /// The number of events refused or evicted.
    fn bus_lost(bus) -> f64 {
        bus.core.lost() as f64
    }
}

/// Forgets the bus. The handle may become another one's.
#[unsafe(no_mangle)]
extern "C" fn bus_free(handle: usize) {
    registry::with(|registry| registry.remove(handle));
}

fn outcome(code: i32, retry_after_ms: f64) -> Outcome {
    match code {
        0 => Outcome::Delivered,
        _ => Outcome::Failed(failure(code - FAILED, retry_after_ms)),
    }
}

fn failure(code: i32, retry_after_ms: f64) -> Failure {
    Failure::of_code(code, Duration::from_nanos(Clock::nanos_of(retry_after_ms)))
}

/// Leaves the row that goes with the action, and returns its step.
fn lay_out_action(bus: &mut Bus, action: Action) -> u32 {
    match action {
        Action::Send(lease) => send(bus, &lease),
        Action::Abandoned(abandoned) => show_abandoned(bus, abandoned),
        Action::Store(batch) => {
            bus.batch = Some(batch);
            step::STORE
        }
        Action::Load(head) => {
            registry::lay_out(&numbers::batch(&head));
            step::LOAD
        }
        Action::Lost(flush) => {
            registry::lay_out(&[f64::from(flush)]);
            step::LOST
        }
        Action::Yield => step::YIELD,
        Action::WaitUntil(wake) => {
            registry::lay_out(&numbers::wait(&(wake, bus.core.leeway())));
            step::WAIT_UNTIL
        }
        Action::Idle => step::IDLE,
    }
}

/// Leaves the reason and the attempts in the row.
fn show_abandoned(bus: &mut Bus, abandoned: Abandoned) -> u32 {
    registry::lay_out(&numbers::abandoned(&abandoned));
    bus.batch = Some(abandoned.batch);
    step::ABANDONED
}

/// Leaves the lease in the row.
fn send(bus: &mut Bus, lease: &Lease) -> u32 {
    registry::lay_out(&numbers::lease(lease));
    bus.batch = Some(Shared::clone(&lease.batch));
    step::SEND
}

/// Leaves the ids of the shards that were added or drain; or alone, and negative, why not.
fn changed(change: Result<Vec<u16>, ScalingError>) -> usize {
    let refusal = match change {
        Ok(ids) => {
            let mut row = Vec::new();
            for id in ids {
                row.push(f64::from(id));
            }
            return registry::lay_out(&row);
        }
        Err(error) => error.code(),
    };
    registry::lay_out(&[f64::from(refusal)])
}
