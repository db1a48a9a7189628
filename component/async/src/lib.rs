//! The bus as a WebAssembly component that hands its batches to an imported asynchronous function.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;
mod bus;
mod changes;
mod shared;
mod worker;

#[path = "../../conversions/batches.rs"]
mod batches;
#[path = "../../conversions/counts.rs"]
mod counts;
#[path = "../../conversions/options.rs"]
mod options;
#[path = "../../conversions/storeless.rs"]
mod storeless;

use bindings::exports::shardbus::bus::async_bus;
use bindings::shardbus::bus::{sink, types};

/// The component.
struct Component;

impl async_bus::Guest for Component {
    type Bus = bus::Bus;
}

bindings::export!(Component with_types_in bindings);
