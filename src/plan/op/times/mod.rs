//! Times: what the dt accessor offers. One file each and one line in the list below.

mod bins;
mod calendar;
pub(crate) mod freq;
mod local;
mod months;
mod names;
mod parts;
mod read;
mod round;
pub(crate) mod scan;
mod spans;
mod strftime;
mod zone;

pub use bins::{Bins, Side};

use super::promote::{describe, mismatch};
use super::{Operator, Typed};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::dtype::Unit;
use crate::plan::{DType, Literal};

pub const OPERATORS: &[&dyn Operator] = &[
    &parts::Part { name: "dt_year", field: parts::Field::Year },
    &parts::Part { name: "dt_month", field: parts::Field::Month },
    &parts::Part { name: "dt_day", field: parts::Field::Day },
    &parts::Part { name: "dt_hour", field: parts::Field::Hour },
    &parts::Part { name: "dt_minute", field: parts::Field::Minute },
    &parts::Part { name: "dt_second", field: parts::Field::Second },
    &parts::Part { name: "dt_microsecond", field: parts::Field::Microsecond },
    &parts::Part { name: "dt_nanosecond", field: parts::Field::Nanosecond },
    &parts::Part { name: "dt_quarter", field: parts::Field::Quarter },
    &parts::Part { name: "dt_day_of_week", field: parts::Field::DayOfWeek },
    &parts::Part { name: "dt_day_of_year", field: parts::Field::DayOfYear },
    &parts::Part { name: "dt_days_in_month", field: parts::Field::DaysInMonth },
    &parts::Part { name: "dt_iso_year", field: parts::Field::IsoYear },
    &parts::Part { name: "dt_iso_week", field: parts::Field::IsoWeek },
    &parts::Part { name: "dt_iso_day", field: parts::Field::IsoDay },
    &parts::Part { name: "dt_is_month_start", field: parts::Field::Starts(1) },
    &parts::Part { name: "dt_is_month_end", field: parts::Field::Ends(1) },
    &parts::Part { name: "dt_is_quarter_start", field: parts::Field::Starts(3) },
    &parts::Part { name: "dt_is_quarter_end", field: parts::Field::Ends(3) },
    &parts::Part { name: "dt_is_year_start", field: parts::Field::Starts(12) },
    &parts::Part { name: "dt_is_year_end", field: parts::Field::Ends(12) },
    &parts::Part { name: "dt_is_leap_year", field: parts::Field::IsLeapYear },
    &parts::Part { name: "dt_date", field: parts::Field::Date },
    &names::Name { name: "dt_month_name", of: names::Of::Month },
    &names::Name { name: "dt_day_name", of: names::Of::Day },
    &round::Round { name: "dt_floor", way: round::Way::Floor },
    &round::Round { name: "dt_ceil", way: round::Way::Ceil },
    &round::Round { name: "dt_round", way: round::Way::Nearest },
    &bins::Bin,
    &strftime::Strftime,
    &read::ToDatetime,
    &read::ToTimedelta,
    &read::Assemble,
    &months::AddMonths,
    &zone::Convert,
    &zone::Localize,
    &zone::Naive,
    &spans::Part { name: "dt_days", field: spans::Field::Days },
    &spans::Part { name: "dt_seconds", field: spans::Field::Seconds },
    &spans::Part { name: "dt_microseconds", field: spans::Field::Microseconds },
    &spans::Part { name: "dt_nanoseconds", field: spans::Field::Nanoseconds },
    &spans::Part { name: "dt_component_hours", field: spans::Field::Hours },
    &spans::Part { name: "dt_component_minutes", field: spans::Field::Minutes },
    &spans::Part { name: "dt_component_seconds", field: spans::Field::WholeSeconds },
    &spans::Part { name: "dt_component_milliseconds", field: spans::Field::Milliseconds },
    &spans::Part { name: "dt_component_microseconds", field: spans::Field::WholeMicroseconds },
    &spans::TotalSeconds,
];

/// Runs `$body` with `$per` as the number of a unit's ticks in a second, a constant that divisions are made fast by.
macro_rules! with_unit {
    ($unit:expr, $per:ident => $body:expr) => {
        match $unit {
            crate::plan::dtype::Unit::Second => {
                const $per: i64 = 1;
                $body
            }
            crate::plan::dtype::Unit::Milli => {
                const $per: i64 = 1_000;
                $body
            }
            crate::plan::dtype::Unit::Micro => {
                const $per: i64 = 1_000_000;
                $body
            }
            crate::plan::dtype::Unit::Nano => {
                const $per: i64 = 1_000_000_000;
                $body
            }
        }
    };
}
use with_unit;

/// The argument of an operator on times, or why it is none.
fn times<'a>(args: &'a [Typed<'_>], what: &str) -> Result<(Unit, Option<&'a str>)> {
    match args.first().map(|arg| &arg.dtype) {
        Some(DType::Timestamp(unit, tz)) => Ok((*unit, tz.as_deref())),
        Some(_) => Err(mismatch(
            format!("`dt.{what}` of {}: only times have it", describe(&args[0])),
            "Read the column with `pd.to_datetime(...)` first",
        )),
        None => Err(Error::internal(format!("`{what}` was called without a column"))),
    }
}

/// A constant string among the arguments.
fn text<'a>(args: &'a [Typed<'_>], position: usize, what: &str) -> Result<&'a str> {
    match args.get(position).and_then(|arg| arg.literal) {
        Some(Literal::Str(text)) => Ok(text),
        _ => Err(not_decomposable(format!("{what} is a string")).hint("Write it as a constant")),
    }
}
