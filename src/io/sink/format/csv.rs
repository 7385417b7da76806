//! CSV and TSV, as pandas writes them and reads them back; a missing value is nothing, an empty text is `""`.

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, OffsetSizeTrait, PrimitiveArray, RecordBatch,
    StringArrayType,
};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, SchemaRef, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::text::{Lines, Text};
use super::{Encoder, Fault, Format, How, Unwritable, times};
use crate::io::sink::out::Out;
use crate::io::sink::pack::{Codec, TEXT};
use crate::io::sink::sample::Ahead;

pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn title(&self) -> &'static str {
        "CSV"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".csv", ".tsv", ".tab"]
    }

    fn codecs(&self) -> &'static [Codec] {
        TEXT
    }

    fn is_text(&self) -> bool {
        true
    }

    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str> {
        match data_type {
            DataType::Dictionary(_, values) => self.stored(values),
            DataType::RunEndEncoded(_, values) => self.stored(values.data_type()),
            DataType::Float16 => Ok(DataType::Float32),
            DataType::Interval(_) => Err("has no form of intervals that others read"),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Err("is text, which cannot hold bytes"),
            nested if nested.is_nested() => Err("has no values within values"),
            other => Ok(other.clone()),
        }
    }

    fn open(&self, out: Out, schema: SchemaRef, how: How, _: Ahead<'_>) -> Result<Box<dyn Encoder>, Fault> {
        let separator = if how.ending == ".csv" { b',' } else { b'\t' };
        Ok(Box::new(Text::new(CsvLines { separator, schema }, out, how.codec)))
    }
}

struct CsvLines {
    separator: u8,
    schema: SchemaRef,
}

impl Lines for CsvLines {
    fn head(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (place, field) in self.schema.fields().iter().enumerate() {
            if place > 0 {
                bytes.push(self.separator);
            }
            quoted(field.name(), self.separator, &mut bytes);
        }
        bytes.push(b'\n');
        bytes
    }

    fn encode(&self, batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let columns = batch.columns().iter().map(|column| Cells::of(column, self.separator));
        let columns = columns.collect::<Result<Vec<_>, Fault>>()?;
        // A line without anything would be none.
        let alone = columns.len() == 1;
        for row in 0..batch.num_rows() {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    bytes.push(self.separator);
                }
                if column.array.is_valid(row) {
                    let before = bytes.len();
                    (column.write)(row, bytes)?;
                    // Neither would one of nothing but blanks be one.
                    if alone && bytes[before..].trim_ascii().is_empty() {
                        bytes.insert(before, b'"');
                        bytes.push(b'"');
                    }
                } else if alone {
                    bytes.extend_from_slice(b"\"\"");
                }
            }
            bytes.push(b'\n');
        }
        Ok(())
    }
}

/// Text, in quotes where it would not be read back without them.
fn quoted(text: &str, separator: u8, bytes: &mut Vec<u8>) {
    let special = |byte: u8| byte == separator || byte == b'"' || byte == b'\n' || byte == b'\r';
    if !text.is_empty() && !text.bytes().any(special) {
        bytes.extend_from_slice(text.as_bytes());
        return;
    }
    bytes.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = memchr::memchr(b'"', rest) {
        bytes.extend_from_slice(&rest[..=place]);
        bytes.push(b'"');
        rest = &rest[place + 1..];
    }
    bytes.extend_from_slice(rest);
    bytes.push(b'"');
}

type Write<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), Fault> + 'a>;

/// A column, and how one of its values becomes text.
struct Cells<'a> {
    array: &'a dyn Array,
    write: Write<'a>,
}

fn values<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Write<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Box::new(move |row, bytes| {
        write(array.value(row), bytes);
        Ok(())
    })
}

fn integers<T: ArrowPrimitiveType>(array: &dyn Array) -> Write<'_>
where
    T::Native: itoa::Integer,
{
    values::<T>(array, |value, bytes| bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()))
}

/// The shortest text that is read back as the same number; what is no number is missing, as in pandas.
fn floats<T: ArrowPrimitiveType>(array: &dyn Array) -> Write<'_>
where
    T::Native: zmij::Float + Into<f64>,
{
    values::<T>(array, |value, bytes| {
        let wide: f64 = value.into();
        if wide.is_finite() {
            bytes.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        } else if wide.is_infinite() {
            bytes.extend_from_slice(if wide > 0.0 { b"inf" } else { b"-inf" });
        }
    })
}

