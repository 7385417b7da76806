//! `shift` and `diff`: the row so many places before a row, or after it where that number is negative.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use super::{Function, Groups, Proceed, Signature, Window, argument, has_no_meaning, into, stored};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::eval::literal_array;
use crate::plan::op::operand::{with_integer, with_number};
use crate::plan::op::{self, promote};
use crate::plan::{DType, Literal};

/// Options: the number of places, and what fills the rows that have no such neighbour (a null where nothing does).
pub struct Shift;

impl Function for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        let dtype = call.column(self.name())?;
        if let DType::Opaque(name) = dtype {
            return Err(not_decomposable(format!("a column of type {name} cannot be shifted"))
                .hint("Shift a part of it, or leave the column out: `p.drop(columns=[...])`"));
        }
        match call.option(1) {
            // Room for missing values: pandas makes floats of whole numbers.
            Literal::Null if dtype.is_integer() && call.integer(0)? != 0 => Ok(DType::Float64),
            Literal::Null => Ok(dtype.clone()),
            fill => {
                let fill = op::Typed { dtype: fill.dtype(), literal: Some(fill) };
                let column = op::Typed { dtype: dtype.clone(), literal: None };
                let common = promote::common(&column, &fill, "`shift`")?;
                if common != *dtype {
                    return Err(not_decomposable(format!(
                        "`shift` with a fill_value that a column of type {dtype} cannot hold"
                    ))
                    .hint("Convert the column first, or give a fill_value of its type"));
                }
                Ok(common)
            }
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let (periods, output) = (call.integer(0)?, self.infer(call)?);
        Ok(Box::new(Shifted { periods, fill: call.option(1).clone(), output }))
    }
}

struct Shifted {
    periods: i64,
    fill: Literal,
    output: DType,
}

impl Window for Shifted {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        proceed()?;
        let values = into(argument(args, 0)?, &self.output)?;
        shifted(&values, groups, self.periods, &self.fill, &self.output)
    }

    fn look_back(&self) -> Option<usize> {
        usize::try_from(self.periods).ok()
    }

    fn outside(&self) -> Literal {
        self.fill.clone()
    }
}

fn shifted(
    values: &ArrayRef,
    groups: &Groups,
    periods: i64,
    fill: &Literal,
    dtype: &DType,
) -> Result<ArrayRef> {
    let rows = values.len();
    let away = usize::try_from(periods.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(order) = groups.by_group() else {
        let away = away.min(rows);
        let gap = literal_array(fill, dtype, away)?;
        let kept = if periods >= 0 { values.slice(0, rows - away) } else { values.slice(away, rows - away) };
        let parts: [&dyn Array; 2] = if periods >= 0 { [&gap, &kept] } else { [&kept, &gap] };
        return Ok(concat(&parts)?);
    };
    // The fill stands behind all rows.
    let values = concat(&[values.as_ref(), literal_array(fill, dtype, 1)?.as_ref()])?;
    let mut sources = vec![rows as u32; rows];
    for segment in groups.segments().windows(2) {
        let of_group = &order[segment[0]..segment[1]];
        let away = away.min(of_group.len());
        let (front, back) = (&of_group[away..], &of_group[..of_group.len() - away]);
        let (to, from) = if periods >= 0 { (front, back) } else { (back, front) };
        for (to, from) in to.iter().zip(from) {
            sources[*to as usize] = *from;
        }
    }
    Ok(take(&values, &UInt32Array::from(sources), None)?)
}

/// A row's value less its neighbour's. Option: the number of places.
pub struct Diff;

impl Function for Diff {
    fn name(&self) -> &'static str {
        "diff"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        call.integer(0)?;
        match call.column(self.name())? {
            DType::Int8 | DType::Int16 | DType::Float32 => Ok(DType::Float32),
            DType::Timestamp(unit, _) | DType::Duration(unit) => Ok(DType::Duration(*unit)),
            DType::Null => Ok(DType::Float64),
            dtype if dtype.is_numeric() => Ok(DType::Float64),
            other => Err(has_no_meaning(self.name(), other, "Take differences of numbers or times")),
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let input = call.column(self.name())?.clone();
        let (periods, output) = (call.integer(0)?, self.infer(call)?);
        Ok(Box::new(Differences { periods, input, output, grouped: call.grouped }))
    }
}

struct Differences {
    periods: i64,
    input: DType,
    output: DType,
    grouped: bool,
}

impl Window for Differences {
    // One of the types is the wide one.
    #[allow(clippy::unnecessary_cast)]
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        proceed()?;
        let storage = super::storage(&self.input);
        let values = stored(argument(args, 0)?, &self.input)?;
        let before = shifted(&values, groups, self.periods, &Literal::Null, &storage)?;
        proceed()?;
        if matches!(self.output, DType::Duration(_)) {
            let spans = pairs::<Int64Type, Int64Type>(&values, &before, i64::wrapping_sub)?;
            return into(&spans, &self.output);
        }
        let differences = if storage.is_integer() && !self.grouped {
            // Whole numbers are subtracted as such.
            with_integer!(
                storage,
                T => pairs::<T, Float64Type>(&values, &before, |a, b| {
                    if <T as ArrowPrimitiveType>::Native::MIN == 0 {
                        a.wrapping_sub(b) as f64
                    } else {
                        (a as i64).wrapping_sub(b as i64) as f64
                    }
                })?,
                return Err(Error::internal("differences of no numbers"))
            )
        } else if self.output == DType::Float32 {
            let (values, before) = (into(&values, &DType::Float32)?, into(&before, &DType::Float32)?);
            pairs::<Float32Type, Float32Type>(&values, &before, |a, b| a - b)?
        } else {
            with_number!(
                storage,
                T => pairs::<T, Float64Type>(&values, &before, |a, b| a as f64 - b as f64)?,
                return Err(Error::internal("differences of no numbers"))
            )
        };
        into(&differences, &self.output)
    }

    fn look_back(&self) -> Option<usize> {
        usize::try_from(self.periods).ok()
    }
}

fn pairs<T: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    a: &ArrayRef,
    b: &ArrayRef,
    of: impl Fn(T::Native, T::Native) -> O::Native,
) -> Result<ArrayRef> {
    let (a, b) = (a.as_primitive::<T>(), b.as_primitive::<T>());
    let nulls = NullBuffer::union(a.nulls(), b.nulls());
    let values: Vec<O::Native> = a.values().iter().zip(b.values()).map(|(a, b)| of(*a, *b)).collect();
    Ok(Arc::new(PrimitiveArray::<O>::new(values.into(), nulls)))
}
