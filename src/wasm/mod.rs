//! The surface for JavaScript: a translation between its types and the core's, without logic.
//!
//! [`bindings`] is the wasm-bindgen class for everything that happens at most once a batch;
//! [`raw`] is the path of events: exports that take and return small integers, and one scratch
//! buffer that the host writes into.

mod bindings;
mod numbers;
mod options;
mod raw;
mod registry;

/// Milliseconds, as JavaScript counts them, in nanoseconds. Whole milliseconds stay exact.
fn nanos(ms: f64) -> u64 {
    let whole = ms.trunc();
    (whole as u64).saturating_mul(1_000_000).saturating_add(((ms - whole) * 1e6) as u64)
}

/// Nanoseconds in milliseconds.
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
