//! A bus beside a model of it.
//!
//! The model knows the place of each accepted event, and the actions that the bus may and must take
//! next. If the bus has a choice (the length of a pause, the size of an adaptive batch, the time to
//! scale), the model checks its limits and follows.

mod answers;
mod counting;
mod destination;
mod endings;
mod exits;
mod expiry;
mod intake;
mod lane;
mod outbox;
mod owners;
mod restoring;
mod sending;
mod spilling;
mod storing;
mod timing;
mod topology;

use crate::tally::Tally;
use crate::trace::{Trace, note};
use crate::violation::{CheckResult, ensure, ensure_eq};
use destination::Destination;
use lane::{Content, Lane, Lanes, Origin, Outgoing, Phase, RESTORED, State};
use owners::Owner;
use shardbus::{
    AbandonReason, AbandonedEvents, Batch, BatchStats, BusConfig, Clock, EventBus, FlushReport,
    FlushState, Rejected, RetryPolicy, Scheduler, Shared,
};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

pub use intake::Offer;
pub use outbox::Outbox;
pub use owners::{MAX_PAUSES, SILENCE};
pub use restoring::Restored;
pub use sending::Polled;

/// The number of keys.
pub const KEYS: u8 = 6;

/// An accepted event. Its payload follows from its number and its length.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// The run of the host that accepted it, and its place among all events of that run.
    life: u32,
    number: u32,
    key: Option<u8>,
    len: u16,
    has_newline: bool,
    timestamp: u64,
}

/// The end of an event in the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Delivered,
    Abandoned(AbandonReason),
    Evicted,
    Drained,
    /// Drained because the host has it elsewhere.
    Released,
}

/// The bytes of one batch, and of the halves that it was split into.
#[derive(Debug)]
struct Reservation {
    bytes: u64,
    holders: u32,
}

#[derive(Debug)]
struct Flush {
    id: u32,
    /// It covers the events accepted before this one that were not settled.
    mark: usize,
    end: u64,
    /// It began on a closed bus.
    is_last: bool,
    covered: u64,
    report: FlushReport,
}

#[derive(Debug, Default)]
struct Key {
    /// Accepted and not settled, oldest first.
    pending: VecDeque<usize>,
    /// The destination shard of its events, and the topology.
    route: Option<(u16, u32)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    offered: u64,
    rejected: Rejected,
    delivered: u64,
    body_bytes_delivered: u64,
    evicted: u64,
    drained: u64,
    abandoned: AbandonedEvents,
    batches: BatchStats,
}

/// A bus, and its expected state.
#[derive(Debug)]
pub struct Ledger {
    bus: EventBus,
    nonce: u64,
    /// The number of the host's run.
    life: u32,
    /// The host's store, if it has one.
    pub outbox: Option<Outbox>,
    is_seeded: bool,
    pub trace: Trace,
    /// The wall clock's time, which the bus reads at each crossing.
    pub wall: u64,
    /// The latest time that was passed to the delivery.
    now: u64,
    events: Vec<Event>,
    lanes: Lanes,
    /// The existing lanes: the one of restored batches, once there may be some, then the shards',
    /// oldest first.
    present: Vec<usize>,
    /// The place there of the lane whose turn it is.
    next_exit: usize,
    /// Set while earlier runs may have left more than came back.
    is_restoring: bool,
    restored: u64,
    /// Counts the changes of the active shards.
    topology: u32,
    keys: [Key; KEYS as usize],
    is_keyed: bool,
    is_room_awaited: bool,
    is_closed: bool,
    held: u64,
    held_by_batches: u64,
    reservations: Vec<Reservation>,
    /// The batches that the host keeps referenced.
    kept: Vec<(Shared<Batch>, usize)>,
    /// Given up and not shown yet.
    abandoned: VecDeque<(AbandonReason, usize, Outgoing)>,
    flushes: Vec<Flush>,
    /// Events from these on wait for all that were accepted before.
    fences: VecDeque<usize>,
    counts: Counts,
    /// Statistics beyond [`Counts`], which no check depends on.
    tally: Tally,
    leases: u64,
    /// Batches handed out since the host's task began.
    batches_in_task: u32,
    /// Batches that the bus asked for: their lanes and sequences.
    loads: Vec<(usize, u64)>,
    owners: Vec<Owner>,
    /// The flush whose owner sends.
    leader: Option<u32>,
    /// The flush whose owner polls now.
    polled_for: Option<u32>,
    destination: Destination,
}

impl Ledger {
    pub fn new(config: &BusConfig, nonce: u64, wall: u64, trace: Trace) -> Self {
        Self::restarted(config, (0, nonce), wall, trace, None)
    }

