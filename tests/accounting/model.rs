//! A bus beside a model of it.
//!
//! The model is as plain as possible: it lists every event that was accepted and where it is, and
//! derives all numbers by counting. Where the bus is free (which events to sample, how long to
//! pause, when an adaptive batch is large enough), it checks the limits of that freedom.

use crate::common::{MS, assert_accounts, bus, shard_of};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{
    AbandonReason, AbandonedEvents, BackpressureMode, Batch, BatchStats, BusConfig, BusStats,
    ByteStats, EventBus, ExitOrder, Failure, FlushReport, Format, IngestionError, Rejected,
    RetryPolicy, ShardInfo, ShardState, Shared,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// The result of a check.
pub type Checked<T = ()> = Result<T, TestCaseError>;

/// An offered payload.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Unlike any other payload, and padded to this length if it is shorter.
    Padded(usize),
    /// No bytes.
    Empty,
    /// Bytes with a newline.
    TwoLines,
}

/// An operation on a bus.
#[derive(Debug, Clone)]
pub enum Step {
    /// Offer an event, with a key or without.
    Ingest { payload: Payload, key: Option<u8> },
    /// The host refuses two events before they reach the bus.
    HostRefuses,
    /// Poll once. `keep`: the host keeps the batch referenced until it [forgets](Self::Forget) it.
    Poll { keep: bool },
    /// Acknowledge a live lease or, if `late`, any that was ever handed out.
    Acknowledge { which: Index, late: bool },
    /// Report the failure of such a lease.
    Fail { which: Index, late: bool, failure: Failure },
    /// The holder of such a lease is gone.
    Expire { which: Index, late: bool },
    /// The host lets go of a batch that it kept.
    Forget(Index),
    /// Both clocks go on.
    Pass(Duration),
    /// The clock that polls goes back.
    TimeBack(Duration),
    /// The wall clock jumps.
    WallForward(Duration),
    /// The wall clock goes back.
    WallBack(Duration),
    /// Time goes on until every lease has expired.
    ExpireLeases,
    /// Take a batch out.
    Drain { max_bytes: usize },
    /// Hand out one batch more, whatever is in flight.
    Exit { max_bytes: usize, order: ExitOrder, keep: bool },
    /// Cut everything into batches. `keep`: the host keeps them.
    Stage { keep: bool },
    /// Take all leases back.
    Recall,
    /// Release a batch that the host keeps.
    Release(Index),
    /// Pause sending until the batches of an earlier run are restored.
    BeginRestore,
    /// Restore a batch of these events.
    Restore { lens: Vec<usize>, format: Format, is_damaged: bool, keep: bool },
    /// Hold nothing back any more.
    EndRestore,
    /// Open a flush.
    BeginFlush,
    /// Close an open flush.
    EndFlush(Index),
    /// Refuse events from now on.
    Close,
    /// Give up everything.
    AbandonEverything,
}

/// The place of an accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Waiting,
    InFlight,
    Delivered,
    Evicted,
    Drained,
    Abandoned(AbandonReason),
}

/// An accepted event.
#[derive(Debug)]
pub struct Accepted {
    pub payload: Vec<u8>,
    pub timestamp: u64,
    pub place: Place,
}

/// The common properties of a shard's batches, in any run that restores them.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub nonce: u64,
    pub shard: u16,
    pub format: Format,
}

/// A batch as the model remembers it: without a handle, which would keep its bytes held.
#[derive(Debug)]
pub struct Cut {
    id: String,
    pub origin: Origin,
    sequence_start: u64,
    /// Indices into [`Model::events`].
    pub events: Vec<usize>,
    /// Its bytes are held while anything of the batch that was cut from the shard is: the index of
    /// that batch's first event, and its payload bytes.
    pub reservation: (usize, u64),
    pub body: Vec<u8>,
    /// True if it is a first half, and has the id of its whole.
    repeats_id: bool,
    /// Its address in memory, once known.
    pub address: Option<*const Batch>,
}

