//! A bounded, sharded event buffer with batching and delivery you can account for.
//!
//! # The most important types
//!
//! | type | role |
//! | --- | --- |
//! | [`EventBus`] | the whole: takes events, and decides which batch to send and when; made from a [`BusConfig`] |
//! | [`Action`] | the next action, from [`EventBus::poll`]: mostly, to send the [`Batch`] of a [`Lease`] |
//! | [`Failure`], [`Outcome`] | the result of an attempt, for [`EventBus::fail`] and [`EventBus::settle`] |
//! | [`BusStats`] | the account of every event |
//! | [`Event`], [`RawEvent`] | a JSON value, and bytes with the hash that routes them |
//! | [`ShardManager`] | routing and buffering without delivery, for callers with their own |
//! | [`Shard`], [`BatchWorker`] | one bounded queue, and the cutter of its batches |
//! | [`ShardMapper`] | the set of shards, where their number may change |
//!
//! # How to drive a bus
//!
//! The crate does no IO, starts no thread and draws no random number. It reads the time from a
//! [`Clock`] or is told. A host polls the bus for its next action, carries it out, and answers:
//!
//! ```
//! use shardbus::{Action, Batch, BusConfig, Clock, EventBus, Failure};
//! use std::time::{Duration, Instant};
//!
//! # fn send(batch: &Batch) -> Result<(), Failure> { assert_eq!(batch.len(), 2); Ok(()) }
//! let bus = EventBus::new(BusConfig::default(), Clock::system())?;
//! bus.seed(7); // 64 random bits, which tell this bus's batches from those of every other
//! bus.ingest(br#"{"type":"click"}"#, None)?;
//! bus.ingest(br#"{"type":"scroll"}"#, Some(b"user-1"))?; // in order with all of this key
//!
//! let start = Instant::now();
//! let now = || start.elapsed().as_nanos() as u64;
//! bus.close();
//! let flush = bus.begin_flush();
//! while bus.flush_report(flush).is_some_and(|report| report.pending > 0) {
//!     match bus.poll(now()) {
//!         Action::Send(lease) => match send(&lease.batch) {
//!             Ok(()) => drop(bus.acknowledge(lease.id, now())),
//!             Err(failure) => drop(bus.fail(lease.id, failure, now())),
//!         },
//!         Action::Abandoned(lost) => eprintln!("{} events are lost", lost.batch.len()),
//!         Action::WaitUntil(then) => {
//!             std::thread::sleep(Duration::from_nanos(then.saturating_sub(now())));
//!         }
//!         _ => break,
//!     }
//! }
//! assert_eq!(bus.stats().delivered, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The repository's `examples/rust` has drivers that run beside the producers, one on threads and one
//! on tokio, with a limit on the time of each attempt.
//!
//! # Guarantees
//!
//! - **Bounded.** A bus never holds more payload bytes than [`BusConfig::max_bytes`], pending
//!   events, batches in flight and batches to be retried included. Batches of earlier runs come
//!   beside it, at most two at a time unless they are split.
//! - **Accounted for.** Every event offered ends in exactly one place, which [`BusStats`]
//!   names: refused, delivered, evicted, given up, drained, waiting or in flight.
//! - **Ordered.** Within a shard, events leave in the order in which they came, one batch at a
//!   time, and a retry goes before later batches. Events with one key stay in one shard. Only
//!   [`EventBus::poll_exit`] gives that up, for a host that is about to end.
//! - **At least once.** A batch keeps its [`id`](Batch::id) over all attempts.
//!
//! # How it is built
//!
//! | module | task |
//! | --- | --- |
//! | `sync` | the seam between targets with threads and without |
//! | `memory` | room in memory, which can run out on wasm |
//! | `queue` | first in, first out |
//! | `clock`, `config`, `settings`, `scaling_policy`, `error`, `codes`, `counters`, `event`, `lines`, `canonical`, `batch`, `stats` | data types |
//! | `shard` | route, buffer, scale, cut: [`ShardManager`], [`Shard`], [`ShardMapper`], [`BatchWorker`] |
//! | `delivery` | the order and time of sending: leases, retries, flushes |
//! | `bus` | [`EventBus`]: the two together |
//!
//! # For users of net-mesh
//!
//! Names of shards, events and policies are those of `net-mesh`, all at the crate's root. The
//! differences, and their reasons:
//!
//! | there | here | why |
//! | --- | --- | --- |
//! | `Shard::new(id, capacity)` | takes a [`BackpressureMode`] too | a shard evicts and samples under its own lock |
//! | `Shard::{counters, set_metrics_collector}`, `ShardTable` | [`Shard::stats`], [`Shard::with_metrics`] | the crate itself is their only user |
//! | `ShardMapper::select_shard` | [`ShardManager::select_shard_by_hash`] | the manager routes, the mapper says by which shards |
//! | `ShardMapper::set_on_shard_created`, `…_removed` | the ids that each operation returns | nothing scales by itself but [`EventBus::poll`], which opens and closes the shards' lanes |
//! | `ShardMapper::new` fails with a `ScalingError` | [`ConfigError`], which becomes one by `?` | it names the field, its value and the rule |
//! | `ShardManager::stats` returns `ShardStats` | [`ManagerStats`] | it also has the events that no shard takes |
//! | `ShardManager::ingest(Value)` | `impl Into<Event>` | an [`Event`] will do; name the type where a parser's result is to be inferred |
//! | `ShardMetrics::compute_weight`, an `Instant` | [`ShardMetrics::weight_of`], nanoseconds | time comes from a [`Clock`] |
//! | `ShardMetricsCollector::record_buffer_len`, `pushes_since_drain_start` | the shard tells its collector | nobody else knows; a drained shard is empty when it holds nothing |
//! | thresholds of 5 ns and 1 ms | 10 µs and 1 s | a measurement alone takes more than 5 ns, and a batch's answer more than 1 ms |
//! | `BatchConfig`: 1,000 to 10,000 events in 10 ms | 100 to 1,000 events or 256 KiB in 1 s | requests from the edge are small and few |
//! | `ScalingError::ShardCreationFailed`, `IngestionResult` | absent | nothing fails so; errors are `#[non_exhaustive]` |
//! | `InternalEvent::new`, `from_value` | its fields are public | a bus makes it |
//! | `Batch { events }`, `Batch::new`, `batch_process_nonce()` | [`Batch::events`], [`Batch::body`], [`EventBus::seed`] | the events of a batch are one body; the caller has the randomness |
//! | `TimestampGenerator::{next(), now_raw}` | [`next(now)`](TimestampGenerator::next) | time is told; nanoseconds since the Unix epoch |
//! | `AdaptiveBatcher::{record_events(n), reset}` | [`record(n, now)`](AdaptiveBatcher::record), a new one | the same |
//! | `BatchWorker::{add_events, check_timeout, …}` | [`poll`](BatchWorker::poll), [`flush`](BatchWorker::flush), [`deadline`](BatchWorker::deadline) on a [`Shard`] | events stay in the bounded ring until a batch is cut |
//! | `EventBusConfig` and its builder | [`BusConfig`] and `..BusConfig::default()` | one name for a setting, in Rust and in JavaScript |
//! | `EventBus::{ingest(Event), ingest_batch}` | [`ingest_event`](EventBus::ingest_event), [`ingest_raw`](EventBus::ingest_raw), [`ingest_raw_batch`](EventBus::ingest_raw_batch); [`ingest`](EventBus::ingest) takes bytes and a key | a bus copies bytes, and routes by a key |
//! | `EventBus::{num_shards, pending_in_rings, shard_metrics, shard_stats}` | [`EventBus::stats`] | one look in which the numbers add up |
//! | `async new`, `flush`, `shutdown`, `Adapter`, `start_scaling_monitor` | [`poll`](EventBus::poll), [`acknowledge`](EventBus::acknowledge), [`fail`](EventBus::fail), [`begin_flush`](EventBus::begin_flush), [`close`](EventBus::close) | no runtime is asked for |
//! | edition 2021, any Rust | edition 2024, Rust 1.95 or later | the promises are tested, with this one |
//! | `poll(ConsumeRequest)`, `Filter`, `StoredEvent`, adapters | absent | this is a buffer, and not a store |

