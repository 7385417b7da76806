//! `bins(x, right, lowest, names, edge, edge, ...)`: the interval each value is in, by number or name.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Float64Type;

use super::super::operand::{argument, column, primitive};
use super::super::promote::{as_integer, bare, describe, mismatch};
use super::super::{Operand, Operator, Typed, failed};
use crate::error::{Error, Result, misused, not_decomposable};
use crate::plan::{DType, Literal};

pub struct Bins;

impl Operator for Bins {
    fn name(&self) -> &'static str {
        "bins"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [x, right, lowest, names, edges @ ..] = args else {
            return Err(misused("`bins` takes a column, its options and edges"));
        };
        if !x.dtype.is_numeric() {
            return Err(mismatch(
                format!("intervals of {} are not defined", describe(x)),
                "Convert the column to numbers first",
            ));
        }
        if right.literal.is_none() || lowest.literal.is_none() || edges.len() < 2 {
            return Err(not_decomposable("`bins` takes constants as options, and two edges or more")
                .hint("Give the edges of two intervals or more: `pd.cut(p['x'], [0, 10, 20])`"));
        }
        match names.literal {
            // Numbers of intervals: of a value outside there is none, which makes floats of them in pandas.
            Some(Literal::List(names)) if names.is_empty() => Ok(DType::Int64),
            Some(Literal::List(names)) if names.len() + 1 == edges.len() => Ok(DType::Str),
            _ => Err(not_decomposable("`bins` takes a name for each interval")
                .hint("Give one label fewer than edges, or `labels=False`")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, &DType::Float64, rows)?;
        let values = primitive::<Float64Type>(&array)?;
        let (right, lowest) = (flag(argument(args, 1)?)?, flag(argument(args, 2)?)?);
        let edges = args.get(4..).unwrap_or_default().iter().map(edge).collect::<Result<Vec<f64>>>()?;
        let increasing = edges.array_windows().all(|[low, high]| low < high);
        if !increasing && rows > 0 {
            return Err(failed(
                "the edges of the intervals are missing, infinite or not all different".to_owned(),
            )
            .hint("Use fewer intervals, or give the edges yourself"));
        }
        let found = numbers(values, &edges, right, lowest);
        match (dtype, argument(args, 3)?) {
            (DType::Str, Operand::Literal(Literal::List(names))) => {
                let names: StringViewArray = names
                    .iter()
                    .map(|name| match bare(name) {
                        Literal::Str(text) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect();
                Ok(take(&names, &found, None)?)
            }
            _ => Ok(Arc::new(found.unary::<_, arrow::datatypes::Int64Type>(i64::from) as Int64Array)),
        }
    }
}

fn flag(operand: &Operand) -> Result<bool> {
    match operand {
        Operand::Literal(literal) => Ok(as_integer(literal) == Some(1)),
        Operand::Array(_) => Err(Error::internal("`bins` was called with a column for an option")),
    }
}

fn edge(operand: &Operand) -> Result<f64> {
    match operand {
        Operand::Literal(literal) => Ok(match bare(literal) {
            Literal::Float(value) => *value,
            other => as_integer(other).map_or(f64::NAN, |value| value as f64),
        }),
        Operand::Array(_) => Err(Error::internal("`bins` was called with a column for an edge")),
    }
}

/// The interval of each value, from 0; null outside, and of what is missing.
fn numbers(values: &Float64Array, edges: &[f64], right: bool, lowest: bool) -> UInt32Array {
    let last = edges.len().saturating_sub(1);
    let find = |v: f64| {
        if v.is_nan() {
            return None;
        }
        let before = if right {
            edges.partition_point(|edge| *edge < v)
        } else {
            edges.partition_point(|edge| *edge <= v)
        };
        if before == 0 {
            return (right && lowest && edges.first() == Some(&v)).then_some(0);
        }
        (before <= last).then_some(before as u32 - 1)
    };
    values.iter().map(|v| v.and_then(find)).collect()
}
