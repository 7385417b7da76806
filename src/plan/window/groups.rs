//! Which group each row belongs to, and the rows of each group together.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::error::{Error, Result};

/// The groups of rows in order. Group numbers are dense but for 0, which may stand for rows that belong to none.
pub struct Groups {
    rows: usize,
    /// One number a row; nothing where all rows are one group.
    ids: Option<Vec<u32>>,
    count: usize,
    order: OnceLock<Order>,
}

/// Rows sorted by their group, each group's in order; group `g` has `rows[starts[g]..starts[g + 1]]`.
struct Order {
    rows: Vec<u32>,
    starts: Vec<usize>,
}

impl Groups {
    /// All rows as one group.
    pub fn one(rows: usize) -> Result<Self> {
        Self::check(rows)?;
        Ok(Self { rows, ids: None, count: 1, order: OnceLock::new() })
    }

    /// Row `i` belongs to group `ids[i] < count`.
    pub fn new(ids: Vec<u32>, count: usize) -> Result<Self> {
        Self::check(ids.len())?;
        Ok(Self { rows: ids.len(), ids: Some(ids), count, order: OnceLock::new() })
    }

    fn check(rows: usize) -> Result<()> {
        if u32::try_from(rows).is_ok() {
            return Ok(());
        }
        Err(Error::new(
            crate::error::Code::OutOfMemory,
            "a window function over more than four thousand million rows cannot be held in memory",
        )
        .hint("Filter the rows, or aggregate them first"))
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One more than the highest number.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn ids(&self) -> Option<&[u32]> {
        self.ids.as_deref()
    }

    /// The rows in pieces, with their groups.
    pub fn pieces(&self, size: usize) -> impl Iterator<Item = (Range<usize>, Cow<'_, [u32]>)> {
        (0..self.rows).step_by(size).map(move |start| {
            let range = start..(start + size).min(self.rows);
            let ids = match &self.ids {
                Some(ids) => Cow::Borrowed(&ids[range.clone()]),
                None => Cow::Owned(vec![0; range.len()]),
            };
            (range, ids)
        })
    }

    fn order(&self, ids: &[u32]) -> &Order {
        self.order.get_or_init(|| {
            let mut starts = vec![0; self.count + 1];
            for id in ids {
                starts[*id as usize + 1] += 1;
            }
            for group in 0..self.count {
                starts[group + 1] += starts[group];
            }
            let mut next = starts.clone();
            let mut rows = vec![0; ids.len()];
            for (row, id) in ids.iter().enumerate() {
                let place = &mut next[*id as usize];
                rows[*place] = row as u32;
                *place += 1;
            }
            Order { rows, starts }
        })
    }

    /// Where in [`Self::gathered`] each group's rows are; groups without rows are empty.
    pub fn segments(&self) -> Cow<'_, [usize]> {
        match &self.ids {
            None => Cow::Owned(vec![0, self.rows]),
            Some(ids) => Cow::Borrowed(&self.order(ids).starts),
        }
    }

    /// Place in the order by group -> row; nothing where that is the same.
    pub fn by_group(&self) -> Option<&[u32]> {
        self.ids.as_deref().map(|ids| self.order(ids).rows.as_slice())
    }

    /// A column with each group's rows together.
    pub fn gathered(&self, column: &ArrayRef) -> Result<ArrayRef> {
        match self.by_group() {
            None => Ok(column.clone()),
            Some(rows) => Ok(take(column, &UInt32Array::from(rows.to_vec()), None)?),
        }
    }

    /// Values that are gathered, back in the order of the rows.
    pub fn spread<T: Copy + Default>(&self, gathered: Vec<T>) -> Vec<T> {
        let Some(rows) = self.by_group() else { return gathered };
        let mut spread = vec![T::default(); gathered.len()];
        for (row, value) in rows.iter().zip(gathered) {
            spread[*row as usize] = value;
        }
        spread
    }
}
