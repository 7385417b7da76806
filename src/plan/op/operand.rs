//! What kernels share: constants as arrays, arguments in the type they are computed in, loops over values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, PrimitiveArray,
    StringViewArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::promote::{as_integer, bare, fits, is_missing};
use super::{Operand, time};
use crate::error::{Error, Result};

/// Runs `$body` with `$t` as the Arrow type of a numeric `DType`, or `$other`.
macro_rules! with_number {
    ($dtype:expr, $t:ident => $body:expr, $other:expr) => {
        match $dtype {
            DType::Float32 => { type $t = arrow::datatypes::Float32Type; $body }
            DType::Float64 => { type $t = arrow::datatypes::Float64Type; $body }
            integer => crate::plan::op::operand::with_integer!(integer, $t => $body, $other),
        }
    };
}

/// Runs `$body` with `$t` as the Arrow type of an integer `DType`, or `$other`.
macro_rules! with_integer {
    ($dtype:expr, $t:ident => $body:expr, $other:expr) => {
        match $dtype {
            DType::Int8 => {
                type $t = arrow::datatypes::Int8Type;
                $body
            }
            DType::Int16 => {
                type $t = arrow::datatypes::Int16Type;
                $body
            }
            DType::Int32 => {
                type $t = arrow::datatypes::Int32Type;
                $body
            }
            DType::Int64 => {
                type $t = arrow::datatypes::Int64Type;
                $body
            }
            DType::UInt8 => {
                type $t = arrow::datatypes::UInt8Type;
                $body
            }
            DType::UInt16 => {
                type $t = arrow::datatypes::UInt16Type;
                $body
            }
            DType::UInt32 => {
                type $t = arrow::datatypes::UInt32Type;
                $body
            }
            DType::UInt64 => {
                type $t = arrow::datatypes::UInt64Type;
                $body
            }
            _ => $other,
        }
    };
}

pub(crate) use {with_integer, with_number};

impl Operand {
    pub fn dtype(&self) -> DType {
        match self {
            Operand::Array(array) => DType::from_arrow(array.data_type()),
            Operand::Literal(literal) => literal.dtype(),
        }
    }
}

pub fn argument(args: &[Operand], position: usize) -> Result<&Operand> {
    args.get(position).ok_or_else(|| Error::internal("an operator was called with too few arguments"))
}

pub fn arrow_type(dtype: &DType) -> Result<DataType> {
    dtype.arrow().ok_or_else(|| Error::internal(format!("columns of type {dtype} cannot be computed with")))
}

pub fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| unexpected(array.data_type(), &T::DATA_TYPE.to_string()))
}

pub fn booleans(array: &dyn Array) -> Result<&BooleanArray> {
    array.as_boolean_opt().ok_or_else(|| unexpected(array.data_type(), "booleans"))
}

pub fn strings(array: &dyn Array) -> Result<&StringViewArray> {
    array.as_string_view_opt().ok_or_else(|| unexpected(array.data_type(), "string views"))
}

pub fn unexpected(found: &DataType, wanted: &str) -> Error {
    Error::internal(format!("a kernel for {wanted} was given an array of {found}"))
}

/// An argument as a whole column of `dtype`.
pub fn column(operand: &Operand, dtype: &DType, rows: usize) -> Result<ArrayRef> {
    match operand {
        Operand::Array(array) => convert(array, dtype),
        Operand::Literal(literal) => constant(literal, dtype, rows),
    }
}

/// Widens an array to `dtype`; only for conversions that promotion allows.
pub fn convert(array: &ArrayRef, dtype: &DType) -> Result<ArrayRef> {
    let wanted = arrow_type(dtype)?;
    if *array.data_type() == wanted { Ok(array.clone()) } else { Ok(cast(array, &wanted)?) }
}

/// Either side of a two-argument kernel.
pub enum Side<T: ArrowPrimitiveType> {
    Column(PrimitiveArray<T>),
    Scalar(Option<T::Native>),
}

pub fn side<T: ArrowPrimitiveType>(operand: &Operand, dtype: &DType) -> Result<Side<T>> {
    Ok(match operand {
        Operand::Array(array) => Side::Column(primitive::<T>(&convert(array, dtype)?)?.clone()),
        Operand::Literal(literal) => {
            let one = constant(literal, dtype, 1)?;
            let one = primitive::<T>(&one)?;
            Side::Scalar(one.is_valid(0).then(|| one.value(0)))
        }
    })
}

/// Applies a function that cannot fail to both sides; missing where either is.
pub fn apply<T: ArrowPrimitiveType>(
    a: &Side<T>,
    b: &Side<T>,
    rows: usize,
    f: impl Fn(T::Native, T::Native) -> T::Native,
) -> Result<PrimitiveArray<T>> {
    Ok(match (a, b) {
        (Side::Column(a), Side::Column(b)) => arrow::compute::binary(a, b, f)?,
        (Side::Column(a), Side::Scalar(Some(b))) => a.unary(|a| f(a, *b)),
        (Side::Scalar(Some(a)), Side::Column(b)) => b.unary(|b| f(*a, b)),
        (Side::Scalar(Some(a)), Side::Scalar(Some(b))) => PrimitiveArray::from_value(f(*a, *b), rows),
        _ => PrimitiveArray::new_null(rows),
    })
}

