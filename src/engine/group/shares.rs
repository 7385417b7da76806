//! Groups that all threads share, split by the keys' hashes: for when every thread would hold most of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::UInt32Array;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::{Mutex, MutexGuard};

use super::collect::Rows;
use super::numbers::{Meaning, Numberer, Numbers};
use super::relief::{Finishers, Relief};
use super::room::{Expected, Room};
use super::spill::{Spilled, SpilledRows};
use super::table::{Finished, GroupTable, Partial};
use super::{GroupSpec, estimate, limit};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// With a million groups one share fits the inner caches, and look-ups stay within few pages of memory.
pub const SHARES: usize = 256;

/// A key of at least this many values splits rows evenly enough on its own. Then all rows of a value are in one
/// share, which has few values of it and can pair them with those of other keys by a small matrix.
const DIVERSE: usize = limit(32 * SHARES, 6);

/// Rows wait where no more than this many are expected of each group.
const ROWS: f64 = 2.0;

/// The share of a hash: by its highest bits, as tables go by the lowest.
#[inline(always)]
pub fn share_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARES.trailing_zeros())) as usize
}

/// Of so many parts of the memory limit one may be values of a key that has numbers, each with so many bytes, and each
/// known to all threads and to each of them.
const NUMBERED: usize = 8;
const VALUE: usize = 48;

/// Development builds that may spill do so at this many groups in a share.
const SPILLED_ANYWAY: usize = limit(usize::MAX, 3);

/// One share: its table, rows that are yet to be added to it, and what of it is on disk.
#[derive(Default)]
struct Share {
    table: Option<GroupTable>,
    waiting: Vec<Rows>,
    spilled: Option<Spilled>,
    rows: Option<SpilledRows>,
}

impl Share {
    fn size(&self) -> usize {
        self.table.as_ref().map_or(0, GroupTable::size) + self.waiting.iter().map(Rows::size).sum::<usize>()
    }
}

/// One table a share, each locked for as long as rows are added to it.
pub struct Shares {
    shares: Vec<Mutex<Share>>,
    size: AtomicUsize,
    open: AtomicBool,
    /// The key by whose hash rows are split, or all of them.
    by: OnceLock<Option<usize>>,
    numbers: Arc<Numbers>,
    spec: Arc<GroupSpec>,
    /// The same where all keys are packed into one.
    packed: Arc<GroupSpec>,
    rows: Expected,
    /// Rows wait until all of their share are there: nearly every one is a group of its own.
    waits: AtomicBool,
    /// Whether rows that wait go to disk as they are: decided by the first share of them for which there is no room.
    as_rows: OnceLock<bool>,
    reservation: Mutex<MemoryReservation>,
    /// Where groups go that memory has no room for.
    disk: Option<Arc<DiskManager>>,
    /// Memory ran out, or was short from the start.
    spills: AtomicBool,
    limit: Option<usize>,
    threads: usize,
    /// Groups that went there, one counted as often as it did.
    spilled: AtomicUsize,
    /// Bytes held when memory ran out first; 0 as long as it has not.
    full: AtomicUsize,
    /// Which share is asked next to give its memory back.
    next: AtomicUsize,
    /// Threads that gave memory back, or are about to.
    pub relief: Relief,
    finishers: Finishers,
}

impl Shares {
    pub fn new(spec: Arc<GroupSpec>, rows: Expected, reservation: MemoryReservation, room: Room) -> Self {
        let Room { disk, short, limit, threads } = room;
        let packed = Arc::new(spec.packed());
        Self {
            shares: (0..SHARES).map(|_| Mutex::default()).collect(),
            size: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            by: OnceLock::new(),
            numbers: Arc::default(),
            spec,
            packed,
            rows,
            waits: AtomicBool::new(false),
            as_rows: OnceLock::new(),
            reservation: Mutex::new(reservation),
            spills: AtomicBool::new(short && disk.is_some()),
            limit,
            threads,
            disk,
            spilled: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            relief: Relief::default(),
            finishers: Finishers::default(),
        }
    }

