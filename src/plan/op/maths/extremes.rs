//! The larger or smaller of two values, row by row: missing if either is, or skipping what is missing.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::zip::zip;

use super::super::comparison::{Order, compare};
use super::super::operand::{apply, argument, booleans, column, present, side, with_number};
use super::super::promote::{arithmetic, describe, mismatch, promote};
use super::super::{Operand, Operator, Typed};
use crate::error::{Error, Result, misused};
use crate::plan::DType;

#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Largest,
    Smallest,
}

pub struct Extreme {
    pub name: &'static str,
    pub side: Side,
    /// A missing value gives way to the other one.
    pub skips: bool,
}

impl Operator for Extreme {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.name)));
        };
        if a.dtype.is_temporal()
            && let Some(dtype) = promote(&a.dtype, &b.dtype)
        {
            return Ok(dtype);
        }
        arithmetic(a, b)?.ok_or_else(|| {
            mismatch(
                format!("`{}` of {} and {} is not defined", self.name, describe(a), describe(b)),
                "It takes numbers, or times of one kind",
            )
        })
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (a, b) = (argument(args, 0)?, argument(args, 1)?);
        let result: ArrayRef = match dtype {
            DType::Bool => {
                let (a, b) = (column(a, dtype, rows)?, column(b, dtype, rows)?);
                let (a, b) = (booleans(&a)?, booleans(&b)?);
                Arc::new(match self.side {
                    Side::Largest => arrow::compute::or(a, b)?,
                    Side::Smallest => arrow::compute::and(a, b)?,
                })
            }
            dtype if dtype.is_temporal() => {
                let (x, y) = (column(a, dtype, rows)?, column(b, dtype, rows)?);
                let order = if self.side == Side::Largest { Order::Ge } else { Order::Le };
                let first = compare(order, &Operand::Array(x.clone()), &Operand::Array(y.clone()), rows)?;
                // Where either is missing the comparison is false, and the answer is missing.
                let valid = [present(&x)?, present(&y)?].into_iter().flatten().reduce(|p, q| &p & &q);
                let chosen = zip(&first, &x, &y)?;
                match valid {
                    Some(valid) => arrow::compute::nullif(&chosen, &BooleanArray::new(!&valid, None))?,
                    None => chosen,
                }
            }
            dtype => with_number!(dtype, T => {
                let (a, b) = (side::<T>(a, dtype)?, side::<T>(b, dtype)?);
                match self.side {
                    Side::Largest => Arc::new(apply(&a, &b, rows, larger)?),
                    Side::Smallest => Arc::new(apply(&a, &b, rows, smaller)?),
                }
            }, return Err(Error::internal(format!("`{}` cannot give {dtype}", self.name)))),
        };
        if !self.skips {
            return Ok(result);
        }
        let (x, y) = (column(a, dtype, rows)?, column(b, dtype, rows)?);
        let there = |array: &ArrayRef| -> Result<BooleanArray> {
            let bits = present(array)?.unwrap_or_else(|| BooleanBuffer::new_set(rows));
            Ok(BooleanArray::new(bits, None))
        };
        let (left, right) = (there(&x)?, there(&y)?);
        if left.true_count() == rows && right.true_count() == rows {
            return Ok(result);
        }
        // The other one where one is missing.
        Ok(zip(&left, &zip(&right, &result, &x)?, &y)?)
    }
}

/// NaN if either is.
fn larger<N: ArrowNativeTypeOp>(a: N, b: N) -> N {
    // Neither larger nor not: one is NaN, and so is the sum.
    if a > b {
        a
    } else if b >= a {
        b
    } else {
        a.add_wrapping(b)
    }
}

fn smaller<N: ArrowNativeTypeOp>(a: N, b: N) -> N {
    if a < b {
        a
    } else if b <= a {
        b
    } else {
        a.add_wrapping(b)
    }
}
