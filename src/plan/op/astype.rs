//! `astype(x, "dtype")`: pandas' conversions, refusing where pandas would quietly wrap or garble floats.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{ArrowNativeType, Date32Type, Float64Type, Int64Type};

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::operand::{
    argument, bits, booleans, column, convert, counts, instants, present, primitive, spans, unexpected,
    with_integer,
};
use super::promote::{describe, integer_range, mismatch};
use super::{Operand, Operator, Typed, failed, text, time};
use crate::error::{Error, Result, misused, not_decomposable};

pub struct AsType;

/// What a dtype's name asks for.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    dtype: DType,
    /// One of pandas' masked types: missing values stay, fractions are refused.
    nullable: bool,
}

fn target(name: &str) -> Result<Target> {
    use DType::*;
    let plain = |dtype| Ok(Target { dtype, nullable: false });
    let masked = |dtype| Ok(Target { dtype, nullable: true });
    match name.trim() {
        "int" | "int64" | "i8" | "<i8" | "long" => plain(Int64),
        "int32" | "i4" | "<i4" | "intc" => plain(Int32),
        "int16" | "i2" | "<i2" | "short" => plain(Int16),
        "int8" | "i1" | "byte" => plain(Int8),
        "uint" | "uint64" | "u8" | "<u8" => plain(UInt64),
        "uint32" | "u4" | "<u4" => plain(UInt32),
        "uint16" | "u2" | "<u2" => plain(UInt16),
        "uint8" | "u1" | "ubyte" => plain(UInt8),
        "float" | "float64" | "f8" | "<f8" | "double" => plain(Float64),
        "float32" | "f4" | "<f4" | "single" => plain(Float32),
        "bool" | "?" => plain(Bool),
        "str" | "string" | "string[pyarrow]" | "string[python]" => plain(Str),
        "Int64" => masked(Int64),
        "Int32" => masked(Int32),
        "Int16" => masked(Int16),
        "Int8" => masked(Int8),
        "UInt64" => masked(UInt64),
        "UInt32" => masked(UInt32),
        "UInt16" => masked(UInt16),
        "UInt8" => masked(UInt8),
        "Float64" => masked(Float64),
        "Float32" => masked(Float32),
        "boolean" => masked(Bool),
        "category" => Err(not_decomposable("`astype(\"category\")` cannot be computed natively").hint(
            "Leave the column as it is: strings are grouped as fast, and convert the result with pandas",
        )),
        "object" | "O" => Err(not_decomposable("`astype(\"object\")` cannot be computed natively")
            .hint("Leave the column in its own type")),
        other => times(other).map(|dtype| Target { dtype, nullable: false }).ok_or_else(|| {
            not_decomposable(format!("the dtype '{}' is not supported by `astype`", time::short(other)))
                .hint("Use int8 to int64, uint8 to uint64, float32, float64, bool, str or datetime64[ns]")
        }),
    }
}

/// The type that a name means, if columns can have it.
pub fn dtype_named(name: &str) -> Option<DType> {
    target(name).ok().map(|target| target.dtype)
}

fn times(name: &str) -> Option<DType> {
    let unit = |name: &str| {
        Some(match name.trim() {
            "s" => Unit::Second,
            "ms" => Unit::Milli,
            "us" => Unit::Micro,
            "ns" => Unit::Nano,
            _ => return None,
        })
    };
    let inside = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix(']');
    if let Some(short) = inside("timedelta64[").or_else(|| inside("m8[")) {
        return unit(short).map(DType::Duration);
    }
    let inner = inside("datetime64[").or_else(|| inside("M8["))?;
    match inner.split_once(',') {
        None => Some(DType::Timestamp(unit(inner)?, None)),
        Some((short, tz)) => Some(DType::Timestamp(unit(short)?, Some(tz.trim().to_owned()))),
    }
}

fn named(literal: Option<&Literal>) -> Result<Target> {
    match literal {
        Some(Literal::Str(name)) => target(name),
        _ => Err(not_decomposable("`astype` needs the name of a dtype")
            .hint("Write it as a string, e.g. `.astype(\"float64\")`")),
    }
}