fn texts<'a>(array: impl StringArrayType<'a> + 'a, separator: u8) -> Write<'a> {
    Box::new(move |row, bytes| {
        quoted(array.value(row), separator, bytes);
        Ok(())
    })
}

fn strings<O: OffsetSizeTrait>(array: &dyn Array, separator: u8) -> Write<'_> {
    texts(array.as_string::<O>(), separator)
}

fn timestamps<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &'a dyn Array,
    unit: TimeUnit,
    zone: Option<Tz>,
) -> Write<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Box::new(move |row, bytes| {
        let count = array.value(row);
        times::timestamp(count, unit, zone.as_ref(), bytes).ok_or_else(|| {
            Unwritable(format!("the instant {count} is beyond what its time zone knows")).into()
        })
    })
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef, separator: u8) -> Result<Self, Fault> {
        let array = array.as_ref();
        let span = |unit| move |count, bytes: &mut Vec<u8>| times::span(count, unit, bytes);
        let write = match array.data_type() {
            DataType::Boolean => {
                let array = array.as_boolean();
                let write = move |row, bytes: &mut Vec<u8>| {
                    bytes.extend_from_slice(if array.value(row) { b"True" } else { b"False" });
                    Ok(())
                };
                Box::new(write) as Write<'_>
            }
            DataType::Int8 => integers::<Int8Type>(array),
            DataType::Int16 => integers::<Int16Type>(array),
            DataType::Int32 => integers::<Int32Type>(array),
            DataType::Int64 => integers::<Int64Type>(array),
            DataType::UInt8 => integers::<UInt8Type>(array),
            DataType::UInt16 => integers::<UInt16Type>(array),
            DataType::UInt32 => integers::<UInt32Type>(array),
            DataType::UInt64 => integers::<UInt64Type>(array),
            DataType::Float32 => floats::<Float32Type>(array),
            DataType::Float64 => floats::<Float64Type>(array),
            DataType::Utf8 => strings::<i32>(array, separator),
            DataType::LargeUtf8 => strings::<i64>(array, separator),
            DataType::Utf8View => texts(array.as_string_view(), separator),
            DataType::Date32 => values::<Date32Type>(array, |days, bytes| times::date(days.into(), bytes)),
            DataType::Date64 => {
                values::<Date64Type>(array, |count, bytes| times::date(count.div_euclid(86_400_000), bytes))
            }
            DataType::Timestamp(unit, zone) => {
                let zone = zone.as_deref().map(str::parse::<Tz>).transpose()?;
                match unit {
                    TimeUnit::Second => timestamps::<TimestampSecondType>(array, *unit, zone),
                    TimeUnit::Millisecond => timestamps::<TimestampMillisecondType>(array, *unit, zone),
                    TimeUnit::Microsecond => timestamps::<TimestampMicrosecondType>(array, *unit, zone),
                    TimeUnit::Nanosecond => timestamps::<TimestampNanosecondType>(array, *unit, zone),
                }
            }
            DataType::Time32(unit @ TimeUnit::Second) => {
                values::<Time32SecondType>(array, |count, bytes| times::clock(count.into(), *unit, bytes))
            }
            DataType::Time32(unit) => values::<Time32MillisecondType>(array, |count, bytes| {
                times::clock(count.into(), *unit, bytes)
            }),
            DataType::Time64(unit @ TimeUnit::Nanosecond) => {
                values::<Time64NanosecondType>(array, |count, bytes| times::clock(count, *unit, bytes))
            }
            DataType::Time64(unit) => {
                values::<Time64MicrosecondType>(array, |count, bytes| times::clock(count, *unit, bytes))
            }
            DataType::Duration(unit) => match unit {
                TimeUnit::Second => values::<DurationSecondType>(array, span(*unit)),
                TimeUnit::Millisecond => values::<DurationMillisecondType>(array, span(*unit)),
                TimeUnit::Microsecond => values::<DurationMicrosecondType>(array, span(*unit)),
                TimeUnit::Nanosecond => values::<DurationNanosecondType>(array, span(*unit)),
            },
            DataType::Null => Box::new(|_, _: &mut Vec<u8>| Ok(())),
            // Decimals: their digits.
            _ => {
                let format = ArrayFormatter::try_new(array, &FormatOptions::new().with_display_error(false))?;
                let write = move |row, bytes: &mut Vec<u8>| {
                    quoted(&format.value(row).try_to_string()?, separator, bytes);
                    Ok(())
                };
                Box::new(write)
            }
        };
        Ok(Self { array, write })
    }
}
