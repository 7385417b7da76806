//! A float as a key: NaN is a missing value like any other, and both zeros are one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Float32Type, Float64Type};

use super::{Operand, Operator, Typed};
use crate::error::{Result, misused};
use crate::plan::DType;

pub struct AsKey;

impl Operator for AsKey {
    fn name(&self) -> &'static str {
        "key"
    }

    fn display(&self, args: &[String]) -> String {
        args.join(", ")
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [only] => Ok(only.dtype.clone()),
            _ => Err(misused("`key` takes one argument")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = match args {
            [Operand::Array(array)] => array.clone(),
            [Operand::Literal(literal)] => crate::plan::eval::literal_array(literal, dtype, rows)?,
            _ => return Err(misused("`key` takes one argument")),
        };
        Ok(match array.data_type() {
            DataType::Float64 => as_key(array.as_primitive::<Float64Type>(), |v| v.is_nan(), |v| v + 0.0),
            DataType::Float32 => as_key(array.as_primitive::<Float32Type>(), |v| v.is_nan(), |v| v + 0.0),
            _ => array,
        })
    }
}

fn as_key<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    is_nan: impl Fn(T::Native) -> bool,
    one_zero: impl Fn(T::Native) -> T::Native,
) -> ArrayRef {
    let values = array.values();
    let numbers = NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |row| !is_nan(values[row])));
    let nulls = NullBuffer::union(array.nulls(), Some(&numbers));
    let values = values.iter().map(|value| one_zero(*value)).collect::<Vec<_>>();
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
}