/// The owner of an outgoing batch.
#[derive(Debug)]
pub enum State {
    Leased {
        lease: u64,
        expires: u64,
    },
    /// Nobody; the next attempt may begin at a moment in this range.
    Paused {
        from: u64,
        to: u64,
    },
}

/// A batch that left its shard and is not settled.
#[derive(Debug)]
pub struct Outgoing {
    pub cut: Cut,
    pub attempts: u32,
    /// The number of refusals by the receiver.
    pub refusals: u32,
    pub state: State,
}

impl Outgoing {
    pub const fn new(cut: Cut, now: u64) -> Self {
        let state = State::Paused { from: now, to: now };
        Self { cut, attempts: 0, refusals: 0, state }
    }

    /// True if its attempts and its pause let it be sent in an unload at `now`.
    pub const fn may_exit(&self, now: u64, attempts: u32) -> bool {
        let is_free = matches!(self.state, State::Paused { from, .. } if from <= now);
        is_free && (self.attempts == 0 || self.refusals + 1 < attempts)
    }

    pub const fn is_leased(&self) -> bool {
        matches!(self.state, State::Leased { .. })
    }
}

/// A shard.
#[derive(Debug, Default)]
pub struct Lane {
    /// Indices into [`Model::events`].
    pub waiting: VecDeque<usize>,
    /// More than one after a split, an exit or staging.
    pub outgoing: VecDeque<Outgoing>,
    /// The time since which it holds an event that was not there when its last batch left, by the
    /// clock that polls, or an earlier one, if the wall clock said so once. The bus may take
    /// pending events to have waited since then.
    pub holding_since: Option<u64>,
    last_timestamp: u64,
    next_sequence: u64,
    accepted: u64,
    full: u64,
    sampled: u64,
    evicted: u64,
}

/// A bus, its host, and where every event must be.
pub struct Model {
    pub bus: EventBus,
    pub nonce: u64,
    /// The host's clock, and the latest time that the bus has seen of it.
    pub time: u64,
    pub now: u64,
    wall: u64,
    pub events: Vec<Accepted>,
    /// Those of the shards; the last one has what earlier runs have left.
    pub lanes: Vec<Lane>,
    /// The lanes that the bus has, in its order.
    pub order: Vec<usize>,
    /// Whose turn it is, by its place in that order.
    pub next_exit: usize,
    /// Set while earlier runs may have left more.
    pub is_restoring: bool,
    /// The number of restored events.
    pub restored: u64,
    /// Given up, and not yet shown to the host.
    pub abandoned: VecDeque<(AbandonReason, Cut)>,
    /// The batches that the host keeps, with their reservations.
    pub kept: Vec<(Shared<Batch>, (usize, u64))>,
    /// All leases and all batch ids ever handed out.
    pub leases: Vec<u64>,
    ids: BTreeSet<String>,
    /// The events that each open flush covers.
    pub flushes: BTreeMap<u32, Vec<usize>>,
    pub offered: u64,
    rejected: Rejected,
    pub body_bytes_delivered: u64,
    pub batches: BatchStats,
    before: BusStats,
    /// Set from when the destination was found unavailable until the next answer.
    pub is_failing: bool,
    /// The latest time to which an outage that has ended may delay attempts.
    pub delayed_until: u64,
}

/// A duration in nanoseconds.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("test durations are short")
}

