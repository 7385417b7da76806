//! One thread's way of adding rows: to a table of its own, and to the shared ones once there are many groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::execution::memory_pool::MemoryReservation;

use super::codes::Codes;
use super::numbers::Numberer;
use super::scatter::{self, Scatter};
use super::shares::{SHARES, Shares};
use super::table::GroupTable;
use super::{GroupSpec, estimate, limit};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// A table of more groups than this leaves the inner caches: from here on it pays to set rows apart by share.
const OWN_GROUPS: usize = limit(48 * 1024, 8);
/// The same where all keys are codes, which are found by two look-ups in small arrays.
const OWN_GROUPS_OF_CODES: usize = 16 * OWN_GROUPS;
/// Bytes that the outermost cache holds of all threads' tables: while they are likely to stay below, rows are not set
/// apart.
const OUTER: usize = limit(24 << 20, 16 << 10);
/// Bytes of rows that a thread sets apart: as many as a quarter of the groups have, within these bounds. A visit
/// to a share is worth the more the more rows it brings.
const SET_APART: (usize, usize) = (limit(2 << 20, 64 << 10), 32 << 20);
/// The same where rows wait for the others of their share, and a visit is no more than leaving them there.
const WAITING: usize = limit(8 << 20, 64 << 10);
/// Bytes set apart, long strings included, from which all of them are brought to their shares at once.
const MOST_APART: usize = limit(96 << 20, 1 << 20);
/// Tables of their own may take one of so many parts of the memory limit together, where they can be any size.
const MOST_OWN: usize = 2;
/// Bytes of an array that it does not tell: its buffers' heads, and who shares them.
const ARRAY: usize = 128;
/// No share has room for fewer rows than this.
const LEAST_ROOM: usize = limit(64, 4);

/// Evaluated rows: their keys, the arguments of each aggregate, and their positions where those are needed.
pub struct Rows {
    pub keys: Vec<ArrayRef>,
    pub args: Vec<Vec<ArrayRef>>,
    pub positions: Option<ArrayRef>,
    pub rows: usize,
}

impl Rows {
    pub fn add_to(&self, table: &mut GroupTable) -> Result<()> {
        let wide = self.positions.as_ref().map(|positions| cast(positions, &DataType::Int64)).transpose()?;
        let positions: Option<&Int64Array> = wide.as_ref().map(|wide| wide.as_primitive::<Int64Type>());
        table.update(&self.keys, &self.args, positions, self.rows)
    }

    /// The same in fewer bytes, for rows that are kept: positions in half of theirs where all of them fit, and flags in
    /// place of what is only counted.
    fn narrowed(mut self, spec: &GroupSpec, narrow: bool) -> Result<Self> {
        if narrow && let Some(positions) = &mut self.positions {
            *positions = cast(positions, &DataType::UInt32)?;
        }
        for (args, aggregate) in self.args.iter_mut().zip(&spec.aggregates) {
            if let ([arg], true) = (args.as_mut_slice(), aggregate.only_counts()) {
                let flags = BooleanBuffer::new_set(arg.len());
                *arg = Arc::new(BooleanArray::new(flags, arg.logical_nulls()));
            }
        }
        Ok(self)
    }

    /// Bytes that the rows take, with what arrays of few rows are beside them.
    pub fn size(&self) -> usize {
        let columns = self.columns();
        columns.iter().map(|column| column.get_array_memory_size() + ARRAY).sum::<usize>() + size_of::<Self>()
    }

    /// Rows of one layout, one after the other.
    pub fn joined(parts: Vec<Self>) -> Result<Self> {
        let Some(first) = parts.first() else { return Err(Error::internal("no rows to be joined")) };
        let (layout, rows) = (first.layout(), parts.iter().map(|part| part.rows).sum());
        let columns: Vec<Vec<ArrayRef>> = parts.iter().map(Self::columns).collect();
        let join = |column: usize| {
            let parts: Vec<&dyn Array> = columns.iter().map(|columns| columns[column].as_ref()).collect();
            concat(&parts)
        };
        let columns = (0..columns[0].len()).map(join).collect::<Result<_, _>>()?;
        Ok(layout.rows(columns, rows))
    }

    /// Every column once, in a fixed order.
    pub fn columns(&self) -> Vec<ArrayRef> {
        self.keys.iter().chain(self.args.iter().flatten()).chain(&self.positions).cloned().collect()
    }

