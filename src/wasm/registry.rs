//! The buses of this instance, and the scratch that events come in through.

use crate::sync::{Lock, Shared};
use crate::{EventBus, IngestionError};

/// Bytes of the scratch to begin with: more than a crossing of staged events needs.
const SCRATCH_LEN: usize = 64 << 10;

/// Events and keys whose lengths fit into one crossing.
const LENGTHS_LEN: usize = 1024;

pub(super) struct Registry {
    /// By handle. A freed slot is used again.
    buses: Vec<Option<Shared<EventBus>>>,
    /// What the host writes payloads and keys into.
    pub(super) scratch: Vec<u8>,
    /// What the host writes their lengths into.
    pub(super) lengths: Vec<u32>,
    /// When the last event was accepted.
    pub(super) last_timestamp: u64,
}

thread_local! {
    static REGISTRY: Lock<Registry> = Lock::new(Registry {
        buses: Vec::new(),
        scratch: vec![0; SCRATCH_LEN],
        lengths: vec![0; LENGTHS_LEN],
        last_timestamp: 0,
    });
}

/// Runs `f` on the registry; `None` if it is in use, which no host can bring about.
pub(super) fn with<R>(f: impl FnOnce(&mut Registry) -> R) -> Option<R> {
    REGISTRY.with(|registry| registry.lock().ok().map(|mut registry| f(&mut registry)))
}

impl Registry {
    /// Adds a bus and returns its handle.
    pub(super) fn add(&mut self, bus: Shared<EventBus>) -> usize {
        let free = self.buses.iter().position(Option::is_none);
        let handle = free.unwrap_or(self.buses.len());
        if free.is_none() {
            self.buses.push(None);
        }
        self.buses[handle] = Some(bus);
        handle
    }

    /// Removes a bus.
    pub(super) fn remove(&mut self, handle: usize) {
        if let Some(slot) = self.buses.get_mut(handle) {
            *slot = None;
        }
    }

    /// The bus with this handle.
    pub(super) fn bus(&self, handle: usize) -> Option<&EventBus> {
        self.buses.get(handle)?.as_deref()
    }
}

/// What the event path returns for a refusal; what is accepted returns its shard, which is not
/// negative. `pkg-js/src/core.ts` has the same table.
pub(super) const fn code(error: &IngestionError) -> i32 {
    match error {
        IngestionError::Backpressure => -1,
        IngestionError::Sampled => -2,
        IngestionError::Unrouted => -3,
        IngestionError::Oversize { .. } => -4,
        IngestionError::Invalid | IngestionError::Serialization(_) => -5,
        IngestionError::ShuttingDown => -6,
    }
}

/// What the event path returns if the handle or a length is wrong.
pub(super) const MISUSED: i32 = -7;
