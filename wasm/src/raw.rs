//! The path of events: integers only, nothing allocated, nothing that panics.
//!
//! The host writes payloads and keys one after another into the scratch, and their lengths into
//! the table of lengths. Both may move when [`reserve`] makes the scratch larger, and every call
//! may grow the memory, which detaches the host's views.

use crate::numbers::{MISUSED, high, low};
use crate::registry::{self, Registry};
use shardbus::{Clock, Lines};

/// The address of the scratch.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn scratch_ptr() -> usize {
    registry::with(|registry| registry.scratch.as_mut_ptr() as usize).unwrap_or(0)
}

/// The length of the scratch in bytes.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn scratch_len() -> usize {
    registry::with(|registry| registry.scratch.len()).unwrap_or(0)
}

/// The address of the table of lengths (32-bit, unsigned).
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn lengths_ptr() -> usize {
    registry::with(|registry| registry.lengths.as_mut_ptr() as usize).unwrap_or(0)
}

/// The number of lengths in the table.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn lengths_len() -> usize {
    registry::with(|registry| registry.lengths.len()).unwrap_or(0)
}

/// The address of the row of numbers that the last call has left.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn row_ptr() -> usize {
    registry::with(|registry| registry.row_ptr()).unwrap_or(0)
}

/// The time at which the last event was accepted, in nanoseconds since the Unix epoch: the high and
/// the low half in the row. Numbers of 64 bits do not cross, because not every host has them.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn last_timestamp() -> usize {
    let last = registry::with(|registry| registry.last_timestamp).unwrap_or(0);
    registry::lay_out(&[high(last), low(last)])
}

/// Grows the scratch to at least `len` bytes; its contents stay. Returns false without memory for
/// it.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reserve(len: usize) -> u32 {
    let reserved = registry::with(|Registry { scratch, .. }| {
        let missing = len.saturating_sub(scratch.len());
        let has_room = scratch.try_reserve_exact(missing).is_ok();
        if has_room {
            scratch.resize(scratch.len() + missing, 0);
        }
        has_room
    });
    u32::from(reserved == Some(true))
}

/// Makes room for `len` bytes for the next call that takes some, which drops them. Returns where they
/// go; 0, if there is no memory for them.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn incoming(len: usize) -> usize {
    registry::with(|registry| registry.make_incoming(len)).unwrap_or(0)
}

/// The shard that an event with the key in the first `len` bytes of the scratch would go to now, or
/// one with this payload and no key.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn shard_for(handle: usize, len: usize) -> u32 {
    let shard = registry::with(|registry| {
        let key_or_payload = registry.scratch.get(..len)?;
        Some(registry.bus(handle)?.shard_for(key_or_payload))
    });
    u32::from(shard.flatten().unwrap_or_default())
}

/// Sets the bus's clock: milliseconds since the Unix epoch.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn set_clock(handle: usize, now_ms: f64) {
    registry::with(|registry| {
        if let Some(bus) = registry.bus(handle) {
            bus.clock().set(Clock::nanos_of(now_ms));
        }
    });
}

/// Offers one event: `len` bytes of payload, then `key_len` bytes of key (negative: no key). With
/// `line` set, the payload is known to be one line and not empty. Returns the shard, or a refusal.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn push(handle: usize, len: usize, key_len: isize, line: u32) -> i32 {
    let result = registry::with(|registry| {
        let bus = registry.bus(handle)?;
        let (payload, rest) = registry.scratch.split_at_checked(len)?;
        let key = match usize::try_from(key_len) {
            Ok(key_len) => Some(rest.get(..key_len)?),
            Err(_) => None,
        };
        let result =
            if line == 0 { bus.ingest(payload, key) } else { bus.ingest_line(payload, key) };
        Some(match result {
            Ok((shard, timestamp)) => {
                registry.last_timestamp = timestamp;
                i32::from(shard)
            }
            Err(error) => error.code(),
        })
    });
    result.flatten().unwrap_or(MISUSED)
}

/// Offers `count` events that are known to be one line each: all payloads, each after `gap` other
/// bytes (one is what separates events in a body), then, with `keyed` set, all keys; the table has
/// the payloads' lengths, then the keys'.
/// Returns how many were accepted.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn push_many(handle: usize, count: usize, gap: u32, keyed: u32) -> i32 {
    let accepted = registry::with(|registry| {
        let bus = registry.bus(handle)?;
        let (lens, key_lens) = registry.lengths.split_at_checked(count)?;
        let (lines, keys) = Lines::new(&registry.scratch, lens, gap)?;
        let keys = match keyed {
            0 => None,
            _ => Some(Lines::new(keys, key_lens.get(..count)?, 0)?.0),
        };
        Some(bus.ingest_lines(lines, keys))
    });
    accepted.flatten().map_or(MISUSED, |accepted| accepted as i32)
}

/// The number of events that are certain to be accepted, if their bytes are.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn room_events(handle: usize) -> usize {
    registry::with(|registry| registry.bus(handle).map_or(0, |bus| bus.room().0)).unwrap_or(0)
}

/// The number of payload bytes that are certain to be accepted, if the number of events is.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn room_bytes(handle: usize) -> usize {
    registry::with(|registry| registry.bus(handle).map_or(0, |bus| bus.room().1 as usize))
        .unwrap_or(0)
}
