//! The bus: shards and delivery put together.

use crate::batch::Batch;
use crate::clock::Clock;
use crate::config::{BusConfig, Format, Scheduler};
use crate::delivery::{Action, Delivery, DeliveryStats, Failure, FlushReport, Permit};
use crate::error::{ConfigError, IngestionError};
use crate::shard::{ManagerStats, ShardManager};
use crate::sync::{Counter, Lock, Shared};
use serde::Serialize;

/// Events refused, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rejected {
    /// No room.
    pub full: u64,
    /// Sampled out because there was little room.
    pub sampled: u64,
    /// No shard takes them.
    pub unrouted: u64,
    /// Larger than the bus allows.
    pub oversize: u64,
    /// Not one JSON text on one line.
    pub invalid: u64,
    /// The bus was closed.
    pub closed: u64,
}

/// Events given up, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AbandonedEvents {
    /// All attempts failed.
    pub retries: u64,
    /// The receiver will never take them.
    pub permanent: u64,
    /// The bus was closed first.
    pub shutdown: u64,
}

/// Bytes held and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ByteStats {
    /// Payload bytes held now: waiting, in flight and to be retried.
    pub held: u64,
    /// Body bytes acknowledged.
    pub delivered: u64,
}

/// Batches and attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BatchStats {
    /// Batches acknowledged.
    pub delivered: u64,
    /// Attempts after a batch's first.
    pub retries: u64,
    /// Leases that expired without an answer.
    pub expired: u64,
}

/// One shard, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardInfo {
    /// The shard.
    pub id: u16,
    /// Events accepted.
    pub accepted: u64,
    /// Events refused as full.
    pub full: u64,
    /// Events sampled out.
    pub sampled: u64,
    /// Events evicted.
    pub evicted: u64,
    /// Events waiting.
    pub pending: u64,
    /// Events in flight or to be retried.
    pub in_flight: u64,
    /// Payload bytes waiting.
    pub bytes: u64,
    /// The sequence number that the next event to leave will have.
    pub next_sequence: u64,
    /// The size at which a batch may leave now.
    pub batch_target: u64,
}

/// Where every event offered to a bus is.
///
/// After every call: `offered = accepted + rejected` and
/// `accepted = delivered + evicted + abandoned + drained + pending + in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BusStats {
    /// Events offered.
    pub offered: u64,
    /// Events accepted.
    pub accepted: u64,
    /// Events refused.
    pub rejected: Rejected,
    /// Events acknowledged.
    pub delivered: u64,
    /// Events accepted, and evicted later to make room.
    pub evicted: u64,
    /// Events accepted, and given up later.
    pub abandoned: AbandonedEvents,
    /// Events handed out by [`EventBus::drain`].
    pub drained: u64,
    /// Events waiting in their shards.
    pub pending: u64,
    /// Events that have left their shards and are not settled.
    pub in_flight: u64,
    /// Bytes held and sent.
    pub bytes: ByteStats,
    /// Batches and attempts.
    pub batches: BatchStats,
    /// Each shard.
    pub shards: Vec<ShardInfo>,
}

/// A bounded event buffer that says what to send and when.
///
/// It does no IO and reads no clock but the one it is given: [`poll`](Self::poll) says what to do,
/// and whoever drives the bus does it.
///
/// # Examples
///
/// ```
/// use shardbus::{Action, BatchConfig, BusConfig, Clock, EventBus};
///
/// let batch = BatchConfig { min_size: 2, max_size: 2, ..BatchConfig::default() };
/// let bus = EventBus::new(BusConfig { batch, ..BusConfig::default() }, Clock::manual(0))?;
/// bus.ingest(br#"{"type":"click"}"#, None)?;
/// bus.ingest(br#"{"type":"scroll"}"#, None)?;
/// let Action::Send(lease) = bus.poll(0) else { panic!("two events are a batch") };
/// assert_eq!(&lease.batch.body()[..], b"{\"type\":\"click\"}\n{\"type\":\"scroll\"}");
/// assert!(bus.acknowledge(lease.id, 0));
/// assert_eq!(bus.stats().delivered, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventBus {
    config: BusConfig,
    clock: Clock,
    manager: ShardManager,
    delivery: Lock<Delivery>,
    offered: Counter,
    oversize: Counter,
    invalid: Counter,
    refused_closed: Counter,
    /// 1 once the bus is closed.
    closed: Counter,
}

