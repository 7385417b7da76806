//! Memory between us, the allocator and the system: how long freed pages are kept, and large pages for large tables.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// `mi_option_allow_thp`, and what it is by default.
#[cfg(target_os = "linux")]
const LARGE_PAGES: (libc::c_int, libc::c_long) = (43, 1);

/// Has the allocator's memory made of pages of the common size, before any of it is there. Else it asks for large ones
/// below all of it: each is filled with zeros whole when its first byte is written, which costs most where a hypervisor
/// has to find memory for it first, and a process holds more than it uses. Tables ask for theirs: [`advise_huge`].
#[cfg(target_os = "linux")]
fn common_pages() {
    let (option, default) = LARGE_PAGES;
    // SAFETY: the allocator is made ready once, by whoever comes first: after that, options are plain numbers behind
    // atomics. Before it, the same number would forbid large pages to the whole process.
    unsafe {
        libmimalloc_sys::mi_process_init();
        if libmimalloc_sys::mi_option_get(option) == default {
            libmimalloc_sys::mi_option_set(option, 0);
        }
    }
}

/// What the allocator knows of the thread it takes for the first one of the process, as far as it is looked at here: its
/// `mi_theap_t` begins with where its `mi_tld_t` is, and that with the thread's number.
#[cfg(target_os = "linux")]
#[repr(C)]
struct FirstThread {
    number: *const AtomicUsize,
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    static theap_main: FirstThread;
    fn _mi_thread_id() -> usize;
}

/// A number that no thread has: theirs are addresses. The lowest bits are the allocator's.
#[cfg(target_os = "linux")]
const NOBODY: usize = usize::MAX << 12;

/// The allocator takes the thread that loads the library for the one that ends last, and threads by their addresses. One
/// that ended may have had the same address as a later one, which then finds what is left of the first: a crash. So where
/// the library is loaded by another thread than the process's own, no thread is the first. Pages of the one that loads it
/// stay its own, and what it frees goes the way of blocks that others free.
#[cfg(target_os = "linux")]
fn nobody_is_first() {
    // SAFETY: asks for numbers; the allocator was made ready by this thread, and knows of no other yet. Where the thread's
    // own number does not lie where it is looked for, nothing is changed.
    unsafe {
        if libc::gettid() == libc::getpid() {
            return;
        }
        if let Some(number) = theap_main.number.as_ref()
            && number.load(Ordering::Relaxed) == _mi_thread_id()
        {
            number.store(NOBODY, Ordering::Relaxed);
        }
    }
}

#[cfg(target_os = "linux")]
extern "C" fn when_loaded() {
    common_pages();
    nobody_is_first();
}

/// Runs when the library is loaded, before anything is allocated.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static WHEN_LOADED: extern "C" fn() = when_loaded;

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
        BEFORE.store(resident(), Ordering::Relaxed);
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

