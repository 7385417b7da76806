//! English names of months and days: `dt.month_name()`, `dt.day_name()`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, make_view};

use super::calendar::{civil, weekday};
use super::parts::local;
use super::{times, with_unit};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::op::time::SECONDS_PER_DAY;
use crate::plan::op::{Operand, Operator, Typed};

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub struct Name {
    pub name: &'static str,
    pub of: Of,
}

#[derive(Debug, Clone, Copy)]
pub enum Of {
    Month,
    Day,
}

impl Operator for Name {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        times(args, self.name.trim_start_matches("dt_"))?;
        Ok(DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let (values, unit) = local(args, rows)?;
        // All names are short enough to stand within their views.
        let view = |name: &&str| make_view(name.as_bytes(), 0, 0);
        let views: Vec<u128> = with_unit!(unit, PER_SECOND => {
            let day = |v: &i64| v.div_euclid(PER_SECOND * SECONDS_PER_DAY);
            match self.of {
                Of::Month => {
                    let names = MONTHS.each_ref().map(view);
                    values.values().iter().map(|v| names[(civil(day(v)).1 - 1).rem_euclid(12) as usize]).collect()
                }
                Of::Day => {
                    let names = DAYS.each_ref().map(view);
                    values.values().iter().map(|v| names[weekday(day(v)) as usize]).collect()
                }
            }
        });
        Ok(Arc::new(StringViewArray::try_new(views.into(), Vec::new(), values.nulls().cloned())?))
    }
}