    /// Something was added.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Every position of a row fits four bytes.
    pub fn has_narrow_positions(&self) -> bool {
        self.rows.end.is_some_and(|end| end <= u64::from(u32::MAX))
    }

    /// Groups that memory has no room for go to disk: all of them come out in no order, a share at a time.
    pub fn spills(&self) -> bool {
        self.spills.load(Ordering::Relaxed)
    }

    /// Bytes of memory that there are in all.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Memory is short from here on. Whether groups may go to disk.
    pub fn begin_spilling(&self) -> bool {
        if self.disk.is_some() {
            self.spills.store(true, Ordering::Relaxed);
        }
        self.disk.is_some()
    }

    /// Rows wait for the others of their share.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// How many groups were written to disk.
    pub fn spilled(&self) -> usize {
        self.spilled.load(Ordering::Relaxed)
    }

    /// How many groups there are so far in memory; a row that waits counts as one.
    pub fn groups(&self) -> usize {
        let groups = |share: &Share| {
            share.table.as_ref().map_or(0, GroupTable::len)
                + share.waiting.iter().map(|rows| rows.rows).sum::<usize>()
        };
        self.shares.iter().map(|share| groups(&share.lock())).sum()
    }

    /// By which key rows are split, if not by all; and a way to numbers of the keys that are numbered. The first
    /// table to ask decides it for all.
    pub fn split_by(&self, table: &GroupTable) -> Result<(Option<usize>, Numberer)> {
        let most = self.limit.map(|limit| limit / NUMBERED / (VALUE * (self.threads + 1)));
        self.numbers.decide(&self.spec, table, (self.rows.count, most))?;
        let by = self.by.get_or_init(|| {
            let groups = estimate::distinct(table.rows(), table.len());
            let few = self.rows.count.is_some_and(|rows| rows as f64 <= groups * ROWS);
            self.waits.store(few && table.rows() > 0, Ordering::Relaxed);
            let numbered = self.numbers.numbered();
            let diverse = table.heights().into_iter().enumerate();
            let diverse = diverse.filter(|(key, values)| *values >= DIVERSE && !numbered[*key]);
            diverse.max_by_key(|(_, values)| *values).map(|(key, _)| key)
        });
        Ok((*by, Numberer::new(&self.spec, self.numbers.clone())?))
    }

    /// What the keys of finished shares stand for.
    pub fn meaning(&self) -> Result<Meaning> {
        self.numbers.meaning()
    }

    fn table(&self) -> Result<GroupTable> {
        if self.numbers.are_packed() {
            return GroupTable::of_share(self.packed.clone(), &[]);
        }
        GroupTable::of_share(self.spec.clone(), &self.numbers.numbered())
    }

    /// Adds rows to a share, now or later.
    pub fn add(&self, share: usize, rows: Rows) -> Result<()> {
        if !self.waits() {
            return self.visit(share, |table| rows.add_to(table));
        }
        self.open.store(true, Ordering::Release);
        self.resized(0, rows.size());
        let mut share = self.shares[share].lock();
        share.waiting.push(rows);
        if self.spills() && share.waiting.len() > SPILLED_ANYWAY {
            return self.spill(&mut share);
        }
        if let Err(error) = self.reserve() {
            return self.without_room(share, error);
        }
        Ok(())
    }

    /// Makes room after a share was added to.
    fn without_room(&self, mut share: MutexGuard<'_, Share>, error: Error) -> Result<()> {
        if !self.begin_spilling() {
            return Err(error);
        }
        self.spill(&mut share)?;
        drop(share);
        self.relieve()?;
        // What is missing now others have added, and see to it.
        let _ = self.reserve();
        Ok(())
    }

