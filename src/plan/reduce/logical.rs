//! `any` and `all`: whether a group holds a value that is true, or none that is not.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int8Array};
use arrow::datatypes::{DataType, Int8Type, Int64Type};

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

    fn infer(&self, args: &[DType], params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            // A missing value is as good as true, but pandas' own missing boolean is not.
            DType::Bool if !params.skipna => Err(not_decomposable(format!(
                "`{}` of booleans with `skipna=False` is not native",
                self.name()
            ))
            .hint("Fill the missing ones first: `fillna(True)`")),
            DType::Bool | DType::Null | DType::Str | DType::Duration(_) => Ok(DType::Bool),
            dtype if dtype.is_numeric() => Ok(DType::Bool),
            dtype => Err(not_decomposable(format!(
                "`{}` over a column of type {dtype} is not supported",
                self.name()
            ))
            .hint("Compare the column first, so that it is of booleans")),
        }
    }

    fn keeps_missing(&self) -> bool {
        true
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
        Ok(Box::new(Truth { dtype, empty: ALL, missing: (!params.skipna).then_some(1), extremes }))
    }
}

struct Truth {
    dtype: DType,
    /// The answer for a group without values.
    empty: bool,
    /// What a missing value counts as, if it counts.
    missing: Option<i8>,
    extremes: Box<dyn Reduce>,
}

impl Reduce for Truth {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let column = argument(&batch, 0)?;
        let missing = self.missing;
        let truth: Int8Array = match &self.dtype {
            DType::Str => column
                .as_string_view()
                .iter()
                .map(|text| text.map(|text| i8::from(!text.is_empty())).or(missing))
                .collect(),
            DType::Duration(_) => primitive::<Int64Type>(column)?
                .iter()
                .map(|value| value.map(|value| i8::from(value != 0)).or(missing))
                .collect(),
            dtype => with_number!(
                dtype,
                T => primitive::<T>(column)?
                    .iter()
                    .map(|value| {
                        let value = value.filter(|value| !value.is_missing());
                        value.map(|value| i8::from(value.float() != 0.0)).or(missing)
                    })
                    .collect(),
                _ => return Err(Error::internal("`any` or `all` was created for a type it refuses"))
            ),
        };
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
