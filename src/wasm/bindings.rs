//! What happens at most once a batch, where more than a number crosses.
//!
//! No function calls back into JavaScript.

use super::registry::{self, Bus};
use super::{calls, nanos, options};
use crate::{Clock, ConfigError, EventBus, Outcome, RestoreError};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

/// Makes a bus, and returns its handle. Takes the options as numbers, in the order of
/// `optionNumbers` in `pkg-js/src/numbers.ts`. Throws `[field, value, rule]` if they break a rule.
#[wasm_bindgen]
pub fn create(options: &[f64]) -> Result<usize, JsValue> {
    let bus = EventBus::new(options::config(options), Clock::manual(0)).map_err(broken_rule)?;
    registry::with(|registry| registry.add(bus)).ok_or(JsValue::UNDEFINED)
}

/// What `create` throws: the field's path in the core, its value, and the rule;
/// `pkg-js/src/check-options.ts` gives the field the name that the user wrote.
fn broken_rule(ConfigError { field, value, rule }: ConfigError) -> JsValue {
    Array::of3(&field.into(), &value.into(), &rule.into()).into()
}

/// A copy of the batch's body.
#[wasm_bindgen]
pub fn batch_body(handle: usize) -> Uint8Array {
    of_batch(handle, |batch| Uint8Array::from(&batch.body()[..])).unwrap_or_default()
}

/// How long each of the batch's events is, in bytes. They stand one after another in its body, with
/// one byte between two.
#[wasm_bindgen]
pub fn batch_lens(handle: usize) -> Vec<u32> {
    of_batch(handle, crate::Batch::lens).unwrap_or_default()
}

/// The receiver answered for single events: `outcomes` has pairs of a number of consecutive events,
/// and 0 if they were delivered or else one more than how they failed (see [`calls::failure`]).
/// Returns whether the lease was still live.
#[wasm_bindgen]
pub fn settle(
    handle: usize,
    lease: f64,
    outcomes: &[f64],
    retry_after_ms: f64,
    now_ms: f64,
) -> bool {
    let outcomes: Vec<_> = outcomes
        .chunks_exact(2)
        .map(|pair| (pair[0] as usize, outcome(pair[1] as u32, retry_after_ms)))
        .collect();
    let settled = |bus: &mut Bus| bus.core.settle(lease as u64, &outcomes, nanos(now_ms));
    registry::with_bus(handle, settled).unwrap_or_default()
}

fn outcome(code: u32, retry_after_ms: f64) -> Outcome {
    match code.checked_sub(1) {
        None => Outcome::Delivered,
        Some(kind) => Outcome::Failed(calls::failure(kind, retry_after_ms)),
    }
}

/// The batch as bytes for a store.
#[wasm_bindgen]
pub fn batch_encode(handle: usize) -> Vec<u8> {
    of_batch(handle, crate::Batch::encode).unwrap_or_default()
}

fn of_batch<R>(handle: usize, f: impl FnOnce(&crate::Batch) -> R) -> Option<R> {
    registry::with_bus(handle, |bus| bus.batch.as_deref().map(f)).flatten()
}

/// Takes in what `batch_encode` made in an earlier life; then the batch is the one handed out last.
/// Returns 0, or why not: 1 for not now, 2 for damaged, 3 for too large, 4 for the
/// format of another version.
#[wasm_bindgen]
pub fn restore(handle: usize, bytes: &[u8]) -> u32 {
    let restored = |bus: &mut Bus| {
        bus.batch = None;
        bus.core.restore(bytes).map(|batch| bus.batch = Some(batch))
    };
    match registry::with_bus(handle, restored) {
        Some(Ok(())) => 0,
        Some(Err(RestoreError::NotNow)) | None => 1,
        Some(Err(RestoreError::Damaged)) => 2,
        Some(Err(RestoreError::TooLarge { .. })) => 3,
        Some(Err(RestoreError::OtherFormat(_))) => 4,
    }
}

/// The shard that an event with this key would go to now, or one with this payload and no key.
#[wasm_bindgen]
pub fn shard_for(handle: usize, key_or_payload: &[u8]) -> u16 {
    registry::with_bus(handle, |bus| bus.core.shard_for(key_or_payload)).unwrap_or_default()
}
