//! `where(condition, a, b)`: one of two values, row by row.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::kernels::zip::zip;

use super::super::dtype::DType;
use super::logic::truth;
use super::maths::Value;
use super::operand::argument;
use super::promote::{common, describe, mismatch};
use super::{Operand, Operator, Typed};
use crate::error::{Result, misused};

/// `a` where the condition is True, else `b`; a missing condition is not True.
pub struct Where;

impl Operator for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [condition, a, b] = args else {
            return Err(misused("`where` takes a condition and two values"));
        };
        if condition.dtype != DType::Bool {
            return Err(mismatch(
                format!("the condition of `where` is {}", describe(condition)),
                "Pass a boolean condition, e.g. a comparison",
            ));
        }
        common(a, b, "`where`")
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let condition = BooleanArray::new(truth(argument(args, 0)?, rows)?, None);
        let a = Value::new(argument(args, 1)?, dtype, rows)?;
        Ok(zip(&condition, &a, &Value::new(argument(args, 2)?, dtype, rows)?)?)
    }
}
