//! The values of one column of texts on their way into an array.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, Float64Builder, Int64Builder, NullArray, PrimitiveBuilder,
    StringViewBuilder, UInt64Builder,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Int8Type, Int16Type, Int32Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type,
};

use super::super::Fault;
use super::super::infer::{Missing, Seen, truth};
use super::super::numbers::{float, integer, integral, unsigned};
use crate::io::source::options::Declared;
use crate::plan::dtype::Unit;
use crate::plan::op::time::{SECONDS_PER_DAY, per_second, rescale};
use crate::plan::op::times::scan::{Scanned, iso8601};

/// Why a text is no value of its column.
pub type Why = Cow<'static, str>;

pub enum Column {
    Null(usize),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Text(StringViewBuilder),
    /// Of a type that is only ever declared.
    Other(Box<dyn Other>),
}

impl Column {
    pub fn of(data_type: &DataType, declared: Option<&Declared>) -> Result<Self, Fault> {
        let rescaled =
            |unit| times(declared.cloned(), unit, matches!(data_type, DataType::Timestamp(_, Some(_))));
        Ok(match data_type {
            DataType::Null => Column::Null(0),
            DataType::Boolean => Column::Bool(BooleanBuilder::new()),
            DataType::Int64 => Column::Int(Int64Builder::new()),
            DataType::UInt64 => Column::UInt(UInt64Builder::new()),
            DataType::Float64 => Column::Float(Float64Builder::new()),
            DataType::Utf8View => Column::Text(StringViewBuilder::new()),
            DataType::Int8 => whole::<Int8Type>(data_type),
            DataType::Int16 => whole::<Int16Type>(data_type),
            DataType::Int32 => whole::<Int32Type>(data_type),
            DataType::UInt8 => whole::<UInt8Type>(data_type),
            DataType::UInt16 => whole::<UInt16Type>(data_type),
            DataType::UInt32 => whole::<UInt32Type>(data_type),
            DataType::Float32 => {
                other::<Float32Type>(data_type, |text| float(text).map(|value| value as f32).ok_or(OTHER))
            }
            DataType::Date32 => {
                let read = times(declared.cloned(), Unit::Second, false);
                other::<Date32Type>(data_type, move |text| {
                    let seconds = read(text)?;
                    let day = (seconds % SECONDS_PER_DAY == 0).then_some(seconds / SECONDS_PER_DAY);
                    day.and_then(|day| i32::try_from(day).ok()).ok_or("it has a time of the day".into())
                })
            }
            DataType::Decimal128(precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                other::<Decimal128Type>(data_type, move |text| decimal(text, precision, scale).ok_or(OTHER))
            }
            DataType::Timestamp(unit, _) => match Unit::from_arrow(*unit) {
                Unit::Second => other::<TimestampSecondType>(data_type, rescaled(Unit::Second)),
                Unit::Milli => other::<TimestampMillisecondType>(data_type, rescaled(Unit::Milli)),
                Unit::Micro => other::<TimestampMicrosecondType>(data_type, rescaled(Unit::Micro)),
                Unit::Nano => other::<TimestampNanosecondType>(data_type, rescaled(Unit::Nano)),
            },
            other => return Err(format!("a column of it is {other}").into()),
        })
    }

    /// A value that is missing.
    pub fn skip(&mut self) -> Result<(), Why> {
        match self {
            Column::Null(rows) => *rows += 1,
            Column::Bool(builder) => builder.append_null(),
            Column::Int(builder) => builder.append_null(),
            Column::UInt(builder) => builder.append_null(),
            Column::Float(builder) => builder.append_null(),
            Column::Text(builder) => builder.append_null(),
            Column::Other(other) => other.push(None)?,
        }
        Ok(())
    }

    pub fn push(&mut self, text: &[u8], missing: &Missing) -> Result<(), Why> {
        let is_missing = missing.is(text);
        match self {
            Column::Null(rows) if is_missing => *rows += 1,
            Column::Null(_) => return Err(OTHER),
            Column::Bool(builder) if is_missing => builder.append_null(),
            Column::Bool(builder) => builder.append_value(truth(text).ok_or(OTHER)?),
            Column::Int(builder) if is_missing => builder.append_null(),
            Column::Int(builder) => builder.append_value(integer(text).ok_or(OTHER)?),
            Column::UInt(builder) if is_missing => builder.append_null(),
            Column::UInt(builder) => builder.append_value(unsigned(text).ok_or(OTHER)?),
            Column::Float(builder) if is_missing => builder.append_null(),
            Column::Float(builder) => {
                let value = float(text).ok_or(OTHER)?;
                builder.append_option((!missing.is_number(value)).then_some(value));
            }
            Column::Text(builder) if is_missing => builder.append_null(),
            Column::Text(builder) => {
                builder.append_value(std::str::from_utf8(text).map_err(|_| "it is no UTF-8")?);
            }
            Column::Other(other) => other.push((!is_missing).then_some(text))?,
        }
        Ok(())
    }

