//! Routing, buffering and batching: everything up to the moment a batch leaves its shard.

mod batcher;
mod budget;
mod counters;
mod manager;
mod mapper;
mod metrics;
mod records;
mod ring_buffer;
mod routing;
#[expect(clippy::module_inception, reason = "the file is named for the type it holds")]
mod shard;
mod shard_ref;
mod stream;
mod topology;
mod watermarks;

pub use batcher::{AdaptiveBatcher, BatchWorker};
pub(crate) use budget::{ByteBudget, Reservation};
use counters::ShardCounters;
pub use manager::{ManagerStats, ShardManager};
pub use mapper::{ScalingDecision, ShardMapper, ShardState};
pub use metrics::{ShardMetrics, ShardMetricsCollector};
pub(crate) use records::{Index, Record};
pub use shard::{Shard, ShardStats};
pub use shard_ref::ShardRef;
pub(crate) use topology::Change;
pub(crate) use watermarks::Watermarks;
