//! `rank`: the place of a row's value among those of its group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, make_comparator};
use arrow::compute::{SortOptions, sort_to_indices};

use super::{Code, Function, Groups, Proceed, Signature, Window, argument, stored};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::op::operand::{present, with_number};

/// Options: the method (average, min, max, first, dense), whether the least comes first, where missing values are
/// (keep, top, bottom), and whether ranks are shares of the number of values.
pub struct Rank;

impl Function for Rank {
    fn name(&self) -> &'static str {
        "rank"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        let dtype = call.column(self.name())?;
        if !dtype.is_simple() {
            return Err(not_decomposable(format!("a column of type {dtype} has no order to rank by"))
                .hint("Rank by a part of it, or its length: `.str[0]`, `.str.len()`, `.struct.field(...)`"));
        }
        Ok(DType::Float64)
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let method = match call.text(0)? {
            "average" => Method::Average,
            "min" => Method::Min,
            "max" => Method::Max,
            "first" => Method::First,
            "dense" => Method::Dense,
            other => return Err(Error::internal(format!("there is no method {other} of ranking"))),
        };
        let missing = match call.text(2)? {
            "keep" => Missing::Keep,
            "top" => Missing::First,
            _ => Missing::Last,
        };
        let dtype = call.column(self.name())?.clone();
        Ok(Box::new(Ranks { dtype, method, ascending: call.flag(1), missing, pct: call.flag(3) }))
    }
}

#[derive(Clone, Copy)]
enum Method {
    Average,
    Min,
    Max,
    First,
    Dense,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Keep,
    First,
    Last,
}

struct Ranks {
    dtype: DType,
    method: Method,
    ascending: bool,
    missing: Missing,
    pct: bool,
}

impl Window for Ranks {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        let values = argument(args, 0)?;
        let there = present(values)?;
        let codes = codes(values, &self.dtype)?;
        let order = groups.by_group();
        let mut ranks = vec![f64::NAN; values.len()];
        // Which of two classes a row is in, its value, and the row itself: rows of equal values stay in order.
        let mut sorted: Vec<(u8, u64, u32)> = Vec::new();
        for segment in groups.segments().windows(2) {
            proceed()?;
            sorted.clear();
            for place in segment[0]..segment[1] {
                let row = order.map_or(place as u32, |order| order[place]);
                if there.as_ref().is_none_or(|there| there.value(row as usize)) {
                    let code = codes[row as usize];
                    sorted.push((1, if self.ascending { code } else { !code }, row));
                } else if self.missing != Missing::Keep {
                    sorted.push((if self.missing == Missing::First { 0 } else { 2 }, 0, row));
                }
            }
            sorted.sort_unstable();
            self.place(&sorted, &mut ranks);
        }
        Ok(Arc::new(Float64Array::from(ranks)))
    }
}

impl Ranks {
    fn place(&self, sorted: &[(u8, u64, u32)], ranks: &mut [f64]) {
        let runs = sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let (mut before, mut number) = (0, 0);
        for run in runs {
            number += 1;
            let (first, last) = (before + 1, before + run.len());
            for (step, (_, _, row)) in run.iter().enumerate() {
                ranks[*row as usize] = match self.method {
                    Method::Average => (first + last) as f64 / 2.0,
                    Method::Min => first as f64,
                    Method::Max => last as f64,
                    Method::First => (first + step) as f64,
                    Method::Dense => f64::from(number),
                };
            }
            before = last;
        }
        if self.pct {
            let whole = match self.method {
                Method::Dense => f64::from(number),
                _ => sorted.len() as f64,
            };
            for (_, _, row) in sorted {
                ranks[*row as usize] /= whole;
            }
        }
    }
}

/// Numbers that order as the values do, equal for equal ones.
fn codes(values: &ArrayRef, dtype: &DType) -> Result<Vec<u64>> {
    if matches!(dtype, DType::Str | DType::Binary | DType::Decimal(..)) {
        let sorted = sort_to_indices(values, Some(SortOptions::default()), None)?;
        let compare = make_comparator(values, values, SortOptions::default())?;
        let (mut codes, mut code) = (vec![0; values.len()], 0);
        for (place, row) in sorted.values().iter().enumerate() {
            if place > 0 && compare(sorted.value(place - 1) as usize, *row as usize).is_ne() {
                code += 1;
            }
            codes[*row as usize] = code;
        }
        return Ok(codes);
    }
    let stored = stored(values, dtype)?;
    Ok(with_number!(
        super::storage(dtype),
        T => stored.as_primitive::<T>().values().iter().map(|value| value.code()).collect(),
        return Err(Error::internal("ranks of what has no order"))
    ))
}
