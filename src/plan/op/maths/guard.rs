//! What the functions of single values need: a value on one path of a function only, and a failure on another.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::nullif;

use super::super::logic::truth;
use super::super::operand::{argument, column};
use super::super::promote::{describe, mismatch};
use super::super::{Operand, Operator, Typed, failed};
use crate::error::{Error, Result, misused};
use crate::plan::{DType, Literal};

/// `given(x, condition)`: `x` where the condition is True, else missing; the type is that of `x`.
pub struct Given;

impl Operator for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [x, condition] if condition.dtype == DType::Bool => Ok(x.dtype.clone()),
            [_, condition] => Err(mismatch(
                format!("the condition of `given` is {}", describe(condition)),
                "Pass a boolean condition",
            )),
            _ => Err(misused("`given` takes a value and a condition")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, dtype, rows)?;
        let condition = truth(argument(args, 1)?, rows)?;
        if condition.count_set_bits() == rows || *array.data_type() == arrow::datatypes::DataType::Null {
            return Ok(array);
        }
        Ok(nullif(&array, &BooleanArray::new(!&condition, None))?)
    }
}

/// `ensure(x, condition, "message")`: `x`, and a failure of the operation if the condition is not True in any row.
pub struct Ensure;

impl Operator for Ensure {
    fn name(&self) -> &'static str {
        "ensure"
    }

    fn display(&self, args: &[String]) -> String {
        args.first().cloned().unwrap_or_default()
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [x, condition, message]
                if condition.dtype == DType::Bool && matches!(message.literal, Some(Literal::Str(_))) =>
            {
                Ok(x.dtype.clone())
            }
            _ => Err(misused("`ensure` takes a value, a condition and a message")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let Operand::Literal(Literal::Str(message)) = argument(args, 2)? else {
            return Err(Error::internal("`ensure` was called without a message"));
        };
        let condition = truth(argument(args, 1)?, rows)?;
        if condition.count_set_bits() < rows {
            return Err(failed(message.clone()));
        }
        let array: Arc<dyn Array> = column(argument(args, 0)?, dtype, rows)?;
        Ok(array)
    }
}
