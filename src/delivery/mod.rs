//! Decides which batch to send next and when, without sending anything.
//!
//! A batch that leaves its shard is *leased* to the host, which
//! [acknowledges](Delivery::acknowledge) it, reports that it [failed](Delivery::fail), or dies and
//! lets the lease expire. Until then the shard's next batch waits. The host's work comes out of
//! [`poll`](Delivery::poll) as an [`Action`]; its results go in through the other methods; the time
//! is an argument.
//!
//! # Faults
//!
//! | fault | response of the bus |
//! | --- | --- |
//! | The destination is *unavailable*: no answer, or none for want of capacity | Nothing is given up. The batch waits, and later ones behind it, within the bounds of the bus. One lane at a time probes, after pauses that grow with failures in a row and end with the first answer ([`destination`]). |
//! | The receiver *refuses* a batch | It is sent again up to [`max_attempts`](crate::RetryPolicy::max_attempts) times, then given up. |
//! | It refuses it for good (*permanent*) | The batch is given up. |
//! | It takes only a part of it, or smaller ones (*split*) | Halves are sent in order; a single event is given up. |
//! | It answers for single events | Each has its own outcome; remaining events keep their ids, order and attempts. |
//! | A batch fails for its own sake, as in an outage | It is given up once the destination has taken others while it failed ([`blame`]). |
//! | Events get older than [`max_age`](crate::RetryPolicy::max_age) | They are given up as *expired* ([`expiry`]). |
//! | The host dies, or forgets an attempt | The lease expires and is handed out again; nothing is held against the batch or the destination. |

mod answers;
mod blame;
mod destination;
mod exit;
mod expiry;
mod flush;
mod lane;
mod leeway;
mod machine;
mod owners;
mod restore;
mod retry;
mod spill;
mod store;
mod task;

pub use exit::ExitOrder;
pub use flush::{FlushReport, FlushState};
pub(crate) use lane::Lane;
pub(crate) use machine::{Delivery, Permit};

use crate::batch::{Batch, BatchHead};
use crate::codes::codes;
use crate::sync::Shared;
use std::time::Duration;

/// A time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// The host's next action.
#[derive(Debug)]
pub enum Action {
    /// Send this batch, then acknowledge it or report its failure. Then poll again.
    Send(Lease),
    /// This batch was given up: show it to the collector of lost events. Then poll again.
    Abandoned(Abandoned),
    /// This batch waits: write it to the store, then say that it [is
    /// there](crate::EventBus::note_stored). Then poll again. Only with a
    /// [store](crate::BusConfig::has_store).
    Store(Shared<Batch>),
    /// The owner of this flush fell silent, and its leases expired: forget its attempts, and [end the
    /// flush](crate::EventBus::end_flush). Then poll again. Only for hosts that [poll for
    /// flushes](crate::EventBus::poll_flush).
    Lost(u32),
    /// Enough for this task: let others have their turn, then [begin a
    /// task](crate::EventBus::begin_task) and poll again. Only for hosts that begin tasks.
    Yield,
    /// Read this batch from the store and [hand it in](crate::EventBus::load), or say that it [cannot
    /// be read](crate::EventBus::note_unreadable). Then poll again. Only with a bound of the
    /// [store](crate::BusConfig::max_store_bytes).
    Load(BatchHead),
    /// Nothing now; poll again at this time, in nanoseconds on the clock that `poll` is given.
    WaitUntil(u64),
    /// Nothing until something is ingested, acknowledged, failed or flushed; time alone brings
    /// nothing.
    Idle,
}

/// One attempt to deliver a batch.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Identifies the attempt; never used again for another one.
    pub id: u64,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The time at which the attempt should be cut off and reported as failed. The lease itself
    /// lasts [`BusConfig::LEASE_MARGIN`](crate::BusConfig::LEASE_MARGIN) longer.
    pub deadline: u64,
    /// The batch; the same allocation for all its attempts.
    pub batch: Shared<Batch>,
}

/// The failure of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The destination is in an outage: it did not answer, or only that it has no capacity now.
    /// Nothing is given up for it.
    Unavailable {
        /// The pause that the receiver asked for; zero if it asked for none.
        retry_after: Duration,
    },
    /// The receiver answered, and did not take the batch this time. It may be asked a number of
    /// times.
    Refused {
        /// The pause that the receiver asked for; zero if it asked for none.
        retry_after: Duration,
    },
    /// No attempt will ever succeed.
    Permanent,
    /// The receiver takes only smaller batches, or all but some of the events: the batch is split in
    /// two, which are sent in order, each with the id of its first event and all its attempts before
    /// it. A single event is given up.
    Split,
}

codes! {
    Failure {
        "Unavailable" = 0: Unavailable,
        "Refused" = 1: Refused,
        "Permanent" = 2: Permanent,
        "Split" = 3: Split,
    }
}

impl Failure {
    /// The failure with this [code](Self::code), and the pause that was asked for.
    #[must_use]
    pub const fn of_code(code: i32, retry_after: Duration) -> Self {
        match code {
            0 => Self::Unavailable { retry_after },
            1 => Self::Refused { retry_after },
            2 => Self::Permanent,
            _ => Self::Split,
        }
    }
}

/// The outcome of a single event of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver does not have it.
    Failed(Failure),
}

/// Why a batch was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbandonReason {
    /// The receiver refused it too often; or it failed while the destination took others.
    Retries,
    /// The receiver will never take it.
    Permanent,
    /// It got too old.
    Expired,
    /// The bus was closed before it could be delivered.
    Shutdown,
}

codes! {
    AbandonReason {
        "retries" = 0: Retries,
        "permanent" = 1: Permanent,
        "expired" = 2: Expired,
        "shutdown" = 3: Shutdown,
    }
}

/// A batch that was given up. Its bytes stay held until it is dropped.
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// Why.
    pub reason: AbandonReason,
    /// Attempts begun; 0 if it was never sent.
    pub attempts: u32,
    /// The batch.
    pub batch: Shared<Batch>,
}

/// Counts of the events that left their shards, and of the attempts to deliver them. None of these
/// ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DeliveryStats {
    /// Events acknowledged.
    pub(crate) events_delivered: u64,
    /// Events given up because the receiver refused them too often.
    pub(crate) events_abandoned_retries: u64,
    /// Events given up because the receiver will never take them.
    pub(crate) events_abandoned_permanent: u64,
    /// Events given up because they got too old.
    pub(crate) events_abandoned_expired: u64,
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
