//! Which native runs are at work: so many at once, and of those that wait the one whose turn it is by priority and time.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::worker::queue::{Waiting, choose};

/// Threads that runs at work may hold together while they wait, if each has as many as the engine computes with.
const HELD: usize = 1024;

/// Runs at work at once, at least and at most.
const AT_WORK: (usize, usize) = (32, 256);

/// How many runs are at work at once in an engine of so many threads.
pub(super) fn at_work(threads: usize) -> usize {
    (HELD / threads.max(1)).clamp(AT_WORK.0, AT_WORK.1)
}

#[derive(Clone)]
pub(super) struct Places(Arc<Mutex<Inner>>);

struct Inner {
    free: usize,
    /// The number of the next one to wait.
    next: u64,
    /// In the order they came.
    waiting: Vec<Waiter>,
}

struct Waiter {
    number: u64,
    rank: Waiting,
    told: oneshot::Sender<Place>,
}

impl Places {
    pub fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner { free, next: 0, waiting: Vec::new() })))
    }

    /// Asks for a place, behind those that asked before.
    pub fn ask(&self, priority: u8) -> Asking {
        let mut inner = self.0.lock();
        if let Some(free) = inner.free.checked_sub(1) {
            inner.free = free;
            return Asking::There(Place(self.clone()));
        }
        let (told, hears) = oneshot::channel();
        let number = inner.next;
        inner.next += 1;
        let rank = Waiting { priority, since: Instant::now() };
        inner.waiting.push(Waiter { number, rank, told });
        Asking::Queued(Queued { places: self.clone(), number, hears })
    }
}

/// A place, or the wait for it.
pub(super) enum Asking {
    There(Place),
    Queued(Queued),
}

impl Asking {
    pub async fn granted(self) -> Result<Place> {
        match self {
            Self::There(place) => Ok(place),
            Self::Queued(mut queued) => (&mut queued.hears).await.map_err(|_| Error::cancelled()),
        }
    }
}

/// Whoever waits; it leaves the queue when it is dropped.
pub(super) struct Queued {
    places: Places,
    number: u64,
    hears: oneshot::Receiver<Place>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        // A place that was on its way to it goes on to the next one when it is dropped.
        self.places.0.lock().waiting.retain(|waiter| waiter.number != self.number);
    }
}

/// A run's place, until it is dropped.
pub(super) struct Place(Places);

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.0.0.lock();
        let ranks: Vec<Waiting> = inner.waiting.iter().map(|waiter| waiter.rank).collect();
        match choose(&ranks, Instant::now()) {
            None => inner.free += 1,
            Some(turn) => {
                let next = inner.waiting.remove(turn);
                drop(inner);
                // One that is gone hands it on at once.
                let _ = next.told.send(Place(self.0.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever comes, goes or gives up: never are more at work than there are places, and nobody waits beside a free one.
        #[test]
        fn no_place_is_lost_or_given_twice(
            all in 1_usize..4,
            steps in prop::collection::vec((0_usize..3, any::<prop::sample::Index>(), 0_u8..4), 0..60),
        ) {
            let places = Places::new(all);
            let (mut held, mut waiting) = (Vec::new(), Vec::new());
            for (step, which, priority) in steps {
                match step {
                    0 => waiting.push(Box::pin(places.ask(priority).granted())),
                    1 if !held.is_empty() => drop(held.remove(which.index(held.len()))),
                    2 if !waiting.is_empty() => drop(waiting.remove(which.index(waiting.len()))),
                    _ => {}
                }
                let mut still = Vec::new();
                for mut asking in waiting {
                    match (&mut asking).now_or_never() {
                        Some(place) => held.push(place.unwrap()),
                        None => still.push(asking),
                    }
                }
                waiting = still;
                prop_assert!(held.len() <= all);
                prop_assert!(waiting.is_empty() || held.len() == all);
                prop_assert_eq!(places.0.lock().free, all - held.len());
            }
        }
    }

    #[test]
    fn the_higher_priority_goes_first_and_equals_go_as_they_came() {
        let places = Places::new(1);
        let held = places.ask(0).granted().now_or_never().unwrap().unwrap();
        let mut asking: Vec<_> =
            [1, 0, 3, 1].map(|priority| Some(Box::pin(places.ask(priority).granted()))).into();
        let mut order = Vec::new();
        drop(held);
        for _ in 0..asking.len() {
            for (number, waits) in asking.iter_mut().enumerate() {
                let Some(place) = waits.as_mut().and_then(|waits| waits.now_or_never()) else { continue };
                order.push(number);
                *waits = None;
                drop(place.unwrap());
                break;
            }
        }
        assert_eq!(order, [2, 0, 3, 1]);
    }

    #[test]
    fn few_threads_have_many_runs_and_many_threads_have_some() {
        assert_eq!([1, 2, 8, 64, 500].map(at_work), [256, 256, 128, 32, 32]);
    }
}
