//! How threads share the morsels of a scan: each takes the next one, and fetches some ahead where that waits for a network.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::scan::{Morsel, MorselReader, Scan};
use crate::error::{Error, Result};

/// Morsels that are fetched ahead by a thread, and their bytes: enough to be busy while an answer is under way, and not so
/// many that others have none left.
const AHEAD: usize = 4;
const BYTES: u64 = 16 << 20;

/// A run of morsels that threads take from in order, each thread fetching ahead where memory allows.
pub struct MorselQueue {
    pub scan: Arc<Scan>,
    next: AtomicUsize,
    end: usize,
    /// How many threads take from it.
    takers: usize,
}

impl MorselQueue {
    pub fn new(scan: Arc<Scan>, morsels: Range<usize>) -> Self {
        Self { scan, next: AtomicUsize::new(morsels.start), end: morsels.end, takers: 1 }
    }

    /// The same for several threads.
    pub fn shared_by(self, takers: usize) -> Self {
        Self { takers, ..self }
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
    ahead: VecDeque<(u64, JoinHandle<Result<MorselReader>>)>,
}

impl MorselReaders {
    pub fn new(queue: Arc<MorselQueue>) -> Self {
        Self { queue, ahead: VecDeque::new() }
    }

    /// Passes over the next morsels that have no more than so many chunks together; how many chunks they have.
    ///
    /// For a queue that nobody else takes from.
    pub fn pass_over(&mut self, chunks: u64) -> u64 {
        let scan = &self.queue.scan;
        let mut passed = 0;
        while self.ahead.is_empty() {
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

    /// Whether more may be fetched than the next one: of small ones, and while there is more for others too.
    fn may_fetch_more(&self) -> bool {
        let left = self.queue.end.saturating_sub(self.queue.next.load(Ordering::Relaxed));
        let bytes: u64 = self.ahead.iter().map(|(bytes, _)| bytes).sum();
        self.ahead.len() < AHEAD && bytes < BYTES && left >= self.queue.takers
    }

    pub fn next_reader(&mut self) -> Result<Option<MorselReader>> {
        let scan = self.queue.scan.clone();
        let mut current = self.ahead.pop_front().map(|(_, ahead)| ahead);
        if current.is_none() {
            let Some(morsel) = self.queue.claim() else { return Ok(None) };
            if !scan.is_remote(&morsel) {
                return Ok(Some(futures::executor::block_on(scan.open(morsel))?));
            }
            current = Some(self.fetch(morsel).1);
        }
        // What is fetched ahead is bounded in bytes, over all threads and scans of the run.
        let room = |morsel: &Morsel| {
            scan.is_remote(morsel)
                && scan.control.memory.has_room_ahead(scan.fetched(morsel))
                && !scan.rules_out(morsel)
        };
        while (self.ahead.is_empty() || self.may_fetch_more())
            && let Some(morsel) = self.queue.claim_if(room)
        {
            let fetch = self.fetch(morsel);
            self.ahead.push_back(fetch);
        }
        let Some(current) = current else { return Ok(None) };
        let reader = scan.io.block_on(current).map_err(|_| Error::internal("a fetch was aborted"))??;
        Ok(Some(reader))
    }

    /// Begins to fetch a morsel; its bytes count from now on.
    fn fetch(&self, morsel: Morsel) -> (u64, JoinHandle<Result<MorselReader>>) {
        let scan = self.queue.scan.clone();
        let bytes = scan.fetched(&morsel);
        let held = scan.control.memory.hold(bytes);
        let io = scan.io.clone();
        (bytes, io.spawn(async move { scan.open_counted(morsel, held).await }))
    }
}

impl Drop for MorselReaders {
    fn drop(&mut self) {
        for (_, ahead) in &self.ahead {
            ahead.abort();
        }
    }
}
