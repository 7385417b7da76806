//! One thread's way of adding rows: to a table of its own, and to the shared ones once there are many groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::execution::memory_pool::MemoryReservation;

use super::GroupSpec;
use super::codes::Codes;
use super::scatter::{Places, Scatter};
use super::shares::{SHARES, Shares};
use super::table::GroupTable;
use crate::engine::control::Control;
use crate::error::Result;

/// A table of more groups than this leaves the inner caches: from here on a split pays for itself.
const OWN_GROUPS: usize = 48 * 1024;
/// The same where all keys are codes, which are found by two look-ups in small arrays.
const OWN_GROUPS_OF_CODES: usize = 16 * OWN_GROUPS;
/// Rows are held back until there are enough for every share to be worth a visit: as many bytes as an
/// eighth of the groups have, within these bounds.
const HELD_BYTES: (usize, usize) = (2 << 20, 32 << 20);

/// Evaluated rows: their keys, the arguments of each aggregate, and their positions where those are needed.
pub struct Rows {
    pub keys: Vec<ArrayRef>,
    pub args: Vec<Vec<ArrayRef>>,
    pub positions: Option<ArrayRef>,
    pub rows: usize,
}

impl Rows {
    pub fn add_to(&self, table: &mut GroupTable) -> Result<()> {
        let positions: Option<&Int64Array> =
            self.positions.as_ref().map(|positions| positions.as_primitive::<Int64Type>());
        table.update(&self.keys, &self.args, positions, self.rows)
    }

    pub fn slice(&self, offset: usize, rows: usize) -> Self {
        let slice = |array: &ArrayRef| array.slice(offset, rows);
        Self {
            keys: self.keys.iter().map(slice).collect(),
            args: self.args.iter().map(|args| args.iter().map(slice).collect()).collect(),
            positions: self.positions.as_ref().map(slice),
            rows,
        }
    }

    fn into_columns(self) -> impl Iterator<Item = ArrayRef> {
        self.keys.into_iter().chain(self.args.into_iter().flatten()).chain(self.positions)
    }

    fn columns(&self) -> impl Iterator<Item = &ArrayRef> {
        self.keys.iter().chain(self.args.iter().flatten()).chain(&self.positions)
    }

    fn size(&self) -> usize {
        self.columns().map(|column| held_bytes(column)).sum()
    }

    /// The same columns, each made anew.
    fn map(&self, mut make: impl FnMut(usize, &ArrayRef) -> Result<ArrayRef>, rows: usize) -> Result<Self> {
        let mut number = 0;
        let mut next = |array: &ArrayRef| {
            number += 1;
            make(number - 1, array)
        };
        let keys = self.keys.iter().map(&mut next).collect::<Result<_>>()?;
        let args =
            self.args.iter().map(|args| args.iter().map(&mut next).collect()).collect::<Result<_>>()?;
        let positions = self.positions.as_ref().map(&mut next).transpose()?;
        Ok(Self { keys, args, positions, rows })
    }
}

/// What the rows of a column take, without what else lies in the buffers they share.
fn held_bytes(column: &ArrayRef) -> usize {
    let long = |views: &[u128]| -> usize {
        views.iter().map(|view| *view as u32 as usize).filter(|length| *length > 12).sum()
    };
    let beside = match column.data_type() {
        DataType::Utf8View => long(column.as_string_view().views()),
        DataType::BinaryView => long(column.as_binary_view().views()),
        _ => 0,
    };
    column.len() * column.data_type().primitive_width().unwrap_or(16) + beside
}

pub struct Collector {
    spec: Arc<GroupSpec>,
    own: GroupTable,
    shares: Arc<Shares>,
    control: Arc<Control>,
    reservation: MemoryReservation,
    /// Where this thread begins with the shares.
    begin: usize,
    sharing: bool,
    held: Vec<Rows>,
    held_bytes: usize,
    hashes: Vec<u64>,
    /// The hashes of the rows that are held.
    held_hashes: Vec<u64>,
    places: Places,
    scatter: Scatter,
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
        Ok(Self {
            own: GroupTable::new(spec.clone())?,
            spec,
            shares,
            control,
            reservation,
            begin: number * SHARES / threads.max(1),
            sharing: false,
            held: Vec::new(),
            held_bytes: 0,
            hashes: Vec::new(),
            held_hashes: Vec::new(),
            places: Places::default(),
            scatter: Scatter::default(),
        })
    }

    pub fn add(&mut self, rows: Rows) -> Result<()> {
        if rows.rows == 0 {
            return Ok(());
        }
        let by_codes = matches!(rows.keys.as_slice(), [key] if Codes::takes(key).is_some());
        let dictionaries = rows.keys.iter().all(|key| matches!(key.data_type(), DataType::Dictionary(..)));
        if by_codes || !self.sharing {
            rows.add_to(&mut self.own)?;
            if self.own.len() > if dictionaries { OWN_GROUPS_OF_CODES } else { OWN_GROUPS } && !by_codes {
                self.share()?;
            }
        } else {
            let rows = self.without_dictionaries(rows)?;
            self.held_bytes += rows.size();
            self.own.hash(&rows.keys, &mut self.hashes)?;
            self.held_hashes.extend_from_slice(&self.hashes);
            self.held.push(rows);
            let (least, most) = HELD_BYTES;
            if self.held_bytes >= (self.shares.size() / 8).clamp(least, most) {
                self.scatter()?;
            }
        }
        Ok(self.reservation.try_resize(self.own.size() + self.held_bytes + self.scatter.size())?)
    }

    /// Everything that was added is in the table that is returned, or in the shares.
    pub fn finish(mut self) -> Result<(GroupTable, MemoryReservation)> {
        self.scatter()?;
        self.own.settle()?;
        Ok((self.own, self.reservation))
    }

    /// Moves the thread's own groups to the shares.
    fn share(&mut self) -> Result<()> {
        self.sharing = true;
        let own = std::mem::replace(&mut self.own, GroupTable::new(self.spec.clone())?);
        self.shares.absorb(&own.export()?, self.begin, &self.control)
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

    fn scatter(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else { return Ok(()) };
        self.held_bytes = 0;
        self.places.set(&self.held_hashes);
        self.held_hashes.clear();
        let columns: Vec<Vec<&ArrayRef>> = held.iter().map(|rows| rows.columns().collect()).collect();
        let column = |number: usize| columns.iter().map(|columns| columns[number]).collect::<Vec<_>>();
        let rows = first.map(|number, _| self.scatter.column(&column(number), &self.places), self.places.len())?;
        drop(held);
        self.shares.add(&rows, &self.places, self.begin, &self.control)?;
        self.scatter.reclaim(rows.into_columns());
        Ok(())
    }
}
