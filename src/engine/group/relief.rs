//! Memory that threads give back: one that lacks some asks again, where another gave back what it could have.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};

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

/// Threads that finish shares, each of which gives back what its share held when it ends.
#[derive(Default)]
pub struct Finishers {
    count: Mutex<Count>,
    ended: Condvar,
}

#[derive(Default)]
struct Count {
    at_work: usize,
    waiting: usize,
}

/// One of them, until this is dropped.
pub struct Finishing<'a>(&'a Finishers);

impl Finishers {
    pub fn begin(&self) -> Finishing<'_> {
        self.count.lock().at_work += 1;
        Finishing(self)
    }
}

impl Finishing<'_> {
    /// Waits until another one ends; false if all others wait as well.
    pub fn wait(&self) -> bool {
        let mut count = self.0.count.lock();
        let others = count.at_work > count.waiting + 1;
        if others {
            count.waiting += 1;
            self.0.ended.wait(&mut count);
            count.waiting -= 1;
        }
        others
    }
}

impl Drop for Finishing<'_> {
    fn drop(&mut self) {
        self.0.count.lock().at_work -= 1;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::channel;

    #[test]
    fn of_those_that_finish_one_at_least_does_not_wait() {
        let finishers = Finishers::default();
        let alone = finishers.begin();
        assert!(!alone.wait());
        let held = AtomicUsize::new(1);
        std::thread::scope(|scope| {
            let (finishers, held) = (&finishers, &held);
            let other = finishers.begin();
            let waits = scope.spawn(move || (finishers.begin().wait(), held.load(Ordering::Relaxed)));
            // As long as the one that is waited for does not wait itself.
            while finishers.count.lock().waiting == 0 {
                std::thread::yield_now();
            }
            held.store(0, Ordering::Relaxed);
            drop(other);
            assert_eq!(waits.join().unwrap(), (true, 0));
        });
        assert!(!alone.wait());
    }

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