impl Model {
    pub fn new(config: BusConfig, nonce: u64) -> Self {
        let lanes = (0..=config.shards).map(|_| Lane::default()).collect();
        let order = (0..usize::from(config.shards)).collect();
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
            is_failing: false,
            delayed_until: 0,
            events: Vec::new(),
            lanes,
            order,
            next_exit: 0,
            is_restoring: false,
            restored: 0,
            abandoned: VecDeque::new(),
            kept: Vec::new(),
            leases: Vec::new(),
            ids: BTreeSet::new(),
            flushes: BTreeMap::new(),
            offered: 0,
            rejected: Rejected::default(),
            body_bytes_delivered: 0,
            batches: BatchStats::default(),
        }
    }

    /// Does one step to the bus and to the model, and checks that they agree on its outcome.
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
            Step::Expire { which, late } => self.expire(which, late)?,
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
            Step::EndFlush(which) => self.end_flush(which),
            Step::Exit { max_bytes, order, keep } => self.exit(max_bytes, order, keep)?,
            Step::Stage { keep } => self.stage(keep)?,
            Step::Recall => self.recall(),
            Step::Release(which) => self.release(which)?,
            Step::BeginRestore => self.begin_restore()?,
            Step::Restore { lens, format, is_damaged, keep } => {
                self.restore(&lens, format, is_damaged, keep)?;
            }
            Step::EndRestore => self.end_restore()?,
            Step::Close => self.close(),
            Step::AbandonEverything => self.abandon_everything(),
        }
        self.note_wall_age(self.now);
        Ok(())
    }

    pub fn shards(&self) -> usize {
        usize::from(self.config().shards)
    }

    pub fn config(&self) -> &BusConfig {
        self.bus.config()
    }

    pub fn retry(&self) -> RetryPolicy {
        self.config().retry.expect("the model's buses send again")
    }

    fn set_wall(&mut self, wall: u64) {
        self.note_wall_age(self.now.max(self.time));
        self.wall = wall;
        self.bus.clock().set(wall);
    }

    /// The bus may see the age of events by the wall clock at `now`, and remember it.
    pub fn note_wall_age(&mut self, now: u64) {
        for lane in 0..self.lanes.len() {
            let Some(&oldest) = self.lanes[lane].waiting.front() else { continue };
            let since = now.saturating_sub(self.wall_age(oldest));
            let known = self.lanes[lane].holding_since.unwrap_or(since);
            self.lanes[lane].holding_since = Some(known.min(since));
        }
    }

    /// The bus takes a time that goes back to stand still.
    pub fn advance(&mut self) {
        self.now = self.now.max(self.time);
    }

    pub fn lease_time(&self) -> u64 {
        nanos(self.config().timeout + BusConfig::LEASE_MARGIN)
    }

    fn usable(&self) -> usize {
        self.config().capacity - 1
    }

    /// The start of a shard's last quarter.
    pub fn high_water(&self) -> usize {
        self.usable() - self.usable() / 4
    }

    /// The age of an event, by the wall clock.
    pub fn wall_age(&self, event: usize) -> u64 {
        self.wall.saturating_sub(self.events[event].timestamp)
    }

    pub fn payload_bytes<'a>(&self, events: impl IntoIterator<Item = &'a usize>) -> u64 {
        let len = |&event: &usize| self.events[event].payload.len() as u64;
        events.into_iter().map(len).sum()
    }

    fn waiting_bytes(&self, lane: usize) -> u64 {
        self.payload_bytes(&self.lanes[lane].waiting)
    }

    /// Bytes of all batches that the bus or the host has a handle to.
    pub fn batch_bytes(&self) -> u64 {
        let outgoing = self.lanes.iter().flat_map(|lane| &lane.outgoing);
        let in_bus = outgoing
            .map(|outgoing| &outgoing.cut)
            .chain(self.abandoned.iter().map(|(_, cut)| cut))
            .map(|cut| cut.reservation);
        let at_host = self.kept.iter().map(|(_, reservation)| *reservation);
        in_bus.chain(at_host).collect::<BTreeMap<_, _>>().values().sum()
    }

    /// Bytes of everything that waits and of all batches.
    pub fn held(&self) -> u64 {
        let waiting = |lane| self.waiting_bytes(lane);
        (0..self.lanes.len()).map(waiting).sum::<u64>() + self.batch_bytes()
    }
}

