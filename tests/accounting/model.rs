//! A bus beside a model of it.
//!
//! The model is as plain as possible: it lists every event that was accepted and where it is, and
//! derives all numbers by counting. Where the bus is free (which events to sample, how long to
//! pause, when an adaptive batch is large enough), it checks the limits of that freedom.

use crate::common::{MS, assert_accounts, bus, shard_of};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{
    AbandonReason, Abandoned, AbandonedEvents, Action, BackpressureMode, Batch, BatchStats,
    BusConfig, BusStats, ByteStats, EventBus, Failure, FlushReport, Format, IngestionError, Lease,
    Rejected, Scheduler, ShardInfo, Shared,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Whether a check held.
pub type Checked<T = ()> = Result<T, TestCaseError>;

/// What is offered.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Unlike any other payload, and padded to this length if it is shorter.
    Padded(usize),
    /// No bytes.
    Empty,
    /// Bytes with a newline.
    TwoLines,
}

/// What can be done to a bus.
#[derive(Debug, Clone)]
pub enum Step {
    Ingest {
        payload: Payload,
        key: Option<u8>,
    },
    HostRefuses,
    /// `keep`: the host keeps what it is handed until it [forgets](Self::Forget) it.
    Poll {
        keep: bool,
    },
    /// `late`: to any lease ever handed out, instead of to a live one.
    Acknowledge {
        which: Index,
        late: bool,
    },
    Fail {
        which: Index,
        late: bool,
        failure: Failure,
    },
    Forget(Index),
    Pass(Duration),
    TimeBack(Duration),
    WallForward(Duration),
    WallBack(Duration),
    ExpireLeases,
    Drain {
        max_bytes: usize,
    },
    BeginFlush,
    EndFlush(Index),
    Close,
    AbandonEverything,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting,
    InFlight,
    Delivered,
    Evicted,
    Drained,
    Abandoned(AbandonReason),
}

/// An accepted event.
#[derive(Debug)]
struct Event {
    payload: Vec<u8>,
    timestamp: u64,
    /// When it was accepted, by the clock that polls.
    at: u64,
    place: Place,
}

/// A batch as the model remembers it: without a handle, which would keep its bytes held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    id: String,
    address: *const Batch,
    /// Indices into [`Model::events`].
    events: Vec<usize>,
    payload_bytes: u64,
    body_len: u64,
}

#[derive(Debug)]
enum State {
    Leased {
        lease: u64,
        expires: u64,
    },
    /// The next attempt may begin at a moment in this range.
    Paused {
        from: u64,
        to: u64,
    },
}

#[derive(Debug)]
struct Outgoing {
    cut: Cut,
    attempts: u32,
    state: State,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<usize>,
    outgoing: Option<Outgoing>,
    last_timestamp: u64,
    next_sequence: u64,
    accepted: u64,
    full: u64,
    sampled: u64,
    evicted: u64,
}

pub struct Model {
    bus: EventBus,
    nonce: u64,
    /// The host's clock, and the latest time that the bus has seen of it.
    time: u64,
    now: u64,
    wall: u64,
    events: Vec<Event>,
    lanes: Vec<Lane>,
    /// Given up, and not yet shown to the host.
    abandoned: VecDeque<(AbandonReason, Cut)>,
    /// What the host keeps.
    kept: Vec<Shared<Batch>>,
    leases: Vec<u64>,
    ids: BTreeSet<String>,
    /// The events that each open flush covers.
    flushes: BTreeMap<u32, Vec<usize>>,
    rejected: Rejected,
    offered: u64,
    body_bytes_delivered: u64,
    batches: BatchStats,
    before: BusStats,
}

