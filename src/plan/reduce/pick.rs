//! Aggregates that pick one of a group's rows by its position: `first` and `last` (the first and last
//! value that is not missing), `row_first` and `row_last` (missing or not).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};

use super::kernel::{argument, check, column, grow, primitive};
use super::{Aggregate, Batch, Reduce, one_argument};
use crate::error::{Error, Result};
use crate::plan::DType;
use crate::plan::node::Params;

/// `first` or `last` where `MISSING` is false, `row_first` or `row_last` where it is true.
pub struct Pick<const LAST: bool, const MISSING: bool>;

impl<const LAST: bool, const MISSING: bool> Aggregate for Pick<LAST, MISSING> {
    fn name(&self) -> &'static str {
        match (MISSING, LAST) {
            (false, false) => "first",
            (false, true) => "last",
            (true, false) => "row_first",
            (true, true) => "row_last",
        }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        one_argument(self, args).cloned()
    }

    fn ordered(&self) -> bool {
        true
    }

    fn state_types(&self, args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int64, super::arrow_type(one_argument(self, args)?)?])
    }

    fn create(&self, args: &[DType], _params: &Params) -> Result<Box<dyn Reduce>> {
        let dtype = one_argument(self, args)?;
        Ok(Box::new(Picked {
            last: LAST,
            missing: MISSING,
            // A nested type whose name says too little is taken from the first batch.
            data_type: super::arrow_type(dtype).unwrap_or(DataType::Null),
            nested: matches!(dtype, DType::Opaque(_)),
            best: Vec::new(),
            at: Vec::new(),
            sources: Vec::new(),
            held: 0,
        }))
    }
}

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

/// For each group the best position so far and a pointer to its row, in whatever type.
///
/// Of each batch only the rows that were picked are kept, as a source of their own. Later batches leave
/// holes in the sources; when more rows are held than twice the groups there are, the picked ones are
/// gathered into one source again.
struct Picked {
    last: bool,
    missing: bool,
    data_type: DataType,
    nested: bool,
    best: Vec<i64>,
    at: Vec<At>,
    sources: Vec<ArrayRef>,
    held: usize,
}

impl Picked {
    fn empty(&self) -> i64 {
        if self.last { i64::MIN } else { i64::MAX }
    }

    /// Takes rows in; a row that is not in `eligible` is passed over.
    fn offer(
        &mut self,
        values: &ArrayRef,
        positions: &[i64],
        eligible: Option<&NullBuffer>,
        groups: &[u32],
        num_groups: usize,
    ) -> Result<()> {
        let empty = self.empty();
        grow(&mut self.best, num_groups, empty);
        grow(&mut self.at, num_groups, NOWHERE);
        check(groups, values.len(), self.best.len())?;
        if positions.len() != groups.len() {
            return Err(Error::internal("an ordered aggregate needs one position a row"));
        }
        if self.nested {
            self.data_type = values.data_type().clone();
        }
        // Group numbers are checked: no index below can be out of range.
        let mut touched = Vec::new();
        for (row, (&group, &position)) in groups.iter().zip(positions).enumerate() {
            let best = self.best[group as usize];
            let better = if self.last { position > best } else { position < best };
            if better && eligible.is_none_or(|eligible| eligible.is_valid(row)) {
                self.best[group as usize] = position;
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

    fn take(&mut self) -> Result<(ArrayRef, Vec<i64>)> {
        let values = self.gather()?;
        self.sources.clear();
        self.held = 0;
        self.at.clear();
        Ok((values, std::mem::take(&mut self.best)))
    }
}

impl Reduce for Picked {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let values = argument(&batch, 0)?;
        let positions =
            batch.positions.ok_or_else(|| Error::internal("an ordered aggregate got no positions"))?;
        let eligible = if self.missing { None } else { present(values)? };
        self.offer(values, positions, eligible.as_ref(), batch.groups, batch.num_groups)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let empty = self.empty();
        let (values, best) = self.take()?;
        let positions: Int64Array =
            best.into_iter().map(|position| (position != empty).then_some(position)).collect();
        Ok(vec![Arc::new(positions), values])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        let positions = primitive::<Int64Type>(column(state, 0)?)?;
        self.offer(column(state, 1)?, positions.values(), positions.nulls(), groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.at.resize(num_groups, NOWHERE);
        Ok(self.take()?.0)
    }

    fn size(&self) -> usize {
        let sources: usize = self.sources.iter().map(|source| source.get_array_memory_size()).sum();
        self.best.capacity() * size_of::<i64>() + self.at.capacity() * size_of::<At>() + sources
    }
}

/// Which values are not missing; `None` when all are there.
fn present(values: &ArrayRef) -> Result<Option<NullBuffer>> {
    let numbers = match values.data_type() {
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>().values();
            values
                .iter()
                .any(|value| value.is_nan())
                .then(|| values.iter().map(|value| !value.is_nan()).collect())
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>().values();
            values
                .iter()
                .any(|value| value.is_nan())
                .then(|| values.iter().map(|value| !value.is_nan()).collect())
        }
        _ => None,
    };
    Ok(NullBuffer::union(values.logical_nulls().as_ref(), numbers.as_ref()))
}

/// Views hold on to the buffers of the whole batch they come from; these are cut to what they show.
fn compact(values: ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Utf8View => Arc::new(values.as_string_view().gc()),
        DataType::BinaryView => Arc::new(values.as_binary_view().gc()),
        _ => values,
    }
}