/// Taking events in.
impl Model {
    fn ingest(&mut self, payload: &Payload, key: Option<u8>) -> Checked {
        let payload = match payload {
            Payload::Padded(len) => format!("{:<1$}", self.offered, len).into_bytes(),
            Payload::Empty => Vec::new(),
            Payload::TwoLines => b"1\n2".to_vec(),
        };
        let key = key.map(|key| [key]);
        let key = key.as_ref().map(|key| &key[..]);
        let (room, is_ready) = (self.bus.room(), self.bus.is_ready());
        let evicted_before = self.bus.stats().evicted;
        let result = self.bus.ingest(&payload, key);
        let evicted = self.bus.stats().evicted - evicted_before;

        self.offered += 1;
        let breaks_body = self.config().format == Format::Ndjson && payload.contains(&b'\n');
        if self.bus.is_closed() {
            prop_assert!(matches!(result, Err(IngestionError::ShuttingDown)));
            self.rejected.closed += 1;
        } else if payload.is_empty() || breaks_body {
            prop_assert!(matches!(result, Err(IngestionError::Invalid)));
            self.rejected.invalid += 1;
        } else if payload.len() > self.config().max_event_bytes {
            let is_oversize = matches!(result, Err(IngestionError::Oversize { .. }));
            prop_assert!(is_oversize);
            self.rejected.oversize += 1;
        } else {
            if is_ready || (room.0 >= 1 && room.1 >= payload.len() as u64) {
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
        let max_bytes = self.config().max_bytes;
        let is_full = self.lanes[shard].waiting.len() >= self.usable();
        let fits = !is_full && self.held() + len <= max_bytes;
        let mode = self.config().backpressure;
        let is_refused = match mode {
            BackpressureMode::DropNewest | BackpressureMode::FailProducer => !fits,
            // Nothing in flight can be evicted.
            BackpressureMode::DropOldest => self.batch_bytes() + len > max_bytes,
            BackpressureMode::Sample { .. } => {
                let in_last_quarter = self.lanes[shard].waiting.len() >= self.high_water();
                let is_refused = result.is_err();
                prop_assert!(is_refused || fits, "accepted without room");
                prop_assert!(!is_refused || !fits || in_last_quarter, "sampled out early");
                is_refused
            }
        };
        let lane = &mut self.lanes[shard];
        match (is_refused, mode) {
            (true, BackpressureMode::Sample { .. }) => {
                prop_assert!(matches!(result, Err(IngestionError::Sampled)));
                self.rejected.sampled += 1;
                lane.sampled += 1;
                return Ok(());
            }
            (true, _) => {
                prop_assert!(matches!(result, Err(IngestionError::Backpressure)), "{result:?}");
                self.rejected.full += 1;
                lane.full += 1;
                return Ok(());
            }
            (false, BackpressureMode::DropOldest) => self.evict_for(len, shard)?,
            (false, _) => {}
        }
        let Ok((accepted_by, timestamp)) = result else {
            return Err(TestCaseError::fail(format!("{result:?} though there is room")));
        };
        let lane = &mut self.lanes[shard];
        prop_assert_eq!(usize::from(accepted_by), shard);
        prop_assert_eq!(timestamp, self.wall.max(lane.last_timestamp + 1));
        lane.last_timestamp = timestamp;
        lane.accepted += 1;
        lane.waiting.push_back(self.events.len());
        lane.holding_since.get_or_insert(self.now);
        let place = Place::Waiting;
        self.events.push(Accepted { payload, timestamp, place });
        Ok(())
    }

    /// Evicts the events that the bus must have evicted to take `len` bytes into `shard`.
    fn evict_for(&mut self, len: u64, shard: usize) -> Checked {
        let evicted: Vec<_> = self.bus.stats().shards.iter().map(|shard| shard.evicted).collect();
        let evict_oldest = |model: &mut Self, from: usize| {
            let lane = &mut model.lanes[from];
            prop_assert!(lane.evicted < evicted[from], "shard {from} evicted too little");
            lane.evicted += 1;
            let oldest = lane.waiting.pop_front();
            prop_assert!(oldest.is_some(), "shard {from} had nothing to evict");
            if let Some(event) = oldest {
                model.events[event].place = Place::Evicted;
            }
            Ok(())
        };
        if self.lanes[shard].waiting.len() >= self.usable() {
            evict_oldest(self, shard)?;
        }
        while self.held() + len > self.config().max_bytes {
            let from = if self.lanes[shard].waiting.is_empty() {
                // Of several that hold equally much, the last.
                (0..self.shards()).max_by_key(|&lane| self.waiting_bytes(lane))
            } else {
                Some(shard)
            };
            evict_oldest(self, from.unwrap_or_default())?;
        }
        let shards = &self.lanes[..self.shards()];
        let counted: Vec<_> = shards.iter().map(|lane| lane.evicted).collect();
        prop_assert_eq!(counted, evicted, "evicted too much");
        Ok(())
    }
}

/// Batches.
impl Model {
    /// The body of these events.
    pub fn body(&self, events: &[usize], format: Format) -> Vec<u8> {
        let (before, after, separator): (&[u8], &[u8], u8) = match format {
            Format::Ndjson => (b"", b"", b'\n'),
            Format::Json => (b"[", b"]", b','),
        };
        let payloads: Vec<_> =
            events.iter().map(|&event| &self.events[event].payload[..]).collect();
        [before, &payloads.join(&separator), after].concat()
    }

    /// Takes the shard's next batch: as many of the oldest pending events as `max_bytes` and the
    /// configured maxima allow. `None` if that is none.
    pub fn cut(&mut self, shard: usize, max_bytes: usize, to: Place) -> Option<Cut> {
        self.cut_within(shard, usize::MAX, max_bytes, to)
    }

    /// [`cut`](Self::cut) of no more than `max_len` events.
    pub fn cut_within(
        &mut self,
        shard: usize,
        max_len: usize,
        max_bytes: usize,
        to: Place,
    ) -> Option<Cut> {
        let format = self.config().format;
        let max_bytes = max_bytes.min(self.config().batch.max_bytes);
        let waiting: Vec<_> = self.lanes[shard].waiting.iter().copied().collect();
        let longest = waiting.len().min(self.config().batch.max_size).min(max_len);
        let fits = |&count: &usize| self.body(&waiting[..count], format).len() <= max_bytes;
        let count = (1..=longest).take_while(fits).last()?;
        let events = waiting[..count].to_vec();
        let sequence_start = self.lanes[shard].next_sequence;
        let reservation = (events[0], self.payload_bytes(&events));
        let origin = Origin { nonce: self.nonce, shard: shard as u16, format };
        let cut = self.batch_of(origin, sequence_start, events, reservation);
        let lane = &mut self.lanes[shard];
        lane.next_sequence += count as u64;
        lane.waiting.drain(..count);
        lane.holding_since = (!lane.waiting.is_empty()).then_some(self.now);
        self.place(&cut, to);
        Some(cut)
    }

    pub fn batch_of(
        &self,
        origin: Origin,
        sequence_start: u64,
        events: Vec<usize>,
        reservation: (usize, u64),
    ) -> Cut {
        let Origin { nonce, shard, format } = origin;
        let id = format!("{nonce:016x}-{shard}-{sequence_start}");
        let (body, repeats_id, address) = (self.body(&events, format), false, None);
        Cut { id, origin, sequence_start, events, reservation, body, repeats_id, address }
    }

    /// The halves of a batch of several events.
    pub fn halves(&self, whole: &Cut) -> [Cut; 2] {
        let (first, second) = whole.events.split_at(whole.events.len().div_ceil(2));
        let middle = whole.sequence_start + first.len() as u64;
        let half = |start, events: &[usize]| {
            self.batch_of(whole.origin, start, events.to_vec(), whole.reservation)
        };
        [Cut { repeats_id: true, ..half(whole.sequence_start, first) }, half(middle, second)]
    }

    pub fn place(&mut self, cut: &Cut, place: Place) {
        for &event in &cut.events {
            self.events[event].place = place;
        }
    }

    /// Checks that a batch is the one that the model cut, in every respect.
    pub fn check_batch(&mut self, batch: &Shared<Batch>, cut: &mut Cut) -> Checked {
        let address = Shared::as_ptr(batch);
        match cut.address {
            None => prop_assert!(self.ids.insert(batch.id()) != cut.repeats_id, "a wrong id"),
            Some(earlier) => prop_assert_eq!(earlier, address, "another allocation"),
        }
        cut.address = Some(address);
        prop_assert_eq!(batch.id(), &cut.id[..]);
        let Origin { nonce, shard, format } = cut.origin;
        prop_assert_eq!(batch.sequence_start, cut.sequence_start);
        prop_assert_eq!((batch.process_nonce, batch.shard_id), (nonce, shard));
        prop_assert_eq!(batch.format(), format);
        prop_assert_eq!(batch.payload_bytes(), self.payload_bytes(&cut.events));
        prop_assert_eq!(&batch.body()[..], &cut.body[..]);
        // An earlier run may have had another maximum.
        prop_assert!(batch.len() <= self.config().batch.max_size || nonce != self.nonce);
        prop_assert!(batch.body().len() <= self.config().batch.max_bytes);
        prop_assert_eq!(batch.len(), cut.events.len());
        prop_assert_eq!(batch.events().len(), cut.events.len());
        for (event, &expected) in batch.events().zip(&cut.events) {
            let expected = &self.events[expected];
            prop_assert_eq!(event.as_bytes(), &expected.payload[..]);
            prop_assert_eq!(event.insertion_ts, expected.timestamp);
            prop_assert_eq!(event.shard_id, shard);
        }
        let timestamp = |event: Option<&usize>| event.map(|&event| self.events[event].timestamp);
        prop_assert_eq!(Some(batch.first_timestamp()), timestamp(cut.events.first()));
        prop_assert_eq!(Some(batch.last_timestamp()), timestamp(cut.events.last()));
        Ok(())
    }
}

/// Counting.
impl Model {
    /// Checks everything that must hold between two steps.
    pub fn check(&mut self) -> Checked {
        let stats = self.bus.stats();
        let targets: Vec<_> = stats.shards.iter().map(|shard| shard.batch_target).collect();
        prop_assert_eq!(&stats, &self.stats(&targets));
        assert_accounts(&stats);
        prop_assert!(stats.bytes.held <= self.config().max_bytes);
        let batch = &self.config().batch;
        let lowest = if batch.adaptive { batch.min_size } else { batch.max_size };
        let possible = lowest as u64..=batch.max_size as u64;
        prop_assert!(targets.iter().all(|target| possible.contains(target)), "{targets:?}");
        let went_down = counters(&self.before).zip(counters(&stats)).position(|(a, b)| a > b);
        prop_assert_eq!(went_down, None, "a counter went down: {:?}", stats);
        prop_assert_eq!(self.bus.lost(), lost(&stats));

        for (&flush, covered) in &self.flushes {
            let report = self.bus.flush_report(flush).unwrap_or_default();
            prop_assert_eq!(report, self.report(covered));
            let FlushReport { delivered, abandoned, evicted, drained, pending } = report;
            let sum = delivered + abandoned + evicted + drained + pending;
            prop_assert_eq!(sum, covered.len() as u64);
        }
        self.before = stats;
        Ok(())
    }

    fn count(&self, place: Place) -> u64 {
        self.events.iter().filter(|event| event.place == place).count() as u64
    }

    fn stats(&self, targets: &[u64]) -> BusStats {
        let shard = |(lane, &batch_target): (usize, &u64)| {
            let Lane { waiting, outgoing, .. } = &self.lanes[lane];
            ShardInfo {
                id: lane as u16,
                state: ShardState::Active,
                accepted: self.lanes[lane].accepted,
                full: self.lanes[lane].full,
                sampled: self.lanes[lane].sampled,
                evicted: self.lanes[lane].evicted,
                pending: waiting.len() as u64,
                in_flight: outgoing.iter().map(|outgoing| outgoing.cut.events.len() as u64).sum(),
                bytes: self.waiting_bytes(lane),
                next_sequence: self.lanes[lane].next_sequence,
                batch_target,
            }
        };
        BusStats {
            offered: self.offered,
            accepted: self.events.len() as u64,
            restored: self.restored,
            rejected: self.rejected,
            delivered: self.count(Place::Delivered),
            evicted: self.count(Place::Evicted),
            abandoned: AbandonedEvents {
                retries: self.count(Place::Abandoned(AbandonReason::Retries)),
                permanent: self.count(Place::Abandoned(AbandonReason::Permanent)),
                expired: self.count(Place::Abandoned(AbandonReason::Expired)),
                shutdown: self.count(Place::Abandoned(AbandonReason::Shutdown)),
            },
            drained: self.count(Place::Drained),
            pending: self.count(Place::Waiting),
            in_flight: self.count(Place::InFlight),
            oldest_age: self.oldest_age(),
            bytes: ByteStats {
                held: self.held(),
                spilled: 0,
                delivered: self.body_bytes_delivered,
            },
            batches: self.batches,
            shards: (0..).zip(targets).map(shard).collect(),
        }
    }

    /// The age of the oldest event that the bus still holds.
    fn oldest_age(&self) -> u64 {
        let waiting = self.lanes.iter().filter_map(|lane| lane.waiting.front());
        let outgoing = self.lanes.iter().flat_map(|lane| &lane.outgoing);
        let in_flight = outgoing.filter_map(|outgoing| outgoing.cut.events.first());
        let oldest = waiting.chain(in_flight).map(|&event| self.events[event].timestamp).min();
        oldest.map_or(0, |timestamp| self.wall.saturating_sub(timestamp))
    }

    /// The expected report of a flush.
    fn report(&self, covered: &[usize]) -> FlushReport {
        let mut report = FlushReport::default();
        for &event in covered {
            *match self.events[event].place {
                Place::Waiting | Place::InFlight => &mut report.pending,
                Place::Delivered => &mut report.delivered,
                Place::Evicted => &mut report.evicted,
                Place::Drained => &mut report.drained,
                Place::Abandoned(_) => &mut report.abandoned,
            } += 1;
        }
        report
    }

    /// True if an event is still in the bus.
    pub fn is_pending(&self, event: usize) -> bool {
        matches!(self.events[event].place, Place::Waiting | Place::InFlight)
    }
}

/// Everything in `stats` that only ever goes up.
fn counters(stats: &BusStats) -> impl Iterator<Item = u64> {
    let BusStats { rejected, abandoned, batches, .. } = stats;
    let shards = stats.shards.iter().flat_map(|shard| {
        let ShardInfo { accepted, full, sampled, evicted, next_sequence, .. } = *shard;
        [accepted, full, sampled, evicted, next_sequence]
    });
    let bus = [
        stats.offered,
        stats.accepted,
        stats.restored,
        rejected.full,
        rejected.sampled,
        rejected.unrouted,
        rejected.oversize,
        rejected.invalid,
        rejected.closed,
        stats.delivered,
        stats.evicted,
        abandoned.retries,
        abandoned.permanent,
        abandoned.expired,
        abandoned.shutdown,
        stats.drained,
        stats.bytes.delivered,
        batches.delivered,
        batches.retries,
        batches.expired,
    ];
    bus.into_iter().chain(shards)
}

/// Events refused or evicted.
fn lost(stats: &BusStats) -> u64 {
    let Rejected { full, sampled, unrouted, oversize, invalid, closed } = stats.rejected;
    full + sampled + unrouted + oversize + invalid + closed + stats.evicted
}