/// As [`apply`], for a function that refuses some values; it is called for rows without missing values only.
pub fn try_apply<T: ArrowPrimitiveType>(
    a: &Side<T>,
    b: &Side<T>,
    rows: usize,
    f: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<PrimitiveArray<T>> {
    let f = |a, b| f(a, b).map_err(arrow::error::ArrowError::from);
    Ok(match (a, b) {
        (Side::Column(a), Side::Column(b)) => arrow::compute::try_binary(a, b, f)?,
        (Side::Column(a), Side::Scalar(Some(b))) => a.try_unary(|a| f(a, *b))?,
        (Side::Scalar(Some(a)), Side::Column(b)) => b.try_unary(|b| f(*a, b))?,
        (Side::Scalar(Some(a)), Side::Scalar(Some(b))) if rows > 0 => {
            PrimitiveArray::from_value(f(*a, *b)?, rows)
        }
        _ => PrimitiveArray::new_null(rows),
    })
}

/// One bit per value.
pub fn bits<V: Copy>(values: &[V], test: impl Fn(V) -> bool) -> BooleanBuffer {
    let (blocks, rest) = values.as_chunks::<WORD>();
    let last =
        (!rest.is_empty()).then(|| rest.iter().rev().fold(0, |word, v| word << 1 | u64::from(test(*v))));
    let words: Vec<u64> = blocks.iter().map(|block| word(|i| test(block[i]))).chain(last).collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}

/// One bit per pair of values.
pub fn bits_of_pairs<V: Copy, W: Copy>(a: &[V], b: &[W], test: impl Fn(V, W) -> bool) -> BooleanBuffer {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<WORD>(), b.as_chunks::<WORD>());
    let pairs = a_rest.iter().zip(b_rest);
    let last =
        (!a_rest.is_empty()).then(|| pairs.rev().fold(0, |word, (a, b)| word << 1 | u64::from(test(*a, *b))));
    let blocks = a_blocks.iter().zip(b_blocks).map(|(a, b)| word(|i| test(a[i], b[i])));
    let words: Vec<u64> = blocks.chain(last).collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, a.len().min(b.len()))
}

const WORD: usize = 64;

