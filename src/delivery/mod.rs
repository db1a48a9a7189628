//! What to send and when, without sending anything.
//!
//! A batch that leaves its shard is *leased* to the host, which [acknowledges](Delivery::acknowledge)
//! it, reports that it [failed](Delivery::fail), or dies and lets the lease expire. Until then the
//! shard's next batch waits. What the host has to do comes out of [`poll`](Delivery::poll) as an
//! [`Action`]; what the host learns goes in through the other methods; the time is an argument.

mod exit;
mod flush;
mod lane;
mod machine;
mod restore;
mod retry;

pub use exit::ExitOrder;
pub use flush::FlushReport;
pub(crate) use lane::Lane;
pub(crate) use machine::{Delivery, Permit};

use crate::batch::Batch;
use crate::sync::Shared;
use std::time::Duration;

/// What the host has to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this batch, then acknowledge it or report its failure. Then poll again.
    Send(Lease),
    /// This batch was given up: show it to whoever collects lost events. Then poll again.
    Abandoned(Abandoned),
    /// Nothing now; poll again at this time, in nanoseconds on the clock that `poll` is given.
    WaitUntil(u64),
    /// Nothing until something is ingested, acknowledged, failed or flushed.
    Idle,
}

/// One attempt to deliver a batch.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Identifies the attempt; never used again for another one.
    pub id: u64,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When the attempt should be cut off and reported as failed. The lease itself lasts
    /// [`BusConfig::LEASE_MARGIN`](crate::BusConfig::LEASE_MARGIN) longer.
    pub deadline: u64,
    /// The batch; the same allocation for all its attempts.
    pub batch: Shared<Batch>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Another attempt may succeed, but not before `retry_after` has passed.
    Retryable {
        /// The pause that the receiver asked for; zero if it asked for none.
        retry_after: Duration,
    },
    /// No attempt will ever succeed.
    Permanent,
    /// The receiver takes only smaller batches: the batch is split in two, which are sent in order,
    /// each with the id of its first event and all its attempts before it. A single event that is
    /// too large is given up.
    TooLarge,
}

/// Why a batch was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbandonReason {
    /// All attempts failed.
    Retries,
    /// The receiver will never take it.
    Permanent,
    /// The bus was closed before it could be delivered.
    Shutdown,
}

/// A batch that was given up. Its bytes stay held until it is dropped.
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// Why.
    pub reason: AbandonReason,
    /// What.
    pub batch: Shared<Batch>,
}

/// What became of the events that left their shards, and of the attempts to deliver them. None of
/// these ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DeliveryStats {
    /// Events acknowledged.
    pub(crate) events_delivered: u64,
    /// Events given up because all attempts failed.
    pub(crate) events_abandoned_retries: u64,
    /// Events given up because the receiver will never take them.
    pub(crate) events_abandoned_permanent: u64,
    /// Events given up because the bus was closed.
    pub(crate) events_abandoned_shutdown: u64,
    /// Events handed out for good, by [`EventBus::drain`](crate::EventBus::drain) or
    /// [`release`](crate::EventBus::release).
    pub(crate) events_drained: u64,
    /// Body bytes acknowledged.
    pub(crate) bytes_delivered: u64,
    /// Batches acknowledged.
    pub(crate) batches_delivered: u64,
    /// Attempts after a batch's first.
    pub(crate) retries: u64,
    /// Leases that expired without an answer.
    pub(crate) leases_expired: u64,
}
