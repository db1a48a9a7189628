//! One export for all calls outside the event path: exports of their own would take more bytes than
//! most calls do. Numbers cross, a boolean as 0 or 1; more numbers than one are left in a row, and
//! bytes in [memory](registry::leave). A handle that is not a bus's does nothing, and gives 0.

use crate::numbers::{self, FAILED, Number, step};
use crate::registry::{self, Bus};
use shardbus::{
    Abandoned, Action, BusConfig, Clock, EventBus, ExitOrder, Failure, Lease, Outcome,
    ScalingError, Shared,
};
use std::time::Duration;

/// No flush; -1 in JavaScript.
const NO_FLUSH: u32 = u32::MAX;

/// The declaration of a call.
#[derive(Debug)]
pub struct Declared {
    /// Its name.
    pub name: &'static str,
    /// The name and the type of each argument.
    pub arguments: &'static [(&'static str, &'static str)],
    /// The type of its result; none, if it has none.
    pub result: &'static [&'static str],
    /// The lines of its documentation.
    pub about: &'static [&'static str],
}

/// Declares the calls, and the export that makes them.
macro_rules! calls {
    ($(
        $(#[doc = $about:literal])+
        fn $name:ident($bus:ident $(, $arg:ident: $type:ty)*) $(-> $result:ty)? { $($body:tt)* }
    )*) => {
        /// The calls, by their codes.
        pub const CALLS: &[Declared] = &[$(Declared {
            name: stringify!($name),
            arguments: &[$((stringify!($arg), stringify!($type))),*],
            result: &[$(stringify!($result))?],
            about: &[$($about),+],
        }),*];

        #[expect(non_camel_case_types, reason = "each is named as its function")]
        enum Code {
            $($name),*
        }

        /// Makes the call with this code on a bus; it takes as many of the numbers as it has arguments.
        #[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
        pub extern "C" fn call(handle: usize, code: u32, a: f64, b: f64, c: f64, d: f64, e: f64) -> f64 {
            let make = |bus: &mut Bus| {
                $(if code == Code::$name as u32 {
                    let [$($arg,)* ..] = [a, b, c, d, e];
                    return Number::number($name(bus, $(<$type>::of($arg)),*));
                })*
                0.0
            };
            registry::with_bus(handle, make).unwrap_or_default()
        }

        $(
            $(#[doc = $about])+
            // Apart, so that no call has to be compiled before it is made.
            #[inline(never)]
            fn $name($bus: &mut Bus $(, $arg: $type)*) $(-> $result)? { $($body)* }
        )*
    };
}

/// Makes a bus of [`BusConfig::from_numbers`], which the host has handed in and checked, and returns
/// its handle; -1 if there is no memory for it.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn create() -> isize {
    let numbers = registry::take_in();
    let bus = match numbers.as_chunks().0 {
        // There was no memory to hand them in.
        [] => None,
        numbers => EventBus::of_valid(BusConfig::from_numbers(numbers), Clock::manual(0)),
    };
    let handle = bus.and_then(|bus| registry::with(|registry| registry.add(bus)));
    handle.map_or(-1, |handle| handle as isize)
}

/// Forgets the bus. The handle may become another one's.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn free(handle: usize) {
    registry::with(|registry| registry.remove(handle));
}