    /// As `push`, of a column whose type is still looked for; false where the value is of another type.
    #[inline]
    pub fn note(&mut self, text: &[u8], missing: &Missing, seen: &mut Seen) -> bool {
        match self {
            Column::Int(builder) if !missing.has_numbers() => {
                if let Some(whole) = integral(text)
                    && let Some(value) = whole.signed
                {
                    builder.append_value(value);
                    seen.note_integer(whole);
                    return true;
                }
            }
            Column::Float(builder) if !missing.has_numbers() && !seen.may_be_integral() => {
                if let Some(value) = float(text) {
                    builder.append_value(value);
                    seen.note_float();
                    return true;
                }
            }
            _ => {}
        }
        seen.note(text, missing);
        self.push(text, missing).is_ok()
    }

    pub fn finish(self) -> ArrayRef {
        match self {
            Column::Null(rows) => Arc::new(NullArray::new(rows)),
            Column::Bool(mut builder) => Arc::new(builder.finish()),
            Column::Int(mut builder) => Arc::new(builder.finish()),
            Column::UInt(mut builder) => Arc::new(builder.finish()),
            Column::Float(mut builder) => Arc::new(builder.finish()),
            Column::Text(mut builder) => Arc::new(builder.finish()),
            Column::Other(mut other) => other.finish(),
        }
    }
}

/// Said where there is no more to say: the reader knows the type, and whether it was found or declared.
pub const OTHER: Why = Cow::Borrowed("");

/// A column of any further type.
pub trait Other: Send {
    /// Nothing for a missing value.
    fn push(&mut self, text: Option<&[u8]>) -> Result<(), Why>;

    fn finish(&mut self) -> ArrayRef;
}

struct Primitive<T: ArrowPrimitiveType, R> {
    builder: PrimitiveBuilder<T>,
    read: R,
}

impl<T: ArrowPrimitiveType, R: Fn(&[u8]) -> Result<T::Native, Why> + Send> Other for Primitive<T, R> {
    fn push(&mut self, text: Option<&[u8]>) -> Result<(), Why> {
        let value = text.map(&self.read).transpose()?;
        self.builder.append_option(value);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

fn other<T: ArrowPrimitiveType>(
    data_type: &DataType,
    read: impl Fn(&[u8]) -> Result<T::Native, Why> + Send + 'static,
) -> Column {
    let builder = PrimitiveBuilder::<T>::new().with_data_type(data_type.clone());
    Column::Other(Box::new(Primitive { builder, read }))
}

fn whole<T: ArrowPrimitiveType>(data_type: &DataType) -> Column
where
    T::Native: TryFrom<i64>,
{
    other::<T>(data_type, |text| integer(text).and_then(|value| value.try_into().ok()).ok_or(OTHER))
}

/// Reads times as ticks of a unit: by the format that was given, else as ISO 8601. Columns with a zone count from UTC.
fn times(declared: Option<Declared>, unit: Unit, zoned: bool) -> impl Fn(&[u8]) -> Result<i64, Why> + Send {
    let format = declared.and_then(|declared| declared.times);
    move |text| {
        let text = std::str::from_utf8(text).map_err(|_| "it is no UTF-8")?;
        let scanned = match &format {
            None => iso8601(text),
            Some(times) => times.format.scan(text),
        };
        let Some(Scanned { day, second, nanos, offset }) = scanned else {
            let wanted = format.as_ref().map_or("ISO 8601", |times| &times.text);
            return Err(format!("it is no time of the format {wanted}").into());
        };
        if !zoned && offset.is_some() {
            return Err("it has a time zone: declare the column as `datetime64[us, UTC]`".into());
        }
        if zoned && offset.is_none() {
            return Err("it has no time zone, and the column does".into());
        }
        let seconds = day * SECONDS_PER_DAY + second - offset.unwrap_or(0);
        let whole = seconds.checked_mul(per_second(unit));
        let rest = rescale(nanos, Unit::Nano, unit);
        let ticks = whole.zip(rest).and_then(|(whole, rest)| whole.checked_add(rest));
        ticks.ok_or(Cow::Borrowed("its unit of time cannot hold it exactly"))
    }
}

/// Digits with a point, none of which is lost.
fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let text = text.trim_ascii();
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    let (kept, lost) = fraction.split_at(fraction.len().min(usize::try_from(scale).ok()?));
    let sound = !(whole.is_empty() && fraction.is_empty())
        && whole.iter().chain(fraction).all(u8::is_ascii_digit)
        && lost.iter().all(|digit| *digit == b'0');
    if !sound {
        return None;
    }
    let zeros = std::iter::repeat_n(&b'0', usize::try_from(scale).ok()? - kept.len());
    let mut value = 0_i128;
    for digit in whole.iter().chain(kept).chain(zeros) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    (value < 10_i128.checked_pow(u32::from(precision))?).then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_nothing() {
        assert_eq!(decimal(b"12.5", 5, 2), Some(1250));
        assert_eq!(decimal(b"-.5", 5, 2), Some(-50));
        assert_eq!(decimal(b" +7. ", 5, 2), Some(700));
        assert_eq!(decimal(b"1.500", 5, 2), Some(150));
        assert_eq!(decimal(b"1.505", 5, 2), None);
        assert_eq!(decimal(b"1000", 5, 2), None);
        assert_eq!(decimal(b"999.99", 5, 2), Some(99_999));
        assert_eq!(decimal(b"1e3", 9, 2), None);
        assert_eq!(decimal(b".", 9, 2), None);
        assert_eq!(decimal(b"", 9, 2), None);
        assert_eq!(decimal(&[b'9'; 38], 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(decimal(&[b'9'; 40], 38, 0), None);
    }
}
