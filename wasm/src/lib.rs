//! The surface for JavaScript: a translation between its types and the core's, without logic.
//!
//! [`raw`] is the path of events: exports that take and return small integers, and one scratch
//! buffer that the host writes into. Everything else is one export, [`call`](calls::call). Only
//! numbers cross; where there are more of them, or bytes, one side leaves them in memory for the
//! other.

#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
mod allocator;
pub mod calls;
pub mod numbers;
pub mod raw;
mod registry;