calls! {
    /// Gives the bus 64 random bits. Call it once, before the first `poll`.
    fn seed(bus, high: u32, low: u32) {
        bus.core.seed(numbers::whole(high, low));
    }

    /// The next thing to do, `now_ms` milliseconds after any fixed point, for the owner of a flush or,
    /// if it is -1, for the only host. `wall_ms` is the wall clock. Leaves the row that goes with the
    /// step.
    fn poll(bus, flush: u32, wall_ms: f64, now_ms: f64) -> u32 {
        bus.core.clock().set(Clock::nanos_of(wall_ms));
        let now = Clock::nanos_of(now_ms);
        let action = match flush {
            NO_FLUSH => bus.core.poll(now),
            _ => bus.core.poll_flush(flush, now),
        };
        lay_out_action(bus, action)
    }

    /// Says that the owner of a flush is alive. Returns whether it sends.
    fn lead(bus, flush: u32, now_ms: f64) -> bool {
        bus.core.lead(flush, Clock::nanos_of(now_ms))
    }

    /// Tells whether the owner of a flush did not poll in time.
    fn is_silent(bus, flush: u32, now_ms: f64) -> bool {
        bus.core.is_silent(flush, Clock::nanos_of(now_ms))
    }

    /// The host begins a task of its event loop.
    fn begin_task(bus) {
        bus.core.begin_task();
    }

    /// Hands out the next batch that was given up, or says that there is none.
    fn next_abandoned(bus) -> u32 {
        match bus.core.next_abandoned() {
            Some(abandoned) => show_abandoned(bus, abandoned),
            None => step::IDLE,
        }
    }

    /// The destination may be back.
    fn probe(bus) {
        bus.core.probe();
    }

    /// Hands out a batch of at most `max_bytes` bytes although another one of its shard may be in
    /// flight: to send, or nothing if there is none. The last events of a shard go first if
    /// `newest`.
    fn poll_exit(bus, wall_ms: f64, now_ms: f64, max_bytes: usize, newest: bool) -> u32 {
        bus.core.clock().set(Clock::nanos_of(wall_ms));
        let order = if newest { ExitOrder::Newest } else { ExitOrder::Oldest };
        let lease = bus.core.poll_exit(Clock::nanos_of(now_ms), max_bytes, order);
        lease.map_or(step::IDLE, |lease| send(bus, &lease))
    }

    /// Leaves a row: the batch that was handed out last, without its body.
    fn batch_head(bus) {
        if let Some(batch) = &bus.batch {
            registry::lay_out(&numbers::batch(&batch.head()));
        }
    }

    /// Leaves the body of the batch that was handed out last.
    fn batch_body(bus) {
        registry::leave(bus.batch.as_ref().map_or(&[], |batch| batch.body()));
    }

    /// Leaves the records of its events, which stand one after another in its body with one byte
    /// between two: a length of 4 bytes and a timestamp of 8 for each.
    fn batch_records(bus) {
        registry::leave(bus.batch.as_ref().map_or(&[], |batch| batch.records()));
    }

    /// Leaves the batch that was handed out last as bytes for a store; none, if there is no memory for
    /// them.
    fn batch_encode(bus) {
        let encoded = bus.batch.as_ref().and_then(|batch| batch.try_encode());
        registry::give_out(encoded.unwrap_or_default());
    }

    /// Lets go of the batch that was handed out last, so that its bytes are held no longer than they
    /// must be.
    fn forget(bus) {
        bus.batch = None;
    }

    /// The lease was delivered. Returns whether it was still live.
    fn acknowledge(bus, lease: f64, now_ms: f64) -> bool {
        bus.core.acknowledge(lease as u64, Clock::nanos_of(now_ms))
    }

    /// The lease failed with this code. Returns whether it was still live.
    fn fail(bus, lease: f64, code: i32, retry_after_ms: f64, now_ms: f64) -> bool {
        bus.core.fail(lease as u64, failure(code, retry_after_ms), Clock::nanos_of(now_ms))
    }

    /// The receiver answered for single events. The host has handed in pairs of numbers: of
    /// consecutive events, and 0 if they were delivered or else one more than the code of their
    /// failure. Returns whether the lease was still live.
    fn settle_incoming(bus, lease: f64, retry_after_ms: f64, now_ms: f64) -> bool {
        let bytes = registry::take_in();
        let mut outcomes = Vec::new();
        for pair in bytes.as_chunks::<8>().0.as_chunks::<2>().0 {
            let [count, code] = pair.map(f64::from_le_bytes);
            outcomes.push((count as usize, outcome(code as i32, retry_after_ms)));
        }
        bus.core.settle(lease as u64, &outcomes, Clock::nanos_of(now_ms))
    }

    /// Takes a batch out whose body has at most `max_bytes` bytes. Returns whether there was one.
    fn drain(bus, max_bytes: usize) -> bool {
        bus.batch = bus.core.drain(max_bytes);
        bus.batch.is_some()
    }

    /// Cuts everything into batches and begins to go through all that are not settled.
    fn stage(bus, now_ms: f64) {
        bus.staged = bus.core.stage(Clock::nanos_of(now_ms)).into_iter();
    }

    /// Goes on to the next staged batch. Returns whether there is one.
    fn next_staged(bus) -> bool {
        bus.batch = bus.staged.next();
        bus.batch.is_some()
    }

    /// Takes the staged batch out for good. Returns whether it was there and not leased.
    fn release(bus) -> bool {
        bus.batch.as_ref().is_some_and(|batch| bus.core.release(batch))
    }

    /// The store has `count` events of a shard of a run, the first with this sequence number.
    fn note_stored(bus, nonce_high: u32, nonce_low: u32, shard: u32, sequence: f64, count: u32) {
        let nonce = numbers::whole(nonce_high, nonce_low);
        let start = sequence as u64;
        bus.core.note_stored(nonce, shard as u16, &(start..start + u64::from(count)));
    }

    /// Takes the oldest stored batch out if the store has more than it may. Leaves its head in the
    /// row. Returns whether there was one.
    fn evict_stored(bus) -> bool {
        let evicted = bus.core.evict_stored();
        if let Some(head) = &evicted {
            registry::lay_out(&numbers::batch(head));
        }
        evicted.is_some()
    }

    /// Takes in the batch that was to be loaded, which was handed in. Returns 0, or the code of the
    /// error.
    fn load_incoming(bus) -> i32 {
        bus.core.load(&registry::take_in()).map_or_else(|error| error.code(), |()| 0)
    }

    /// The batch that was to be loaded cannot be read. Returns whether it is lost by now.
    fn note_unreadable(bus, nonce_high: u32, nonce_low: u32, shard: u32, sequence: f64, is_gone: bool) -> bool {
        let nonce = numbers::whole(nonce_high, nonce_low);
        bus.core.note_unreadable(nonce, shard as u16, sequence as u64, is_gone)
    }

    /// Takes all leases back.
    fn recall(bus) {
        bus.core.recall();
    }

    /// Lets batches of earlier runs come back.
    fn begin_restore(bus) {
        bus.core.begin_restore();
    }

    /// Most bytes that may be handed in for `restore_incoming`.
    fn max_restored_bytes(bus) -> usize {
        bus.core.max_restored_bytes()
    }

    /// Restores the batch of an earlier run that was handed in; then it is the one handed out last.
    /// Returns 0, or the code of the error.
    fn restore_incoming(bus) -> i32 {
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
    fn end_restore(bus) {
        bus.core.end_restore();
    }

    /// Tells whether more batches may come back, or a restored one is not settled.
    fn is_restoring(bus) -> bool {
        bus.core.is_restoring()
    }

    /// Tells whether a batch may come back now.
    fn wants_restored(bus) -> bool {
        bus.core.wants_restored()
    }

    /// Opens a flush that ends at `end_ms`, and returns its id.
    fn begin_flush(bus, end_ms: f64) -> u32 {
        bus.core.begin_flush_until(Clock::nanos_of(end_ms))
    }

    /// The code of the progress of a flush.
    fn flush_state(bus, flush: u32) -> i32 {
        bus.core.flush_state(flush).code()
    }

    /// Leaves a row: the outcome of everything that the flush covers.
    fn flush_report(bus, flush: u32) -> usize {
        let report = bus.core.flush_report(flush).unwrap_or_default();
        registry::lay_out(&report.numbers())
    }

    /// Closes a flush.
    fn end_flush(bus, flush: u32) {
        bus.core.end_flush(flush);
    }

    /// Tells whether there is room again.
    fn is_ready(bus) -> bool {
        bus.core.is_ready()
    }

    /// Says whether somebody waits for room.
    fn set_room_awaited(bus, awaited: bool) {
        bus.core.set_room_awaited(awaited);
    }

    /// Counts an event as refused because it cannot be written as JSON.
    fn refuse_invalid(bus) {
        bus.core.refuse_invalid();
    }

    /// Counts an event as refused because it is too large.
    fn refuse_oversize(bus) {
        bus.core.refuse_oversize();
    }

    /// Counts an event as refused because there is no memory to hand it over.
    fn refuse_full(bus) {
        bus.core.refuse_full();
    }

    /// Adds `count` shards. Leaves a row: their ids, or a refusal.
    fn scale_up(bus, count: u32) -> usize {
        changed(bus.core.scale_up(count as u16))
    }

    /// Drains up to `count` shards. Leaves a row: their ids, or a refusal.
    fn scale_down(bus, count: u32) -> usize {
        changed(bus.core.scale_down(count as u16))
    }

    /// Leaves a row: where every event is, and the age of the oldest one at this time by the wall
    /// clock. Returns how many numbers it has.
    fn stats(bus, wall_ms: f64) -> usize {
        bus.core.clock().set(Clock::nanos_of(wall_ms));
        registry::lay_out(&bus.core.stats().numbers())
    }

    /// Refuses all events from now on.
    fn close(bus) {
        bus.core.close();
    }

    /// Gives up everything; `poll` hands it out as abandoned.
    fn abandon_everything(bus) {
        bus.core.abandon_everything();
    }

    /// Most bytes of one event.
    fn max_event_bytes(bus) -> usize {
        bus.core.config().max_event_bytes
    }

    /// Most bytes of a key.
    fn max_key_bytes(bus) -> usize {
        bus.core.config().max_key_bytes
    }

    /// The number of events offered.
    fn offered(bus) -> f64 {
        bus.core.offered() as f64
    }

    /// The number of events refused or evicted.
    fn lost(bus) -> f64 {
        bus.core.lost() as f64
    }
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
