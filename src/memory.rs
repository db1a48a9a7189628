//! Room in memory.
//!
//! Running out of memory would end a whole WebAssembly module. So large allocations are made in a
//! way that can fail, and leave room for those that cannot: the ones for a batch, which frees its
//! events.

use crate::sync::Flag;

/// Bytes that stay free for small allocations: for a batch beside its body, records, the
/// bookkeeping of a flush.
pub(crate) const FOR_SMALL: usize = 64 << 10;

thread_local! {
    /// True if memory was short when something last grew. There is one memory for all.
    static SHORT: Flag = const { Flag::new() };
}

/// Tells whether memory is so short that the next event may not be taken in.
pub(crate) fn is_short() -> bool {
    SHORT.with(Flag::get)
}

/// Notes whether memory is short.
pub(crate) fn set_short(is_short: bool) {
    SHORT.with(|short| short.set(is_short));
}

/// Tells whether so many bytes could be allocated now, as one. Natively that is not asked: the
/// system lends more than it has, and ends the process when it cannot give it.
pub(crate) fn can_have(bytes: usize) -> bool {
    cfg!(not(target_family = "wasm")) || with_capacity::<u8>(bytes).is_some_and(is_kept)
}

/// Keeps the compiler from leaving out an allocation that is only a question.
fn is_kept(allocated: Vec<u8>) -> bool {
    std::hint::black_box(allocated).capacity() < usize::MAX
}

/// An empty vector for so many items, if there is memory for it.
pub(crate) fn with_capacity<T>(items: usize) -> Option<Vec<T>> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(items).is_ok().then_some(vector)
}