impl Operator for AsType {
    fn name(&self) -> &'static str {
        "astype"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        use DType::*;
        let [a, name] = args else { return Err(misused("`astype` takes a column and a dtype")) };
        let to = named(name.literal)?.dtype;
        let number = |dtype: &DType| dtype.is_numeric() || *dtype == Bool;
        let refuse = |hint| {
            Err(not_decomposable(format!("`astype` of {} to {to} cannot be computed natively", describe(a)))
                .hint(hint))
        };
        match (&a.dtype, &to) {
            (Opaque(_) | List(_) | Struct(_) | Binary, _) => {
                refuse("Only numbers, booleans, strings and times can be converted")
            }
            (Timestamp(_, x), Timestamp(_, y)) if x.is_some() != y.is_some() => Err(mismatch(
                format!("`astype` of {} to {to} would add or remove a time zone", describe(a)),
                "Keep the zone of the column in the dtype",
            )),
            (Null, _) => Ok(to),
            (from, to_) if number(from) && (number(to_) || *to_ == Str) => Ok(to),
            (from, Timestamp(..) | Duration(_)) if from.is_integer() => Ok(to),
            (Str, to_) if number(to_) || *to_ == Str => Ok(to),
            (Str, Timestamp(..)) => Ok(to),
            (Timestamp(..), Timestamp(..)) | (Duration(_), Duration(_)) | (Date, Timestamp(_, None)) => {
                Ok(to)
            }
            (Timestamp(..) | Duration(_), Int64 | Bool) => Ok(to),
            (Decimal(..), Float64 | Float32) | (Date, Str) => Ok(to),
            (Timestamp(..) | Duration(_), Str) => refuse(
                "How pandas writes times depends on all values of the column; keep the times as they are",
            ),
            (Timestamp(..) | Duration(_), to_) if number(to_) => Err(mismatch(
                format!("converting {} to {to} is not supported", describe(a)),
                "Use `.astype(\"int64\")` first",
            )),
            _ => refuse("Convert in two steps, e.g. `.astype(\"float64\")` first"),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let Operand::Literal(name) = argument(args, 1)? else {
            return Err(Error::internal("`astype` was called without a dtype"));
        };
        let Target { dtype: to, nullable } = named(Some(name))?;
        let operand = argument(args, 0)?;
        let from = operand.dtype();
        let array = column(operand, &from, rows)?;
        match &to {
            _ if from == DType::Null => nothing(&array, &to, nullable),
            DType::Bool => truth(&array, &from, nullable),
            DType::Str => text::write(&array, &from),
            DType::Float32 | DType::Float64 => match from {
                DType::Str => convert(&text::read_floats(&array)?, &to),
                DType::Decimal(..) => convert(&text::decimals(&array)?, &to),
                _ => convert(&array, &to),
            },
            DType::Timestamp(unit, tz) => {
                let values = moments(&array, &from, &to, *unit)?;
                Ok(instants(values, *unit, tz.as_deref()))
            }
            DType::Duration(unit) => Ok(spans(moments(&array, &from, &to, *unit)?, *unit)),
            to => integers(&array, &from, to, nullable),
        }
    }
}

fn missing_to_integer(to: &DType) -> Error {
    failed(format!("cannot convert missing or infinite values to {to}"))
        .hint("Use `.fillna(...)` or drop those rows first, or a masked type such as \"Int64\"")
}

fn nothing(array: &ArrayRef, to: &DType, nullable: bool) -> Result<ArrayRef> {
    if to.is_integer() && !nullable && !array.is_empty() {
        return Err(missing_to_integer(to));
    }
    if *to == DType::Bool && !nullable {
        return Ok(Arc::new(BooleanArray::new(BooleanBuffer::new_unset(array.len()), None)));
    }
    super::operand::constant(&Literal::Null, to, array.len())
}

/// A missing number or string is True in pandas, as NaN is; a missing boolean is None, which is False.
fn truth(array: &ArrayRef, from: &DType, nullable: bool) -> Result<ArrayRef> {
    let set = match from {
        DType::Bool => booleans(array)?.values().clone(),
        DType::Str => {
            let array = super::operand::strings(array)?;
            BooleanBuffer::collect_bool(array.len(), |row| array.is_null(row) || !array.value(row).is_empty())
        }
        DType::Timestamp(..) | DType::Duration(_) => bits(counts(array)?.values(), |v| v != 0),
        from if from.is_float() => {
            bits(primitive::<Float64Type>(&convert(array, &DType::Float64)?)?.values(), |v| v != 0.0)
        }
        from => with_integer!(from, T => {
            bits(primitive::<T>(array)?.values(), |v| v.as_usize() != 0)
        }, return Err(unexpected(array.data_type(), "booleans"))),
    };
    let Some(present) = present(array)? else { return Ok(Arc::new(BooleanArray::new(set, None))) };
    if nullable {
        return Ok(Arc::new(BooleanArray::new(set, Some(present.into()))));
    }
    let set = if *from == DType::Bool { &set & &present } else { &set | &!&present };
    Ok(Arc::new(BooleanArray::new(set, None)))
}

