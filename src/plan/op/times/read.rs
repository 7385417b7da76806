//! `to_datetime`, `to_timedelta`: strings and numbers as times and spans.
//!
//! The type of the answer cannot depend on the values: strings give microseconds, integers what pandas gives for
//! their unit, floats nanoseconds. What a string says beyond that is refused, not cut off.

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};

use super::scan::{Format, Scanned, iso8601};
use super::text;
use crate::error::{Error, Result, not_decomposable};
use crate::plan::dtype::Unit;
use crate::plan::op::operand::{argument, column, convert, counts, instants, primitive, spans, strings};
use crate::plan::op::promote::{describe, mismatch};
use crate::plan::op::time::{SECONDS_PER_DAY, overflow, per_second, short};
use crate::plan::op::{Operand, Operator, Typed, failed};
use crate::plan::{DType, Literal};

/// `to_datetime(x, format, unit, errors, utc)`; an empty format is none.
pub struct ToDatetime;

/// `to_timedelta(x, unit, errors)`.
pub struct ToTimedelta;

/// A unit of numbers: its length in ticks of what they become.
fn unit_of(name: &str) -> Result<(i64, Unit)> {
    Ok(match name {
        "ns" => (1, Unit::Nano),
        "us" => (1, Unit::Micro),
        "ms" => (1_000, Unit::Micro),
        "s" => (1_000_000, Unit::Micro),
        "m" | "min" => (60_000_000, Unit::Micro),
        "h" => (3_600_000_000, Unit::Micro),
        "D" => (86_400_000_000, Unit::Micro),
        "W" => (604_800_000_000, Unit::Micro),
        other => {
            return Err(mismatch(
                format!("'{}' is not a unit of time", short(other)),
                "Use e.g. \"s\" or \"ms\"",
            ));
        }
    })
}

fn numbers(arg: &Typed<'_>, unit: &str) -> Result<Option<Unit>> {
    let (_, own) = unit_of(unit)?;
    Ok(match &arg.dtype {
        dtype if dtype.is_integer() => Some(own),
        dtype if dtype.is_float() => Some(Unit::Nano),
        _ => None,
    })
}

/// Numbers of a unit as ticks; `None` in what cannot be said, where that is allowed.
fn ticks(array: &ArrayRef, from: &DType, unit: &str, coerce: bool) -> Result<Int64Array> {
    let (length, own) = unit_of(unit)?;
    let late = || overflow("this conversion");
    if from.is_integer() {
        let wide = if *from == DType::UInt64 {
            arrow::compute::cast(array, &arrow::datatypes::DataType::Int64)?
        } else {
            convert(array, &DType::Int64)?
        };
        if wide.null_count() > array.null_count() && !coerce {
            return Err(late());
        }
        let wide = primitive::<Int64Type>(&wide)?;
        if coerce {
            return Ok(wide.iter().map(|v| v.and_then(|v| v.checked_mul(length))).collect());
        }
        return wide.try_unary(|v| v.checked_mul(length).ok_or_else(late));
    }
    // As pandas: the whole part exactly, the fraction rounded to nanoseconds.
    let length = length * if own == Unit::Nano { 1 } else { 1_000 };
    let places = 10_f64.powi(length.ilog10() as i32);
    let wide = convert(array, &DType::Float64)?;
    let one = |v: f64| -> Option<i64> {
        let whole = v.trunc();
        if whole.abs() >= 9.2e18 {
            return None;
        }
        let fraction = ((v - whole) * places).round_ties_even() / places;
        (whole as i64).checked_mul(length)?.checked_add((fraction * length as f64) as i64)
    };
    let made = primitive::<Float64Type>(&wide)?.iter().map(|v| match v {
        Some(v) if !v.is_nan() => match one(v) {
            None if !coerce => Err(late()),
            found => Ok(found),
        },
        _ => Ok(None),
    });
    made.collect()
}

fn word(args: &[Operand], position: usize) -> Result<&str> {
    match args.get(position) {
        Some(Operand::Literal(Literal::Str(text))) => Ok(text),
        _ => Err(Error::internal("a conversion to times that is not told")),
    }
}

impl Operator for ToDatetime {
    fn name(&self) -> &'static str {
        "to_datetime"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let Some(arg) = args.first() else { return Err(Error::internal("`to_datetime` of nothing")) };
        let (format, unit) = (text(args, 1, "`format`")?, text(args, 2, "`unit`")?);
        let utc = text(args, 4, "`utc`")? == "utc";
        let tz = utc.then(|| "UTC".to_owned());
        match &arg.dtype {
            DType::Str => {
                if !matches!(format, "" | "ISO8601") && Format::new(format)?.zoned() && !utc {
                    return Err(not_decomposable("`to_datetime` with `%z` and without `utc=True`")
                        .hint("The type would depend on the values: pass `utc=True`"));
                }
                Ok(DType::Timestamp(Unit::Micro, tz))
            }
            DType::Timestamp(unit, None) => Ok(DType::Timestamp(*unit, tz)),
            DType::Timestamp(unit, zone) => Ok(DType::Timestamp(*unit, tz.or_else(|| zone.clone()))),
            DType::Date => Ok(DType::Timestamp(Unit::Second, tz)),
            _ => match numbers(arg, if unit.is_empty() { "ns" } else { unit })? {
                Some(unit) => Ok(DType::Timestamp(unit, tz)),
                None => Err(mismatch(
                    format!("`to_datetime` of {} is not defined", describe(arg)),
                    "Times are read from strings and numbers",
                )),
            },
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let DType::Timestamp(unit, tz) = dtype else {
            return Err(Error::internal("`to_datetime` of no times"));
        };
        let operand = argument(args, 0)?;
        let from = operand.dtype();
        let array = column(operand, &from, rows)?;
        let coerce = word(args, 3)? == "coerce";
        let values = match &from {
            DType::Timestamp(..) => counts(&array)?,
            DType::Date => primitive::<Date32Type>(&array)?.unary(|days| i64::from(days) * SECONDS_PER_DAY),
            DType::Str => read(&array, word(args, 1)?, coerce, tz.is_some())?,
            from => {
                let unit = word(args, 2)?;
                ticks(&array, from, if unit.is_empty() { "ns" } else { unit }, coerce)?
            }
        };
        Ok(instants(values, *unit, tz.as_deref()))
    }
}

