//! A bounded, sharded event buffer with batching and truthful delivery.
//!
//! # What is guaranteed
//!
//! - **Bounded.** A bus never holds more payload bytes than [`BusConfig::max_bytes`], counting what
//!   waits, what is in flight and what is to be retried.
//! - **Accounted for.** Every event offered ends in exactly one place, and [`BusStats`] says in
//!   which: refused, delivered, evicted, given up, drained, waiting or in flight.
//! - **Ordered.** Within a shard, events leave in the order in which they came, one batch at a
//!   time, and a retry goes before later batches. Events with one key stay in one shard. Only
//!   [`EventBus::poll_exit`] gives that up, for a host that is about to end.
//! - **At least once.** A batch keeps its [`id`](Batch::id) over all attempts.
//!
//! # How it is built
//!
//! | module | what it does |
//! | --- | --- |
//! | `sync` | the seam between targets with threads and without |
//! | `clock`, `config`, `scaling_policy`, `error`, `event`, `lines`, `canonical`, `batch`, `stats` | the nouns |
//! | `shard` | route, buffer, scale, cut: [`ShardManager`], [`Shard`], [`ShardMapper`], [`BatchWorker`] |
//! | `delivery` | what to send and when: leases, retries, flushes |
//! | `bus` | [`EventBus`]: the two together |
//! | `wasm` | the surface for JavaScript; a translation, on wasm targets only |
//!
//! The core does no IO and draws no random number. It reads the time from a [`Clock`] or is told;
//! what is to be done comes out of [`EventBus::poll`] as an [`Action`].

#![cfg_attr(not(target_family = "wasm"), forbid(unsafe_code))]

mod batch;
mod bus;
mod canonical;
mod clock;
mod config;
mod delivery;
mod error;
mod event;
mod lines;
mod scaling_policy;
mod shard;
mod stats;
mod sync;
#[cfg(target_family = "wasm")]
mod wasm;

pub use batch::Batch;
pub use bus::EventBus;
pub use clock::{Clock, TimestampGenerator};
pub use config::{BackpressureMode, BatchConfig, BusConfig, Format, RetryPolicy, Scheduler};
pub use delivery::{
    AbandonReason, Abandoned, Action, ExitOrder, Failure, FlushReport, Lease, Outcome,
};
pub use error::{ConfigError, IngestionError, RestoreError, ScalingError};
pub use event::{Event, InternalEvent, RawEvent};
pub use lines::Lines;
pub use scaling_policy::ScalingPolicy;
pub use shard::{
    AdaptiveBatcher, BatchWorker, ManagerStats, ScalingDecision, Shard, ShardManager, ShardMapper,
    ShardMetrics, ShardMetricsCollector, ShardRef, ShardState, ShardStats,
};
pub use stats::{AbandonedEvents, BatchStats, BusStats, ByteStats, Rejected, ShardInfo};
pub use sync::{LockGuard, Shared};
