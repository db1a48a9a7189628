//! The module's memory.
//!
//! A third of the code of the standard library's allocator, and as fast with any amount of memory
//! held. All memory is one pool, so that neighbouring free blocks are joined: rlsf's own global
//! allocator begins another pool each time that memory grows.
#![expect(clippy::disallowed_types, reason = "an allocator cannot be asked through what allocates")]

use rlsf::{FlexSource, FlexTlsf};
use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::UnsafeCell;
use std::ptr::{NonNull, null_mut};

const PAGE: usize = 64 << 10;

/// The end of linear memory, which nothing else grows.
struct Memory;

/// Adds pages with at least `len` bytes. Returns where they begin, and how many bytes they have.
fn grow(len: usize) -> Option<(usize, usize)> {
    let pages = len.div_ceil(PAGE);
    let before = memory_grow::<0>(pages);
    (before != usize::MAX).then_some((before * PAGE, pages * PAGE))
}

// SAFETY: what `memory.grow` adds is nobody else's, and stays.
unsafe impl FlexSource for Memory {
    unsafe fn alloc(&mut self, min_size: usize) -> Option<NonNull<[u8]>> {
        let (start, len) = grow(min_size)?;
        let start = NonNull::new(std::ptr::with_exposed_provenance_mut(start))?;
        Some(NonNull::slice_from_raw_parts(start, len))
    }

    unsafe fn realloc_inplace_grow(
        &mut self,
        pool: NonNull<[u8]>,
        min_len: usize,
    ) -> Option<usize> {
        let end = pool.cast::<u8>().addr().get() + pool.len();
        if end != memory_size::<0>() * PAGE {
            return None;
        }
        let (_, added) = grow(min_len - pool.len())?;
        Some(pool.len() + added)
    }

    fn supports_realloc_inplace_grow(&self) -> bool {
        true
    }

    fn min_align(&self) -> usize {
        PAGE
    }
}

/// Free blocks are listed by size, in steps of a thirty-second of a power of two.
type Pool = FlexTlsf<Memory, u32, u32, 28, 32>;

struct Allocator(UnsafeCell<Pool>);

// SAFETY: there are no threads; with them, this file is not compiled.
unsafe impl Sync for Allocator {}

// SAFETY: the pool keeps the contract, and is not entered while it is at work: it calls nothing but
// `Memory`. What grows is moved by the trait's own `realloc`; nothing grows for an event.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pool = unsafe { &mut *self.0.get() };
        pool.allocate(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above; the caller got `at` from `alloc`, which is not null then.
        unsafe { (*self.0.get()).deallocate(NonNull::new_unchecked(at), layout.align()) };
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Pool::new(Memory)));
