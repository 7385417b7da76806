//! How many values a list has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, Int64Array};

use super::{Operand, Operator, Typed, item_of, lists};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::op::failed;

pub struct Len {
    pub name: &'static str,
    /// int64, or int32.
    pub dtype: DType,
}

impl Operator for Len {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        item_of(args, "the length of lists")?;
        Ok(self.dtype.clone())
    }

    fn eval(&self, args: &[Operand], _: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let lengths = lists.value_offsets().windows(2).map(|ends| ends[1] - ends[0]);
        let nulls = lists.nulls().cloned();
        if self.dtype == DType::Int64 {
            return Ok(Arc::new(Int64Array::new(lengths.collect(), nulls)));
        }
        let narrow = lengths.map(|length| {
            i32::try_from(length).map_err(|_| failed("a list of more than 2^31 values".into()))
        });
        Ok(Arc::new(Int32Array::new(narrow.collect::<Result<Vec<_>>>()?.into(), nulls)))
    }
}
