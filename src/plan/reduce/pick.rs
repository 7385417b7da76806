//! Aggregates that pick one of a group's rows by its position: `first` and `last` (the first and last
//! value that is not missing), `row_first` and `row_last` (missing or not).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};

use super::kept::Kept;
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

    fn keeps_missing(&self) -> bool {
        true
    }

    fn state_types(&self, args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int64, super::arrow_type(one_argument(self, args)?)?])
    }

    fn create(&self, args: &[DType], _params: &Params) -> Result<Box<dyn Reduce>> {
        let kept = Kept::new(one_argument(self, args)?);
        Ok(Box::new(Picked { last: LAST, missing: MISSING, best: Vec::new(), kept }))
    }
}

/// For each group the best position so far, and its row.
struct Picked {
    last: bool,
    missing: bool,
    best: Vec<i64>,
    kept: Kept,
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
        check(groups, values.len(), self.best.len())?;
        if positions.len() != groups.len() {
            return Err(Error::internal("an ordered aggregate needs one position a row"));
        }
        let (last, bests) = (self.last, &mut self.best);
        self.kept.offer(values, groups, num_groups, |group, row| {
            let (best, position) = (&mut bests[group], positions[row]);
            let better = if last { position > *best } else { position < *best };
            let better = better && eligible.is_none_or(|eligible| eligible.is_valid(row));
            if better {
                *best = position;
            }
            better
        })
    }

    fn take(&mut self, num_groups: usize) -> Result<(ArrayRef, Vec<i64>)> {
        Ok((self.kept.take(num_groups)?, std::mem::take(&mut self.best)))
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
        let (values, best) = self.take(self.best.len())?;
        let positions: Int64Array =
            best.into_iter().map(|position| (position != empty).then_some(position)).collect();
        Ok(vec![Arc::new(positions), values])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        let positions = primitive::<Int64Type>(column(state, 0)?)?;
        self.offer(column(state, 1)?, positions.values(), positions.nulls(), groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        Ok(self.take(num_groups)?.0)
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<i64>() + self.kept.size()
    }
}

/// Which values are not missing; `None` when all are there.
pub fn present(values: &ArrayRef) -> Result<Option<NullBuffer>> {
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
