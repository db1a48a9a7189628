//! The core as a WebAssembly component: a translation between the types of `wit/` and the core's,
//! without logic.
#![cfg(target_family = "wasm")]

#[allow(clippy::semicolon_if_nothing_returned, reason = "written by a macro")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "core" });
}

mod batches;
mod bus;
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