fn integers(array: &ArrayRef, from: &DType, to: &DType, nullable: bool) -> Result<ArrayRef> {
    if matches!(from, DType::Timestamp(..) | DType::Duration(_)) {
        // The number that NaT is stored as.
        let values = counts(array)?;
        return Ok(Arc::new(Int64Array::from_iter_values(values.iter().map(|v| v.unwrap_or(i64::MIN)))));
    }
    if !nullable && present(array)?.is_some_and(|present| present.count_set_bits() < present.len()) {
        return Err(missing_to_integer(to));
    }
    let (low, high) =
        integer_range(to).ok_or_else(|| Error::internal(format!("{to} is not an integer type")))?;
    with_integer!(to, T => {
        type N = <T as ArrowPrimitiveType>::Native;
        let result: PrimitiveArray<T> = match from {
            DType::Float32 | DType::Float64 => {
                let array = convert(array, &DType::Float64)?;
                let array = primitive::<Float64Type>(&array)?;
                let one = |v: f64| -> Result<N> { Ok(whole(v, to, nullable, (low, high))? as N) };
                if nullable {
                    let one = |v: Option<f64>| v.filter(|v| !v.is_nan()).map(one).transpose();
                    array.iter().map(one).collect::<Result<_>>()?
                } else {
                    array.try_unary::<_, T, Error>(one)?
                }
            }
            DType::Str => {
                let read = |text: Option<&str>| {
                    text.map(|text| text::read_integer(text, to, (low, high)).map(|v| v as N)).transpose()
                };
                super::operand::strings(array)?.iter().map(read).collect::<Result<_>>()?
            }
            DType::Bool => {
                booleans(array)?.iter().map(|v| v.map(|v| i128::from(v) as N)).collect()
            }
            from => with_integer!(from, S => {
                let array = primitive::<S>(array)?;
                if nullable && array.iter().flatten().any(|v| !(low..=high).contains(&i128::from(v))) {
                    return Err(failed(format!("cannot convert {from} to {to}: a value is out of range")));
                }
                array.unary::<_, T>(|v| v as N)
            }, return Err(unexpected(array.data_type(), "numbers"))),
        };
        Ok(Arc::new(result))
    }, Err(Error::internal(format!("{to} is not an integer type"))))
}

/// Truncates. Where NumPy would give whatever the processor does with a value out of range, this refuses.
fn whole(v: f64, to: &DType, nullable: bool, (low, high): (i128, i128)) -> Result<i128> {
    if !v.is_finite() {
        return Err(missing_to_integer(to));
    }
    if nullable && v.fract() != 0.0 {
        return Err(failed(format!("cannot convert {v} to {to} without losing its fraction"))
            .hint("Use `.round()` first"));
    }
    let whole = v.trunc() as i128;
    if v.abs() >= 1e38 || !(low..=high).contains(&whole) {
        return Err(failed(format!("cannot convert {v} to {to}: it is out of range"))
            .hint("Use a wider type, or clip the values first"));
    }
    Ok(whole)
}

/// Times and spans as counts of `unit`; finer ones are rounded towards the past.
fn moments(array: &ArrayRef, from: &DType, to: &DType, unit: Unit) -> Result<PrimitiveArray<Int64Type>> {
    let late = || time::overflow("this conversion");
    match from {
        DType::Timestamp(own, _) | DType::Duration(own) if *own == unit => counts(array),
        DType::Timestamp(own, _) | DType::Duration(own) => counts(array)?
            .try_unary(|v| i64::try_from(time::rescale_floor(v, *own, unit).0).map_err(|_| late())),
        DType::Date => primitive::<Date32Type>(array)?.try_unary(|days| {
            (i64::from(days) * time::SECONDS_PER_DAY).checked_mul(time::per_second(unit)).ok_or_else(late)
        }),
        DType::Str => match to {
            DType::Timestamp(_, tz) => text::read_times(array, unit, tz.as_deref()),
            _ => Err(unexpected(array.data_type(), "spans")),
        },
        from if from.is_integer() => {
            let array = integers(array, from, &DType::Int64, true)?;
            array.as_primitive_opt::<Int64Type>().cloned().ok_or_else(late)
        }
        _ => Err(unexpected(array.data_type(), "times")),
    }
}
