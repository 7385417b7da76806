//! Memory between us, the allocator and the system: how long freed pages are kept, and large pages for large tables.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// `mi_option_purge_delay` in mimalloc's `mi_option_e`, and the milliseconds that it is by default.
const PURGE_DELAY: (libc::c_int, libc::c_long) = (15, 1000);

/// Milliseconds for which pages that were freed are kept for what is allocated next. Tables that grow and runs that
/// follow each other would else wait for the system to fill page after page with zeros: half the time of a grouping
/// into ten million groups. All of them go at once when the time is up, so it is long; an engine without runs gives
/// them back by itself.
const KEPT: libc::c_long = 60_000;

/// The same while a run has not enough memory: what it freed would stand beside what it needs next.
const KEPT_IF_SHORT: libc::c_long = 10;

/// Whether it is for us to say how long freed pages are kept: not where the user has said it.
static OURS: AtomicBool = AtomicBool::new(false);

/// Runs that have not enough memory.
static SHORT: Mutex<usize> = Mutex::new(0);

fn keep_for(milliseconds: libc::c_long) {
    if OURS.load(Ordering::Relaxed) {
        // SAFETY: options are plain numbers behind atomics.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY.0, milliseconds) };
    }
}

/// Tells the allocator once how long to keep what is freed.
pub fn keep_freed_pages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (option, default) = PURGE_DELAY;
        // SAFETY: options are plain numbers behind atomics. One that is not what we take it for is left alone.
        let ours = unsafe { libmimalloc_sys::mi_option_get(option) } == default;
        OURS.store(ours, Ordering::Relaxed);
        keep_for(KEPT);
    });
}

/// For as long as there is one, what is freed goes back to the system soon.
#[derive(Debug)]
pub struct ShortOfMemory(());

impl ShortOfMemory {
    pub fn begin() -> Self {
        let mut short = SHORT.lock();
        *short += 1;
        keep_for(KEPT_IF_SHORT);
        give_back_freed_pages();
        Self(())
    }
}

impl Drop for ShortOfMemory {
    fn drop(&mut self) {
        let mut short = SHORT.lock();
        *short -= 1;
        if *short == 0 {
            keep_for(KEPT);
        }
    }
}

/// Gives all pages that nothing lies on back to the system.
pub fn give_back_freed_pages() {
    // SAFETY: may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Smaller ones are not worth a call.
#[cfg(target_os = "linux")]
const WORTH: usize = 4 << 20;

/// Asks for large pages below memory that was just allocated and not yet written.
///
/// A look-up in a table of many megabytes misses the translation cache nearly always with pages of 4 KiB.
pub fn advise_huge<T>(slots: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 2 << 20;
        let bytes = slots.capacity() * size_of::<T>();
        if bytes < WORTH {
            return;
        }
        let start = (slots.as_ptr() as usize).next_multiple_of(PAGE);
        let end = (slots.as_ptr() as usize + bytes) / PAGE * PAGE;
        if end > start {
            // SAFETY: the range lies within the vector's own memory; the advice changes how pages are made, not what they hold.
            // If it fails, nothing is lost but time.
            unsafe {
                libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = slots;
}

/// Asks for a whole table to be brought into the caches, in the order in which it lies: where most of it is about to
/// be looked at in another order, this is faster than one miss after the other.
pub fn prefetch_all<T>(table: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        const LINE: usize = 64;
        let start = table.as_ptr().cast::<i8>();
        for offset in (0..size_of_val(table)).step_by(LINE) {
            // SAFETY: the address lies within the slice, and a prefetch reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(start.add(offset)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = table;
}
