//! A sink that answers by the words in a batch.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;

use bindings::exports::shardbus::bus::sink::{Batch, Failure, Guest, Outcome};
use wasip3::clocks::monotonic_clock;

/// An hour.
const HOUR: u64 = 3_600_000_000_000;

/// The sink.
struct Words;

bindings::export!(Words with_types_in bindings);

impl Guest for Words {
    async fn deliver(batch: Batch, attempt: u32) -> Result<Vec<Outcome>, Failure> {
        let body = String::from_utf8(batch.body).map_err(|_| Failure::Permanent)?;
        if body.contains("hang") {
            monotonic_clock::wait_for(HOUR).await;
        }
        if body.contains("later") && attempt < 3 {
            return Err(Failure::Unavailable(0));
        }
        if !body.contains("reject") {
            return Ok(Vec::new());
        }
        let failure = |event: &str| event.contains("reject").then_some(Failure::Permanent);
        Ok(body.lines().map(|event| Outcome { count: 1, failure: failure(event) }).collect())
    }
}
