//! What a run holds in memory and on disk: counted, bounded, and told when it was not enough.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

use crate::error::out_of_memory;
use crate::memory::{ShortOfMemory, hold_at_most};

/// The share of the memory limit that bytes fetched ahead of their decoding may take.
const AHEAD_SHARE: u64 = 4;

/// How often it is looked at what the allocator has of the system: when so many parts of the limit more are held.
const LOOKS: u64 = 32;

/// Of so many parts of the limit one is left to what is held between two looks.
const LEFT: u64 = 8;

/// Bytes of one run.
#[derive(Debug, Default)]
pub struct Memory {
    limit: AtomicU64,
    /// The most that operators held at one time.
    peak: AtomicU64,
    spilled: AtomicU64,
    /// What operators asked for so far, one byte counted as often as it was.
    asked: AtomicU64,
    /// Fetched and not decoded yet.
    fetched: AtomicU64,
}

impl Memory {
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit as u64, Ordering::Relaxed);
    }

    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    pub fn spilled(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// Takes note of bytes that were written to disk for want of memory.
    pub fn spill(&self, bytes: u64) {
        self.spilled.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that are fetched, until the answer is dropped. What is needed now is never refused: a scan that
    /// waited for another one's bytes might wait for ever.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Held {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
        Held { memory: self.clone(), bytes }
    }

    /// Whether so many bytes more may be fetched before they are needed.
    pub fn has_room_ahead(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let held = self.fetched.load(Ordering::Relaxed);
        limit == 0 || held.saturating_add(bytes) <= limit / AHEAD_SHARE
    }
}

/// Bytes that were fetched. They count as long as this lives.
pub struct Held {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.fetched.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A pool of which the run knows the peak, and that says who asked for more than there was.
#[derive(Debug)]
pub struct WatchedPool {
    pub inner: Arc<dyn MemoryPool>,
    pub memory: Arc<Memory>,
    /// Set when memory does not suffice for the first time, if the run is still going on.
    pub short: Weak<OnceLock<ShortOfMemory>>,
}

impl WatchedPool {
    /// Takes note of bytes that were granted. Freed pages are kept for what comes next, as long as they and what is
    /// used stay within the limit.
    fn note(&self, additional: usize) {
        let (held, limit) = (self.inner.reserved() as u64, self.memory.limit());
        self.memory.peak.fetch_max(held, Ordering::Relaxed);
        let step = limit / LOOKS;
        if step == 0 {
            return;
        }
        let before = self.memory.asked.fetch_add(additional as u64, Ordering::Relaxed);
        if before / step != (before + additional as u64) / step {
            let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
            hold_at_most(size(limit - limit / LEFT), size(step));
        }
    }
}

impl fmt::Display for WatchedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

impl MemoryPool for WatchedPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.note(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionResult<()> {
        let grown = self.inner.try_grow(reservation, additional);
        if let Err(DataFusionError::ResourcesExhausted(_)) = grown {
            if let Some(short) = self.short.upgrade() {
                short.get_or_init(ShortOfMemory::begin);
            }
            let (name, held) = (reservation.consumer().name(), reservation.size());
            let text = out_of_memory(
                name,
                additional as u64,
                held as u64,
                self.inner.reserved() as u64,
                self.memory.limit(),
            );
            return Err(DataFusionError::ResourcesExhausted(text));
        }
        self.note(additional);
        grown
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::{Code, Error};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn what_is_fetched_ahead_is_bounded_in_bytes() {
        let memory = Arc::new(Memory::default());
        assert!(memory.has_room_ahead(u64::MAX), "without a limit there is none");
        memory.set_limit(400);
        assert!(memory.has_room_ahead(100));
        assert!(!memory.has_room_ahead(101));
        let (one, large) = (memory.hold(60), memory.hold(1000));
        assert!(!memory.has_room_ahead(1));
        drop(large);
        assert!(memory.has_room_ahead(40));
        assert!(!memory.has_room_ahead(41));
        drop(one);
        assert!(memory.has_room_ahead(100));
    }

    #[test]
    fn who_asks_for_too_much_is_named_with_the_bytes() {
        let memory = Arc::new(Memory::default());
        memory.set_limit(4 << 20);
        let inner = Arc::new(GreedyMemoryPool::new(4 << 20));
        let pool: Arc<dyn MemoryPool> =
            Arc::new(WatchedPool { inner, memory: memory.clone(), short: Weak::new() });
        let reservation = MemoryConsumer::new("join").register(&pool);
        reservation.try_grow(3 << 20).unwrap();
        let error = Error::from(reservation.try_grow(2 << 20).unwrap_err().context("while joining"));
        assert_eq!(error.code(), Code::OutOfMemory);
        for part in ["`join`", "2.0 MiB", "3.0 MiB", "4.0 MiB"] {
            assert!(error.sentence().contains(part), "{}", error.sentence());
        }
        drop(reservation);
        assert_eq!(memory.peak(), 3 << 20);
    }
}
