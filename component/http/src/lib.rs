//! The bus as a WebAssembly component that sends over `wasi:http`.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;
mod bus;
#[path = "../../conversions/counts.rs"]
mod counts;
#[path = "../../conversions/options.rs"]
mod options;
mod receiver;
#[path = "../../conversions/storeless.rs"]
mod storeless;

use bindings::exports::shardbus::bus::{http_bus, types};

/// The component.
struct Component;

impl http_bus::Guest for Component {
    type Bus = bus::Bus;
}

bindings::export!(Component with_types_in bindings);