/// Bytes of memory that this process has of the system, files that it reads not counted.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = text.split(' ').skip(1).map_while(|pages| pages.parse::<usize>().ok());
        Some(pages.next()?.saturating_sub(pages.next()?))
    };
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages().unwrap_or(0).saturating_mul(usize::try_from(page).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn resident() -> usize {
    use std::ptr::null_mut;

    let mut bytes = 0;
    // SAFETY: every place to write to is one of ours, or none.
    unsafe {
        libmimalloc_sys::mi_process_info(
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut bytes,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
        );
    }
    bytes
}

/// What the process held before the first engine.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// What it held when freed pages were last given back by [`hold_at_most`].
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Of so many parts of what a process may hold, one is what threads may keep for what they allocate next.
const OWN: usize = 4;

/// Whether more is held than that.
static TIGHT: AtomicBool = AtomicBool::new(false);

/// For threads whose work ends and who may wait for more of it: of each size of memory that a thread ever allocated it
/// keeps a page of up to 4 MiB, however little of it is used, and nobody else has any of it before the thread ends. Threads
/// that waited held half a limit of 1.5 GB so. Where much is held, these pages are left to whoever allocates next.
pub fn leave_to_others() {
    #[cfg(target_os = "linux")]
    if TIGHT.load(Ordering::Relaxed) {
        // SAFETY: may be called by any thread but the first one of the process, which does not call this; what it allocated
        // stays valid. The allocator takes it that the thread ends here: it frees what it knows of it, and would look there
        // again when the thread does end. So the thread is made ready anew at once, with no pages of its own.
        unsafe {
            libmimalloc_sys::mi_thread_done();
            libmimalloc_sys::mi_thread_init();
        }
    }
}

/// Gives freed pages back if the process holds more than so many bytes beyond what it held before the first engine, and
/// `step` more than after the last time: what was left then was in use, and asking at once again would free nothing.
pub fn hold_at_most(limit: usize, step: usize) {
    let (held, before) = (resident(), BEFORE.load(Ordering::Relaxed));
    TIGHT.store(held > before.saturating_add(limit / OWN), Ordering::Relaxed);
    if held <= before.saturating_add(limit) {
        HELD.store(0, Ordering::Relaxed);
    } else if held >= HELD.load(Ordering::Relaxed).saturating_add(step) {
        give_back_freed_pages();
        HELD.store(resident(), Ordering::Relaxed);
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What the kernel says of the mapping that an address lies in.
    #[cfg(target_os = "linux")]
    fn flags_of(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            if let Some((from, to)) = range
                && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&address);
            } else if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
                return flags.to_owned();
            }
        }
        String::new()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn large_pages_are_asked_for_below_tables_alone() {
        let is_large = |slots: &Vec<u64>| {
            let flags = flags_of(slots.as_ptr() as usize + (slots.capacity() * 8) / 2);
            assert!(flags.contains(" rd"), "the kernel did not say: {flags:?}");
            flags.split(' ').any(|flag| flag == "hg")
        };
        let plain = vec![1_u64; 4 << 20];
        assert!(!is_large(&plain));
        let table: Vec<u64> = Vec::with_capacity(4 << 20);
        advise_huge(&table);
        let supported = std::fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap();
        assert_eq!(is_large(&table), supported);
    }

    #[test]
    fn what_is_freed_goes_back_above_the_limit() {
        const PART: usize = 64 << 10;
        let falls = || {
            let parts: Vec<Vec<u8>> = (0..4 << 10).map(|_| vec![1; PART]).collect();
            let before = resident();
            assert!(before >= parts.len() * PART);
            drop(parts);
            keep_for(KEPT);
            hold_at_most(usize::MAX, 0);
            hold_at_most(0, 0);
            resident() < before - (128 << 20)
        };
        // Other tests allocate meanwhile.
        assert!((0..10).any(|_| falls()));
    }

    /// Whether a block of a thread that waits and one that another thread allocates then lie in one page of the allocator.
    #[cfg(target_os = "linux")]
    fn share_a_page(leaves: bool) -> bool {
        use std::sync::mpsc::channel;

        // A size that nothing else allocates meanwhile, if it can be helped; a page has several of them.
        const BLOCK: usize = 440 << 10;
        const PAGE: usize = 4 << 20;
        let (told, place) = channel();
        let (go, goes) = channel::<()>();
        let waiting = std::thread::spawn(move || {
            let block = vec![1_u8; BLOCK];
            if leaves {
                TIGHT.store(true, Ordering::Relaxed);
                leave_to_others();
            }
            told.send(block.as_ptr() as usize).unwrap();
            let _ = goes.recv();
            // What it allocated before is still its own to free, and it can allocate again.
            assert!(block.iter().all(|byte| *byte == 1));
            drop(block);
            assert_eq!(vec![2_u8; BLOCK].len(), BLOCK);
        });
        let first = place.recv().unwrap();
        let other = std::thread::spawn(|| {
            let block = vec![3_u8; BLOCK];
            block.as_ptr() as usize
        });
        let other = other.join().unwrap();
        drop(go);
        waiting.join().unwrap();
        first.abs_diff(other) < PAGE && first != other
    }

    /// What the allocator knows of a thread must not be found again when the thread ends: others have that memory by then.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_may_end_after_it_left_what_it_kept() {
        TIGHT.store(true, Ordering::Relaxed);
        let thread = |number: usize| {
            let blocks: Vec<_> = (0..number % 7).map(|size| vec![1_u8; 100 << size]).collect();
            leave_to_others();
            std::thread::yield_now();
            // Freed by the thread, which allocates nothing any more.
            drop(blocks);
        };
        std::thread::scope(|scope| {
            for first in 0..8 {
                scope.spawn(move || {
                    (0..2_000).for_each(|number| {
                        std::thread::spawn(move || thread(first + number)).join().unwrap()
                    });
                });
            }
        });
        TIGHT.store(false, Ordering::Relaxed);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_thread_keeps_is_left_to_others_where_much_is_held() {
        assert!(!(0..3).all(|_| share_a_page(false)), "a thread keeps what is its own");
        // Another test may take the page first.
        assert!((0..20).any(|_| share_a_page(true)));
        TIGHT.store(false, Ordering::Relaxed);
        leave_to_others();
        assert_eq!(vec![4_u8; 64].len(), 64);
    }
}
