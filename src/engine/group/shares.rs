//! Groups that all threads share, split by the keys' hashes: for when every thread would hold most of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::UInt32Array;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::Mutex;

use super::table::{Finished, GroupTable, Partial};
use super::{GroupSpec, limit};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// With a million groups one share fits the inner caches, and look-ups stay within few pages of memory.
pub const SHARES: usize = 256;

/// A key of at least this many values splits rows evenly enough on its own. Then all rows of a value are in one
/// share, which has few values of it and can pair them with those of other keys by a small matrix.
const DIVERSE: usize = limit(32 * SHARES, 6);

/// The share of a hash: by its highest bits, as tables go by the lowest.
#[inline(always)]
pub fn share_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARES.trailing_zeros())) as usize
}

/// One table a share, each locked for as long as rows are added to it.
pub struct Shares {
    tables: Vec<Mutex<Option<GroupTable>>>,
    size: AtomicUsize,
    open: AtomicBool,
    /// The key by whose hash rows are split, or all of them.
    by: OnceLock<Option<usize>>,
    spec: Arc<GroupSpec>,
    reservation: Mutex<MemoryReservation>,
}

impl Shares {
    pub fn new(spec: Arc<GroupSpec>, reservation: MemoryReservation) -> Self {
        Self {
            tables: (0..SHARES).map(|_| Mutex::new(None)).collect(),
            size: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            by: OnceLock::new(),
            spec,
            reservation: Mutex::new(reservation),
        }
    }

    /// Something was added.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// How many groups there are so far.
    pub fn groups(&self) -> usize {
        self.tables.iter().map(|table| table.lock().as_ref().map_or(0, GroupTable::len)).sum()
    }

    /// By which key rows are split: the first table decides it for all.
    pub fn split_by(&self, table: &GroupTable) -> Option<usize> {
        *self.by.get_or_init(|| {
            table.most_diverse_key().filter(|(_, values)| *values >= DIVERSE).map(|(key, _)| key)
        })
    }

    /// Lets `work` add to the table of a share.
    pub fn visit(&self, share: usize, work: impl FnOnce(&mut GroupTable) -> Result<()>) -> Result<()> {
        self.open.store(true, Ordering::Release);
        let mut table = self.tables[share].lock();
        let table = match &mut *table {
            Some(table) => table,
            none => none.insert(GroupTable::new(self.spec.clone())?),
        };
        let before = table.size();
        work(table)?;
        let grown = table.size().saturating_sub(before);
        if grown > 0 {
            let size = self.size.fetch_add(grown, Ordering::Relaxed) + grown;
            let reservation = self.reservation.lock();
            if size > reservation.size() {
                reservation.try_resize(size)?;
            }
        }
        Ok(())
    }

    /// Adds the groups of a thread's table. Threads begin at different shares, so as not to wait for each other.
    pub fn absorb(&self, table: GroupTable, begin: usize, control: &Control) -> Result<()> {
        let by = self.split_by(&table);
        let partial: Partial = table.export(by)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); SHARES];
        for (row, hash) in partial.hashes.iter().enumerate() {
            rows[share_of(*hash)].push(row as u32);
        }
        for step in 0..SHARES {
            control.check()?;
            let share = (begin + step) % SHARES;
            let rows = UInt32Array::from(std::mem::take(&mut rows[share]));
            if !rows.is_empty() {
                self.visit(share, |table| table.merge(&partial, Some(&rows), &|| control.check()))?;
            }
        }
        Ok(())
    }

    /// Finishes every share, several at once.
    pub fn finish(&self, threads: usize, control: &Control) -> Result<Vec<Finished>> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<Finished>> {
            let mut finished = Vec::new();
            loop {
                control.check()?;
                let share = next.fetch_add(1, Ordering::Relaxed);
                let Some(table) = self.tables.get(share) else { return Ok(finished) };
                if let Some(table) = table.lock().take().filter(|table| !table.is_empty()) {
                    finished.push(table.finish()?);
                }
            }
        };
        let finished = in_parallel((0..threads.max(1)).map(|_| &work).collect())?;
        Ok(finished.into_iter().flatten().collect())
    }
}

/// Runs each piece of work on a thread of its own.
pub fn in_parallel<T: Send>(work: Vec<impl FnOnce() -> Result<T> + Send>) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = work.into_iter().map(|work| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(Error::internal("a thread that merged groups panicked")),
        });
        joined.collect()
    })
}