    pub fn layout(&self) -> Layout {
        Layout { keys: self.keys.len(), args: self.args.iter().map(Vec::len).collect() }
    }
}

/// Which of [`Rows::columns`] are what.
pub struct Layout {
    keys: usize,
    args: Vec<usize>,
}

impl Layout {
    pub fn rows(&self, columns: Vec<ArrayRef>, rows: usize) -> Rows {
        let mut columns = columns.into_iter();
        let keys = columns.by_ref().take(self.keys).collect();
        let args = self.args.iter().map(|args| columns.by_ref().take(*args).collect()).collect();
        Rows { keys, args, positions: columns.next(), rows }
    }
}

pub struct Collector {
    spec: Arc<GroupSpec>,
    own: GroupTable,
    shares: Arc<Shares>,
    control: Arc<Control>,
    reservation: MemoryReservation,
    /// Where this thread begins with the shares, and how many threads there are.
    begin: usize,
    threads: usize,
    /// Groups that its own table may have.
    limit: usize,
    /// Bytes that it may take where it could have more groups than that.
    most: Option<usize>,
    apart: Option<Apart>,
}

/// Rows set apart, and how they were laid out before.
struct Apart {
    scatter: Scatter,
    types: Vec<DataType>,
    layout: Layout,
    /// The key by which rows are split, or all.
    by: Option<usize>,
    numberer: Numberer,
    hashes: Vec<u64>,
}

impl Collector {
    /// The collector of thread `number` of `threads`.
    pub fn new(
        spec: Arc<GroupSpec>,
        shares: Arc<Shares>,
        control: Arc<Control>,
        reservation: MemoryReservation,
        (number, threads): (usize, usize),
    ) -> Result<Self> {
        let own = GroupTable::new(spec.clone())?;
        let begin = number * SHARES / threads.max(1);
        let most = shares.limit().map(|limit| limit / MOST_OWN / threads.max(1));
        let limit = OWN_GROUPS;
        Ok(Self { spec, own, shares, control, reservation, begin, threads, limit, most, apart: None })
    }

