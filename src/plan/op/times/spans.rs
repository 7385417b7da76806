//! Parts of spans: `dt.days`, `dt.seconds`, `dt.total_seconds()`, `dt.components`.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};

use super::with_unit;
use crate::error::{Error, Result};
use crate::plan::DType;
use crate::plan::dtype::Unit;
use crate::plan::op::operand::{argument, column, counts};
use crate::plan::op::promote::{describe, mismatch};
use crate::plan::op::time::{SECONDS_PER_DAY, per_second};
use crate::plan::op::{Operand, Operator, Typed};

pub struct Part {
    pub name: &'static str,
    pub field: Field,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field {
    Days,
    /// Of the day.
    Seconds,
    /// Of the second.
    Microseconds,
    /// Of the microsecond.
    Nanoseconds,
    Hours,
    Minutes,
    /// Of the minute.
    WholeSeconds,
    Milliseconds,
    /// Of the millisecond.
    WholeMicroseconds,
}

fn spans(args: &[Typed<'_>], what: &str) -> Result<()> {
    match args.first().map(|arg| &arg.dtype) {
        Some(DType::Duration(_)) => Ok(()),
        Some(_) => Err(mismatch(
            format!("`{what}` of {}: only spans have it", describe(&args[0])),
            "Subtract times, or use `pd.to_timedelta(...)` first",
        )),
        None => Err(Error::internal(format!("`{what}` was called without a column"))),
    }
}

fn ticks(args: &[Operand], rows: usize) -> Result<(PrimitiveArray<Int64Type>, Unit)> {
    let operand = argument(args, 0)?;
    match operand.dtype() {
        dtype @ DType::Duration(unit) => Ok((counts(&column(operand, &dtype, rows)?)?, unit)),
        other => Err(Error::internal(format!("{other} is no span"))),
    }
}

impl Operator for Part {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        spans(args, self.name)?;
        Ok(match self.field {
            Field::Seconds | Field::Microseconds | Field::Nanoseconds => DType::Int32,
            _ => DType::Int64,
        })
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (values, unit) = ticks(args, rows)?;
        let wide: PrimitiveArray<Int64Type> = with_unit!(unit, PER_SECOND => {
            let second = |v: i64| v.div_euclid(PER_SECOND).rem_euclid(SECONDS_PER_DAY);
            let nanos = |v: i64| v.rem_euclid(PER_SECOND) * (1_000_000_000 / PER_SECOND);
            match self.field {
                Field::Days => values.unary(|v| v.div_euclid(PER_SECOND * SECONDS_PER_DAY)),
                Field::Seconds => values.unary(second),
                Field::Microseconds => values.unary(|v| nanos(v) / 1000),
                Field::Nanoseconds => values.unary(|v| nanos(v) % 1000),
                Field::Hours => values.unary(|v| second(v) / 3600),
                Field::Minutes => values.unary(|v| second(v) / 60 % 60),
                Field::WholeSeconds => values.unary(|v| second(v) % 60),
                Field::Milliseconds => values.unary(|v| nanos(v) / 1_000_000),
                Field::WholeMicroseconds => values.unary(|v| nanos(v) / 1000 % 1000),
            }
        });
        Ok(if *dtype == DType::Int32 {
            Arc::new(wide.unary::<_, Int32Type>(|v| v as i32))
        } else {
            Arc::new(wide)
        })
    }
}

/// `dt.total_seconds()`: as a float, whatever the unit.
pub struct TotalSeconds;

impl Operator for TotalSeconds {
    fn name(&self) -> &'static str {
        "dt_total_seconds"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        spans(args, "dt.total_seconds")?;
        Ok(DType::Float64)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let (values, unit) = ticks(args, rows)?;
        let per = per_second(unit) as f64;
        Ok(Arc::new(values.unary::<_, Float64Type>(|v| v as f64 / per)))
    }
}
