//! Batches and outcomes, between the core's types and those of `wit/types.wit`.

use crate::types as wit;
use shardbus::{Batch, BatchHead, Failure, Format, Outcome};
use std::time::Duration;

pub fn head(head: &BatchHead) -> wit::BatchHead {
    wit::BatchHead {
        id: format!("{:016x}-{}-{}", head.process_nonce, head.shard_id, head.sequence_start),
        nonce: head.process_nonce,
        shard: head.shard_id,
        sequence: head.sequence_start,
        count: head.len as u32,
        format: match head.format {
            Format::Ndjson => wit::Format::Ndjson,
            Format::Json => wit::Format::Json,
        },
        first_timestamp: head.first_timestamp,
        last_timestamp: head.last_timestamp,
    }
}

pub fn batch(batch: &Batch) -> wit::Batch {
    wit::Batch { head: head(&batch.head()), lengths: batch.lens(), body: batch.body().to_vec() }
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
