//! The surface for JavaScript: a translation between its types and the core's, without logic.
//!
//! [`raw`] is the path of events: exports that take and return small integers, and one scratch
//! buffer that the host writes into. Exports that are called at most once per batch are in
//! [`calls`] if they take and return numbers, and need no glue; and in [`bindings`], by
//! wasm-bindgen, if they pass more.
//!
//! Natively, where there is nobody to call them, there are only the [`numbers`] that cross.

#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
mod allocator;
#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod calls;
pub mod numbers;
#[cfg(target_family = "wasm")]
mod raw;
#[cfg(target_family = "wasm")]
mod registry;

/// Nanoseconds in milliseconds.
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
