//! Batches and answers, between the core's types and those of `wit/event-bus.wit`.

use crate::event_bus as wit;
use crate::types;
use shardbus::{
    AbandonReason, Abandoned, Action, Batch, BatchHead, Failure, Format, Lease, Outcome,
};
use std::time::Duration;

pub fn head(head: &BatchHead) -> wit::BatchHead {
    wit::BatchHead {
        id: format!("{:016x}-{}-{}", head.process_nonce, head.shard_id, head.sequence_start),
        nonce: head.process_nonce,
        shard: head.shard_id,
        sequence: head.sequence_start,
        count: head.len as u32,
        format: match head.format {
            Format::Ndjson => types::Format::Ndjson,
            Format::Json => types::Format::Json,
        },
        first_timestamp: head.first_timestamp,
        last_timestamp: head.last_timestamp,
    }
}

pub fn batch(batch: &Batch) -> wit::Batch {
    wit::Batch { head: head(&batch.head()), lengths: batch.lens(), body: batch.body().to_vec() }
}

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

pub const fn failure(failure: wit::Failure) -> Failure {
    match failure {
        wit::Failure::Unavailable(pause) => {
            Failure::Unavailable { retry_after: Duration::from_nanos(pause) }
        }
        wit::Failure::Refused(pause) => {
            Failure::Refused { retry_after: Duration::from_nanos(pause) }
        }
        wit::Failure::Permanent => Failure::Permanent,
        wit::Failure::Split => Failure::Split,
    }
}

pub fn outcome(given: wit::Outcome) -> (usize, Outcome) {
    let outcome = given.failure.map_or(Outcome::Delivered, |it| Outcome::Failed(failure(it)));
    (given.count as usize, outcome)
}
