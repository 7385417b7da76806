//! `count`, the values that are not missing, and `size`, the rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};

use super::kernel::{Number, argument, column, grow, primitive, run};
use super::{Aggregate, Batch, Reduce, one_argument};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

pub struct Count;

impl Aggregate for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        one_argument(self, args).map(|_| DType::Int64)
    }

    fn state_types(&self, _args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int64])
    }

    fn create(&self, args: &[DType], _params: &Params) -> Result<Box<dyn Reduce>> {
        let what = match one_argument(self, args)? {
            DType::Float32 => What::Float32,
            DType::Float64 => What::Float64,
            _ => What::NotNull,
        };
        Ok(Box::new(Counts { what, counts: Vec::new() }))
    }
}

pub struct Size;

impl Aggregate for Size {
    fn name(&self) -> &'static str {
        "size"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match args {
            [] => Ok(DType::Int64),
            _ => Err(not_decomposable("`size` counts rows and takes no column")
                .hint("Use `count` to count a column's values")),
        }
    }

    fn state_types(&self, _args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int64])
    }

    fn create(&self, _args: &[DType], _params: &Params) -> Result<Box<dyn Reduce>> {
        Ok(Box::new(Counts { what: What::Rows, counts: Vec::new() }))
    }
}

enum What {
    Rows,
    NotNull,
    Float32,
    Float64,
}

struct Counts {
    what: What,
    counts: Vec<i64>,
}

impl Reduce for Counts {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let groups = batch.groups;
        grow(&mut self.counts, batch.num_groups, 0);
        if batch.args.first().is_some_and(|column| column.len() != groups.len()) {
            return Err(Error::internal("a column and its group numbers differ in length"));
        }
        // Where only the nulls matter, the group numbers stand in for the values.
        let counts = &mut self.counts;
        match self.what {
            What::Rows => run(counts, groups, groups, None, |count, _, _| *count += 1),
            What::NotNull => {
                let nulls = argument(&batch, 0)?.logical_nulls();
                run(counts, groups, groups, nulls.as_ref(), |count, _, valid| *count += i64::from(valid))
            }
            What::Float32 => {
                let values = primitive::<Float32Type>(argument(&batch, 0)?)?;
                run(counts, groups, values.values(), values.nulls(), present)
            }
            What::Float64 => {
                let values = primitive::<Float64Type>(argument(&batch, 0)?)?;
                run(counts, groups, values.values(), values.nulls(), present)
            }
        }
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int64Array::from(std::mem::take(&mut self.counts)))])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        let counts = primitive::<Int64Type>(column(state, 0)?)?;
        grow(&mut self.counts, num_groups, 0);
        run(&mut self.counts, groups, counts.values(), None, |count, more, _| *count += more)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        let mut counts = std::mem::take(&mut self.counts);
        counts.resize(num_groups, 0);
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }

    fn is_flat(&self) -> bool {
        true
    }
}

#[inline(always)]
fn present<T: Number>(count: &mut i64, value: T, valid: bool) {
    *count += i64::from(valid & !value.is_missing());
}
