//! The surface for JavaScript: a translation between its types and the core's, without logic.
//!
//! [`raw`] is the path of events: exports that take and return small integers, and one scratch
//! buffer that the host writes into. What happens at most once a batch is in [`calls`] where it
//! takes and returns numbers, and needs no glue; and in [`bindings`], by wasm-bindgen, where it
//! takes or returns more.
//!
//! Natively, where there is nobody to call them, the crate is empty.
#![cfg(target_family = "wasm")]

#[cfg(not(target_feature = "atomics"))]
mod allocator;
mod bindings;
mod calls;
mod numbers;
mod options;
mod raw;
mod registry;

/// Milliseconds, as JavaScript counts them, in nanoseconds. Whole milliseconds stay exact.
fn nanos(ms: f64) -> u64 {
    let whole = ms.trunc();
    (whole as u64).saturating_mul(1_000_000).saturating_add(((ms - whole) * 1e6 + 0.5) as u64)
}

/// Nanoseconds in milliseconds.
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