    /// Adds the rows that wait to their share's table.
    fn settle(&self, share: &mut Share) -> Result<()> {
        if share.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut share.waiting);
        let before = share.size() + waiting.iter().map(Rows::size).sum::<usize>();
        let rows = Rows::joined(waiting)?;
        let table = match &mut share.table {
            Some(table) => table,
            none => none.insert(self.table()?),
        };
        table.reserve(rows.rows);
        rows.add_to(table)?;
        self.resized(before, share.size());
        Ok(())
    }

    /// Lets `work` add to the table of a share.
    pub fn visit(&self, share: usize, work: impl FnOnce(&mut GroupTable) -> Result<()>) -> Result<()> {
        self.open.store(true, Ordering::Release);
        let mut share = self.shares[share].lock();
        self.settle(&mut share)?;
        let before = share.size();
        let table = match &mut share.table {
            Some(table) => table,
            none => none.insert(self.table()?),
        };
        work(table)?;
        let (groups, after) = (table.len(), table.size());
        self.resized(before, after);
        if self.spills() && groups > SPILLED_ANYWAY {
            return self.spill(&mut share);
        }
        if let Err(error) = self.reserve() {
            return self.without_room(share, error);
        }
        Ok(())
    }

    fn resized(&self, before: usize, after: usize) {
        if after >= before {
            self.size.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.size.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Reserves what the tables hold.
    fn reserve(&self) -> Result<()> {
        let reservation = self.reservation.lock();
        let size = self.size() + self.numbers.size();
        if size > reservation.size() {
            reservation.try_resize(size)?;
        }
        Ok(())
    }

    /// Writes a quarter of what is in memory to disk, and says whether there was anything to write.
    pub fn relieve(&self) -> Result<bool> {
        if !self.begin_spilling() {
            return Ok(false);
        }
        let size = self.size();
        let _ = self.full.compare_exchange(0, size, Ordering::Relaxed, Ordering::Relaxed);
        self.spill_down_to(size / 4 * 3)
    }

    fn spill_down_to(&self, wanted: usize) -> Result<bool> {
        let mut some = false;
        for round in 0..2 * SHARES {
            if self.size() <= wanted || some && round >= SHARES {
                break;
            }
            let share = &self.shares[self.next.fetch_add(1, Ordering::Relaxed) % SHARES];
            // Who is being added to is spilled by whoever does it, unless nobody else has anything.
            let share = if round < SHARES { share.try_lock() } else { Some(share.lock()) };
            if let Some(mut share) = share
                && (share.table.is_some() || !share.waiting.is_empty())
            {
                self.spill(&mut share)?;
                some = true;
            }
        }
        self.release()?;
        Ok(some)
    }

    /// Gives back what is not held any more.
    fn release(&self) -> Result<()> {
        let reservation = self.reservation.lock();
        let size = self.size() + self.numbers.size();
        if size < reservation.size() {
            reservation.try_resize(size)?;
            self.relief.note();
        }
        Ok(())
    }

    fn spill(&self, share: &mut Share) -> Result<()> {
        let waiting: usize = share.waiting.iter().map(|rows| rows.rows).sum();
        if waiting > 0 && self.as_rows.get() == Some(&true) {
            self.spill_rows(share)?;
        } else if waiting > 0 {
            let before = share.table.as_ref().map_or(0, GroupTable::len);
            self.settle(share)?;
            let added = share.table.as_ref().map_or(0, GroupTable::len).saturating_sub(before);
            // To add rows only to write their groups is work for nothing where these are about as many. Where they are
            // not, rows are added at once from here on: if the same keys come again, that takes less.
            if !*self.as_rows.get_or_init(|| waiting as f64 <= added as f64 * ROWS) {
                self.waits.store(false, Ordering::Relaxed);
            }
        }
        let (Some(disk), Some(table)) = (&self.disk, share.table.take()) else { return Ok(()) };
        let size = table.size();
        if !table.is_empty() {
            let partial = table.export()?;
            self.spilled.fetch_add(partial.rows, Ordering::Relaxed);
            Spilled::add(&mut share.spilled, disk, &partial)?;
        }
        self.resized(size, 0);
        Ok(())
    }

    /// Writes rows that wait as they are.
    fn spill_rows(&self, share: &mut Share) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let before = share.size();
        let rows = Rows::joined(std::mem::take(&mut share.waiting))?;
        self.spilled.fetch_add(rows.rows, Ordering::Relaxed);
        SpilledRows::add(&mut share.rows, disk, &rows)?;
        self.resized(before, share.size());
        Ok(())
    }

    /// Adds the groups of a thread's table. Threads begin at different shares, so as not to wait for each other.
    pub fn absorb(
        &self,
        table: GroupTable,
        by: Option<usize>,
        numberer: &mut Numberer,
        begin: usize,
        control: &Control,
    ) -> Result<()> {
        let mut partial: Partial = table.export()?;
        partial.keys = numberer.columns(&partial.keys)?;
        let mut hashes = Vec::new();
        numberer.hash(&partial.keys, by, &mut hashes)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); SHARES];
        for (row, hash) in hashes.iter().enumerate() {
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

    /// Makes room for what takes the groups: that needs some as well. If no group is on disk yet, most stay where they
    /// are: they leave as what takes them grows.
    pub fn make_room(&self) -> Result<()> {
        let Some(limit) = self.limit.filter(|_| self.spills()) else { return Ok(()) };
        let wanted = match self.full.load(Ordering::Relaxed) {
            0 => limit / 2,
            full => (full / 2).min(limit / 4),
        };
        self.spill_down_to(wanted).map(|_| ())
    }

    /// Finishes one share; nothing of it stays.
    pub fn finish_one(&self, share: usize, control: &Control) -> Result<Option<Finished>> {
        let finishing = self.finishers.begin();
        let mut share = std::mem::take(&mut *self.shares[share].lock());
        if share.rows.is_none() {
            self.settle(&mut share)?;
        }
        let mut held = share.size();
        let Share { table, waiting, spilled, rows } = share;
        let table = match (spilled, rows) {
            (None, None) => table,
            (spilled, rows) => {
                let mut whole = self.table()?;
                let mut grown = |whole: &GroupTable| -> Result<()> {
                    control.check()?;
                    self.resized(held, whole.size());
                    held = whole.size();
                    loop {
                        let before = self.relief.times();
                        let Err(error) = self.reserve() else { return Ok(()) };
                        let again = self.relieve()? || finishing.wait() || self.relief.came(before);
                        if !again {
                            return Err(error);
                        }
                    }
                };
                if let Some(rows) = rows {
                    whole.reserve(rows.rows + waiting.iter().map(|rows| rows.rows).sum::<usize>());
                    let (bytes, rows) = rows.read()?;
                    control.memory.spill(bytes);
                    for rows in rows.chain(waiting.into_iter().map(Ok)) {
                        rows?.add_to(&mut whole)?;
                        grown(&whole)?;
                    }
                }
                let rest = table.filter(|table| !table.is_empty()).map(|table| table.export());
                let spilled = spilled.map(Spilled::read).transpose()?;
                control.memory.spill(spilled.as_ref().map_or(0, |spilled| spilled.bytes));
                for partial in spilled.into_iter().flatten().chain(rest) {
                    whole.merge(&partial?, None, &|| control.check())?;
                    grown(&whole)?;
                }
                Some(whole)
            }
        };
        let finished = table.filter(|table| !table.is_empty()).map(GroupTable::finish).transpose()?;
        self.resized(held, 0);
        if self.spills() {
            self.release()?;
        }
        Ok(finished)
    }

    /// Finishes every share, several at once. Their values are narrowed.
    pub fn finish(&self, threads: usize, control: &Control) -> Result<Vec<Finished>> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<Finished>> {
            let mut finished = Vec::new();
            loop {
                control.check()?;
                let share = next.fetch_add(1, Ordering::Relaxed);
                if share >= SHARES {
                    return Ok(finished);
                }
                finished.extend(self.finish_one(share, control)?.map(Finished::narrowed));
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
