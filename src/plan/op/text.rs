//! Values to text and back, as Python writes and reads them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, PrimitiveArray, StringViewBuilder};
use arrow::datatypes::{Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, Int64Type};

use super::super::dtype::{DType, Unit};
use super::operand::{booleans, primitive, strings, unexpected, with_integer};
use super::{failed, time};
use crate::error::{Error, Result};

/// A column as strings; what is missing stays missing.
pub fn write(array: &ArrayRef, from: &DType) -> Result<ArrayRef> {
    Ok(match from {
        DType::Str => array.clone(),
        DType::Bool => {
            build(booleans(array)?.iter(), |text, v| text.push_str(if v { "True" } else { "False" }))
        }
        DType::Float64 => {
            let values = primitive::<Float64Type>(array)?.iter();
            build(values.map(|v| v.filter(|v| !v.is_nan())), |text, v| {
                float(text, v.is_sign_negative(), &format!("{:e}", v.abs()), 16);
            })
        }
        DType::Float32 => {
            let values = primitive::<Float32Type>(array)?.iter();
            build(values.map(|v| v.filter(|v| !v.is_nan())), |text, v| {
                // NumPy compares with 1e-4 as a double, which float32's own 1e-4 lies just below.
                let limit = if f64::from(v.abs()) < 1e-4 { i32::MIN } else { 6 };
                float(text, v.is_sign_negative(), &format!("{:e}", v.abs()), limit);
            })
        }
        DType::Date => build(primitive::<Date32Type>(array)?.iter(), |text, days| {
            let (year, month, day) = time::civil(i64::from(days));
            _ = write!(text, "{year:04}-{month:02}-{day:02}");
        }),
        from => with_integer!(from, T => {
            build(primitive::<T>(array)?.iter(), |text, v| _ = write!(text, "{v}"))
        }, return Err(unexpected(array.data_type(), "text"))),
    })
}

fn build<V>(values: impl Iterator<Item = Option<V>>, write: impl Fn(&mut String, V)) -> ArrayRef {
    let mut built = StringViewBuilder::with_capacity(values.size_hint().0);
    let mut text = String::new();
    for value in values {
        match value {
            Some(value) => {
                text.clear();
                write(&mut text, value);
                built.append_value(&text);
            }
            None => built.append_null(),
        }
    }
    Arc::new(built.finish())
}

/// Python's layout of a float from its shortest digits in scientific notation: positional between 1e-4
/// and 10 to the power of `limit`.
fn float(text: &mut String, negative: bool, scientific: &str, limit: i32) {
    if negative {
        text.push('-');
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        text.push_str(scientific);
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if digits == "0" {
        text.push_str("0.0");
    } else if (-4..limit).contains(&exponent) {
        if exponent < 0 {
            text.push_str("0.");
            text.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
            text.push_str(&digits);
            return;
        }
        let whole = exponent.unsigned_abs() as usize + 1;
        if digits.len() <= whole {
            text.push_str(&digits);
            text.extend(std::iter::repeat_n('0', whole - digits.len()));
            text.push_str(".0");
        } else {
            text.push_str(&digits[..whole]);
            text.push('.');
            text.push_str(&digits[whole..]);
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        _ = write!(text, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
}

fn unreadable(text: &str, to: &str) -> Error {
    failed(format!("cannot convert the string '{}' to {to}", time::short(text)))
        .hint("Drop or replace such values before `.astype(...)`")
        .detail("value", time::short(text))
}

/// Python allows single underscores between digits.
fn without_underscores(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let well_placed = bytes
        .iter()
        .enumerate()
        .all(|(at, b)| *b != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))));
    well_placed.then(|| text.replace('_', "").into())
}

pub fn read_integer(text: &str, to: &DType, (low, high): (i128, i128)) -> Result<i128> {
    let number = without_underscores(text.trim()).and_then(|digits| digits.parse::<i128>().ok());
    match number {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(unreadable(text, &to.to_string())),
    }
}

pub fn read_floats(array: &ArrayRef) -> Result<ArrayRef> {
    let read = |text: Option<&str>| {
        text.map(|text| {
            let number = without_underscores(text.trim()).and_then(|digits| digits.parse::<f64>().ok());
            number.ok_or_else(|| unreadable(text, "float64"))
        })
        .transpose()
    };
    let read: Float64Array = strings(array)?.iter().map(read).collect::<Result<_>>()?;
    Ok(Arc::new(read))
}

/// Decimals as the nearest floats.
pub fn decimals(array: &ArrayRef) -> Result<ArrayRef> {
    let array = primitive::<Decimal128Type>(array)?;
    let (precision, scale) = (array.precision(), array.scale());
    let nearest = |v| {
        let text = Decimal128Type::format_decimal(v, precision, scale);
        text.parse::<f64>().map_err(|_| Error::internal(format!("the decimal {text} is not a number")))
    };
    Ok(Arc::new(array.try_unary::<_, Float64Type, Error>(nearest)?))
}

pub fn read_times(array: &ArrayRef, unit: Unit, tz: Option<&str>) -> Result<PrimitiveArray<Int64Type>> {
    let name = DType::Timestamp(unit, tz.map(str::to_owned)).to_string();
    let read = |text: Option<&str>| match text {
        None | Some("") => Ok(None),
        Some(text) => {
            let (value, from) = time::parse(text, tz).map_err(|_| unreadable(text, &name))?;
            let (value, _) = time::rescale_floor(value, from, unit);
            i64::try_from(value).map(Some).map_err(|_| unreadable(text, &name))
        }
    };
    let read: Int64Array = strings(array)?.iter().map(read).collect::<Result<_>>()?;
    Ok(read)
}
