//! `(x, y, ...)`: a list of each row's values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;

use super::super::operand::column;
use super::{Operand, Operator, Typed, list_of};
use crate::error::{Error, Result};
use crate::plan::DType;

pub struct Make;

impl Operator for Make {
    fn name(&self) -> &'static str {
        "list_make"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [first, rest @ ..] if rest.iter().all(|arg| arg.dtype == first.dtype) => {
                Ok(DType::List(Arc::new(first.dtype.clone())))
            }
            _ => Err(Error::internal("a list of values of different types")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let DType::List(item) = dtype else { return Err(Error::internal("a list of no list's type")) };
        let columns = args.iter().map(|arg| column(arg, item, rows)).collect::<Result<Vec<_>>>()?;
        let arrays: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
        let places: Vec<(usize, usize)> =
            (0..rows).flat_map(|row| (0..arrays.len()).map(move |array| (array, row))).collect();
        let offsets = (0..=rows).map(|row| (row * args.len()) as i64).collect();
        list_of(interleave(&arrays, &places)?, offsets, None)
    }
}
