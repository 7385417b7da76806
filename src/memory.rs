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