    pub fn add(&mut self, rows: Rows) -> Result<()> {
        if rows.rows == 0 {
            return Ok(());
        }
        let by_codes = matches!(rows.keys.as_slice(), [key] if Codes::takes(key).is_some());
        match &self.apart {
            Some(_) if !by_codes => self.set_apart(rows)?,
            _ => {
                rows.add_to(&mut self.own)?;
                let dictionaries =
                    rows.keys.iter().all(|key| matches!(key.data_type(), DataType::Dictionary(..)));
                let limit = if dictionaries { OWN_GROUPS_OF_CODES } else { self.limit };
                let ascends = !self.shares.spills() && self.own.ascending().is_some() && self.has_room();
                if !by_codes && !ascends && self.own.len() > limit {
                    self.limit = self.likely().max(self.limit);
                    if self.own.len() > self.limit {
                        self.share(rows)?;
                    }
                }
            }
        }
        loop {
            let before = self.shares.relief.times();
            let Err(error) = self.reservation.try_resize(self.size()) else { break };
            if self.shares.relieve()? || self.shares.relief.came(before) {
                continue;
            }
            if self.own.is_empty() || !self.shares.begin_spilling() {
                return Err(error.into());
            }
            self.give_up_own()?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let apart = self.apart.as_ref().map_or(0, |apart| apart.scatter.size() + apart.numberer.size());
        self.own.size() + apart
    }

    /// Everything that was added is in the table that is returned, or in the shares.
    pub fn finish(mut self) -> Result<(GroupTable, MemoryReservation)> {
        self.visit(&|_| true)?;
        self.own.settle()?;
        Ok((self.own, self.reservation))
    }

    /// Whether its own table may grow: to be moved it is copied.
    fn has_room(&self) -> bool {
        self.most.is_none_or(|most| self.own.size() <= most)
    }

    /// How many groups there will be, and some more, if all threads' tables of them fit the outermost cache.
    fn likely(&self) -> usize {
        let groups = estimate::distinct(self.own.rows(), self.own.len()) * 1.25;
        let bytes = self.own.size() as f64 / self.own.len() as f64 * groups * self.threads as f64;
        if bytes <= OUTER as f64 { groups as usize } else { 0 }
    }

    /// Moves the thread's own groups to the shares, to which later rows go at once; these are of their like.
    fn share(&mut self, like: Rows) -> Result<()> {
        let like =
            self.without_dictionaries(like)?.narrowed(&self.spec, self.shares.has_narrow_positions())?;
        if !like.columns().iter().all(|column| scatter::takes(column.data_type())) {
            return Ok(());
        }
        let (by, numberer) = self.give_up_own()?;
        let mut types = numberer.types(&like.keys);
        let layout = Layout { keys: types.len(), ..like.layout() };
        types.extend(like.columns().iter().skip(like.keys.len()).map(|column| column.data_type().clone()));
        let scatter = Scatter::new(&types, self.room(&types));
        self.apart = Some(Apart { scatter, types, layout, by, numberer, hashes: Vec::new() });
        Ok(())
    }

    /// Moves the thread's own groups to the shares, which can go to disk. By what these are split.
    fn give_up_own(&mut self) -> Result<(Option<usize>, Numberer)> {
        let own = std::mem::replace(&mut self.own, GroupTable::new(self.spec.clone())?);
        let (by, mut numberer) = self.shares.split_by(&own)?;
        self.shares.relief.after(|| {
            self.shares.absorb(own, by, &mut numberer, self.begin, &self.control)?;
            let left = self.size();
            if left < self.reservation.size() {
                self.reservation.try_resize(left)?;
            }
            Ok((by, numberer))
        })
    }

    /// Rows that each share is to have room for.
    fn room(&self, types: &[DataType]) -> usize {
        let (least, most) = SET_APART;
        let bytes = match self.shares.waits() && !self.shares.spills() {
            true => WAITING,
            false => (self.shares.size() / 4).clamp(least, most),
        };
        (bytes / (SHARES * Scatter::row_bytes(types))).max(LEAST_ROOM).next_power_of_two()
    }

    /// Rows of several dictionaries have no codes in common.
    fn without_dictionaries(&self, mut rows: Rows) -> Result<Rows> {
        for (key, spec) in rows.keys.iter_mut().zip(&self.spec.keys) {
            if *key.data_type() != spec.arrow {
                *key = cast(key, &spec.arrow)?;
            }
        }
        Ok(rows)
    }

    fn set_apart(&mut self, rows: Rows) -> Result<()> {
        let narrow = self.shares.has_narrow_positions();
        let mut rows = self.without_dictionaries(rows)?.narrowed(&self.spec, narrow)?;
        let Some(apart) = &mut self.apart else { return Ok(()) };
        let mut hashes = std::mem::take(&mut apart.hashes);
        rows.keys = apart.numberer.columns(&rows.keys)?;
        apart.numberer.hash(&rows.keys, apart.by, &mut hashes)?;
        let columns = rows.columns();
        let mut from = 0;
        while from < rows.rows {
            let Some(apart) = &mut self.apart else { break };
            let length = apart.scatter.room().min(rows.rows - from);
            let part = &hashes[from..from + length];
            let full = apart.scatter.full(part);
            if full.is_empty() {
                let columns: Vec<_> = columns.iter().map(|column| column.slice(from, length)).collect();
                apart.scatter.add(&columns, part)?;
                from += length;
                // Long strings count for more than the room that was made for them.
                if apart.scatter.size() > MOST_APART {
                    self.visit(&|_| true)?;
                }
            } else {
                self.visit(&|share| full.contains(&share))?;
                self.widen()?;
            }
        }
        if let Some(apart) = &mut self.apart {
            apart.hashes = hashes;
        }
        Ok(())
    }

    /// Makes more room where there are more groups by now.
    fn widen(&mut self) -> Result<()> {
        let Some(apart) = &self.apart else { return Ok(()) };
        let room = self.room(&apart.types);
        if room > apart.scatter.room() {
            self.visit(&|_| true)?;
            if let Some(apart) = &mut self.apart {
                apart.scatter = Scatter::new(&apart.types, room);
            }
        }
        Ok(())
    }

    /// Brings what was set apart to its shares.
    fn visit(&mut self, which: &dyn Fn(usize) -> bool) -> Result<()> {
        let Some(apart) = &mut self.apart else { return Ok(()) };
        for step in 0..SHARES {
            let share = (self.begin + step) % SHARES;
            if !which(share) {
                continue;
            }
            self.control.check()?;
            let (columns, rows) = apart.scatter.take(share)?;
            if rows > 0 {
                self.shares.add(share, apart.layout.rows(columns, rows))?;
            }
        }
        Ok(())
    }
}
