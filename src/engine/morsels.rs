//! How threads share the morsels of a scan: each takes the next one, and fetches one ahead where that waits for a network.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::scan::{Morsel, MorselReader, Scan};
use crate::error::{Error, Result};

/// A run of morsels that threads take from in order, each thread fetching one ahead where memory allows.
pub struct MorselQueue {
    pub scan: Arc<Scan>,
    next: AtomicUsize,
    end: usize,
}

impl MorselQueue {
    pub fn new(scan: Arc<Scan>, morsels: Range<usize>) -> Self {
        Self { scan, next: AtomicUsize::new(morsels.start), end: morsels.end }
    }

    /// The next one, if it passes.
    fn claim_if(&self, passes: impl Fn(&Morsel) -> bool) -> Option<Morsel> {
        let position = self.next.load(Ordering::Relaxed);
        let morsel =
            *self.scan.morsels.get(position).filter(|morsel| position < self.end && passes(morsel))?;
        let claimed =
            self.next.compare_exchange(position, position + 1, Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok().then_some(morsel)
    }

    /// The next one that may have rows that matter; those passed over are never opened.
    fn claim(&self) -> Option<Morsel> {
        loop {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let morsel = self.scan.morsels.get(position).filter(|_| position < self.end)?;
            if !self.scan.rules_out(morsel) {
                return Some(*morsel);
            }
        }
    }
}

/// One thread's way through a queue. For threads that may block.
pub struct MorselReaders {
    queue: Arc<MorselQueue>,
    ahead: Option<JoinHandle<Result<MorselReader>>>,
}

impl MorselReaders {
    pub fn new(queue: Arc<MorselQueue>) -> Self {
        Self { queue, ahead: None }
    }

    /// Passes over the next morsels that have no more than so many chunks together; how many chunks they have.
    ///
    /// For a queue that nobody else takes from.
    pub fn pass_over(&mut self, chunks: u64) -> u64 {
        let scan = &self.queue.scan;
        let mut passed = 0;
        while self.ahead.is_none() {
            let position = self.queue.next.load(Ordering::Relaxed);
            let Some(morsel) = scan.morsels.get(position).filter(|_| position < self.queue.end) else {
                break;
            };
            let more = morsel.rows.div_ceil(scan.chunk_rows) as u64;
            if passed + more > chunks {
                break;
            }
            passed += more;
            self.queue.next.store(position + 1, Ordering::Relaxed);
        }
        passed
    }

    /// The number of the first row of the next morsel.
    pub fn row(&self) -> u64 {
        let scan = &self.queue.scan;
        let position = self.queue.next.load(Ordering::Relaxed);
        scan.morsels.get(position).map_or_else(|| scan.end(), |morsel| morsel.first_row)
    }

    pub fn next_reader(&mut self) -> Result<Option<MorselReader>> {
        let scan = self.queue.scan.clone();
        let current = match self.ahead.take() {
            Some(ahead) => {
                Some(scan.io.block_on(ahead).map_err(|_| Error::internal("a fetch was aborted"))??)
            }
            None => match self.queue.claim() {
                Some(morsel) if scan.is_remote(&morsel) => Some(scan.io.block_on(scan.open(morsel))?),
                Some(morsel) => Some(futures::executor::block_on(scan.open(morsel))?),
                None => None,
            },
        };
        let remote = current.as_ref().is_some_and(|reader| scan.is_remote(&reader.morsel));
        // What is fetched ahead is bounded in bytes, over all threads and scans of the run.
        let room = |morsel: &Morsel| {
            scan.control.memory.has_room_ahead(scan.fetched(morsel)) && !scan.rules_out(morsel)
        };
        if remote && let Some(morsel) = self.queue.claim_if(room) {
            let opener = scan.clone();
            self.ahead = Some(scan.io.spawn(async move { opener.open(morsel).await }));
        }
        Ok(current)
    }
}

impl Drop for MorselReaders {
    fn drop(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            ahead.abort();
        }
    }
}