/// 64 answers as a word. As bytes first: that the compiler makes a few vector operations of.
#[inline(always)]
fn word(test: impl Fn(usize) -> bool) -> u64 {
    let mut bytes = [0u8; WORD];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from(test(i));
    }
    let (eights, _) = bytes.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| {
        // The multiplication gathers the lowest bits of eight bytes in the highest byte, the first one lowest.
        word << 8 | u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// Where an array has a value: no null, and no NaN in a float column. `None`: everywhere.
pub fn present(array: &dyn Array) -> Result<Option<BooleanBuffer>> {
    let nan_free = match array.data_type() {
        DataType::Null => return Ok(Some(BooleanBuffer::new_unset(array.len()))),
        DataType::Float64 => Some(bits(primitive::<Float64Type>(array)?.values(), |v| !v.is_nan())),
        DataType::Float32 => Some(bits(primitive::<Float32Type>(array)?.values(), |v| !v.is_nan())),
        _ => None,
    };
    let valid = array.nulls().filter(|nulls| nulls.null_count() > 0).map(NullBuffer::inner);
    Ok(match (nan_free, valid) {
        (Some(a), Some(b)) => Some(&a & b),
        (a, b) => a.or_else(|| b.cloned()),
    })
}

/// A constant column. The value must fit the type; a missing one fits every type.
pub fn constant(literal: &Literal, dtype: &DType, rows: usize) -> Result<ArrayRef> {
    let wanted = arrow_type(dtype)?;
    let value = bare(literal);
    let wrong = || Error::internal(format!("a constant of type {} cannot be a {dtype}", literal.dtype()));
    if matches!(value, Literal::Null) || (is_missing(value) && !dtype.is_float()) {
        return Ok(new_null_array(&wanted, rows));
    }
    let integer = match value {
        Literal::Float(v) if v.fract() == 0.0 && v.abs() < 1e19 => Some(*v as i128),
        other => as_integer(other),
    };
    fn repeat<T: ArrowPrimitiveType>(v: T::Native, rows: usize) -> PrimitiveArray<T> {
        PrimitiveArray::from_value(v, rows)
    }
    Ok(match (dtype, value) {
        (DType::Float64, Literal::Float(v)) => Arc::new(repeat::<Float64Type>(*v, rows)),
        (DType::Float32, Literal::Float(v)) => Arc::new(repeat::<Float32Type>(*v as f32, rows)),
        (DType::Float64, _) => Arc::new(repeat::<Float64Type>(integer.ok_or_else(wrong)? as f64, rows)),
        (DType::Float32, _) => Arc::new(repeat::<Float32Type>(integer.ok_or_else(wrong)? as f32, rows)),
        (DType::Bool, Literal::Bool(v)) => {
            let bits = if *v { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
            Arc::new(BooleanArray::new(bits, None))
        }
        (dtype, _) if dtype.is_integer() => {
            let v = integer.filter(|v| fits(*v, dtype)).ok_or_else(wrong)?;
            with_integer!(dtype, T => Arc::new(repeat::<T>(v as <T as ArrowPrimitiveType>::Native, rows)),
                return Err(wrong()))
        }
        (DType::Str, Literal::Str(text)) => {
            Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(text, rows)))
        }
        (DType::Binary, Literal::Str(text)) => {
            Arc::new(BinaryViewArray::from_iter_values(std::iter::repeat_n(text.as_bytes(), rows)))
        }
        (DType::Binary, Literal::Bytes(bytes)) => {
            Arc::new(BinaryViewArray::from_iter_values(std::iter::repeat_n(bytes, rows)))
        }
        (DType::Decimal(precision, scale), Literal::Decimal(v, _, from)) if scale == from => {
            Arc::new(repeat::<Decimal128Type>(*v, rows).with_precision_and_scale(*precision, *scale)?)
        }
        (DType::Date, Literal::Date(days)) => Arc::new(repeat::<Date32Type>(*days, rows)),
        (DType::Timestamp(unit, tz), _) => {
            let (value, from) = match value {
                Literal::Timestamp(value, from, _) => (*value, *from),
                Literal::Str(text) => time::parse(text, tz.as_deref())?,
                _ => return Err(wrong()),
            };
            let value = time::rescale(value, from, *unit).ok_or_else(|| time::overflow("a constant"))?;
            instants(repeat::<Int64Type>(value, rows), *unit, tz.as_deref())
        }
        (DType::Duration(unit), Literal::Duration(value, from)) => {
            let value = time::rescale(*value, *from, *unit).ok_or_else(|| time::overflow("a constant"))?;
            spans(repeat::<Int64Type>(value, rows), *unit)
        }
        _ => return Err(wrong()),
    })
}

/// Counts of a unit since 1970 as timestamps, without a copy.
pub fn instants(values: PrimitiveArray<Int64Type>, unit: Unit, tz: Option<&str>) -> ArrayRef {
    fn of<T: ArrowTimestampType>(values: PrimitiveArray<Int64Type>, tz: Option<&str>) -> ArrayRef {
        Arc::new(values.reinterpret_cast::<T>().with_timezone_opt(tz))
    }
    match unit {
        Unit::Second => of::<TimestampSecondType>(values, tz),
        Unit::Milli => of::<TimestampMillisecondType>(values, tz),
        Unit::Micro => of::<TimestampMicrosecondType>(values, tz),
        Unit::Nano => of::<TimestampNanosecondType>(values, tz),
    }
}

/// Counts of a unit as durations, without a copy.
pub fn spans(values: PrimitiveArray<Int64Type>, unit: Unit) -> ArrayRef {
    match unit {
        Unit::Second => Arc::new(values.reinterpret_cast::<DurationSecondType>()),
        Unit::Milli => Arc::new(values.reinterpret_cast::<DurationMillisecondType>()),
        Unit::Micro => Arc::new(values.reinterpret_cast::<DurationMicrosecondType>()),
        Unit::Nano => Arc::new(values.reinterpret_cast::<DurationNanosecondType>()),
    }
}

/// Timestamps or durations as the plain counts they are stored as, without a copy.
pub fn counts(array: &dyn Array) -> Result<PrimitiveArray<Int64Type>> {
    macro_rules! counts {
        ($($arrow:pat => $t:ty,)*) => {
            match array.data_type() {
                $($arrow => Ok(primitive::<$t>(array)?.reinterpret_cast::<Int64Type>()),)*
                other => Err(unexpected(other, "times")),
            }
        };
    }
    counts! {
        DataType::Timestamp(TimeUnit::Second, _) => TimestampSecondType,
        DataType::Timestamp(TimeUnit::Millisecond, _) => TimestampMillisecondType,
        DataType::Timestamp(TimeUnit::Microsecond, _) => TimestampMicrosecondType,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => TimestampNanosecondType,
        DataType::Duration(TimeUnit::Second) => DurationSecondType,
        DataType::Duration(TimeUnit::Millisecond) => DurationMillisecondType,
        DataType::Duration(TimeUnit::Microsecond) => DurationMicrosecondType,
        DataType::Duration(TimeUnit::Nanosecond) => DurationNanosecondType,
    }
}
