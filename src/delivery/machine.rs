//! The state machine over all lanes.

use crate::batch::Batch;
use crate::clock::nanos;
use crate::config::{BusConfig, Scheduler};
use crate::delivery::flush::{Exit, Flush};
use crate::delivery::lane::{Lane, Outgoing, OutgoingState};
use crate::delivery::retry::Backoff;
use crate::delivery::{
    AbandonReason, Abandoned, Action, DeliveryStats, Failure, FlushReport, Lease,
};
use crate::shard::{BatchWorker, Reservation, Shard, ShardMetricsCollector, ShardRef, Watermarks};
use crate::sync::Shared;
use std::collections::VecDeque;

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
    /// Nanoseconds that one attempt may take, and that its lease lasts beyond.
    timeout: u64,
    margin: u64,
    flushes: Vec<Flush>,
    /// Changes of the set of shards, oldest first, after which a key's events may come from
    /// another shard than before: what was accepted after one waits until what was accepted before
    /// it is settled.
    pub(super) fences: Vec<Watermarks>,
    /// While what an earlier life has left goes first: the bytes that are kept free for it.
    pub(super) restoring: Option<Shared<Reservation>>,
    /// Given up, and not yet shown to the host.
    abandoned: VecDeque<Abandoned>,
    pub(super) stats: DeliveryStats,
    next_lease: u64,
    next_flush: u32,
    /// Where the next poll begins, so that no lane waits for another's turn.
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
            backoff: Backoff::new(config.retry.clone(), 0),
            timeout: nanos(config.timeout),
            margin: nanos(BusConfig::LEASE_MARGIN),
            flushes: Vec::new(),
            fences: Vec::new(),
            restoring: None,
            abandoned: VecDeque::new(),
            stats: DeliveryStats::default(),
            next_lease: 0,
            next_flush: 0,
            next_lane: 0,
            next_exit: 0,
            now: 0,
            config,
        }
    }

    /// Sets the nonce of all batches to come, and what the pauses between attempts derive from.
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
        let worker = BatchWorker::new(self.config.batch.clone(), self.nonce);
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

    /// What was accepted after `watermarks` waits until what was accepted before is settled.
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

    /// What to do at `now`. Ask again until the answer is to wait.
    pub(crate) fn poll(&mut self, now: u64, permit: Permit) -> Action {
        self.advance(now);
        self.expire_leases();
        self.drop_fences();
        if let Some(abandoned) = self.abandoned.pop_front() {
            return Action::Abandoned(abandoned);
        }
        let count = self.lanes.len();
        for step in 0..count {
            let lane = (self.next_lane + step) % count;
            if let Some(lease) = self.lease(lane, permit) {
                self.next_lane = (lane + 1) % count;
                return Action::Send(lease);
            }
        }
        self.next_wake().map_or(Action::Idle, Action::WaitUntil)
    }

    pub(super) fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    pub(super) fn expire_leases(&mut self) {
        let now = self.now;
        let has_expired = |outgoing: &Outgoing| matches!(outgoing.state, OutgoingState::Leased { expires, .. } if expires <= now);
        while let Some((lane, nth)) = self.find(has_expired) {
            self.expire_lease(lane, nth);
        }
    }

    /// The first outgoing batch of which something is true: its lane, and its place there.
    pub(super) fn find(&self, is_it: impl Fn(&Outgoing) -> bool) -> Option<(usize, usize)> {
        let place = |lane: &Lane| lane.outgoing.iter().position(&is_it);
        self.lanes.iter().enumerate().find_map(|(index, lane)| Some((index, place(lane)?)))
    }

    /// Takes a lease back.
    fn expire_lease(&mut self, lane: usize, nth: usize) {
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return };
        self.stats.leases_expired += 1;
        if self.backoff.may_retry(outgoing.attempts) {
            outgoing.state = OutgoingState::waiting_since(self.now);
        } else {
            self.abandon(lane, nth, AbandonReason::Retries);
        }
    }

    /// Leases the lane's next batch, if there is one that may be sent now.
    fn lease(&mut self, index: usize, permit: Permit) -> Option<Lease> {
        if !self.may_begin(index) {
            return None;
        }
        let is_flushed = self.is_flushed(index);
        let now = self.now;
        let fence = self.fences.first();
        let lane = &mut self.lanes[index];
        match lane.outgoing.front() {
            Some(Outgoing { state: OutgoingState::Waiting { until, .. }, .. })
                if *until <= now && (is_flushed || permit != Permit::Nothing) => {}
            Some(_) => return None,
            None => {
                let is_hurried = is_flushed
                    || permit == Permit::Everything
                    || permit == Permit::Due && (fence.is_some() || lane.is_draining);
                let (batch, first_index) = lane.cut(|worker, shard| {
                    let max_len = before(fence, shard);
                    match permit {
                        _ if max_len == 0 => None,
                        _ if is_hurried => worker.cut(shard, now, max_len, usize::MAX),
                        Permit::Due => worker.poll(shard, now),
                        _ => None,
                    }
                })?;
                lane.outgoing.push_back(Outgoing::new(batch, first_index, now));
            }
        }
        self.begin_attempt(index, 0)
    }

    /// Whether an attempt of the lane may begin: none is under way, what an earlier life has left
    /// goes first, and what is behind a fence waits.
    fn may_begin(&self, index: usize) -> bool {
        let lane = &self.lanes[index];
        let is_behind = |fence: &Watermarks| {
            let covers = |first: &Outgoing| fence.covers(lane.id(), first.first_index, first.len());
            lane.outgoing.front().is_some_and(|first| covers(first) == 0)
        };
        !lane.is_leased()
            && (lane.is_restored()
                || self.restoring.is_none() && !self.fences.first().is_some_and(is_behind))
    }

    /// Leases an outgoing batch.
    pub(super) fn begin_attempt(&mut self, lane: usize, nth: usize) -> Option<Lease> {
        let outgoing = self.lanes[lane].outgoing.get_mut(nth)?;
        let lease = self.next_lease;
        self.next_lease += 1;
        let deadline = self.now.saturating_add(self.timeout);
        outgoing.attempts += 1;
        outgoing.state =
            OutgoingState::Leased { lease, expires: deadline.saturating_add(self.margin) };
        if outgoing.attempts > 1 {
            self.stats.retries += 1;
        }
        let batch = Shared::clone(&outgoing.batch);
        Some(Lease { id: lease, attempt: outgoing.attempts, deadline, batch })
    }

    /// Whether an open flush covers something that the lane holds, or waits for it.
    fn is_flushed(&self, index: usize) -> bool {
        let lane = &self.lanes[index];
        if lane.is_restored() && self.is_restoring() {
            // It goes before what any flush covers.
            return !self.flushes.is_empty();
        }
        self.flushes.iter().any(|flush| lane.count_before(&flush.watermarks) > 0)
    }

    /// When to poll again if nothing happens until then.
    fn next_wake(&mut self) -> Option<u64> {
        let mut wake = None;
        let mut note = |at: u64| wake = Some(wake.map_or(at, |earliest: u64| earliest.min(at)));
        for lane in 0..self.lanes.len() {
            for outgoing in &self.lanes[lane].outgoing {
                if let OutgoingState::Leased { expires, .. } = outgoing.state {
                    note(expires);
                }
            }
            if let Some(begin) = self.next_begin(lane) {
                note(begin);
            }
        }
        wake
    }

    /// When an attempt of the lane may begin, if that takes nothing but time.
    fn next_begin(&mut self, index: usize) -> Option<u64> {
        let is_automatic = self.config.scheduler == Scheduler::Auto;
        if !self.may_begin(index) || !(is_automatic || self.is_flushed(index)) {
            return None;
        }
        let (now, fence) = (self.now, self.fences.first());
        let lane = &mut self.lanes[index];
        match lane.outgoing.front() {
            Some(Outgoing { state: OutgoingState::Waiting { until, .. }, .. }) => Some(*until),
            None if is_automatic => {
                let shard = lane.shard.enter()?;
                // What is behind the fence waits for an event, not for a time.
                let is_fenced = before(fence, &shard) == 0;
                if is_fenced { None } else { lane.worker.deadline(&shard, now) }
            }
            _ => None,
        }
    }

    /// The lease was delivered. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn acknowledge(&mut self, lease: u64, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        let Lane { collector, outgoing, .. } = &self.lanes[lane];
        if let (Some(collector), Some(outgoing)) = (collector, outgoing.get(nth)) {
            collector.record_flush(self.now.saturating_sub(outgoing.sent_at) / 1000);
        }
        if let Some(batch) = self.settle(lane, nth, Exit::Delivered) {
            self.stats.events_delivered += batch.len() as u64;
            self.stats.bytes_delivered += batch.body().len() as u64;
            self.stats.batches_delivered += 1;
        }
        true
    }

    /// The lease failed. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn fail(&mut self, lease: u64, failure: Failure, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        let Some(outgoing) = self.lanes[lane].outgoing.get_mut(nth) else { return false };
        match failure {
            Failure::Permanent => self.abandon(lane, nth, AbandonReason::Permanent),
            Failure::Retryable { retry_after } if self.backoff.may_retry(outgoing.attempts) => {
                let pause = self.now.saturating_add(self.backoff.pause(outgoing.attempts));
                let at_least_until = self.now.saturating_add(nanos(retry_after));
                let until = pause.max(at_least_until);
                outgoing.state = OutgoingState::Waiting { until, at_least_until };
            }
            Failure::Retryable { .. } => self.abandon(lane, nth, AbandonReason::Retries),
            Failure::TooLarge => self.split(lane, nth),
        }
        true
    }

    /// Whoever had the lease is gone. Returns whether it was still live.
    pub(crate) fn expire(&mut self, lease: u64, now: u64) -> bool {
        self.advance(now);
        let Some((lane, nth)) = self.find_lease(lease) else { return false };
        self.expire_lease(lane, nth);
        true
    }

    /// Puts the halves of an outgoing batch in its place. What cannot be halved is given up.
    fn split(&mut self, lane: usize, nth: usize) {
        let now = self.now;
        let outgoing = &mut self.lanes[lane].outgoing;
        let Some((first, second)) = outgoing.get(nth).and_then(|whole| whole.batch.halves()) else {
            return self.abandon(lane, nth, AbandonReason::Permanent);
        };
        if let Some(whole) = outgoing.get_mut(nth) {
            let second_index = whole.first_index + first.len() as u64;
            *whole = Outgoing::new(Shared::new(first), whole.first_index, now);
            outgoing.insert(nth + 1, Outgoing::new(Shared::new(second), second_index, now));
        }
    }

    fn find_lease(&self, lease: u64) -> Option<(usize, usize)> {
        self.find(|outgoing| matches!(outgoing.state, OutgoingState::Leased { lease: id, .. } if id == lease))
    }

    /// Takes an outgoing batch out of the bus.
    pub(super) fn settle(&mut self, lane: usize, nth: usize, exit: Exit) -> Option<Shared<Batch>> {
        let outgoing = self.lanes[lane].outgoing.remove(nth)?;
        self.note_exit(lane, outgoing.first_index, outgoing.len(), exit);
        Some(outgoing.batch)
    }

    fn note_exit(&mut self, lane: usize, first_index: u64, len: u64, exit: Exit) {
        let shard = self.lanes[lane].id();
        for flush in &mut self.flushes {
            flush.settle(shard, first_index, len, exit);
        }
    }

    fn abandon(&mut self, lane: usize, nth: usize, reason: AbandonReason) {
        if let Some(batch) = self.settle(lane, nth, Exit::Abandoned) {
            self.count_abandoned(reason, batch);
        }
    }

    fn count_abandoned(&mut self, reason: AbandonReason, batch: Shared<Batch>) {
        let count = match reason {
            AbandonReason::Retries => &mut self.stats.events_abandoned_retries,
            AbandonReason::Permanent => &mut self.stats.events_abandoned_permanent,
            AbandonReason::Shutdown => &mut self.stats.events_abandoned_shutdown,
        };
        *count += batch.len() as u64;
        self.abandoned.push_back(Abandoned { reason, batch });
    }

    /// Gives up everything that is in the bus.
    pub(crate) fn abandon_everything(&mut self) {
        let now = self.now;
        self.fences.clear();
        for lane in 0..self.lanes.len() {
            while !self.lanes[lane].outgoing.is_empty() {
                self.abandon(lane, 0, AbandonReason::Shutdown);
            }
            while let Some((batch, first_index)) =
                self.lanes[lane].cut(|worker, shard| worker.flush(shard, now))
            {
                self.note_exit(lane, first_index, batch.len() as u64, Exit::Abandoned);
                self.count_abandoned(AbandonReason::Shutdown, batch);
            }
        }
    }

    /// Takes out one batch whose body has at most `max_bytes` bytes: one that waits for its next
    /// attempt, or a new one. Batches that are leased stay with the host.
    pub(crate) fn drain(&mut self, max_bytes: usize) -> Option<Shared<Batch>> {
        self.drop_fences();
        // What is before a fence goes first; what is behind it goes too, because this is the last
        // moment for either.
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
            // Those that are leased are not the last, once the end is near or after a split.
            if let Some(oldest) = lane.outgoing.iter().position(|outgoing| !outgoing.is_leased()) {
                // What comes after it in this lane must not overtake it.
                let outgoing = &lane.outgoing[oldest];
                let fits = outgoing.batch.body().len() <= max_bytes && is_before(outgoing);
                return fits.then(|| self.settle(index, oldest, Exit::Drained)).flatten();
            }
            let (batch, first_index) = self.lanes[index]
                .cut(|worker, shard| worker.cut(shard, now, before(fence, shard), max_bytes))?;
            self.note_exit(index, first_index, batch.len() as u64, Exit::Drained);
            Some(batch)
        })
    }

    /// Opens a flush that covers everything in the bus. Returns its id.
    pub(crate) fn begin_flush(&mut self) -> u32 {
        let id = self.next_flush;
        self.next_flush = self.next_flush.wrapping_add(1);
        let mut covered = 0;
        let watermark = |lane: &Lane| {
            let shard = lane.shard.enter()?;
            covered += shard.len() as u64 + lane.in_flight();
            Some((shard.id, shard.stats().events_ingested))
        };
        let watermarks = self.lanes.iter().filter_map(watermark).collect();
        self.flushes.push(Flush::new(id, watermarks, covered));
        id
    }

    /// What became so far of the events that a flush covers; `None` once it has ended.
    pub(crate) fn flush_report(&self, id: u32) -> Option<FlushReport> {
        let flush = self.flushes.iter().find(|flush| flush.id == id)?;
        let pending = self.lanes.iter().map(|lane| lane.count_before(&flush.watermarks)).sum();
        Some(flush.report(pending))
    }

    /// Closes a flush; what it covers is not hurried any more.
    pub(crate) fn end_flush(&mut self, id: u32) {
        self.flushes.retain(|flush| flush.id != id);
    }
}

/// How many of the events in a shard may leave before the fence falls; without one, all.
fn before(fence: Option<&Watermarks>, shard: &Shard) -> usize {
    fence.map_or(usize::MAX, |fence| {
        fence.covers(shard.id, shard.head_index(), shard.len() as u64) as usize
    })
}