impl Model {
    pub fn new(config: BusConfig, nonce: u64) -> Self {
        let lanes = (0..config.shards).map(|_| Lane::default()).collect();
        let bus = bus(config);
        bus.seed(nonce);
        let wall = 1_000_000 * MS;
        bus.clock().set(wall);
        Self {
            before: bus.stats(),
            bus,
            nonce: nonce.max(1),
            time: 0,
            now: 0,
            wall,
            events: Vec::new(),
            lanes,
            abandoned: VecDeque::new(),
            kept: Vec::new(),
            leases: Vec::new(),
            ids: BTreeSet::new(),
            flushes: BTreeMap::new(),
            rejected: Rejected::default(),
            offered: 0,
            body_bytes_delivered: 0,
            batches: BatchStats::default(),
        }
    }

    pub fn take(&mut self, step: Step) -> Checked {
        match step {
            Step::Ingest { payload, key } => self.ingest(&payload, key)?,
            Step::HostRefuses => {
                self.bus.refuse_invalid();
                self.bus.refuse_oversize();
                self.offered += 2;
                self.rejected.invalid += 1;
                self.rejected.oversize += 1;
            }
            Step::Poll { keep } => drop(self.poll(keep)?),
            Step::Acknowledge { which, late } => self.acknowledge(which, late)?,
            Step::Fail { which, late, failure } => self.fail(which, late, failure)?,
            Step::Forget(which) => {
                if !self.kept.is_empty() {
                    self.kept.swap_remove(which.index(self.kept.len()));
                }
            }
            Step::Pass(by) => {
                self.time += nanos(by);
                self.set_wall(self.wall + nanos(by));
            }
            Step::TimeBack(by) => self.time = self.time.saturating_sub(nanos(by)),
            Step::WallForward(by) => self.set_wall(self.wall + nanos(by)),
            Step::WallBack(by) => self.set_wall(self.wall - nanos(by)),
            Step::ExpireLeases => self.time += self.lease_time(),
            Step::Drain { max_bytes } => self.drain(max_bytes)?,
            Step::BeginFlush => self.begin_flush()?,
            Step::EndFlush(which) => self.end_flush(which)?,
            Step::Close => self.bus.close(),
            Step::AbandonEverything => self.abandon_everything()?,
        }
        Ok(())
    }

    fn config(&self) -> &BusConfig {
        self.bus.config()
    }

    fn set_wall(&mut self, wall: u64) {
        self.wall = wall;
        self.bus.clock().set(wall);
    }

    /// The bus takes a time that goes back to stand still.
    fn advance(&mut self) {
        self.now = self.now.max(self.time);
    }

    fn lease_time(&self) -> u64 {
        nanos(self.config().timeout + BusConfig::LEASE_MARGIN)
    }

    fn usable(&self) -> usize {
        self.config().capacity - 1
    }

    /// Where the last quarter of a shard begins.
    fn high_water(&self) -> usize {
        self.usable() - self.usable() / 4
    }

    fn waiting_bytes(&self, lane: usize) -> u64 {
        let bytes = |&event: &usize| self.events[event].payload.len() as u64;
        self.lanes[lane].waiting.iter().map(bytes).sum()
    }

    /// Bytes of all batches that the bus or the host has a handle to.
    fn batch_bytes(&self) -> u64 {
        let outgoing = self.lanes.iter().filter_map(|lane| lane.outgoing.as_ref());
        let in_bus = outgoing
            .map(|outgoing| &outgoing.cut)
            .chain(self.abandoned.iter().map(|(_, cut)| cut))
            .map(|cut| (cut.id.clone(), cut.payload_bytes));
        let at_host = self.kept.iter().map(|batch| (batch.id(), batch.payload_bytes()));
        in_bus.chain(at_host).collect::<BTreeMap<_, _>>().values().sum()
    }

    fn held(&self) -> u64 {
        let waiting: u64 = (0..self.lanes.len()).map(|lane| self.waiting_bytes(lane)).sum();
        waiting + self.batch_bytes()
    }

