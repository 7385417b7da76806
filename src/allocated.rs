//! How much of the allocator's memory is in use: counted in builds with debug assertions alone.
//!
//! What a process holds of the system says little of what it leaks: allocators keep what was freed, more at one time
//! than at another. A test that memory stays flat asks this instead.

#[cfg(debug_assertions)]
mod counted {
    use std::alloc::{GlobalAlloc, Layout};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mimalloc::MiMalloc;

    pub(super) static IN_USE: AtomicUsize = AtomicUsize::new(0);

    /// The allocator, and a count of the bytes that were asked of it and not given back.
    pub(crate) struct Counted;

    fn grow(block: *mut u8, bytes: usize) -> *mut u8 {
        if !block.is_null() {
            IN_USE.fetch_add(bytes, Ordering::Relaxed);
        }
        block
    }

    // SAFETY: every call goes on to the allocator as it came.
    unsafe impl GlobalAlloc for Counted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            grow(unsafe { MiMalloc.alloc(layout) }, layout.size())
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            grow(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
            unsafe { MiMalloc.dealloc(block, layout) };
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let moved = grow(unsafe { MiMalloc.realloc(block, layout, size) }, size);
            if !moved.is_null() {
                IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
            }
            moved
        }
    }
}

#[cfg(debug_assertions)]
#[global_allocator]
static ALLOCATOR: counted::Counted = counted::Counted;

#[cfg(not(debug_assertions))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes that were allocated and not freed. None where nobody counts.
#[cfg(debug_assertions)]
pub fn bytes() -> Option<usize> {
    Some(counted::IN_USE.load(std::sync::atomic::Ordering::Relaxed))
}

/// Bytes that were allocated and not freed. None where nobody counts.
#[cfg(not(debug_assertions))]
pub fn bytes() -> Option<usize> {
    None
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// Far more than all tests that run beside this one free meanwhile. Nothing is written to it.
    const MUCH: usize = 1 << 30;

    #[test]
    fn what_is_allocated_counts_until_it_is_freed() {
        let before = super::bytes().unwrap();
        let mut much: Vec<u8> = Vec::with_capacity(1);
        much.reserve_exact(MUCH);
        let with = super::bytes().unwrap();
        assert!(with > before + MUCH / 2, "{before} {with}");
        drop(much);
        assert!(super::bytes().unwrap() < with - MUCH / 2);
    }
}
