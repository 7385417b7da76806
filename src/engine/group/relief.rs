//! Memory that threads give back: one that lacks some asks again, where another gave back what it could have.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::error::Result;

/// Who gave memory back, and who is about to.
#[derive(Default)]
pub struct Relief {
    /// Read by threads that move groups of their own to the shared ones: until these are there, they count twice.
    moving: RwLock<()>,
    times: AtomicUsize,
}

impl Relief {
    /// Memory was given back.
    pub fn note(&self) {
        self.times.fetch_add(1, Ordering::AcqRel);
    }

    /// The same after some work, for which others wait.
    pub fn after<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _moving = self.moving.read();
        let result = work();
        self.note();
        result
    }

    /// How often memory was given back so far.
    pub fn times(&self) -> usize {
        self.times.load(Ordering::Acquire)
    }

    /// Waits for those that are about to give some back. Whether any did since it was `before` times.
    ///
    /// Not for one who holds what another needs for that, such as the lock of a share.
    pub fn came(&self, before: usize) -> bool {
        drop(self.moving.write());
        self.times() > before
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_lacks_memory_waits_for_those_that_will_give_some_back() {
        let relief = Relief::default();
        let held = AtomicUsize::new(1);
        let (begun, begins) = channel();
        let (go, goes) = channel::<()>();
        std::thread::scope(|scope| {
            let (relief, held) = (&relief, &held);
            scope.spawn(move || {
                relief.after(|| {
                    begun.send(()).unwrap();
                    goes.recv().unwrap();
                    held.store(0, Ordering::Relaxed);
                    Ok(())
                })
            });
            begins.recv().unwrap();
            let before = relief.times();
            let waits = scope.spawn(move || (relief.came(before), held.load(Ordering::Relaxed)));
            assert!(!waits.is_finished());
            go.send(()).unwrap();
            assert_eq!(waits.join().unwrap(), (true, 0));
        });
        // Nobody is at it, and nobody was since: to ask again would be in vain.
        assert!(!relief.came(relief.times()));
        // What came between the question and the wait counts.
        let before = relief.times();
        relief.note();
        assert!(relief.came(before));
    }
}
