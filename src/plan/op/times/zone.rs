//! `dt.tz_convert`, `dt.tz_localize`: the zone of a column, by the clock or by the instant.

use arrow::array::ArrayRef;

use super::local::{Ambiguous, Nonexistent, Zone, to_instants};
use super::parts::local;
use super::{text, times};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::op::operand::{argument, column, counts, instants};
use crate::plan::op::promote::mismatch;
use crate::plan::op::{Operand, Operator, Typed};
use crate::plan::{DType, Literal};

/// The same instants, shown by the clocks of another zone. `dt_tz_convert(t, "zone")`.
pub struct Convert;

impl Operator for Convert {
    fn name(&self) -> &'static str {
        "dt_tz_convert"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (unit, tz) = times(args, "tz_convert")?;
        if tz.is_none() {
            return Err(mismatch(
                "cannot convert times without a time zone".to_owned(),
                "Say which zone they are in with `.dt.tz_localize(...)` first",
            ));
        }
        let zone = text(args, 1, "the zone of `dt.tz_convert`")?;
        Zone::parse(zone)?;
        Ok(DType::Timestamp(unit, Some(zone.to_owned())))
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let operand = argument(args, 0)?;
        let values = counts(&column(operand, &operand.dtype(), rows)?)?;
        let DType::Timestamp(unit, tz) = dtype else { return Err(Error::internal("no times")) };
        Ok(instants(values, *unit, tz.as_deref()))
    }
}

/// What the clocks show, without the zone. `dt_tz_naive(t)`.
pub struct Naive;

impl Operator for Naive {
    fn name(&self) -> &'static str {
        "dt_tz_naive"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (unit, tz) = times(args, "tz_localize")?;
        Zone::of(tz)?;
        Ok(DType::Timestamp(unit, None))
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let (values, unit) = local(args, rows)?;
        Ok(instants(values, unit, None))
    }
}

/// The instants at which the clocks of a zone show these times. `dt_tz_localize(t, "zone", ambiguous, nonexistent)`.
pub struct Localize;

fn choices(ambiguous: Option<&Literal>, nonexistent: Option<&Literal>) -> Result<(Ambiguous, Nonexistent)> {
    let ambiguous = match ambiguous {
        Some(Literal::Bool(ahead)) => Ambiguous::Ahead(*ahead),
        Some(Literal::Str(word)) if word == "raise" => Ambiguous::Raise,
        Some(Literal::Str(word)) if word == "NaT" => Ambiguous::Missing,
        _ => {
            return Err(not_decomposable("`ambiguous` is not one that is native")
                .hint("Use \"raise\", \"NaT\", True (daylight saving time) or False"));
        }
    };
    let nonexistent = match nonexistent {
        Some(Literal::Str(word)) if word == "raise" => Nonexistent::Raise,
        Some(Literal::Str(word)) if word == "NaT" => Nonexistent::Missing,
        Some(Literal::Str(word)) if word == "shift_forward" => Nonexistent::Forward,
        Some(Literal::Str(word)) if word == "shift_backward" => Nonexistent::Backward,
        _ => {
            return Err(not_decomposable("`nonexistent` is not one that is native")
                .hint("Use \"raise\", \"NaT\", \"shift_forward\" or \"shift_backward\""));
        }
    };
    Ok((ambiguous, nonexistent))
}

impl Operator for Localize {
    fn name(&self) -> &'static str {
        "dt_tz_localize"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (unit, tz) = times(args, "tz_localize")?;
        if tz.is_some() {
            return Err(mismatch(
                "the times have a time zone already".to_owned(),
                "Use `.dt.tz_convert(...)` to change it",
            ));
        }
        let zone = text(args, 1, "the zone of `dt.tz_localize`")?;
        Zone::parse(zone)?;
        let literal = |position: usize| args.get(position).and_then(|arg| arg.literal);
        choices(literal(2), literal(3))?;
        Ok(DType::Timestamp(unit, Some(zone.to_owned())))
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let DType::Timestamp(unit, Some(zone)) = dtype else { return Err(Error::internal("no zone")) };
        let literal = |position: usize| match args.get(position) {
            Some(Operand::Literal(literal)) => Some(literal),
            _ => None,
        };
        let (ambiguous, nonexistent) = choices(literal(2), literal(3))?;
        let operand = argument(args, 0)?;
        let values = counts(&column(operand, &operand.dtype(), rows)?)?;
        let values = to_instants(&values, *unit, Zone::parse(zone)?, ambiguous, nonexistent)?;
        Ok(instants(values, *unit, Some(zone)))
    }
}
