//! One row a group, kept by pointers into the batches it came from, in whatever type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;

use super::kernel::grow;
use crate::error::Result;
use crate::plan::DType;

/// Where a group's row is: which source, which row in it.
#[derive(Clone, Copy)]
struct At {
    source: u32,
    row: u32,
}

/// Source 0 is one null: where groups without a row point.
const NOWHERE: At = At { source: 0, row: 0 };
/// The batch that is being looked at.
const INCOMING: u32 = u32::MAX;
/// Sources are not compacted below this many rows.
const SMALL: usize = 4096;

/// For each group a pointer to its row.
///
/// Of each batch only the rows that were picked are kept, as a source of their own. Later batches leave
/// holes in the sources; when more rows are held than twice the groups there are, the picked ones are
/// gathered into one source again.
pub struct Kept {
    data_type: DataType,
    nested: bool,
    at: Vec<At>,
    sources: Vec<ArrayRef>,
    held: usize,
}

impl Kept {
    pub fn new(dtype: &DType) -> Self {
        Self {
            // A nested type whose name says too little is taken from the first batch.
            data_type: super::arrow_type(dtype).unwrap_or(DataType::Null),
            nested: matches!(dtype, DType::Opaque(_)),
            at: Vec::new(),
            sources: Vec::new(),
            held: 0,
        }
    }

    /// Takes rows in: those for which `better(group, row)`, asked in the rows' order, is true replace their group's.
    /// The groups must have been checked.
    pub fn offer(
        &mut self,
        values: &ArrayRef,
        groups: &[u32],
        num_groups: usize,
        mut better: impl FnMut(usize, usize) -> bool,
    ) -> Result<()> {
        grow(&mut self.at, num_groups, NOWHERE);
        if self.nested {
            self.data_type = values.data_type().clone();
        }
        let mut touched = Vec::new();
        for (row, &group) in groups.iter().enumerate() {
            if better(group as usize, row) {
                let at = &mut self.at[group as usize];
                if at.source != INCOMING {
                    touched.push(group);
                }
                *at = At { source: INCOMING, row: row as u32 };
            }
        }
        if touched.is_empty() {
            return Ok(());
        }
        let rows: UInt32Array = touched.iter().map(|&group| self.at[group as usize].row).collect();
        let picked = compact(take(values, &rows, None)?);
        if self.sources.is_empty() {
            self.sources.push(new_null_array(&self.data_type, 1));
        }
        let source = self.sources.len() as u32;
        for (row, &group) in touched.iter().enumerate() {
            self.at[group as usize] = At { source, row: row as u32 };
        }
        self.held += picked.len();
        self.sources.push(picked);
        if self.held > 2 * self.at.len() + SMALL || self.sources.len() > SMALL {
            self.gather()?;
        }
        Ok(())
    }

    /// The picked rows, one a group, as one array, which becomes the only source.
    fn gather(&mut self) -> Result<ArrayRef> {
        if self.sources.is_empty() {
            return Ok(new_null_array(&self.data_type, self.at.len()));
        }
        let sources: Vec<&dyn Array> = self.sources.iter().map(|source| source.as_ref()).collect();
        let places: Vec<(usize, usize)> =
            self.at.iter().map(|at| (at.source as usize, at.row as usize)).collect();
        let gathered = compact(interleave(&sources, &places)?);
        self.sources.truncate(1);
        self.sources.push(gathered.clone());
        self.held = gathered.len();
        for (group, at) in self.at.iter_mut().enumerate() {
            *at = At { source: 1, row: group as u32 };
        }
        Ok(gathered)
    }

    /// The rows of `num_groups` groups (missing where there is none), and nothing is left.
    pub fn take(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.at.resize(num_groups, NOWHERE);
        let values = self.gather()?;
        self.sources.clear();
        self.held = 0;
        self.at.clear();
        Ok(values)
    }

    pub fn size(&self) -> usize {
        let sources: usize = self.sources.iter().map(|source| source.get_array_memory_size()).sum();
        self.at.capacity() * size_of::<At>() + sources
    }
}

/// Views hold on to the buffers of the whole batch they come from; these are cut to what they show.
fn compact(values: ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Utf8View => Arc::new(values.as_string_view().gc()),
        DataType::BinaryView => Arc::new(values.as_binary_view().gc()),
        _ => values,
    }
}
