//! The core as a WebAssembly component: a translation between the types of `wit/` and the core's,
//! without logic.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod actions;
mod bindings;
mod bus;

#[path = "../../conversions/batches.rs"]
mod batches;
#[path = "../../conversions/counts.rs"]
mod counts;
#[path = "../../conversions/options.rs"]
mod options;

use bindings::exports::shardbus::bus::{event_bus, types};

/// The component.
struct Component;

impl event_bus::Guest for Component {
    type Bus = bus::Bus;
}

bindings::export!(Component with_types_in bindings);
