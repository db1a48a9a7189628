//! Routing, buffering and batching: everything up to the moment a batch leaves its shard.

mod batcher;
mod budget;
mod manager;
mod records;
mod ring_buffer;
mod routing;
#[expect(clippy::module_inception, reason = "the file is named for the type it holds")]
mod shard;

pub use batcher::{AdaptiveBatcher, BatchWorker};
pub(crate) use budget::{ByteBudget, Reservation};
pub use manager::{ManagerStats, ShardManager, ShardRef};
pub(crate) use records::Record;
pub use shard::{Shard, ShardStats};
