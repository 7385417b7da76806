//! Memory for values that opening a file has made known, until they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::io::memory_store::Keeps;

/// Of all files of a source.
pub struct Room {
    memory: Arc<dyn Keeps>,
    left: AtomicUsize,
    is_full: AtomicBool,
}

impl Room {
    /// So many bytes of a memory, at most.
    pub fn new(memory: Arc<dyn Keeps>, bytes: usize) -> Self {
        Self { memory, left: AtomicUsize::new(bytes), is_full: AtomicBool::new(bytes == 0) }
    }

    /// Something did not fit.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Counts so many bytes, if there is room for them.
    pub fn take(&self, bytes: usize) -> Option<Held> {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if taken.is_err() || !self.memory.keep(bytes) {
            self.is_full.store(true, Ordering::Relaxed);
            return None;
        }
        Some(Held { memory: self.memory.clone(), bytes })
    }
}

/// Bytes that are counted until this is gone.
pub struct Held {
    memory: Arc<dyn Keeps>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.let_go(self.bytes);
    }
}
