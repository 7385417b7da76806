//! `kept(value, condition)`: the value where the condition is true, else missing; the type stays.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::nullif;

use super::logic::truth;
use super::operand::{argument, column};
use super::promote::mismatch;
use super::{Operand, Operator, Typed};
use crate::error::{Result, misused};
use crate::plan::DType;

pub struct Kept;

impl Operator for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn display(&self, args: &[String]) -> String {
        args.join(" where ")
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [value, condition] = args else {
            return Err(misused("`kept` takes a value and a condition"));
        };
        if condition.dtype != DType::Bool {
            return Err(mismatch("the condition of `kept` is no boolean".to_owned(), "Compare something"));
        }
        Ok(value.dtype.clone())
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let values = match argument(args, 0)? {
            Operand::Array(array) => array.clone(),
            literal => column(literal, dtype, rows)?,
        };
        let gone = BooleanArray::new(!&truth(argument(args, 1)?, rows)?, None);
        debug_assert_eq!(gone.len(), rows);
        Ok(nullif(&values, &gone)?)
    }
}
