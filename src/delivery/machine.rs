//! The state machine over all lanes.

use crate::batch::Batch;
use crate::clock::nanos;
use crate::config::{BusConfig, Scheduler};
use crate::delivery::destination::Destination;
use crate::delivery::flush::{Exit, Flush};
use crate::delivery::lane::{Lane, Outgoing, OutgoingState};
use crate::delivery::owners::Owner;
use crate::delivery::retry::Backoff;
use crate::delivery::spill::Content;
use crate::delivery::task::TaskBudget;
use crate::delivery::{Abandoned, Action, DeliveryStats, FlushReport, FlushState, Lease, NEVER};
use crate::queue::Queue;
use crate::shard::{BatchWorker, Shard, ShardMetricsCollector, ShardRef, Watermarks};
use crate::sync::Shared;

/// Which lanes may send, beside those that an open flush covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// None.
    Nothing,
    /// Those whose batch is due.
    Due,
    /// All that hold something: the bus is running out of bytes.
    Everything,
}

/// Leases, retries and flushes of a bus.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(super) lanes: Vec<Lane>,
    pub(super) config: BusConfig,
    nonce: u64,
    pub(super) backoff: Backoff,
    pub(super) destination: Destination,
    /// Nanoseconds that one attempt may take, and that its lease lasts beyond.
    pub(super) timeout: u64,
    pub(super) margin: u64,
    pub(super) flushes: Vec<Flush>,
    pub(super) owners: Vec<Owner>,
    /// The flush whose owner sends for all.
    pub(super) leader: Option<u32>,
    /// The flush whose owner polls now.
    pub(super) polled_for: Option<u32>,
    /// Resharding barriers, oldest first. Events accepted after a barrier wait until all earlier
    /// ones are settled, so that a key that moved to another shard stays in order.
    pub(super) fences: Vec<Watermarks>,
    /// Set while earlier runs may have left more batches than were taken in.
    pub(super) is_restoring: bool,
    /// Given up, and not yet shown to the host.
    pub(super) abandoned: Queue<Abandoned>,
    pub(super) stats: DeliveryStats,
    pub(super) next_lease: u64,
    next_flush: u32,
    /// The time of the next action, if nothing happened since a poll said so; otherwise 0.
    pub(super) next_action: u64,
    task: Option<TaskBudget>,
    /// Round-robin cursor of `poll`.
    next_lane: usize,
    /// The same for exits, which keep no lane from its turn otherwise.
    pub(super) next_exit: usize,
    /// The latest time seen: a clock that goes back is taken to stand still.
    pub(super) now: u64,
}

impl Delivery {
    pub(crate) fn new(config: BusConfig) -> Self {
        Self {
            lanes: Vec::new(),
            nonce: 0,
            backoff: Backoff::new(config.retry, 0),
            destination: Destination::default(),
            timeout: nanos(config.timeout),
            margin: nanos(BusConfig::LEASE_MARGIN),
            flushes: Vec::new(),
            owners: Vec::new(),
            leader: None,
            polled_for: None,
            fences: Vec::new(),
            is_restoring: false,
            abandoned: Queue::new(),
            stats: DeliveryStats::default(),
            next_lease: 0,
            next_flush: 0,
            next_action: 0,
            task: None,
            next_lane: 0,
            next_exit: 0,
            now: 0,
            config,
        }
    }

    /// Sets the nonce of all later batches, and the seed of the pauses between attempts.
    pub(crate) fn seed(&mut self, nonce: u64) {
        self.nonce = nonce;
        for lane in &mut self.lanes {
            lane.worker.set_process_nonce(nonce);
        }
        self.backoff.reseed(nonce);
    }

    /// Opens a lane for a shard.
    pub(crate) fn add_lane(
        &mut self,
        shard: ShardRef,
        collector: Option<Shared<ShardMetricsCollector>>,
    ) {
        let worker = BatchWorker::new(self.config.batch, self.nonce);
        self.lanes.push(Lane::new(shard, worker, collector));
    }