    fn ingest(&mut self, payload: &Payload, key: Option<u8>) -> Checked {
        let payload = match payload {
            Payload::Padded(len) => format!("{:<1$}", self.offered, len).into_bytes(),
            Payload::Empty => Vec::new(),
            Payload::TwoLines => b"1\n2".to_vec(),
        };
        let key = key.map(|key| [key]);
        let key = key.as_ref().map(|key| &key[..]);
        let (room, is_ready) = (self.bus.room(), self.bus.is_ready());
        let before = self.bus.stats();
        let result = self.bus.ingest(&payload, key);
        let evicted = self.bus.stats().evicted - before.evicted;

        self.offered += 1;
        let breaks_body = self.config().format == Format::Ndjson && payload.contains(&b'\n');
        if self.bus.is_closed() {
            prop_assert!(matches!(result, Err(IngestionError::ShuttingDown)));
            self.rejected.closed += 1;
        } else if payload.is_empty() || breaks_body {
            prop_assert!(matches!(result, Err(IngestionError::Invalid)));
            self.rejected.invalid += 1;
        } else if payload.len() > self.config().max_event_bytes {
            prop_assert!(matches!(result, Err(IngestionError::Oversize { .. })));
            self.rejected.oversize += 1;
        } else {
            let promised = room.0 >= 1 && room.1 >= payload.len() as u64;
            if promised || is_ready {
                prop_assert!(result.is_ok() && evicted == 0, "{result:?} in spite of {room:?}");
            }
            let shard = shard_of(key.unwrap_or(&payload), self.config().shards);
            self.ingest_valid(payload, shard, result)?;
        }
        Ok(())
    }

    fn ingest_valid(
        &mut self,
        payload: Vec<u8>,
        shard: usize,
        result: Result<(u16, u64), IngestionError>,
    ) -> Checked {
        let len = payload.len() as u64;
        let is_full = self.lanes[shard].waiting.len() >= self.usable();
        let max_bytes = self.config().max_bytes;
        let fits = !is_full && self.held() + len <= max_bytes;
        match self.config().backpressure {
            BackpressureMode::DropNewest | BackpressureMode::FailProducer if !fits => {
                prop_assert!(matches!(result, Err(IngestionError::Backpressure)));
                self.rejected.full += 1;
                self.lanes[shard].full += 1;
                return Ok(());
            }
            BackpressureMode::DropOldest if self.batch_bytes() + len > max_bytes => {
                prop_assert!(matches!(result, Err(IngestionError::Backpressure)));
                self.rejected.full += 1;
                self.lanes[shard].full += 1;
                return Ok(());
            }
            BackpressureMode::DropOldest => self.evict_for(len, shard)?,
            BackpressureMode::Sample { .. } => {
                let may_sample = self.lanes[shard].waiting.len() >= self.high_water();
                if matches!(result, Err(IngestionError::Sampled)) {
                    prop_assert!(!fits || may_sample, "sampled out though there is room");
                    self.rejected.sampled += 1;
                    self.lanes[shard].sampled += 1;
                    return Ok(());
                }
                prop_assert!(fits, "accepted without room");
            }
            BackpressureMode::DropNewest | BackpressureMode::FailProducer => {}
        }
        prop_assert!(result.is_ok(), "refused though there is room: {result:?}");
        let (accepted_by, timestamp) = result.unwrap_or_default();
        let lane = &mut self.lanes[shard];
        prop_assert_eq!(usize::from(accepted_by), shard);
        prop_assert_eq!(timestamp, self.wall.max(lane.last_timestamp + 1));
        lane.last_timestamp = timestamp;
        lane.accepted += 1;
        lane.waiting.push_back(self.events.len());
        self.events.push(Event { payload, timestamp, at: self.now, place: Place::Waiting });
        Ok(())
    }

