//! `select(condition, value, ..., otherwise)`: the value of the first condition that is True, as `np.where`
//! and `np.select` choose it.

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, Scalar};
use arrow::compute::kernels::zip::zip;

use super::super::logic::truth;
use super::super::operand::{column, constant};
use super::super::promote::{as_integer, out_of_range};
use super::super::promote::{bare, describe, fits, is_missing, mismatch, promote};
use super::super::{Operand, Operator, Typed};
use crate::error::{Error, Result, misused, not_decomposable};
use crate::plan::{DType, Literal};

pub struct Select;

impl Operator for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn display(&self, args: &[String]) -> String {
        format!("select({})", args.join(", "))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        if args.len().is_multiple_of(2) {
            return Err(misused("`select` takes pairs of a condition and a value, and another value"));
        }
        let (pairs, otherwise) = args.as_chunks::<2>();
        for [condition, _] in pairs {
            if condition.dtype != DType::Bool {
                return Err(mismatch(
                    format!("a condition is {}", describe(condition)),
                    "Pass boolean conditions, e.g. comparisons",
                ));
            }
        }
        let values: Vec<_> = pairs.iter().map(|[_, value]| value).chain(otherwise).collect();
        common(&values)
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (pairs, otherwise) = args.as_chunks::<2>();
        let [otherwise] = otherwise else {
            return Err(Error::internal("`select` was called without a last value"));
        };
        let mut chosen = Value::new(otherwise, dtype, rows)?;
        for [condition, value] in pairs.iter().rev() {
            let condition = BooleanArray::new(truth(condition, rows)?, None);
            let value = Value::new(value, dtype, rows)?;
            chosen = Value::Array(zip(&condition, &value, &chosen)?);
        }
        match chosen {
            Value::Array(array) => Ok(array),
            Value::Scalar(_) => column(otherwise, dtype, rows),
        }
    }
}

/// A column, or one value for all rows.
pub enum Value {
    Array(ArrayRef),
    Scalar(Scalar<ArrayRef>),
}

impl Value {
    pub fn new(operand: &Operand, dtype: &DType, rows: usize) -> Result<Self> {
        Ok(match operand {
            Operand::Array(_) => Value::Array(column(operand, dtype, rows)?),
            Operand::Literal(literal) => Value::Scalar(Scalar::new(constant(literal, dtype, 1)?)),
        })
    }
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Value::Array(array) => array.get(),
            Value::Scalar(scalar) => scalar.get(),
        }
    }
}

/// The type of an array of these: NumPy's, in which plain numbers adapt to those of a definite width.
fn common(values: &[&Typed<'_>]) -> Result<DType> {
    let plain = |value: &Typed<'_>| match value.literal {
        Some(literal) => is_missing(literal) || !matches!(literal, Literal::Typed(..)),
        None => value.dtype == DType::Null,
    };
    let mixed = |a: &DType, b: &DType| {
        not_decomposable(format!("these values would mix {a} and {b} in one column"))
            .hint("Give all of them the same type, e.g. with `.astype(...)`")
    };
    let mut found: Option<DType> = None;
    for value in values.iter().filter(|value| !plain(value)) {
        found = Some(match found {
            None => value.dtype.clone(),
            Some(dtype) => promote(&dtype, &value.dtype).ok_or_else(|| mixed(&dtype, &value.dtype))?,
        });
    }
    for literal in values.iter().filter_map(|value| value.literal) {
        if is_missing(literal) || matches!(literal, Literal::Typed(..)) {
            continue;
        }
        found = Some(match found {
            None => literal.dtype(),
            Some(dtype) => adapt(&dtype, literal).ok_or_else(|| mixed(&dtype, &literal.dtype()))??,
        });
    }
    // A plain integer may have come before a float.
    if let Some(dtype) = &found
        && dtype.is_integer()
    {
        for literal in values.iter().filter_map(|value| value.literal) {
            if let Some(value) = as_integer(literal)
                && !fits(value, dtype)
            {
                return Err(out_of_range(value, dtype));
            }
        }
    }
    let missing = values.iter().any(|value| match value.literal {
        Some(literal) => is_missing(literal),
        None => value.dtype == DType::Null,
    });
    Ok(match found {
        None if values.iter().any(|value| value.dtype == DType::Float64) => DType::Float64,
        None => DType::Null,
        Some(dtype) if missing && dtype.is_integer() => DType::Float64,
        Some(dtype) => dtype,
    })
}

fn adapt(dtype: &DType, literal: &Literal) -> Option<Result<DType>> {
    let own = literal.dtype();
    Some(Ok(match bare(literal) {
        Literal::Bool(_) if dtype.is_numeric() => dtype.clone(),
        Literal::Int(_) | Literal::UInt(_) if *dtype == DType::Bool => own,
        Literal::Int(_) | Literal::UInt(_) if dtype.is_numeric() => dtype.clone(),
        Literal::Float(_) if dtype.is_float() => dtype.clone(),
        Literal::Float(_) if dtype.is_integer() || *dtype == DType::Bool => DType::Float64,
        _ => promote(dtype, &own)?,
    }))
}