#![forbid(unsafe_code)]

mod batch;
mod bus;
mod canonical;
mod clock;
mod codes;
mod config;
mod counters;
mod delivery;
mod error;
mod event;
mod lines;
mod memory;
mod queue;
mod scaling_policy;
mod settings;
mod shard;
mod stats;
mod sync;

pub use batch::{Batch, BatchHead};
pub use bus::EventBus;
pub use clock::{Clock, TimestampGenerator};
pub use config::{
    BackpressureMode, BatchConfig, BatchOptions, Bound, BusConfig, BusOptions, Format,
    RetryOptions, RetryPolicy, Scheduler,
};
pub use counters::{Field, Shape};
pub use delivery::{
    AbandonReason, Abandoned, Action, ExitOrder, Failure, FlushReport, FlushState, Lease, Outcome,
};
pub use error::{ConfigError, IngestionError, RestoreError, Rule, ScalingError};
pub use event::{Event, InternalEvent, RawEvent};
pub use lines::Lines;
pub use scaling_policy::{ScalingOptions, ScalingPolicy};
pub use settings::{Setting, Unit};
pub use shard::{
    AdaptiveBatcher, BatchWorker, ManagerStats, ScalingDecision, Shard, ShardManager, ShardMapper,
    ShardMetrics, ShardMetricsCollector, ShardRef, ShardState, ShardStats,
};
pub use stats::{AbandonedEvents, BatchStats, BusStats, ByteStats, Rejected, ShardInfo};
pub use sync::{LockGuard, Shared};