    /// A new bus in another run of its host.
    pub fn restarted(
        config: &BusConfig,
        (life, nonce): (u32, u64),
        wall: u64,
        trace: Trace,
        outbox: Option<Outbox>,
    ) -> Self {
        let bus = EventBus::new(*config, Clock::manual(wall));
        let bus = bus.expect("plans draw valid settings");
        bus.begin_task();
        let shards = usize::from(config.shards);
        Self {
            bus,
            nonce,
            life,
            outbox,
            is_seeded: false,
            trace,
            wall,
            now: 0,
            events: Vec::with_capacity(256),
            lanes: Lanes {
                shards: (0..shards).map(|_| Lane::new()).collect(),
                restored: Lane::new(),
            },
            present: (0..shards).collect(),
            next_exit: 0,
            is_restoring: false,
            restored: 0,
            topology: 0,
            keys: Default::default(),
            is_keyed: false,
            is_room_awaited: false,
            is_closed: false,
            held: 0,
            held_by_batches: 0,
            reservations: Vec::with_capacity(32),
            kept: Vec::new(),
            abandoned: VecDeque::new(),
            flushes: Vec::new(),
            fences: VecDeque::new(),
            counts: Counts::default(),
            tally: Tally::default(),
            leases: 0,
            batches_in_task: 0,
            loads: Vec::new(),
            owners: Vec::new(),
            leader: None,
            polled_for: None,
            destination: Destination::default(),
        }
    }

    pub const fn config(&self) -> &BusConfig {
        self.bus.config()
    }

    fn retry(&self) -> RetryPolicy {
        self.config().retry.unwrap_or(RetryPolicy { max_attempts: 0, ..RetryPolicy::default() })
    }

    /// The latest time that was passed to the delivery.
    pub const fn now(&self) -> u64 {
        self.now
    }

    pub fn tally(&self) -> Tally {
        let Counts { offered, rejected, delivered, evicted, drained, abandoned, batches, .. } =
            self.counts;
        Tally {
            offered,
            rejected: sum_of(rejected),
            delivered,
            evicted,
            drained,
            abandoned: abandoned.retries
                + abandoned.permanent
                + abandoned.expired
                + abandoned.shutdown,
            attempts: self.leases,
            retries: batches.retries,
            expired: batches.expired,
            changes: u64::from(self.topology),
            restored: self.restored,
            ..self.tally
        }
    }

    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// The number of leases so far.
    pub const fn leases(&self) -> u64 {
        self.leases
    }

    /// The number of batches that the host keeps referenced.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Events that are waiting or in flight.
    pub fn unsettled(&self) -> u64 {
        let of = |&lane: &usize| {
            let lane = &self.lanes[lane];
            lane.waiting().len() as u64 + lane.in_flight
        };
        self.present.iter().map(of).sum()
    }

    pub fn is_draining(&self) -> bool {
        self.present.iter().any(|&lane| self.lanes[lane].phase == Phase::Draining)
    }

    fn is_automatic(&self) -> bool {
        self.config().scheduler == Scheduler::Auto
    }

    fn usable(&self) -> usize {
        self.config().capacity - 1
    }

    /// The start of the last quarter.
    fn high_water(&self) -> usize {
        self.usable() - self.usable() / 4
    }

    /// The origin of a shard's batches.
    fn origin_of(&self, lane: usize) -> Origin {
        Origin { nonce: self.nonce, shard: lane as u16, format: self.config().format }
    }

    fn frame_len(&self) -> usize {
        let (before, after, _) = self.origin_of(0).brackets();
        before.len() + after.len()
    }

    /// The length of a batch's body.
    fn body_len(&self, lane: usize, outgoing: &Outgoing) -> usize {
        let (before, after, _) = outgoing.origin.brackets();
        let events = &self.lanes[lane].log[outgoing.events.clone()];
        let payloads: usize =
            events.iter().map(|&event| usize::from(self.events[event].len) + 1).sum();
        payloads - 1 + before.len() + after.len()
    }

    /// Notes that events of a lane left the bus.
    fn settle(&mut self, lane: usize, events: Range<usize>, exit: Exit) {
        let count = events.len() as u64;
        *match exit {
            Exit::Delivered => &mut self.counts.delivered,
            Exit::Evicted => &mut self.counts.evicted,
            Exit::Drained | Exit::Released => &mut self.counts.drained,
            Exit::Abandoned(AbandonReason::Retries) => &mut self.counts.abandoned.retries,
            Exit::Abandoned(AbandonReason::Permanent) => &mut self.counts.abandoned.permanent,
            Exit::Abandoned(AbandonReason::Expired) => &mut self.counts.abandoned.expired,
            Exit::Abandoned(AbandonReason::Shutdown) => &mut self.counts.abandoned.shutdown,
        } += count;
        if let Some(outbox) = &mut self.outbox {
            let log = &self.lanes[lane].log[events.clone()];
            outbox.note_exit(lane, &events, exit, log.iter().map(|&event| &self.events[event]));
        }
        for &event in &self.lanes[lane].log[events] {
            if let Some(key) = self.events[event].key {
                let pending = &mut self.keys[usize::from(key)].pending;
                if let Some(at) = pending.iter().position(|&other| other == event) {
                    pending.remove(at);
                }
            }
            for flush in self.flushes.iter_mut().filter(|flush| event < flush.mark) {
                *match exit {
                    Exit::Delivered => &mut flush.report.delivered,
                    Exit::Evicted => &mut flush.report.evicted,
                    Exit::Drained | Exit::Released => &mut flush.report.drained,
                    Exit::Abandoned(_) => &mut flush.report.abandoned,
                } += 1;
                flush.report.pending -= 1;
            }
        }
    }

