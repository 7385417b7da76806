//! Questions about numbers: finite, infinite, not a number, negative. Missing is not a number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Float32Type, Float64Type};

use super::super::operand::{argument, bits, column, present, primitive, unexpected, with_integer};
use super::super::promote::{describe, mismatch};
use super::super::{Operand, Operator, Typed};
use crate::error::{Result, misused};
use crate::plan::DType;

#[derive(Clone, Copy, PartialEq)]
pub enum Question {
    Finite,
    Infinite,
    Nan,
    Negative,
}

pub struct Predicate {
    pub name: &'static str,
    pub question: Question,
}

impl Operator for Predicate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [a] if a.dtype.is_numeric() || a.dtype == DType::Bool => Ok(DType::Bool),
            [a] => Err(mismatch(
                format!("`{}` of {} is not defined", self.name, describe(a)),
                "Use `.isna()` for missing values of any type",
            )),
            _ => Err(misused(format!("`{}` takes one argument", self.name))),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let operand = argument(args, 0)?;
        let dtype = operand.dtype();
        let array = column(operand, &dtype, rows)?;
        let all = || BooleanBuffer::new_set(rows);
        let found = match (self.question, &dtype) {
            (Question::Nan, _) => present(&array)?.map_or_else(|| BooleanBuffer::new_unset(rows), |p| !&p),
            (question, DType::Float64) => real(primitive::<Float64Type>(&array)?.values(), question),
            (question, DType::Float32) => {
                let values = primitive::<Float32Type>(&array)?.values();
                match question {
                    Question::Negative => bits(values, f32::is_sign_negative),
                    Question::Infinite => bits(values, f32::is_infinite),
                    _ => bits(values, f32::is_finite),
                }
            }
            (Question::Finite, _) => all(),
            (Question::Negative, dtype) if dtype.is_signed() => with_integer!(dtype, T => {
                let zero = <T as ArrowPrimitiveType>::Native::default();
                bits(primitive::<T>(&array)?.values(), |v| v < zero)
            }, return Err(unexpected(array.data_type(), "numbers"))),
            _ => BooleanBuffer::new_unset(rows),
        };
        let found = match array.nulls() {
            Some(nulls) if self.question != Question::Nan => &found & nulls.inner(),
            _ => found,
        };
        Ok(Arc::new(BooleanArray::new(found, None)))
    }
}

fn real(values: &[f64], question: Question) -> BooleanBuffer {
    match question {
        Question::Negative => bits(values, f64::is_sign_negative),
        Question::Infinite => bits(values, f64::is_infinite),
        _ => bits(values, f64::is_finite),
    }
}
