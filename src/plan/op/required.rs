//! `required(x, message)`: `x` itself, or the end of the run with that message where a value is missing;
//! `required(x, message, condition)`: or where the condition is not true.

use arrow::array::{Array, ArrayRef};

use super::super::dtype::DType;
use super::super::expr::Literal;
use super::logic::truth;
use super::operand::{argument, column};
use super::{Operand, Operator, Typed, failed};
use crate::error::{Result, misused};

pub struct Required;

impl Operator for Required {
    fn name(&self) -> &'static str {
        "required"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [value, Typed { literal: Some(Literal::Str(_)), .. }] => Ok(value.dtype.clone()),
            [value, Typed { literal: Some(Literal::Str(_)), .. }, Typed { dtype: DType::Bool, .. }] => {
                Ok(value.dtype.clone())
            }
            _ => Err(misused("`required` takes a value, a message, and perhaps a condition")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let values = column(argument(args, 0)?, dtype, rows)?;
        let held = match args.get(2) {
            Some(condition) => truth(condition, rows)?.count_set_bits() == rows,
            None => true,
        };
        match argument(args, 1)? {
            Operand::Literal(Literal::Str(message)) if !held || values.logical_null_count() > 0 => {
                Err(failed(message.clone()))
            }
            _ => Ok(values),
        }
    }
}