    /// Evicts what a `DropOldest` bus must have evicted to take in `len` bytes.
    fn evict_for(&mut self, len: u64, shard: usize) -> Checked {
        let evicted = self.bus.stats().shards.into_iter().map(|shard| shard.evicted);
        let mut left: Vec<_> = evicted.zip(&self.lanes).map(|(e, lane)| e - lane.evicted).collect();
        let mut evict = |model: &mut Self, lane: usize| {
            prop_assert!(left[lane] > 0, "lane {lane} had to evict its oldest event");
            left[lane] -= 1;
            model.evict_oldest(lane);
            Ok(())
        };
        if self.lanes[shard].waiting.len() >= self.usable() {
            evict(self, shard)?;
        }
        while self.held() + len > self.config().max_bytes {
            if !self.lanes[shard].waiting.is_empty() {
                evict(self, shard)?;
                continue;
            }
            // Among shards that hold equally much, the bus is free.
            let most = (0..self.lanes.len()).map(|lane| self.waiting_bytes(lane)).max();
            let now_evicted: Vec<_> = self.bus.stats().shards.iter().map(|s| s.evicted).collect();
            let fullest = (0..self.lanes.len()).find(|&lane| {
                Some(self.waiting_bytes(lane)) == most
                    && now_evicted[lane] > self.lanes[lane].evicted
            });
            prop_assert!(fullest.is_some(), "the shard that holds most had to evict");
            evict(self, fullest.unwrap_or_default())?;
        }
        prop_assert!(left.iter().all(|&evictions| evictions == 0), "evicted too much: {left:?}");
        Ok(())
    }

    fn evict_oldest(&mut self, lane: usize) {
        if let Some(event) = self.lanes[lane].waiting.pop_front() {
            self.events[event].place = Place::Evicted;
            self.lanes[lane].evicted += 1;
        }
    }

    /// Returns whether there was something to do.
    fn poll(&mut self, keep: bool) -> Checked<bool> {
        self.advance();
        self.expire_leases();
        let is_short_of_bytes = {
            let max = self.config().max_bytes;
            self.held() > max - max / 4
        };
        match self.bus.poll(self.time) {
            Action::Send(lease) => {
                prop_assert!(self.abandoned.is_empty());
                self.send(&lease, is_short_of_bytes)?;
                if keep {
                    self.kept.push(lease.batch);
                }
            }
            Action::Abandoned(Abandoned { reason, batch }) => {
                prop_assert!(!self.abandoned.is_empty(), "nothing was given up");
                if let Some((expected, cut)) = self.abandoned.pop_front() {
                    prop_assert_eq!(reason, expected);
                    self.check_batch(&batch, &cut)?;
                }
                if keep {
                    self.kept.push(batch);
                }
            }
            Action::WaitUntil(wake) => {
                self.check_wait(Some(wake), is_short_of_bytes)?;
                return Ok(false);
            }
            Action::Idle => {
                self.check_wait(None, is_short_of_bytes)?;
                return Ok(false);
            }
            other => prop_assert!(false, "unknown action {other:?}"),
        }
        Ok(true)
    }

