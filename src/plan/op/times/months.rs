//! `dt_add_months(t, n, day)`: times moved by months; the day stays, or becomes the first or the last of its month.

use arrow::array::ArrayRef;

use super::calendar::{civil, days, days_in_month};
use super::{text, times};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::op::operand::{argument, column, counts, instants};
use crate::plan::op::time::{SECONDS_PER_DAY, overflow, per_second};
use crate::plan::op::{Operand, Operator, Typed};
use crate::plan::{DType, Literal};

pub struct AddMonths;

/// Which day of the month is meant.
#[derive(Clone, Copy, PartialEq)]
enum Day {
    Same,
    First,
    Last,
}

fn day(word: &str) -> Result<Day> {
    match word {
        "same" => Ok(Day::Same),
        "first" => Ok(Day::First),
        "last" => Ok(Day::Last),
        _ => Err(Error::internal("months are added to another day")),
    }
}

impl Operator for AddMonths {
    fn name(&self) -> &'static str {
        "dt_add_months"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (unit, tz) = times(args, "add_months")?;
        day(text(args, 2, "the day of the month")?)?;
        match (tz, args.get(1).and_then(|arg| arg.literal)) {
            (None, Some(Literal::Int(n))) if n.abs() < 120_000 => Ok(DType::Timestamp(unit, None)),
            _ => Err(not_decomposable("months are added by a constant number")
                .hint("Give a constant: `p['t'] + pd.DateOffset(months=3)`")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (Operand::Literal(Literal::Int(n)), Operand::Literal(Literal::Str(word))) =
            (argument(args, 1)?, argument(args, 2)?)
        else {
            return Err(Error::internal("months are added without a number"));
        };
        let DType::Timestamp(unit, _) = dtype else { return Err(Error::internal("months of no times")) };
        let (n, which) = (*n, day(word)?);
        let per_day = per_second(*unit) * SECONDS_PER_DAY;
        let values = counts(&column(argument(args, 0)?, dtype, rows)?)?;
        let moved = values.try_unary(|v| {
            let (year, month, day) = civil(v.div_euclid(per_day));
            // To the first or last day counts as a step of its own.
            let n = match which {
                Day::First if n <= 0 && day > 1 => n + 1,
                Day::Last if n > 0 && day < days_in_month(year, month) => n - 1,
                _ => n,
            };
            let months = year * 12 + month - 1 + n;
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            let day = match which {
                Day::Same => day.min(days_in_month(year, month)),
                Day::First => 1,
                Day::Last => days_in_month(year, month),
            };
            let midnight = days(year, month, day).checked_mul(per_day);
            let moved = midnight.and_then(|midnight| midnight.checked_add(v.rem_euclid(per_day)));
            moved.ok_or_else(|| overflow("this offset"))
        })?;
        Ok(instants(moved, *unit, None))
    }
}
