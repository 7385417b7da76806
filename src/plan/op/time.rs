//! Points in time and spans as integers: units, ISO 8601 constants, exact changes of unit.

use arrow::array::{AsArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType};

use super::super::dtype::Unit;
use crate::error::{Error, Result, not_decomposable};

pub const SECONDS_PER_DAY: i64 = 86_400;

pub fn per_second(unit: Unit) -> i64 {
    match unit {
        Unit::Second => 1,
        Unit::Milli => 1_000,
        Unit::Micro => 1_000_000,
        Unit::Nano => 1_000_000_000,
    }
}

/// The same instant in another unit; `None` where that unit cannot say it exactly, or overflows.
pub fn rescale(value: i64, from: Unit, to: Unit) -> Option<i64> {
    let (value, exact) = rescale_floor(value, from, to);
    if exact { i64::try_from(value).ok() } else { None }
}

/// The same instant in another unit, rounded towards the past, and whether that is exact.
pub fn rescale_floor(value: i64, from: Unit, to: Unit) -> (i128, bool) {
    let (from, to, value) = (i128::from(per_second(from)), i128::from(per_second(to)), i128::from(value));
    if to >= from {
        (value * (to / from), true)
    } else {
        let step = from / to;
        (value.div_euclid(step), value.rem_euclid(step) == 0)
    }
}

/// Reads an ISO 8601 date or time, in the column's time zone where it names none of its own.
pub fn parse(text: &str, tz: Option<&str>) -> Result<(i64, Unit)> {
    let refused = || {
        not_decomposable(format!("the string '{}' is not an ISO 8601 date or time", short(text)))
            .hint("Write it as \"2024-01-31\" or \"2024-01-31 12:30:00\", or pass a `pd.Timestamp`")
    };
    let text_full = complete(text);
    let names_zone =
        text_full.get(10..).is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']) || rest.contains("UTC"));
    if tz.is_none() && names_zone {
        return Err(not_decomposable(format!(
            "the string '{}' has a time zone and the column has none",
            short(text)
        ))
        .hint("Leave the zone out of the string"));
    }
    let array = StringArray::from(vec![text_full.as_str()]);
    let tz: Option<std::sync::Arc<str>> = tz.map(std::sync::Arc::from);
    let safe = CastOptions::default();
    let read = |unit| -> Result<Option<i64>> {
        let cast = match cast_with_options(&array, &DataType::Timestamp(unit, tz.clone()), &safe) {
            Ok(cast) => cast,
            Err(_) => return Ok(None),
        };
        Ok(if cast.is_null(0) {
            None
        } else if unit == TimeUnit::Nanosecond {
            cast.as_primitive_opt::<TimestampNanosecondType>().map(|a| a.value(0))
        } else {
            cast.as_primitive_opt::<TimestampMicrosecondType>().map(|a| a.value(0))
        })
    };
    // Years beyond the reach of nanoseconds are read in microseconds.
    if let Some(value) = read(TimeUnit::Nanosecond)? {
        return Ok((value, Unit::Nano));
    }
    match read(TimeUnit::Microsecond)? {
        Some(value) => Ok((value, Unit::Micro)),
        None => Err(refused()),
    }
}

/// pandas reads "2024", "2024-05" and "2024-05-01 10:00" too.
fn complete(text: &str) -> String {
    let text = text.trim();
    match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    }
}

/// At most 40 characters of a value, for messages.
pub fn short(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}

pub fn overflow(what: &str) -> Error {
    super::failed(format!("{what} gives a time outside the range of its type"))
        .hint("Use a coarser unit, e.g. `.astype(\"datetime64[us]\")`")
}

/// Year, month and day of a number of days since 1970 (Hinnant's algorithm).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
