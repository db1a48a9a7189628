//! The core's actions as those of `wit/event-bus.wit`.

use crate::batches::{batch, head};
use crate::event_bus as wit;
use crate::types;
use shardbus::{AbandonReason, Abandoned, Action, Batch, Lease};

pub fn stored(batch: &Batch) -> wit::StoredBatch {
    wit::StoredBatch { head: head(&batch.head()), bytes: batch.encode() }
}

pub fn lease(lease: &Lease) -> wit::Lease {
    wit::Lease {
        id: lease.id,
        attempt: lease.attempt,
        deadline: lease.deadline,
        batch: batch(&lease.batch),
    }
}

fn abandoned(abandoned: &Abandoned) -> wit::Abandoned {
    wit::Abandoned {
        reason: match abandoned.reason {
            AbandonReason::Retries => types::AbandonReason::Retries,
            AbandonReason::Permanent => types::AbandonReason::Permanent,
            AbandonReason::Expired => types::AbandonReason::Expired,
            AbandonReason::Shutdown => types::AbandonReason::Shutdown,
        },
        attempts: abandoned.attempts,
        batch: batch(&abandoned.batch),
    }
}

/// The action that `poll` has at `now`.
pub fn action(action: Action, now: u64) -> wit::Action {
    match action {
        Action::Send(it) => wit::Action::Send(lease(&it)),
        Action::Abandoned(it) => wit::Action::Abandoned(abandoned(&it)),
        Action::Store(it) => wit::Action::Store(stored(&it)),
        Action::Load(it) => wit::Action::Load(head(&it)),
        Action::WaitUntil(then) => wit::Action::WaitUntil(then),
        // Only for hosts that begin tasks or poll for flushes, which this interface does not offer.
        Action::Yield | Action::Lost(_) => wit::Action::WaitUntil(now),
        Action::Idle => wit::Action::Idle,
    }
}