impl EventBus {
    /// A bus on `clock`, which stamps events.
    ///
    /// # Errors
    ///
    /// The first rule that `config` breaks.
    pub fn new(config: BusConfig, clock: Clock) -> Result<Self, ConfigError> {
        config.validate()?;
        let manager = ShardManager::for_bus(&config, &clock);
        let delivery = Lock::new(Delivery::new(manager.shards(), &config));
        Ok(Self {
            config,
            clock,
            manager,
            delivery,
            offered: Counter::default(),
            oversize: Counter::default(),
            invalid: Counter::default(),
            refused_closed: Counter::default(),
            closed: Counter::default(),
        })
    }

    /// Gives the bus its randomness: the nonce that tells its batches from those of every other
    /// bus, from which the pauses between attempts derive as well. Call it once, before the first
    /// [`poll`](Self::poll).
    pub fn seed(&self, nonce: u64) {
        if let Ok(mut delivery) = self.delivery.lock() {
            delivery.seed(nonce);
        }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &BusConfig {
        &self.config
    }

    /// The clock that stamps events.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Accepts one JSON text, or refuses it. It is routed by `key`, or by its own bytes. Returns
    /// its shard and its timestamp.
    ///
    /// Only what would break a body is looked for in the text; it is not parsed.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest(&self, payload: &[u8], key: Option<&[u8]>) -> Result<(u16, u64), IngestionError> {
        let breaks_body = payload.is_empty()
            || (self.config.format == Format::Ndjson && payload.contains(&b'\n'));
        if breaks_body && !self.is_closed() {
            self.refuse_invalid();
            return Err(IngestionError::Invalid);
        }
        self.ingest_line(payload, key)
    }

    /// [`ingest`](Self::ingest) for a payload that is known not to be empty and to hold no newline,
    /// such as a serialiser's compact output.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, which is counted.
    pub fn ingest_line(
        &self,
        payload: &[u8],
        key: Option<&[u8]>,
    ) -> Result<(u16, u64), IngestionError> {
        if self.is_closed() {
            self.refuse_closed();
            return Err(IngestionError::ShuttingDown);
        }
        let (len, max) = (payload.len(), self.config.max_event_bytes);
        if len > max {
            self.refuse_oversize();
            return Err(IngestionError::Oversize { len, max });
        }
        self.offered.add(1);
        self.manager.ingest_bytes(payload, key)
    }

    /// Counts an event that the host refused as invalid before it had bytes to offer.
    pub fn refuse_invalid(&self) {
        self.offered.add(1);
        self.invalid.add(1);
    }

    /// Counts an event that the host refused as too large without copying it.
    pub fn refuse_oversize(&self) {
        self.offered.add(1);
        self.oversize.add(1);
    }

    fn refuse_closed(&self) {
        self.offered.add(1);
        self.refused_closed.add(1);
    }

    /// How many events and payload bytes are accepted with certainty, whatever their keys:
    /// `(events, bytes)`.
    #[must_use]
    pub fn room(&self) -> (usize, u64) {
        let room = self.manager.room();
        (if self.is_closed() { 0 } else { room.events }, room.bytes)
    }

