//! `any` and `all`: whether a group holds a value that is true, or none that is not.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int8Array};
use arrow::datatypes::{DataType, Int8Type};

use super::extreme::Best;
use super::kernel::{Folded, Number, argument, primitive, with_number};
use super::{Aggregate, Batch, Reduce, one_argument};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// `all`, or `any`.
pub struct Logical<const ALL: bool>;

impl<const ALL: bool> Aggregate for Logical<ALL> {
    fn name(&self) -> &'static str {
        if ALL { "all" } else { "any" }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            DType::Bool | DType::Null => Ok(DType::Bool),
            dtype if dtype.is_numeric() => Ok(DType::Bool),
            dtype => Err(not_decomposable(format!(
                "`{}` over a column of type {dtype} is not supported",
                self.name()
            ))
            .hint("Compare the column first, so that it is of booleans")),
        }
    }

    fn state_types(&self, _args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int8])
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        self.infer(args, params)?;
        let dtype = args[0].clone();
        // Over 0 and 1, `any` is the maximum and `all` the minimum.
        let extremes = if ALL {
            Folded::boxed(Best::<Int8Type, false>::default(), DataType::Boolean)
        } else {
            Folded::boxed(Best::<Int8Type, true>::default(), DataType::Boolean)
        };
        Ok(Box::new(Truth { dtype, empty: ALL, extremes }))
    }
}

struct Truth {
    dtype: DType,
    /// The answer for a group without values.
    empty: bool,
    extremes: Box<dyn Reduce>,
}

impl Reduce for Truth {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let column = argument(&batch, 0)?;
        let truth: Int8Array = with_number!(
            &self.dtype,
            T => primitive::<T>(column)?
                .iter()
                .map(|value| value.filter(|value| !value.is_missing()).map(|value| i8::from(value.float() != 0.0)))
                .collect(),
            _ => return Err(Error::internal("`any` or `all` was created for a type it refuses"))
        );
        self.extremes.update(Batch { args: &[Arc::new(truth)], ..batch })
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        self.extremes.state()
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        self.extremes.merge(state, groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        let truth = self.extremes.finish(num_groups)?;
        let filled = truth.as_boolean().iter().map(|value| Some(value.unwrap_or(self.empty)));
        Ok(Arc::new(filled.collect::<BooleanArray>()))
    }

    fn size(&self) -> usize {
        self.extremes.size()
    }
}
