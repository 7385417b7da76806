//! Rows of one dictionary, aggregated by its codes: an entry is given its group once, when the dictionary ends.

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int64Array, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use super::table::Partial;
use super::{GroupSpec, Unit};
use crate::error::Result;
use crate::plan::reduce::Batch;

/// Dictionaries of more entries are not worth states of their own: those would leave the inner caches.
const LARGEST: usize = 1 << 16;

/// Aggregates by code, for the one dictionary that is being read.
///
/// A row then costs no look-up of its group: its code is its group until the dictionary ends. For that the
/// states must be cheap to merge.
pub struct Codes {
    units: Vec<Unit>,
    /// Position of each entry's first row, where that is asked for.
    first: Option<Vec<i64>>,
    open: Option<Open>,
}

struct Open {
    values: ArrayRef,
    /// Entries that a row had: others are no groups.
    seen: Vec<bool>,
    unseen: usize,
}

/// The entries of a dictionary that rows had.
pub struct Closed {
    pub groups: Partial,
    pub rows: UInt32Array,
}

impl Codes {
    /// `None` where codes are of no use for these keys and aggregates.
    pub fn new(spec: &GroupSpec) -> Result<Option<Self>> {
        let [key] = spec.keys.as_slice() else { return Ok(None) };
        let units = spec.units()?;
        if key.arrow != DataType::Utf8View || !units.iter().all(|unit| unit.reduce.is_flat()) {
            return Ok(None);
        }
        Ok(Some(Self { units, first: spec.needs_first().then(Vec::new), open: None }))
    }

    /// The key as a dictionary whose codes can be taken for groups: a short one, and no row is missing.
    pub fn takes(key: &ArrayRef) -> Option<&DictionaryArray<Int32Type>> {
        let key = key.as_dictionary_opt::<Int32Type>()?;
        (key.null_count() == 0 && key.values().len() <= LARGEST).then_some(key)
    }

    /// Whether rows of this dictionary can be added to those that were.
    pub fn continues(&self, key: &DictionaryArray<Int32Type>) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let (open, new) = (&open.values, key.values());
            match (open.as_string_opt::<i32>(), new.as_string_opt::<i32>()) {
                (Some(open), Some(new)) => {
                    open.len() == new.len()
                        && std::ptr::eq(open.value_data().as_ptr(), new.value_data().as_ptr())
                        && std::ptr::eq(open.value_offsets().as_ptr(), new.value_offsets().as_ptr())
                }
                _ => false,
            }
        })
    }

    /// Starts a dictionary. The last one must have been closed.
    pub fn start(&mut self, key: &DictionaryArray<Int32Type>) {
        let entries = key.values().len();
        let open = Open { values: key.values().clone(), seen: vec![false; entries], unseen: entries };
        self.open = Some(open);
    }

    pub fn update(
        &mut self,
        key: &DictionaryArray<Int32Type>,
        args: &[Vec<ArrayRef>],
        positions: Option<&[i64]>,
    ) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let codes = key.keys().values();
        // As a rule every entry was seen soon, and nothing is left to do here.
        if open.unseen > 0 {
            for code in codes {
                if let Some(seen) = open.seen.get_mut(*code as usize) {
                    open.unseen -= usize::from(!*seen);
                    *seen = true;
                }
            }
        }
        let entries = open.seen.len();
        // SAFETY: i32 and u32 have the same size and alignment. A negative code becomes a number that is beyond
        // all entries, and the aggregates check that none is.
        let groups: &[u32] = unsafe { std::slice::from_raw_parts(codes.as_ptr().cast(), codes.len()) };
        if let (Some(first), Some(positions)) = (&mut self.first, positions) {
            first.resize(entries, i64::MAX);
            for (group, position) in groups.iter().zip(positions) {
                if let Some(first) = first.get_mut(*group as usize) {
                    *first = (*first).min(*position);
                }
            }
        }
        for unit in &mut self.units {
            let args = unit.args(args);
            unit.reduce.update(Batch { args, groups, num_groups: entries, positions })?;
        }
        Ok(())
    }

    /// Ends the dictionary, if there is one: what is to be merged into the table.
    pub fn close(&mut self) -> Result<Option<Closed>> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let mut states = Vec::with_capacity(self.units.len());
        for unit in &mut self.units {
            states.push(unit.reduce.state()?);
        }
        let first = self.first.as_mut().map(|first| Int64Array::from(std::mem::take(first)));
        // As views they are interned all at once, which is faster than one by one.
        let keys = vec![cast(&open.values, &DataType::Utf8View)?];
        let seen = open.seen.iter().enumerate().filter(|(_, seen)| **seen);
        let rows: UInt32Array = seen.map(|(entry, _)| entry as u32).collect();
        Ok(Some(Closed { groups: Partial { keys, rows: open.values.len(), states, first }, rows }))
    }

    pub fn size(&self) -> usize {
        self.units.iter().map(|unit| unit.reduce.size()).sum::<usize>()
            + self.first.as_ref().map_or(0, |first| first.capacity() * size_of::<i64>())
            + self.open.as_ref().map_or(0, |open| open.seen.len())
    }
}