    /// Whether any event that is not too large would be accepted now, and no shard is in its last
    /// quarter.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let budget = self.manager.budget();
        let fits = budget.held() + self.config.max_event_bytes as u64 <= budget.max();
        let below_high_water = || {
            self.manager
                .shards()
                .iter()
                .all(|shard| shard.enter().is_some_and(|shard| shard.len() < shard.high_water()))
        };
        !self.is_closed() && fits && below_high_water()
    }

    /// What to do at `now`, in nanoseconds from any fixed point. Ask again until the answer is to
    /// wait. A `now` that goes back is taken to stand still.
    #[must_use]
    pub fn poll(&self, now: u64) -> Action {
        let permit = match self.config.scheduler {
            Scheduler::Manual => Permit::Nothing,
            Scheduler::Auto if self.is_short_of_bytes() => Permit::Everything,
            Scheduler::Auto => Permit::Due,
        };
        self.delivery.lock().map_or(Action::Idle, |mut delivery| delivery.poll(now, permit))
    }

    /// Whether less than a quarter of the bytes is free.
    fn is_short_of_bytes(&self) -> bool {
        let budget = self.manager.budget();
        budget.held() > budget.max() - budget.max() / 4
    }

    /// The lease was delivered. Returns whether it was still live; a late answer changes nothing.
    pub fn acknowledge(&self, lease: u64, now: u64) -> bool {
        self.delivery.lock().is_ok_and(|mut delivery| delivery.acknowledge(lease, now))
    }

    /// The lease failed. Returns whether it was still live; a late answer changes nothing.
    pub fn fail(&self, lease: u64, failure: Failure, now: u64) -> bool {
        self.delivery.lock().is_ok_and(|mut delivery| delivery.fail(lease, failure, now))
    }

    /// Takes one batch out of the bus for good: its body has at most `max_bytes` bytes, and it is
    /// not leased. `None` if there is none. Counted as drained.
    #[must_use]
    pub fn drain(&self, max_bytes: usize) -> Option<Shared<Batch>> {
        self.delivery.lock().ok()?.drain(max_bytes)
    }

    /// Opens a flush: everything that is in the bus now may leave without waiting for size or
    /// time, until [`end_flush`](Self::end_flush). Returns its id.
    #[must_use]
    pub fn begin_flush(&self) -> u32 {
        self.delivery.lock().map_or(u32::MAX, |mut delivery| delivery.begin_flush())
    }

    /// What became so far of everything that a flush covers; it is complete when nothing is
    /// pending. `None` if there is no such flush.
    #[must_use]
    pub fn flush_report(&self, flush: u32) -> Option<FlushReport> {
        self.delivery.lock().ok()?.flush_report(flush)
    }

    /// Closes a flush, complete or not.
    pub fn end_flush(&self, flush: u32) {
        if let Ok(mut delivery) = self.delivery.lock() {
            delivery.end_flush(flush);
        }
    }

    /// Refuses all events from now on. What is in the bus can still be delivered.
    pub fn close(&self) {
        self.closed.set(1);
    }

    /// Whether events are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get() == 1
    }

    /// Gives up everything that is in the bus, leased batches included. [`poll`](Self::poll) hands
    /// it out as abandoned.
    pub fn abandon_everything(&self) {
        if let Ok(mut delivery) = self.delivery.lock() {
            delivery.abandon_everything();
        }
    }

    /// How many events were refused or evicted. Cheaper than [`stats`](Self::stats), for whoever
    /// watches for losses.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let manager = self.manager.stats();
        manager.events_dropped
            + manager.events_unrouted
            + self.oversize.get()
            + self.invalid.get()
            + self.refused_closed.get()
    }

    /// Where every event is.
    #[must_use]
    pub fn stats(&self) -> BusStats {
        let Ok(delivery) = self.delivery.lock() else { return BusStats::default() };
        let manager = self.manager.stats();
        let sent = delivery.stats();
        // Each shard is seen once: with threads, sums over two looks at it need not add up.
        let shards: Vec<_> = delivery.lanes().iter().map(shard_info).collect();
        BusStats {
            offered: self.offered.get(),
            accepted: shards.iter().map(|shard| shard.accepted).sum(),
            rejected: self.rejected(&manager),
            delivered: sent.events_delivered,
            evicted: shards.iter().map(|shard| shard.evicted).sum(),
            abandoned: abandoned(&sent),
            drained: sent.events_drained,
            pending: shards.iter().map(|shard| shard.pending).sum(),
            in_flight: shards.iter().map(|shard| shard.in_flight).sum(),
            bytes: ByteStats {
                held: self.manager.budget().held(),
                delivered: sent.bytes_delivered,
            },
            batches: BatchStats {
                delivered: sent.batches_delivered,
                retries: sent.retries,
                expired: sent.leases_expired,
            },
            shards,
        }
    }

    fn rejected(&self, manager: &ManagerStats) -> Rejected {
        Rejected {
            full: manager.events_full,
            sampled: manager.events_sampled,
            unrouted: manager.events_unrouted,
            oversize: self.oversize.get(),
            invalid: self.invalid.get(),
            closed: self.refused_closed.get(),
        }
    }
}

const fn abandoned(sent: &DeliveryStats) -> AbandonedEvents {
    AbandonedEvents {
        retries: sent.events_abandoned_retries,
        permanent: sent.events_abandoned_permanent,
        shutdown: sent.events_abandoned_shutdown,
    }
}

fn shard_info(lane: &crate::delivery::Lane) -> ShardInfo {
    let shard = lane.shard.lock();
    let stats = shard.stats();
    ShardInfo {
        id: shard.id,
        accepted: stats.events_ingested,
        full: stats.events_full,
        sampled: stats.events_sampled,
        evicted: stats.events_evicted,
        pending: shard.len() as u64,
        in_flight: lane.in_flight(),
        bytes: shard.bytes() as u64,
        next_sequence: lane.worker.next_sequence(),
        batch_target: lane.worker.target() as u64,
    }
}
