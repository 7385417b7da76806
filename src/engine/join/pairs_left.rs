//! Shares of a join on disk that are yet to be joined, the largest first, by as many threads as there is room for.

use datafusion::error::Result as DataFusionResult;
use parking_lot::{Condvar, Mutex};

use super::spilled::Pair;
use crate::error::Result;

struct Left {
    /// The largest is last.
    pairs: Vec<Pair>,
    /// Pairs that are being joined.
    at_work: usize,
}

pub struct PairsLeft {
    left: Mutex<Left>,
    /// One that was at work has ended: there is more room.
    ended: Condvar,
}

impl PairsLeft {
    pub fn new(pairs: Vec<Pair>) -> Self {
        Self { left: Mutex::new(Left { pairs, at_work: 0 }), ended: Condvar::new() }
    }

    /// The next pair for which there is room, beside those that are at work or after one of them; none if all are taken.
    /// An error if there is none for it alone.
    pub fn next(
        &self,
        mut reserve: impl FnMut(&Pair) -> DataFusionResult<()>,
    ) -> Result<Option<(Pair, AtWork<'_>)>> {
        let mut left = self.left.lock();
        loop {
            let Some(pair) = left.pairs.last() else { return Ok(None) };
            match reserve(pair) {
                Ok(()) => {
                    let Some(pair) = left.pairs.pop() else { return Ok(None) };
                    left.at_work += 1;
                    return Ok(Some((pair, AtWork { of: self, joined: false })));
                }
                Err(error) if left.at_work == 0 => return Err(error.into()),
                Err(_) => self.ended.wait(&mut left),
            }
        }
    }
}

/// A pair is being joined, until this goes. If that was not because it is joined, no other is begun: after an error, and
/// after a panic too, for which nobody is to wait.
pub struct AtWork<'a> {
    of: &'a PairsLeft,
    joined: bool,
}

impl AtWork<'_> {
    /// It is joined, and its room is free again.
    pub fn joined(mut self) {
        self.joined = true;
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut left = self.of.left.lock();
        left.at_work -= 1;
        if !self.joined {
            left.pairs.clear();
        }
        self.of.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use datafusion::error::DataFusionError;

    use super::*;
    use crate::error::Error;

    /// Joins so many pairs by threads of which `room` have some at a time: how many were joined, and by how many at once.
    fn run(pairs: usize, threads: usize, room: usize, fails: bool) -> (usize, usize, usize) {
        let left = PairsLeft::new((0..pairs).map(|_| (None, None)).collect());
        let (held, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let errors = std::thread::scope(|scope| {
            let work = || -> Result<()> {
                let reserve = |_: &Pair| {
                    let grow = |held: usize| (held < room).then_some(held + 1);
                    held.fetch_update(Ordering::SeqCst, Ordering::SeqCst, grow)
                        .map(|held| most.fetch_max(held + 1, Ordering::SeqCst))
                        .map(drop)
                        .map_err(|_| DataFusionError::ResourcesExhausted(String::new()))
                };
                while let Some((_, at_work)) = left.next(reserve)? {
                    std::thread::yield_now();
                    if done.fetch_add(1, Ordering::SeqCst) == 1 && fails {
                        return Err(Error::cancelled());
                    }
                    held.fetch_sub(1, Ordering::SeqCst);
                    at_work.joined();
                }
                Ok(())
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap().is_err())).sum()
        });
        (done.into_inner(), most.into_inner(), errors)
    }

    #[test]
    fn all_are_joined_by_as_many_as_have_room() {
        for (threads, room) in [(1, 1), (4, 1), (4, 3), (3, 8)] {
            for pairs in [0, 1, 2, 100] {
                let (done, most, errors) = run(pairs, threads, room, false);
                assert_eq!((done, errors), (pairs, 0));
                assert!(most <= room.min(threads));
            }
        }
    }

    #[test]
    fn one_that_has_no_room_alone_is_an_error_for_all() {
        assert_eq!(run(5, 3, 0, false), (0, 0, 3));
    }

    #[test]
    fn after_an_error_no_other_is_begun() {
        let (done, _, errors) = run(10_000, 2, 2, true);
        assert!(done <= 4, "{done}");
        assert_eq!(errors, 1);
    }

    #[test]
    fn nobody_waits_for_one_that_panicked() {
        let left = PairsLeft::new(vec![(None, None), (None, None)]);
        let (_, at_work) = left.next(|_| Ok(())).unwrap().unwrap();
        let full = |_: &Pair| Err(DataFusionError::ResourcesExhausted(String::new()));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| left.next(full).map(|next| next.is_none()));
            let dies = scope.spawn(move || {
                let _at_work = at_work;
                std::panic::resume_unwind(Box::new(()));
            });
            dies.join().unwrap_err();
            assert!(waits.join().unwrap().unwrap());
        });
    }
}