    /// One less has the bytes of a batch.
    fn release(&mut self, reservation: usize) {
        let reservation = &mut self.reservations[reservation];
        reservation.holders -= 1;
        if reservation.holders == 0 {
            self.held -= reservation.bytes;
            self.held_by_batches -= reservation.bytes;
        }
    }

    /// True if an open flush covers an event of the lane.
    fn is_flushed(&self, lane: usize) -> bool {
        // A flush waits for the last batch of an earlier run.
        if lane == RESTORED {
            return !self.flushes.is_empty();
        }
        let oldest = self.lanes[lane].oldest();
        oldest.is_some_and(|oldest| self.flushes.iter().any(|flush| oldest < flush.mark))
    }

    /// The first fence that has something before it; the others fall.
    fn fence(&mut self) -> Option<usize> {
        let fence = *self.fences.front()?;
        let shards = self.present.iter().filter(|&&lane| lane != RESTORED);
        let oldest = shards.filter_map(|&lane| self.lanes[lane].oldest()).min();
        if oldest.is_some_and(|oldest| oldest < fence) {
            return Some(fence);
        }
        self.fences.pop_front();
        self.fence()
    }
}

/// Calls that only pass something on.
impl Ledger {
    /// As late as hosts do it: before the first batch leaves.
    fn seed(&mut self) {
        if !self.is_seeded {
            self.is_seeded = true;
            self.bus.seed(self.nonce);
        }
    }

    pub fn begin_task(&mut self) {
        self.batches_in_task = 0;
        self.bus.begin_task();
    }

    pub fn set_room_awaited(&mut self, awaited: bool) {
        self.is_room_awaited = awaited;
        self.bus.set_room_awaited(awaited);
    }

    pub fn is_ready(&self) -> bool {
        self.bus.is_ready()
    }

    pub fn close(&mut self) {
        self.is_closed = true;
        self.bus.close();
        // Of a pause, only the part that the receiver asked for remains.
        self.destination.probe_now();
        for &lane in &self.present {
            self.lanes[lane].resumes = (0, 0);
            for outgoing in &mut self.lanes[lane].outgoing {
                if let State::Paused { from, to } = &mut outgoing.state {
                    *from = outgoing.asked;
                    *to = *from;
                }
            }
        }
    }

    /// The host releases a batch that it keeps referenced.
    pub fn forget(&mut self, nth: usize) {
        let (batch, reservation) = self.kept.swap_remove(nth);
        drop(batch);
        self.release(reservation);
    }

    pub fn forget_all(&mut self) {
        while let Some(last) = self.kept.len().checked_sub(1) {
            self.forget(last);
        }
    }

    pub fn begin_flush(&mut self) -> CheckResult<u32> {
        self.begin_flush_until(u64::MAX)
    }

    pub fn begin_flush_until(&mut self, end: u64) -> CheckResult<u32> {
        let id = self.bus.begin_flush_until(end);
        self.destination.probe_soon();
        self.tally.flushes += 1;
        let is_new = self.flushes.iter().all(|flush| flush.id != id);
        ensure!(is_new, "an open flush's id is not given again", "{id}");
        let covered = self.unsettled();
        let report = FlushReport { pending: covered, ..FlushReport::default() };
        self.flushes.push(Flush {
            id,
            mark: self.events.len(),
            end,
            is_last: self.is_closed,
            covered,
            report,
        });
        note!(self, "    flush {id} covers {covered}");
        Ok(id)
    }

    /// The number of a flush's events that are not settled; none if it has ended.
    pub fn pending_of(&self, flush: u32) -> u64 {
        let open = self.flushes.iter().find(|open| open.id == flush);
        open.map_or(0, |open| open.report.pending)
    }

    /// The progress of a flush, right after a poll that made the host wait until `wake`.
    pub fn flush_state(&self, id: u32, wake: u64) -> CheckResult<FlushState> {
        let state = self.bus.flush_state(id);
        let flush = self.flushes.iter().find(|flush| flush.id == id);
        let is_settled = self.pending_of(id) == 0 && !self.is_restoring();
        let is_hopeless =
            flush.is_some_and(|flush| flush.is_last && wake > flush.end) && !self.is_busy();
        let expected = match flush {
            Some(_) if is_settled => FlushState::Settled,
            Some(_) if !is_hopeless => FlushState::Open,
            _ => FlushState::TimedOut,
        };
        ensure_eq!(state, expected, "a flush ends when it is settled, or hopeless");
        Ok(state)
    }

    pub fn end_flush(&mut self, id: u32) -> CheckResult {
        self.bus.end_flush(id);
        self.flushes.retain(|flush| flush.id != id);
        self.note_end(id)?;
        let report = self.bus.flush_report(id);
        ensure!(report.is_none(), "a flush that has ended has no report");
        note!(self, "    flush {id} ends");
        Ok(())
    }
}

fn sum_of(rejected: Rejected) -> u64 {
    let Rejected { full, sampled, unrouted, oversize, invalid, closed } = rejected;
    full + sampled + unrouted + oversize + invalid + closed
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