/// What pandas takes for missing in strings.
fn missing(text: &str) -> bool {
    matches!(text, "" | "NaT" | "nat" | "NAT" | "nan" | "NaN" | "NAN")
}

fn read(array: &ArrayRef, format: &str, coerce: bool, utc: bool) -> Result<Int64Array> {
    let iso = matches!(format, "" | "ISO8601");
    let format = if iso { None } else { Some(Format::new(format)?) };
    let one = |text: &str| -> Result<Option<i64>> {
        if missing(text) {
            return Ok(None);
        }
        let scanned = match &format {
            None => iso8601(text),
            Some(format) => format.scan(text),
        };
        match scanned.map(|scanned| micros(&scanned, text, utc)) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(error)) => Err(error),
            None if coerce => Ok(None),
            None => Err(failed(format!("the string '{}' is not a time of the format expected", short(text)))
                .hint("Name the format, `pd.to_datetime(column, format=...)`, or pass `errors=\"coerce\"` with one")
                .detail("value", short(text))),
        }
    };
    strings(array)?.iter().map(|text| text.map_or(Ok(None), one)).collect()
}

fn micros(scanned: &Scanned, text: &str, utc: bool) -> Result<i64> {
    if scanned.nanos % 1000 != 0 {
        return Err(failed(format!("the string '{}' has nanoseconds", short(text)))
            .hint("Use `.astype(\"datetime64[ns]\")`: `to_datetime` gives microseconds here"));
    }
    if scanned.offset.is_some() && !utc {
        return Err(failed(format!("the string '{}' has a time zone", short(text)))
            .hint("Pass `utc=True`: the type of a column cannot depend on its values"));
    }
    let seconds = scanned.day * SECONDS_PER_DAY + scanned.second - scanned.offset.unwrap_or(0);
    Ok(seconds * per_second(Unit::Micro) + scanned.nanos / 1000)
}

impl Operator for ToTimedelta {
    fn name(&self) -> &'static str {
        "to_timedelta"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let Some(arg) = args.first() else { return Err(Error::internal("`to_timedelta` of nothing")) };
        if let DType::Duration(_) = arg.dtype {
            return Ok(arg.dtype.clone());
        }
        if arg.dtype == DType::Str {
            return Err(not_decomposable("`to_timedelta` of strings is not native in this version")
                .hint("Take them apart as text, and build the span of numbers"));
        }
        match numbers(arg, text(args, 1, "`unit`")?)? {
            Some(unit) => Ok(DType::Duration(unit)),
            None => Err(mismatch(
                format!("`to_timedelta` of {} is not defined", describe(arg)),
                "Spans are made of numbers",
            )),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let operand = argument(args, 0)?;
        let from = operand.dtype();
        let array = column(operand, &from, rows)?;
        match (&from, dtype) {
            (DType::Duration(_), _) => Ok(array),
            (_, DType::Duration(unit)) => {
                Ok(spans(ticks(&array, &from, word(args, 1)?, word(args, 2)? == "coerce")?, *unit))
            }
            _ => Err(Error::internal("`to_timedelta` of no spans")),
        }
    }
}

/// `to_datetime_parts(year, month, day, errors)`: midnights of dates given in numbers.
pub struct Assemble;

impl Operator for Assemble {
    fn name(&self) -> &'static str {
        "to_datetime_parts"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        for arg in args.iter().take(3) {
            if !arg.dtype.is_integer() {
                return Err(not_decomposable(format!("`to_datetime` with parts from {}", describe(arg)))
                    .hint("Parts of times are whole numbers: `.astype(\"int64\")` first"));
            }
        }
        Ok(DType::Timestamp(Unit::Micro, None))
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let part = |position: usize| -> Result<Int64Array> {
            let array = column(argument(args, position)?, &DType::Int64, rows)?;
            Ok(primitive::<Int64Type>(&array)?.clone())
        };
        let (years, months, days) = (part(0)?, part(1)?, part(2)?);
        let coerce = word(args, 3)? == "coerce";
        let per_day = SECONDS_PER_DAY * per_second(Unit::Micro);
        let made = (0..rows).map(|row| {
            if years.is_null(row) || months.is_null(row) || days.is_null(row) {
                return Ok(None);
            }
            let (year, month, day) = (years.value(row), months.value(row), days.value(row));
            let known = (0..=9999).contains(&year);
            let found = if known { super::scan::date(year, month, day) } else { None };
            match found {
                Some(day) => Ok(Some(day * per_day)),
                None if coerce => Ok(None),
                None => Err(failed(format!("there is no date {year}-{month}-{day}"))
                    .hint("Pass `errors=\"coerce\"` to make such dates missing")),
            }
        });
        let made: Int64Array = made.collect::<Result<_>>()?;
        Ok(instants(made, Unit::Micro, None))
    }
}
