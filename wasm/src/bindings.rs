//! Exports called at most once per batch that pass more than numbers.
//!
//! No function calls back into JavaScript.

use crate::registry;
use js_sys::{Array, Uint8Array};
use shardbus::{Batch, BusOptions, Clock, ConfigError, EventBus};
use wasm_bindgen::prelude::*;

/// Makes a bus of [`BusOptions::from_numbers`], and returns its handle. Throws `[rule, value]` if they
/// break a rule, which is one of [`Rule::BETWEEN`](shardbus::Rule::BETWEEN): the host has checked each
/// option by itself.
#[wasm_bindgen]
pub fn create(options: &[f64]) -> Result<usize, JsValue> {
    let options = BusOptions::from_numbers(options);
    let bus = EventBus::new(options, Clock::manual(0)).map_err(broken_rule)?;
    registry::with(|registry| registry.add(bus)).ok_or(JsValue::UNDEFINED)
}

fn broken_rule(ConfigError { rule, value }: ConfigError) -> JsValue {
    Array::of2(&(rule as u32).into(), &value.into()).into()
}

/// A copy of the batch's body.
#[wasm_bindgen]
pub fn batch_body(handle: usize) -> Uint8Array {
    of_batch(handle, |batch| Uint8Array::from(&batch.body()[..])).unwrap_or_default()
}

/// The length of each of the batch's events, in bytes. They stand one after another in its body,
/// with one byte between two.
#[wasm_bindgen]
pub fn batch_lens(handle: usize) -> Vec<u32> {
    of_batch(handle, Batch::lens).unwrap_or_default()
}

/// The batch as bytes for a store; none, if there is no memory for them.
#[wasm_bindgen]
pub fn batch_encode(handle: usize) -> Vec<u8> {
    of_batch(handle, Batch::try_encode).flatten().unwrap_or_default()
}

fn of_batch<R>(handle: usize, f: impl FnOnce(&Batch) -> R) -> Option<R> {
    registry::with_bus(handle, |bus| bus.batch.as_deref().map(f)).flatten()
}
