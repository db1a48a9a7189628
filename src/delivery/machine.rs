//! The state machine over all lanes.

use crate::batch::Batch;
use crate::clock::nanos;
use crate::config::{BusConfig, RetryPolicy, Scheduler};
use crate::delivery::flush::{Exit, Flush};
use crate::delivery::lane::{Lane, Outgoing, OutgoingState};
use crate::delivery::retry::Backoff;
use crate::delivery::{
    AbandonReason, Abandoned, Action, DeliveryStats, Failure, FlushReport, Lease,
};
use crate::shard::{BatchWorker, ShardRef};
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
    lanes: Vec<Lane>,
    scheduler: Scheduler,
    backoff: Backoff,
    /// Nanoseconds that one attempt may take, and that its lease lasts beyond.
    timeout: u64,
    margin: u64,
    flushes: Vec<Flush>,
    /// Given up, and not yet shown to the host.
    abandoned: VecDeque<Abandoned>,
    stats: DeliveryStats,
    next_lease: u64,
    next_flush: u32,
    /// Where the next poll begins, so that no lane waits for another's turn.
    next_lane: usize,
    /// The latest time seen: a clock that goes back is taken to stand still.
    now: u64,
}

impl Delivery {
    pub(crate) fn new(shards: Vec<ShardRef>, config: &BusConfig) -> Self {
        let lane =
            |shard| Lane::new(shard, BatchWorker::new(config.batch.clone(), config.format, 0));
        Self {
            lanes: shards.into_iter().map(lane).collect(),
            scheduler: config.scheduler,
            backoff: Backoff::new(RetryPolicy::clone(&config.retry), 0),
            timeout: nanos(config.timeout),
            margin: nanos(BusConfig::LEASE_MARGIN),
            flushes: Vec::new(),
            abandoned: VecDeque::new(),
            stats: DeliveryStats::default(),
            next_lease: 0,
            next_flush: 0,
            next_lane: 0,
            now: 0,
        }
    }

    /// Sets the nonce of all batches to come, and what the pauses between attempts derive from.
    pub(crate) fn seed(&mut self, nonce: u64) {
        for lane in &mut self.lanes {
            lane.worker.set_process_nonce(nonce);
        }
        self.backoff.reseed(nonce);
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

    fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    fn expire_leases(&mut self) {
        for lane in 0..self.lanes.len() {
            let Some(outgoing) = &mut self.lanes[lane].outgoing else { continue };
            let OutgoingState::Leased { expires, .. } = outgoing.state else { continue };
            if expires > self.now {
                continue;
            }
            self.stats.leases_expired += 1;
            if self.backoff.may_retry(outgoing.attempts) {
                outgoing.state = OutgoingState::Waiting { until: self.now };
            } else {
                self.abandon(lane, AbandonReason::Retries);
            }
        }
    }

    /// Leases the lane's next batch, if there is one that may be sent now.
    fn lease(&mut self, index: usize, permit: Permit) -> Option<Lease> {
        let flushed = self.is_flushed(index);
        let now = self.now;
        let lane = &mut self.lanes[index];
        match &lane.outgoing {
            Some(Outgoing { state: OutgoingState::Waiting { until }, .. })
                if *until <= now && (flushed || permit != Permit::Nothing) => {}
            Some(_) => return None,
            None => {
                let (batch, first_index) = lane.cut(|worker, shard| match permit {
                    _ if flushed => worker.flush(shard, now),
                    Permit::Everything => worker.flush(shard, now),
                    Permit::Due => worker.poll(shard, now),
                    Permit::Nothing => None,
                })?;
                let state = OutgoingState::Waiting { until: now };
                lane.outgoing = Some(Outgoing { batch, first_index, attempts: 0, state });
            }
        }
        let outgoing = lane.outgoing.as_mut()?;
        let lease = self.next_lease;
        self.next_lease += 1;
        let deadline = now.saturating_add(self.timeout);
        outgoing.attempts += 1;
        outgoing.state =
            OutgoingState::Leased { lease, expires: deadline.saturating_add(self.margin) };
        if outgoing.attempts > 1 {
            self.stats.retries += 1;
        }
        let batch = Shared::clone(&outgoing.batch);
        Some(Lease { id: lease, attempt: outgoing.attempts, deadline, batch })
    }

    /// Whether an open flush covers something that the lane holds.
    fn is_flushed(&self, index: usize) -> bool {
        !self.flushes.is_empty()
            && self.flushes.iter().any(|flush| self.pending_in_lane(flush, index) > 0)
    }

    /// When to poll again if nothing happens until then.
    fn next_wake(&mut self) -> Option<u64> {
        let flushed: Vec<_> = (0..self.lanes.len()).map(|lane| self.is_flushed(lane)).collect();
        let automatic = self.scheduler == Scheduler::Auto;
        let now = self.now;
        let wake = |(lane, flushed): (&mut Lane, bool)| match &lane.outgoing {
            Some(Outgoing { state: OutgoingState::Leased { expires, .. }, .. }) => Some(*expires),
            Some(Outgoing { state: OutgoingState::Waiting { until }, .. }) => {
                (automatic || flushed).then_some(*until)
            }
            None if automatic => {
                let shard = lane.shard.enter()?;
                lane.worker.deadline(&shard, now)
            }
            None => None,
        };
        self.lanes.iter_mut().zip(flushed).filter_map(wake).min()
    }

    /// The lease was delivered. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn acknowledge(&mut self, lease: u64, now: u64) -> bool {
        self.advance(now);
        let Some(lane) = self.lane_of(lease) else { return false };
        if let Some(batch) = self.settle(lane, Exit::Delivered) {
            self.stats.events_delivered += batch.len() as u64;
            self.stats.bytes_delivered += batch.body().len() as u64;
            self.stats.batches_delivered += 1;
        }
        true
    }

