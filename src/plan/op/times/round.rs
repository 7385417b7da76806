//! `dt.floor`, `dt.ceil`, `dt.round` to multiples of a fixed span since 1970; halves to even, as pandas has them.

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::Int64Type;

use super::freq::Freq;
use super::text;
use crate::error::{Error, Result};
use crate::plan::dtype::Unit;
use crate::plan::op::operand::{argument, column, counts, instants, spans};
use crate::plan::op::promote::{describe, mismatch};
use crate::plan::op::time::overflow;
use crate::plan::op::{Operand, Operator, Typed};
use crate::plan::{DType, Literal};

pub struct Round {
    pub name: &'static str,
    pub way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Floor,
    Ceil,
    Nearest,
}

/// The span in ticks of a unit; `None` where it is shorter than one.
fn step(freq: &str, unit: Unit) -> Result<Option<i64>> {
    let freq = Freq::parse(freq)?;
    let Some(nanos) = freq.nanos() else {
        return Err(mismatch(
            format!("{freq} is not a fixed frequency"),
            "Round to days, hours, minutes, seconds or fractions of them",
        ));
    };
    let tick = i128::from(1_000_000_000 / crate::plan::op::time::per_second(unit));
    if nanos < tick {
        return Ok(None);
    }
    if nanos % tick != 0 {
        return Err(mismatch(
            format!("{freq} is not a whole number of the column's unit"),
            "Convert the column with `.dt.as_unit(\"ns\")` first",
        ));
    }
    i64::try_from(nanos / tick).map(Some).map_err(|_| overflow("this frequency"))
}

impl Operator for Round {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let freq = text(args, 1, "a frequency")?;
        match args.first().map(|arg| &arg.dtype) {
            Some(dtype @ (DType::Timestamp(unit, None) | DType::Duration(unit))) => {
                step(freq, *unit)?;
                Ok(dtype.clone())
            }
            Some(_) => Err(mismatch(
                format!("`{}` of {} is not defined", self.name.replace('_', "."), describe(&args[0])),
                "Only times and spans can be rounded to a frequency",
            )),
            None => Err(Error::internal("rounding was called without a column")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let Operand::Literal(Literal::Str(freq)) = argument(args, 1)? else {
            return Err(Error::internal("rounding was called without a frequency"));
        };
        let values = counts(&column(argument(args, 0)?, dtype, rows)?)?;
        let (DType::Timestamp(unit, _) | DType::Duration(unit)) = dtype else {
            return Err(Error::internal("rounding of what is no time"));
        };
        let values = match step(freq, *unit)? {
            None | Some(1) => values,
            Some(step) => self.round(&values, step)?,
        };
        Ok(match dtype {
            DType::Duration(_) => spans(values, *unit),
            _ => instants(values, *unit, None),
        })
    }
}

impl Round {
    fn round(&self, values: &PrimitiveArray<Int64Type>, step: i64) -> Result<PrimitiveArray<Int64Type>> {
        let late = || overflow("this rounding");
        let half = step / 2;
        let one = |v: i64| -> Result<i64> {
            let (quotient, rest) = (v.div_euclid(step), v.rem_euclid(step));
            let up = match self.way {
                Way::Floor => false,
                Way::Ceil => rest > 0,
                Way::Nearest => rest > half || (rest * 2 == step && quotient & 1 == 1),
            };
            let down = v.checked_sub(rest).ok_or_else(late)?;
            if up { down.checked_add(step).ok_or_else(late) } else { Ok(down) }
        };
        values.try_unary(one)
    }
}
