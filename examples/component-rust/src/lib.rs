//! The component `core` in wasmtime.

use exports::shardbus::bus::{event_bus, types};
use std::path::Path;
use wasmtime::component::{Component, Linker, ResourceAny, bindgen};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Store};
use wasmtime::{Result, bail};

bindgen!({ path: "../../wit", world: "%core" });

pub use event_bus::{Action, Event, Failure, FlushReport, Lease, Receipt, Rejection, Stats};

/// The compiled component. Each bus has an instance of its own, which takes microseconds to make.
pub struct Host {
    engine: Engine,
    component: CorePre<()>,
}

impl Host {
    /// Compiles a component.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let engine = Engine::default();
        let component = Component::from_file(&engine, &path)
            .with_context(|| format!("{} is not there", path.as_ref().display()))?;
        // It imports nothing.
        let component = CorePre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
        Ok(Self { engine, component })
    }

    /// A bus with the default options. The nonce is 64 random bits.
    pub fn create(&self, nonce: u64) -> Result<Bus> {
        let mut store = Store::new(&self.engine, ());
        let core = self.component.instantiate(&mut store)?;
        let bus = core.shardbus_bus_event_bus().bus();
        match bus.call_create(&mut store, DEFAULT, nonce)? {
            Ok(resource) => Ok(Bus { store, core, resource }),
            Err(error) => bail!("`{}` is {}: {}", error.setting, error.value, error.rule),
        }
    }
}

/// Options of which none is given.
const DEFAULT: types::Options = types::Options {
    shards: None,
    capacity: None,
    max_bytes: None,
    max_event_bytes: None,
    max_key_bytes: None,
    routing_seed: None,
    backpressure: None,
    format: None,
    scheduler: None,
    has_store: None,
    max_store_bytes: None,
    timeout: None,
    batch: None,
    retry: None,
    scaling: None,
};

/// A bus. Its methods fail only if the component traps.
pub struct Bus {
    store: Store<()>,
    core: Core,
    resource: ResourceAny,
}

/// Methods that pass their arguments on.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident => $call:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Bus {
            $($(#[$doc])*
            pub fn $name(&mut self, $($argument: $type),*) -> Result<$result> {
                let bus = self.core.shardbus_bus_event_bus().bus();
                bus.$call(&mut self.store, self.resource, $($argument),*)
            })*
        }
    };
}

methods! {
    /// Sets the wall clock, which stamps events.
    set_clock => call_set_clock(now: u64) -> ();
    /// Accepts one JSON text, or refuses it.
    ingest => call_ingest(payload: &[u8], key: Option<&[u8]>) -> Result<Receipt, Rejection>;
    /// Offers events in order. Returns the number of accepted ones.
    ingest_many => call_ingest_many(events: &[Event]) -> u32;
    /// Offers each line of a text. Returns the number of accepted ones.
    ingest_lines => call_ingest_lines(text: &[u8]) -> u32;
    /// The next action.
    poll => call_poll(now: u64) -> Action;
    /// The lease was delivered.
    acknowledge => call_acknowledge(lease: u64, now: u64) -> bool;
    /// The lease failed.
    fail => call_fail(lease: u64, failure: Failure, now: u64) -> bool;
    /// Opens a flush.
    begin_flush => call_begin_flush() -> u32;
    /// The outcomes so far of the events that a flush covers.
    flush_report => call_flush_report(flush: u32) -> Option<FlushReport>;
    /// Closes a flush.
    end_flush => call_end_flush(flush: u32) -> ();
    /// Accounts for every event.
    stats => call_stats() -> Stats;
}
