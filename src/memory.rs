//! Large tables that are read at random places, on large pages where the system has them to give.

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
