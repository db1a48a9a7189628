//! The common part of both programs: the events, the collector, and the meaning of its answers.

pub mod collector;
pub mod flights;

use shardbus::{BackpressureMode, BatchConfig, BusConfig, EventBus, Failure};
use std::time::Duration;

/// A bus of four shards that holds a fifth of the flights, and refuses more.
#[must_use]
pub fn config() -> BusConfig {
    BusConfig {
        shards: 4,
        capacity: 1024,
        backpressure: BackpressureMode::FailProducer,
        batch: BatchConfig {
            max_size: 500,
            max_delay: Duration::from_millis(50),
            ..BatchConfig::default()
        },
        timeout: Duration::from_secs(1),
        ..BusConfig::default()
    }
}

/// No answer: an outage, during which nothing is given up.
pub const NO_ANSWER: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// The verdict of an HTTP status on a batch.
///
/// # Errors
///
/// The failure of the batch, unless it was taken.
pub fn judge(status: u16, retry_after: Option<&str>) -> Result<(), Failure> {
    let seconds = retry_after.and_then(|text| text.parse().ok()).unwrap_or(0);
    let retry_after = Duration::from_secs(seconds);
    Err(match status {
        200..300 => return Ok(()),
        408 | 425 | 429 | 502..=504 => Failure::Unavailable { retry_after },
        413 => Failure::Split,
        400..500 => Failure::Permanent,
        _ => Failure::Refused { retry_after },
    })
}

/// Tells of every batch that the bus has given up.
pub fn tell_losses(bus: &EventBus) {
    while let Some(lost) = bus.next_abandoned() {
        eprintln!("{} events are lost: {:?}", lost.batch.len(), lost.reason);
    }
}