    /// The lease failed. Returns whether it was still live: a late answer changes nothing.
    pub(crate) fn fail(&mut self, lease: u64, failure: Failure, now: u64) -> bool {
        self.advance(now);
        let Some(lane) = self.lane_of(lease) else { return false };
        let Some(outgoing) = &mut self.lanes[lane].outgoing else { return false };
        match failure {
            Failure::Permanent => self.abandon(lane, AbandonReason::Permanent),
            Failure::Retryable { retry_after } if self.backoff.may_retry(outgoing.attempts) => {
                let pause = self.backoff.pause(outgoing.attempts).max(nanos(retry_after));
                outgoing.state = OutgoingState::Waiting { until: self.now.saturating_add(pause) };
            }
            Failure::Retryable { .. } => self.abandon(lane, AbandonReason::Retries),
        }
        true
    }

    fn lane_of(&self, lease: u64) -> Option<usize> {
        self.lanes.iter().position(|lane| {
            lane.outgoing.as_ref().is_some_and(|outgoing| {
                matches!(outgoing.state, OutgoingState::Leased { lease: l, .. } if l == lease)
            })
        })
    }

    /// Takes the lane's outgoing batch out of the bus.
    fn settle(&mut self, lane: usize, exit: Exit) -> Option<Shared<Batch>> {
        let outgoing = self.lanes[lane].outgoing.take()?;
        self.note_exit(lane, outgoing.first_index, outgoing.len(), exit);
        Some(outgoing.batch)
    }

    fn note_exit(&mut self, lane: usize, first_index: u64, len: u64, exit: Exit) {
        for flush in &mut self.flushes {
            flush.settle(lane, first_index, len, exit);
        }
    }

    fn abandon(&mut self, lane: usize, reason: AbandonReason) {
        if let Some(batch) = self.settle(lane, Exit::Abandoned) {
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
        for lane in 0..self.lanes.len() {
            self.abandon(lane, AbandonReason::Shutdown);
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
        let now = self.now;
        let batch = (0..self.lanes.len()).find_map(|lane| {
            if let Some(Outgoing { state: OutgoingState::Waiting { .. }, batch, .. }) =
                &self.lanes[lane].outgoing
            {
                // What comes after it in this lane must not overtake it.
                let fits = batch.body().len() <= max_bytes;
                return fits.then(|| self.settle(lane, Exit::Drained)).flatten();
            }
            let (batch, first_index) =
                self.lanes[lane].cut(|worker, shard| worker.cut(shard, now, max_bytes))?;
            self.note_exit(lane, first_index, batch.len() as u64, Exit::Drained);
            Some(batch)
        })?;
        self.stats.events_drained += batch.len() as u64;
        Some(batch)
    }

    /// Opens a flush that covers everything in the bus. Returns its id.
    pub(crate) fn begin_flush(&mut self) -> u32 {
        let id = self.next_flush;
        self.next_flush = self.next_flush.wrapping_add(1);
        let mut covered = 0;
        let watermark = |lane: &Lane| {
            lane.shard.enter().map_or(0, |shard| {
                covered += shard.len() as u64 + lane.in_flight();
                shard.stats().events_ingested
            })
        };
        let watermarks = self.lanes.iter().map(watermark).collect();
        self.flushes.push(Flush::new(id, watermarks, covered));
        id
    }

    /// What became so far of the events that a flush covers; `None` once it has ended.
    pub(crate) fn flush_report(&self, id: u32) -> Option<FlushReport> {
        let flush = self.flushes.iter().find(|flush| flush.id == id)?;
        let pending = (0..self.lanes.len()).map(|lane| self.pending_in_lane(flush, lane)).sum();
        Some(flush.report(pending))
    }

    /// Closes a flush; what it covers is not hurried any more.
    pub(crate) fn end_flush(&mut self, id: u32) {
        self.flushes.retain(|flush| flush.id != id);
    }

    /// How many of the events that a flush covers a lane still holds.
    fn pending_in_lane(&self, flush: &Flush, index: usize) -> u64 {
        let lane = &self.lanes[index];
        let in_flight = lane
            .outgoing
            .as_ref()
            .map_or(0, |outgoing| flush.covers(index, outgoing.first_index, outgoing.len()));
        let waiting = lane
            .shard
            .enter()
            .map_or(0, |shard| flush.covers(index, shard.head_index(), shard.len() as u64));
        in_flight + waiting
    }
}
