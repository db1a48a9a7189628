//! The buses of this instance, and the scratch that events come in through.
#![expect(clippy::disallowed_types, reason = "the seam is for types that threads share")]

use shardbus::{Batch, EventBus, Shared};
use std::cell::RefCell;
use std::vec;

/// Bytes of the scratch to begin with: more than a crossing of staged events needs.
const SCRATCH_LEN: usize = 64 << 10;

/// Events and keys whose lengths fit into one crossing.
const LENGTHS_LEN: usize = 1024;

/// Numbers that fit into the row to begin with: those of a bus with one shard.
const ROW_LEN: usize = 40;

/// A bus, and the batch that it handed out last.
pub(crate) struct Bus {
    pub(crate) core: EventBus,
    pub(crate) batch: Option<Shared<Batch>>,
    pub(crate) staged: vec::IntoIter<Shared<Batch>>,
}

pub(crate) struct Registry {
    /// By handle. A freed slot is used again.
    buses: Vec<Option<Box<Bus>>>,
    /// The buffer into which the host writes payloads and keys.
    pub(crate) scratch: Vec<u8>,
    /// The buffer into which the host writes their lengths.
    pub(crate) lengths: Vec<u32>,
    /// Bytes of one call that are too many for the scratch: handed in by the host, or left for it to
    /// copy.
    bytes: Vec<u8>,
    /// The buffer from which the host reads numbers.
    row: Vec<f64>,
    /// The time at which the last event was accepted.
    pub(crate) last_timestamp: u64,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = const {
        RefCell::new(Registry {
            buses: Vec::new(),
            scratch: Vec::new(),
            lengths: Vec::new(),
            bytes: Vec::new(),
            row: Vec::new(),
            last_timestamp: 0,
        })
    };
}

/// Runs `f` on the registry; `None` if it is in use, which no host can bring about.
pub(crate) fn with<R>(f: impl FnOnce(&mut Registry) -> R) -> Option<R> {
    REGISTRY.with(|registry| registry.try_borrow_mut().ok().map(|mut registry| f(&mut registry)))
}

/// Runs `f` on the bus with this handle; `None` if there is none.
///
/// For that long, the bus is out of the registry.
pub(crate) fn with_bus<R>(handle: usize, f: impl FnOnce(&mut Bus) -> R) -> Option<R> {
    let mut bus = take(handle)?;
    let result = f(&mut bus);
    put_back(handle, bus);
    Some(result)
}

fn take(handle: usize) -> Option<Box<Bus>> {
    with(|registry| registry.buses.get_mut(handle)?.take()).flatten()
}

fn put_back(handle: usize, bus: Box<Bus>) {
    with(|registry| registry.buses.get_mut(handle).map(|slot| *slot = Some(bus)));
}

/// Lays out a row of numbers for the host, which reads it before its next call. Returns how many
/// there are.
#[inline(never)]
pub(crate) fn lay_out(numbers: &[f64]) -> usize {
    with(|Registry { row, .. }| {
        row.clear();
        row.extend_from_slice(numbers);
    });
    numbers.len()
}

/// Leaves the address and the length of some bytes in the row. The host copies them before its next
/// call.
pub(crate) fn leave(bytes: &[u8]) {
    lay_out(&[bytes.as_ptr() as usize as f64, bytes.len() as f64]);
}

/// [Leaves](leave) bytes, and keeps them until the host hands others in.
pub(crate) fn give_out(bytes: Vec<u8>) {
    leave(&bytes);
    with(|registry| registry.bytes = bytes);
}

/// Takes the bytes that the host has handed in for this call.
pub(crate) fn take_in() -> Vec<u8> {
    with(|registry| std::mem::take(&mut registry.bytes)).unwrap_or_default()
}

impl Registry {
    /// Makes room for so many bytes to be handed in. Returns where they go; 0, if there is no memory
    /// for them.
    pub(crate) fn make_incoming(&mut self, len: usize) -> usize {
        self.bytes = Vec::new();
        if self.bytes.try_reserve_exact(len).is_err() {
            return 0;
        }
        self.bytes.resize(len, 0);
        self.bytes.as_mut_ptr() as usize
    }

    /// Adds a bus and returns its handle.
    pub(crate) fn add(&mut self, core: EventBus) -> usize {
        let (batch, staged) = (None, Vec::new().into_iter());
        self.scratch.resize(self.scratch.len().max(SCRATCH_LEN), 0);
        self.lengths.resize(LENGTHS_LEN, 0);
        self.row.reserve(ROW_LEN);
        let bus = Some(Box::new(Bus { core, batch, staged }));
        if let Some(free) = self.buses.iter().position(Option::is_none) {
            self.buses[free] = bus;
            return free;
        }
        self.buses.push(bus);
        self.buses.len() - 1
    }

    /// Removes a bus.
    pub(crate) fn remove(&mut self, handle: usize) {
        if let Some(slot) = self.buses.get_mut(handle) {
            *slot = None;
        }
    }

    /// The address of the row.
    pub(crate) fn row_ptr(&self) -> usize {
        self.row.as_ptr() as usize
    }

    /// The bus with this handle.
    pub(crate) fn bus(&self, handle: usize) -> Option<&EventBus> {
        self.buses.get(handle)?.as_deref().map(|bus| &bus.core)
    }
}
