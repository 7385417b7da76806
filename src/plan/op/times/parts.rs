//! Parts of times: `dt.year`, `dt.is_month_end`, ..., as clocks in the column's zone show them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};

use super::calendar::{civil, day_of_year, days_in_month, is_leap, iso, weekday};
use super::local::{Zone, to_local};
use super::{times, with_unit};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::dtype::Unit;
use crate::plan::op::operand::{argument, bits, column, counts};
use crate::plan::op::time::SECONDS_PER_DAY;
use crate::plan::op::{Operand, Operator, Typed};

pub struct Part {
    pub name: &'static str,
    pub field: Field,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Microsecond,
    Nanosecond,
    Quarter,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    IsoYear,
    IsoWeek,
    IsoDay,
    /// The first day of a span of so many months of the year.
    Starts(i64),
    /// The last day of a span of so many months of the year.
    Ends(i64),
    IsLeapYear,
    Date,
}

impl Operator for Part {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        times(args, self.name.trim_start_matches("dt_"))?;
        Ok(match self.field {
            Field::Starts(_) | Field::Ends(_) | Field::IsLeapYear => DType::Bool,
            Field::IsoWeek | Field::IsoDay => DType::UInt32,
            Field::Date => DType::Date,
            _ => DType::Int32,
        })
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let (values, unit) = local(args, rows)?;
        Ok(with_unit!(unit, PER_SECOND => self.compute::<PER_SECOND>(&values)))
    }
}

/// The first argument as counts of its unit that clocks in its zone show.
pub fn local(args: &[Operand], rows: usize) -> Result<(PrimitiveArray<Int64Type>, Unit)> {
    let operand = argument(args, 0)?;
    let dtype = operand.dtype();
    let (unit, tz) = match &dtype {
        DType::Timestamp(unit, tz) => (*unit, tz.as_deref()),
        other => return Err(crate::error::Error::internal(format!("{other} has no parts of times"))),
    };
    let values = counts(&column(operand, &dtype, rows)?)?;
    Ok((to_local(&values, unit, Zone::of(tz)?)?, unit))
}

impl Part {
    fn compute<const PER_SECOND: i64>(&self, values: &PrimitiveArray<Int64Type>) -> ArrayRef {
        let day = |v: i64| v.div_euclid(PER_SECOND * SECONDS_PER_DAY);
        let second = |v: i64| v.div_euclid(PER_SECOND).rem_euclid(SECONDS_PER_DAY);
        let nanos = |v: i64| v.rem_euclid(PER_SECOND) * (1_000_000_000 / PER_SECOND);
        match self.field {
            Field::Year => whole(values, |v| civil(day(v)).0),
            Field::Month => whole(values, |v| civil(day(v)).1),
            Field::Day => whole(values, |v| civil(day(v)).2),
            Field::Hour => whole(values, |v| second(v) / 3600),
            Field::Minute => whole(values, |v| second(v) / 60 % 60),
            Field::Second => whole(values, |v| second(v) % 60),
            Field::Microsecond => whole(values, |v| nanos(v) / 1000),
            Field::Nanosecond => whole(values, |v| nanos(v) % 1000),
            Field::Quarter => whole(values, |v| (civil(day(v)).1 + 2) / 3),
            Field::DayOfWeek => whole(values, |v| weekday(day(v))),
            Field::DayOfYear => whole(values, |v| day_of_year(day(v))),
            Field::DaysInMonth => whole(values, |v| {
                let (year, month, _) = civil(day(v));
                days_in_month(year, month)
            }),
            Field::IsoYear => whole(values, |v| iso(day(v)).0),
            Field::IsoWeek => counted(values, |v| iso(day(v)).1),
            Field::IsoDay => counted(values, |v| iso(day(v)).2),
            Field::Starts(months) => flags(values, |v| {
                let (_, month, day) = civil(day(v));
                day == 1 && (month - 1) % months == 0
            }),
            Field::Ends(months) => flags(values, |v| {
                let (year, month, of_month) = civil(day(v));
                month % months == 0 && of_month == days_in_month(year, month)
            }),
            Field::IsLeapYear => flags(values, |v| is_leap(civil(day(v)).0)),
            Field::Date => Arc::new(values.unary::<_, Date32Type>(|v| day(v) as i32)),
        }
    }
}

fn whole(values: &PrimitiveArray<Int64Type>, part: impl Fn(i64) -> i64) -> ArrayRef {
    Arc::new(values.unary::<_, Int32Type>(|v| part(v) as i32))
}

fn counted(values: &PrimitiveArray<Int64Type>, part: impl Fn(i64) -> i64) -> ArrayRef {
    Arc::new(values.unary::<_, arrow::datatypes::UInt32Type>(|v| part(v) as u32))
}

/// False where missing.
fn flags(values: &PrimitiveArray<Int64Type>, flag: impl Fn(i64) -> bool) -> ArrayRef {
    let set = bits(values.values(), flag);
    let set = match values.nulls() {
        Some(nulls) => &set & nulls.inner(),
        None => set,
    };
    Arc::new(BooleanArray::new(set, None))
}
