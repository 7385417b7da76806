//! The memory of a client, on which the pools of its runs draw; a run that lacks what others hold waits for them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::io::memory_store::Keeps;

/// What all runs of a client hold together.
#[derive(Debug)]
pub struct ClientMemory {
    limit: usize,
    used: AtomicUsize,
    /// What is held for no run: objects of `memory://`.
    kept: AtomicUsize,
    /// How many attempts of runs there are.
    running: AtomicUsize,
    /// How many attempts of runs have ended.
    ended: watch::Sender<u64>,
    /// Held by the run that waits for others: of two that wait, one goes on.
    first: Mutex<()>,
}

impl ClientMemory {
    pub fn new(limit: u64) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            ended: watch::Sender::new(0),
            first: Mutex::new(()),
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| *used <= self.limit)
        });
        taken.is_ok()
    }

    /// What a run may hold at most beside what is kept.
    pub fn beside_kept(&self) -> usize {
        self.limit.saturating_sub(self.kept.load(Ordering::Relaxed))
    }

    /// The place of the run that waits first.
    pub async fn first(&self) -> MutexGuard<'_, ()> {
        self.first.lock().await
    }

    /// How many attempts have ended.
    pub fn ended(&self) -> u64 {
        *self.ended.borrow()
    }

    /// Waits until more attempts have ended than so many, unless none is left.
    pub async fn more_ended(&self, than: u64) {
        let mut ended = self.ended.subscribe();
        while *ended.borrow_and_update() <= than && self.running.load(Ordering::Acquire) > 0 {
            let _ = ended.changed().await;
        }
    }
}

impl Keeps for ClientMemory {
    fn keep(&self, bytes: usize) -> bool {
        let fits = self.take(bytes);
        if fits {
            self.kept.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn let_go(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The memory of one attempt of a run: within a limit of its own, and within what the client has left.
#[derive(Debug)]
pub struct RunPool {
    own: Arc<dyn MemoryPool>,
    client: Arc<ClientMemory>,
    short: AtomicBool,
}

impl RunPool {
    /// `own` is not to give more than the client has.
    pub fn new(own: Arc<dyn MemoryPool>, client: Arc<ClientMemory>) -> Self {
        client.running.fetch_add(1, Ordering::Relaxed);
        Self { own, client, short: AtomicBool::new(false) }
    }

    /// Whether something was refused that would have been there without other runs.
    pub fn is_short_for_others(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }
}

impl Drop for RunPool {
    fn drop(&mut self) {
        self.client.used.fetch_sub(self.own.reserved(), Ordering::Relaxed);
        self.client.running.fetch_sub(1, Ordering::Release);
        self.client.ended.send_modify(|ended| *ended += 1);
    }
}

impl fmt::Display for RunPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.own)
    }
}

impl MemoryPool for RunPool {
    fn name(&self) -> &str {
        self.own.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.client.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.client.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionResult<()> {
        self.own.try_grow(reservation, additional)?;
        if self.client.take(additional) {
            return Ok(());
        }
        if self.client.running.load(Ordering::Relaxed) == 1 {
            // Pools that are fair to who spills may give a little more than there is.
            self.client.used.fetch_add(additional, Ordering::Relaxed);
            return Ok(());
        }
        self.own.shrink(reservation, additional);
        self.short.store(true, Ordering::Relaxed);
        Err(DataFusionError::ResourcesExhausted(format!(
            "{} asked for {additional} bytes, beside what other runs hold of the client's {}",
            reservation.consumer().name(),
            self.client.limit
        )))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use proptest::prelude::*;

    use super::*;

    fn pool(client: &Arc<ClientMemory>, limit: usize) -> Arc<RunPool> {
        Arc::new(RunPool::new(Arc::new(GreedyMemoryPool::new(limit)), client.clone()))
    }

    proptest! {
        /// Whatever runs take and give back, they never hold more than the client has, and nothing is lost.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0_usize..3, 0_usize..60, any::<bool>()), 0..60)) {
            let client = Arc::new(ClientMemory::new(100));
            let pools: Vec<Arc<dyn MemoryPool>> =
                [100, 50, 70].map(|limit| pool(&client, limit) as Arc<dyn MemoryPool>).into();
            let held: Vec<_> =
                pools.iter().map(|pool| MemoryConsumer::new("test").register(pool)).collect();
            for (run, bytes, take) in steps {
                if take {
                    let fits = client.used.load(Ordering::Relaxed) + bytes <= 100
                        && held[run].size() + bytes <= [100, 50, 70][run];
                    prop_assert_eq!(held[run].try_grow(bytes).is_ok(), fits);
                } else {
                    held[run].shrink(bytes.min(held[run].size()));
                }
                let sum: usize = held.iter().map(|held| held.size()).sum();
                prop_assert_eq!(client.used.load(Ordering::Relaxed), sum);
            }
            drop((held, pools));
            prop_assert_eq!(client.used.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn only_what_others_hold_makes_a_run_short() {
        let client = Arc::new(ClientMemory::new(100));
        let (one, two) = (pool(&client, 100), pool(&client, 100));
        let other: Arc<dyn MemoryPool> = one.clone();
        let held = MemoryConsumer::new("test").register(&other);
        assert!(held.try_grow(101).is_err() && !one.is_short_for_others());
        held.try_grow(60).unwrap();
        let other: Arc<dyn MemoryPool> = two.clone();
        assert!(MemoryConsumer::new("test").register(&other).try_grow(50).is_err());
        assert!(two.is_short_for_others() && !one.is_short_for_others());
    }

    #[tokio::test]
    async fn the_end_of_another_attempt_is_waited_for() {
        let client = Arc::new(ClientMemory::new(100));
        let before = client.ended();
        let (own, other, third) = (pool(&client, 100), pool(&client, 100), pool(&client, 100));
        drop(own);
        let mut waiting = std::pin::pin!(client.more_ended(before + 1));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(other);
        waiting.await;
        let mut waiting = std::pin::pin!(client.more_ended(before + 7));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(third);
        waiting.await;
    }
}