    /// Lets the shard with this id be emptied without waiting for size or time.
    pub(crate) fn drain_lane(&mut self, id: u16) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.id() == id) {
            lane.is_draining = true;
        }
    }

    /// Closes a lane that is drained, if there is one, and returns its shard's id.
    pub(crate) fn remove_drained_lane(&mut self) -> Option<u16> {
        let drained = self.lanes.iter().position(Lane::is_drained)?;
        Some(self.lanes.remove(drained).id())
    }

    /// Events accepted after `watermarks` wait until all earlier ones are settled.
    pub(crate) fn raise_fence(&mut self, watermarks: Watermarks) {
        self.fences.push(watermarks);
    }

    /// Takes away the fences that have nothing before them any more.
    fn drop_fences(&mut self) {
        while let Some(fence) = self.fences.first()
            && self.lanes.iter().all(|lane| lane.count_before(fence) == 0)
        {
            self.fences.remove(0);
        }
    }

    pub(crate) const fn stats(&self) -> DeliveryStats {
        self.stats
    }

    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Returns the next action at `now`, while the wall clock shows `wall`. Poll again until the
    /// action is to wait.
    pub(crate) fn poll(&mut self, now: u64, wall: u64, permit: Permit) -> Action {
        self.advance(now);
        self.expire_leases();
        self.give_up_old(wall);
        self.drop_fences();
        if let Some(abandoned) = self.abandoned.remove(0) {
            return Action::Abandoned(abandoned);
        }
        self.spill();
        if self.task.is_some_and(TaskBudget::is_used_up) && self.lanes.iter().any(Lane::has_more) {
            return Action::Yield;
        }
        if let Some(head) = self.load_old(wall) {
            return Action::Load(head);
        }
        self.drop_lost_probe();
        let count = self.lanes.len();
        for step in 0..count {
            let lane = (self.next_lane + step) % count;
            if let Some(action) = self.take_turn(lane, permit) {
                self.next_lane = (lane + 1) % count;
                if let (Action::Send(lease), Some(task)) = (&action, &mut self.task) {
                    task.spend(lease.batch.body().len());
                }
                return action;
            }
        }
        if let Some(batch) = self.next_to_store() {
            return Action::Store(batch);
        }
        let wake = self.next_wake().min(self.next_expiry(wall)).min(self.next_store());
        self.next_action = wake;
        if wake == NEVER { Action::Idle } else { Action::WaitUntil(wake) }
    }

    /// The host's event loop begins a new task.
    pub(crate) const fn begin_task(&mut self) {
        self.task = Some(TaskBudget::FULL);
    }

    /// The next batch that was given up and not yet shown, however it came to that.
    pub(crate) fn next_abandoned(&mut self) -> Option<Abandoned> {
        self.abandoned.remove(0)
    }

    /// Lets another lane probe if the lease of the probe is gone.
    fn drop_lost_probe(&mut self) {
        let probe = self.destination.probe;
        self.destination.probe = probe.filter(|&lease| self.find_lease(lease).is_some());
    }

    pub(super) fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.next_action = 0;
    }

    /// The first outgoing batch of which something is true: its lane, and its place there.
    // One copy for all questions: each is smaller than the loops.
    pub(super) fn find(&self, is_it: &dyn Fn(&Outgoing) -> bool) -> Option<(usize, usize)> {
        for (index, lane) in self.lanes.iter().enumerate() {
            if let Some(nth) = lane.outgoing.iter().position(is_it) {
                return Some((index, nth));
            }
        }
        None
    }

    /// Leases the lane's next batch, or loads it, if there is one that may be sent now.
    fn take_turn(&mut self, index: usize, permit: Permit) -> Option<Action> {
        if !self.may_begin(index) {
            return None;
        }
        let is_flushed = self.is_flushed(index);
        let now = self.now;
        if self.lanes[index].is_on_trial && (is_flushed || permit != Permit::Nothing) {
            return self.try_behind_first(index);
        }
        if self.opens_at(index) > now {
            return None;
        }
        let fence = self.fences.first();
        let lane = &mut self.lanes[index];
        match lane.outgoing.front() {
            Some(_) if is_flushed || permit != Permit::Nothing => {}
            Some(_) => return None,
            None => {
                let is_hurried = is_flushed
                    || permit == Permit::Everything
                    || permit == Permit::Due && (fence.is_some() || lane.is_draining);
                let may_leave = is_hurried || permit == Permit::Due && lane.is_due(now);
                let max_len = |shard: &Shard| before(fence, shard);
                if !may_leave || !lane.cut_outgoing(now, usize::MAX, &max_len) {
                    return None;
                }
            }
        }
        self.begin_probing(index, 0)
    }

    /// Leases an outgoing batch, as a probe where the lane may send nothing else. One that only the
    /// store has is loaded first.
    fn begin_probing(&mut self, index: usize, nth: usize) -> Option<Action> {
        if self.lanes[index].outgoing.get(nth)?.batch().is_none() {
            return self.ask_for(index, nth).map(Action::Load);
        }
        let is_probe = self.is_gated(index);
        let lease = self.begin_attempt(index, nth)?;
        if is_probe {
            self.destination.probe = Some(lease.id);
        }
        Some(Action::Send(lease))
    }

    /// Leases the batch behind the lane's first one, or loads it; nothing if there is none.
    fn try_behind_first(&mut self, index: usize) -> Option<Action> {
        let (now, fence) = (self.now, self.fences.first());
        let lane = &mut self.lanes[index];
        let max_len = |shard: &Shard| before(fence, shard);
        let has_second = lane.outgoing.len() > 1 || lane.cut_outgoing(now, usize::MAX, &max_len);
        if !has_second || !self.may_be_tried(index) {
            self.lanes[index].is_on_trial = false;
            return None;
        }
        self.begin_probing(index, 1)
    }

    /// True if the second outgoing batch may be sent before the first: it waits neither at a fence
    /// nor for a pause that the receiver asked for, and no other lane probes.
    fn may_be_tried(&self, index: usize) -> bool {
        let lane = &self.lanes[index];
        let asks_for_pause =
            |outgoing: &Outgoing| !outgoing.is_leased() && outgoing.waits_until().1 > self.now;
        self.destination.opens_at() <= self.now
            && self.destination.probe.is_none()
            && !lane.outgoing.iter().take(2).any(asks_for_pause)
            && !self.is_behind_fence(index, 1)
    }

    /// Tells whether an outgoing batch waits for events before a fence. Those of an earlier run
    /// never do.
    fn is_behind_fence(&self, index: usize, nth: usize) -> bool {
        let lane = &self.lanes[index];
        let is_behind = |(fence, batch): (&Watermarks, &Outgoing)| {
            fence.covers(lane.id(), batch.first_index, batch.len()) == 0
        };
        let fenced = self.fences.first().zip(lane.outgoing.get(nth));
        !lane.is_restored() && fenced.is_some_and(is_behind)
    }

    /// True if the lane may send only to probe: the destination is down, or seems so because of the
    /// lane's own batch.
    fn is_gated(&self, index: usize) -> bool {
        let has_failed = |outgoing: &Outgoing| outgoing.failures > 0;
        self.destination.is_down()
            || self.destination.is_failing()
                && self.lanes[index].outgoing.front().is_some_and(has_failed)
    }

    /// The time at which the destination, and the pause of the lane's first batch, let an attempt
    /// of the lane begin; [`NEVER`] while time alone is not enough.
    fn opens_at(&self, index: usize) -> u64 {
        let lane = &self.lanes[index];
        let (until, at_least_until) = lane.outgoing.front().map_or((0, 0), Outgoing::waits_until);
        if self.is_gated(index) {
            return self.destination.probes_at().max(at_least_until);
        }
        self.destination.opens_at().max(lane.resumes_at).max(until)
    }

    /// Tells whether an attempt of the lane may begin: none is under way, and its first batch waits
    /// behind no fence.
    fn may_begin(&self, index: usize) -> bool {
        !self.lanes[index].is_leased() && !self.is_behind_fence(index, 0)
    }

    /// The time at which a lease that begins now expires.
    pub(super) const fn lease_end(&self) -> u64 {
        self.now.saturating_add(self.timeout).saturating_add(self.margin)
    }

    /// Leases an outgoing batch.
    pub(super) fn begin_attempt(&mut self, lane: usize, nth: usize) -> Option<Lease> {
        let (deadline, expires) = (self.now.saturating_add(self.timeout), self.lease_end());
        let outgoing = self.lanes[lane].outgoing.get_mut(nth)?;
        let batch = outgoing.batch().cloned()?;
        if let Content::Loaded { is_used, .. } = &mut outgoing.content {
            *is_used = true;
        }
        let lease = self.next_lease;
        self.next_lease += 1;
        outgoing.attempts += 1;
        outgoing.state = OutgoingState::Leased { lease, expires, owner: self.polled_for };
        if outgoing.attempts > 1 {
            self.stats.retries += 1;
        }
        Some(Lease { id: lease, attempt: outgoing.attempts, deadline, batch })
    }

    /// True if an open flush covers an event of the lane, or waits for it.
    fn is_flushed(&self, index: usize) -> bool {
        let lane = &self.lanes[index];
        if lane.is_restored() {
            // Hosts wait in a flush until nothing is restored any more, so it hurries batches that
            // came back later too.
            return !self.flushes.is_empty();
        }
        self.flushes.iter().any(|flush| lane.count_before(&flush.watermarks) > 0)
    }

    /// The time of the next poll if nothing happens before.
    fn next_wake(&mut self) -> u64 {
        let has_room = self.has_room_to_load();
        let mut wake = NEVER;
        for lane in 0..self.lanes.len() {
            for outgoing in &self.lanes[lane].outgoing {
                if let OutgoingState::Leased { expires, .. } = outgoing.state {
                    wake = wake.min(expires);
                }
            }
            wake = wake.min(self.next_begin(lane, has_room));
        }
        wake
    }

    /// The time at which an attempt of the lane may begin, if it waits for time only, otherwise
    /// [`NEVER`]. `has_room` tells whether another batch may be loaded.
    fn next_begin(&mut self, index: usize, has_room: bool) -> u64 {
        let is_automatic = self.config.scheduler == Scheduler::Auto;
        let is_flushed = self.is_flushed(index);
        if !self.may_begin(index) || !(is_automatic || is_flushed) {
            return NEVER;
        }
        if self.lanes[index].is_on_trial {
            let second = self.lanes[index].outgoing.get(1);
            let now = self.now;
            return second.map_or(now, |second| second.at_hand_from(now, now, has_room));
        }
        let opens_at = self.opens_at(index);
        let (now, fence) = (self.now, self.fences.first());
        let lane = &mut self.lanes[index];
        if let Some(first) = lane.outgoing.front() {
            return first.at_hand_from(opens_at, now, has_room);
        }
        let Some(shard) = lane.shard.enter() else { return NEVER };
        // A batch behind the fence waits for an answer, not for a time.
        let begin = match before(fence, &shard) {
            0 => NEVER,
            _ if shard.is_empty() => NEVER,
            _ if is_flushed => now,
            _ => lane.worker.deadline(&shard, now).unwrap_or(NEVER),
        };
        begin.max(opens_at)
    }

    /// Takes out one batch whose body has at most `max_bytes` bytes: one that waits for its next
    /// attempt, or a new one. Batches that are leased, or that only the store has, stay there.
    pub(crate) fn drain(&mut self, max_bytes: usize) -> Option<Shared<Batch>> {
        self.drop_fences();
        // Batches before a fence go first; those behind it go too, because this is the last moment
        // for either.
        let batch = self.drain_one(max_bytes, true).or_else(|| self.drain_one(max_bytes, false))?;
        self.stats.events_drained += batch.len() as u64;
        Some(batch)
    }

    fn drain_one(&mut self, max_bytes: usize, fenced: bool) -> Option<Shared<Batch>> {
        let now = self.now;
        (0..self.lanes.len()).find_map(|index| {
            let lane = &self.lanes[index];
            let fence = self.fences.first().filter(|_| fenced && !lane.is_restored());
            let is_before = |first: &Outgoing| {
                fence.is_none_or(|fence| fence.covers(lane.id(), first.first_index, 1) > 0)
            };
            // Those that are leased are not the last, once the end is near or after a split. Those
            // that only the store has stay there.
            if let Some(oldest) = lane.outgoing.iter().position(Outgoing::is_at_hand) {
                // Later batches of this lane must not overtake it.
                let outgoing = &lane.outgoing[oldest];
                let batch = outgoing.batch().cloned()?;
                let fits = batch.body().len() <= max_bytes && is_before(outgoing);
                let drained = fits.then(|| self.take(index, oldest, Exit::Drained)).flatten();
                return drained.map(|_| batch);
            }
            let max_len = |shard: &Shard| before(fence, shard);
            let (batch, first_index) = self.lanes[index].cut(now, max_bytes, &max_len)?;
            self.note_exit(index, first_index, batch.len() as u64, Exit::Drained);
            Some(batch)
        })
    }

    /// Opens a flush that covers everything in the bus, until `end`. Returns its id.
    pub(crate) fn begin_flush(&mut self, end: u64, is_last: bool) -> u32 {
        let id = self.next_flush;
        self.next_flush = self.next_flush.wrapping_add(1);
        let mut covered = 0;
        let mut watermarks = Watermarks::default();
        for lane in &self.lanes {
            if let Some(shard) = lane.shard.enter() {
                covered += shard.len() as u64 + lane.in_flight();
                watermarks.add(shard.id, shard.stats().events_ingested);
            }
        }
        self.flushes.push(Flush::new(id, watermarks, covered, end, is_last));
        self.destination.probe_soon();
        self.next_action = 0;
        id
    }

    /// The results so far of a flush's events; `None` once it has ended.
    pub(crate) fn flush_report(&self, id: u32) -> Option<FlushReport> {
        let flush = self.find_flush(id)?;
        Some(flush.report(self.pending_of(flush)))
    }

    #[inline(never)]
    pub(super) fn find_flush(&self, id: u32) -> Option<&Flush> {
        self.flushes.iter().find(|flush| flush.id == id)
    }

    #[inline(never)]
    fn pending_of(&self, flush: &Flush) -> u64 {
        self.lanes.iter().map(|lane| lane.count_before(&flush.watermarks)).sum()
    }

    /// The progress of a flush; once it has ended, its time is up.
    #[inline(never)]
    pub(crate) fn flush_state(&self, id: u32) -> FlushState {
        match self.find_flush(id) {
            None => FlushState::TimedOut,
            Some(flush) if self.pending_of(flush) == 0 && !self.is_restoring() => {
                FlushState::Settled
            }
            Some(flush) if self.is_hopeless(flush) || self.is_time_up(flush) => {
                FlushState::TimedOut
            }
            Some(_) => FlushState::Open,
        }
    }

    /// True if nothing more can be settled before the flush ends: no attempt is under way, no batch
    /// is being loaded, and the next action comes too late.
    fn is_hopeless(&self, flush: &Flush) -> bool {
        let is_busy =
            |outgoing: &Outgoing| outgoing.is_leased() || outgoing.is_being_loaded(self.now);
        flush.is_last && self.next_action > flush.end && self.find(&is_busy).is_none()
    }

    /// The host has reason to believe that the destination is back: it is probed at once.
    pub(crate) fn probe(&mut self) {
        self.destination.probe_now();
        self.next_action = 0;
    }

    /// Closes a flush; its events are no longer sent early.
    pub(crate) fn end_flush(&mut self, id: u32) {
        self.flushes.retain(|flush| flush.id != id);
        self.drop_owner(id);
    }
}

/// The number of events in a shard that may leave before the fence falls; without one, all.
pub(super) fn before(fence: Option<&Watermarks>, shard: &Shard) -> usize {
    fence.map_or(usize::MAX, |fence| {
        fence.covers(shard.id, shard.head_index(), shard.len() as u64) as usize
    })
}