    fn expire_leases(&mut self) {
        for lane in 0..self.lanes.len() {
            let attempts = self.config().retry.attempts;
            let Some(outgoing) = &mut self.lanes[lane].outgoing else { continue };
            match outgoing.state {
                State::Leased { expires, .. } if expires <= self.now => {
                    self.batches.expired += 1;
                    outgoing.state = State::Paused { from: self.now, to: self.now };
                    if outgoing.attempts >= attempts {
                        self.abandon(lane, AbandonReason::Retries);
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, lease: &Lease, is_short_of_bytes: bool) -> Checked {
        let (batch, now) = (&lease.batch, self.now);
        prop_assert!(self.leases.iter().all(|&earlier| earlier < lease.id), "a lease id again");
        self.leases.push(lease.id);
        let shard = usize::from(batch.shard_id);
        let flushed = self.is_flushed(shard);
        let automatic = self.config().scheduler == Scheduler::Auto;
        prop_assert!(flushed || automatic, "a manual bus sends only under a flush");
        prop_assert_eq!(lease.deadline, now + nanos(self.config().timeout));

        let attempts = match self.lanes[shard].outgoing.take() {
            Some(Outgoing { state: State::Leased { .. }, .. }) => {
                return Err(TestCaseError::fail("two live leases in one shard"));
            }
            Some(Outgoing { cut, attempts, state: State::Paused { from, .. } }) => {
                prop_assert!(from <= now, "the pause is not over");
                self.check_batch(batch, &cut)?;
                self.batches.retries += 1;
                self.lanes[shard].outgoing =
                    Some(Outgoing { cut, attempts, state: State::Paused { from, to: from } });
                attempts + 1
            }
            None => {
                let may_leave = flushed || is_short_of_bytes || self.may_be_due(shard);
                prop_assert!(may_leave, "neither size nor time nor flush nor want of bytes");
                let cut = self.cut(shard, self.config().batch.max_bytes, batch, Place::InFlight)?;
                self.lanes[shard].outgoing = Some(Outgoing {
                    cut,
                    attempts: 1,
                    state: State::Paused { from: now, to: now },
                });
                1
            }
        };
        prop_assert_eq!(lease.attempt, attempts);
        prop_assert!(attempts <= self.config().retry.attempts);
        let expires = now + self.lease_time();
        if let Some(outgoing) = &mut self.lanes[shard].outgoing {
            outgoing.attempts = attempts;
            outgoing.state = State::Leased { lease: lease.id, expires };
        }
        Ok(())
    }

    /// Whether size or time may be a reason for the shard's next batch to leave.
    fn may_be_due(&self, shard: usize) -> bool {
        let batch = &self.config().batch;
        let target = if batch.adaptive { batch.min_size } else { batch.max_size };
        let oldest = self.lanes[shard].waiting.front().map(|&event| &self.events[event]);
        self.is_due(shard, target)
            || oldest.is_some_and(|oldest| self.now - oldest.at >= nanos(batch.max_delay))
    }

    /// Whether the shard's next batch has to leave if batches leave at `target` events.
    fn is_due(&self, shard: usize, target: usize) -> bool {
        let batch = &self.config().batch;
        let waiting = &self.lanes[shard].waiting;
        let payloads: usize = waiting.iter().map(|&event| self.events[event].payload.len()).sum();
        let body_len = payloads + waiting.len() + self.frame_len();
        waiting.front().is_some_and(|&oldest| {
            waiting.len() >= target.min(self.high_water())
                || body_len > batch.max_bytes
                || self.wall_age(oldest) >= nanos(batch.max_delay)
        })
    }

    fn wall_age(&self, event: usize) -> u64 {
        self.wall.saturating_sub(self.events[event].timestamp)
    }

    fn frame_len(&self) -> usize {
        if self.config().format == Format::Json { 2 } else { 0 }
    }

    /// Takes what `batch` must hold out of the shard's waiting events: as many of the oldest as
    /// both maxima allow.
    fn cut(
        &mut self,
        shard: usize,
        max_bytes: usize,
        batch: &Shared<Batch>,
        to: Place,
    ) -> Checked<Cut> {
        let max_size = self.config().batch.max_size;
        let mut body_len = self.frame_len();
        let mut events = Vec::new();
        for &event in &self.lanes[shard].waiting {
            let separator = usize::from(!events.is_empty());
            body_len += separator + self.events[event].payload.len();
            if events.len() == max_size || body_len > max_bytes {
                break;
            }
            events.push(event);
        }
        prop_assert!(!events.is_empty(), "a batch of nothing");
        let payload_bytes: usize = events.iter().map(|&e| self.events[e].payload.len()).sum();
        let lane = &mut self.lanes[shard];
        let cut = Cut {
            id: format!("{:016x}-{shard}-{}", self.nonce, lane.next_sequence),
            address: Shared::as_ptr(batch),
            payload_bytes: payload_bytes as u64,
            body_len: (payload_bytes + events.len() - 1 + self.bus.config().format_len()) as u64,
            events,
        };
        prop_assert_eq!(batch.sequence_start, lane.next_sequence);
        lane.next_sequence += cut.events.len() as u64;
        lane.waiting.drain(..cut.events.len());
        prop_assert!(self.ids.insert(cut.id.clone()), "the id of another batch");
        prop_assert!(batch.body().len() <= max_bytes);
        self.check_batch(batch, &cut)?;
        self.place(&cut, to);
        Ok(cut)
    }
}
