//! Groups that all threads share, split by the keys' hashes: for when every thread would hold most of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use arrow::array::UInt32Array;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::Mutex;

use super::GroupSpec;
use super::collect::Rows;
use super::scatter::Places;
use super::table::{Finished, GroupTable, Partial};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// With a million groups one share fits the inner caches, and look-ups stay within few pages of memory.
pub const SHARES: usize = 256;

/// The share of a hash: by its highest bits, as tables go by the lowest.
#[inline]
pub fn share_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARES.trailing_zeros())) as usize
}

/// One table a share, each locked for as long as rows are added to it.
pub struct Shares {
    tables: Vec<Mutex<Option<GroupTable>>>,
    sizes: Vec<AtomicUsize>,
    open: AtomicBool,
    spec: Arc<GroupSpec>,
    reservation: Option<Mutex<MemoryReservation>>,
}

impl Shares {
    pub fn new(spec: Arc<GroupSpec>, reservation: Option<MemoryReservation>) -> Self {
        Self {
            tables: (0..SHARES).map(|_| Mutex::new(None)).collect(),
            sizes: (0..SHARES).map(|_| AtomicUsize::new(0)).collect(),
            open: AtomicBool::new(false),
            spec,
            reservation: reservation.map(Mutex::new),
        }
    }

    /// Something was added.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub fn size(&self) -> usize {
        self.sizes.iter().map(|size| size.load(Ordering::Relaxed)).sum()
    }

    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.lock().as_ref().map_or(0, GroupTable::len)).sum()
    }

    /// Adds rows that lie in the order of their shares. Threads begin at different shares, so as not to wait for each other.
    pub fn add(&self, rows: &Rows, places: &Places, begin: usize, control: &Control) -> Result<()> {
        self.each(begin, control, |share, table| {
            let (offset, length) = places.share(share);
            if length == 0 { Ok(()) } else { rows.slice(offset, length).add_to(table) }
        })?;
        self.account()
    }

    /// Adds the groups of a thread's table.
    pub fn absorb(&self, partial: &Partial, begin: usize, control: &Control) -> Result<()> {
        let mut places = Places::default();
        places.set(&partial.hashes);
        let rows = UInt32Array::from(places.rows());
        self.each(begin, control, |share, table| {
            let (offset, length) = places.share(share);
            table.merge(partial, Some(&rows.slice(offset, length)))
        })?;
        self.account()
    }

    fn each(
        &self,
        begin: usize,
        control: &Control,
        work: impl Fn(usize, &mut GroupTable) -> Result<()>,
    ) -> Result<()> {
        self.open.store(true, Ordering::Release);
        for step in 0..SHARES {
            control.check()?;
            let share = (begin + step) % SHARES;
            let mut table = self.tables[share].lock();
            let table = match &mut *table {
                Some(table) => table,
                none => none.insert(GroupTable::new(self.spec.clone())?),
            };
            work(share, table)?;
            self.sizes[share].store(table.size(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn account(&self) -> Result<()> {
        match &self.reservation {
            Some(reservation) => Ok(reservation.lock().try_resize(self.size())?),
            None => Ok(()),
        }
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
