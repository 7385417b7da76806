//! Float arithmetic as NumPy defines it: floor division, modulo and rounding; and the operator `round`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType};
use arrow::datatypes::{ArrowNativeType, Float32Type, Float64Type};

use super::super::dtype::DType;
use super::operand::{argument, column, primitive, with_integer};
use super::promote::{as_integer, describe, mismatch};
use super::{Operand, Operator, Typed};
use crate::error::{Error, Result, misused, not_decomposable};

/// What NumPy can do to a float.
pub trait Real: ArrowNativeTypeOp {
    const MISSING: Self;
    fn floor_divide(self, other: Self) -> Self;
    fn remainder(self, other: Self) -> Self;
    fn power(self, other: Self) -> Self;
    fn root(self) -> Self;
    /// Multiplies, rounds half to even, divides.
    fn round_to(self, decimals: i32) -> Self;
}

macro_rules! real {
    ($float:ty) => {
        impl Real for $float {
            const MISSING: Self = <$float>::NAN;

            // NumPy's npy_divmod: the quotient is made from the remainder, then nudged to the nearest integer.
            fn floor_divide(self, other: Self) -> Self {
                if other == 0.0 {
                    return self / other;
                }
                let rest = self % other;
                let mut quotient = (self - rest) / other;
                if rest != 0.0 && (other < 0.0) != (rest < 0.0) {
                    quotient -= 1.0;
                }
                if quotient == 0.0 {
                    return (0.0 as $float).copysign(self / other);
                }
                let floor = quotient.floor();
                if quotient - floor > 0.5 { floor + 1.0 } else { floor }
            }

            fn remainder(self, other: Self) -> Self {
                let rest = self % other;
                if other == 0.0 {
                    rest
                } else if rest == 0.0 {
                    (0.0 as $float).copysign(other)
                } else if (other < 0.0) != (rest < 0.0) {
                    rest + other
                } else {
                    rest
                }
            }

            fn power(self, other: Self) -> Self {
                self.powf(other)
            }

            fn root(self) -> Self {
                self.sqrt()
            }

            fn round_to(self, decimals: i32) -> Self {
                let scale = 10_f64.powf(f64::from(decimals.unsigned_abs())) as $float;
                match decimals {
                    0 => self.round_ties_even(),
                    1.. => (self * scale).round_ties_even() / scale,
                    _ => (self / scale).round_ties_even() * scale,
                }
            }
        }
    };
}

real!(f32);
real!(f64);

/// `round(x, decimals)`.
pub struct Round;

impl Operator for Round {
    fn name(&self) -> &'static str {
        "round"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (a, decimals) = match args {
            [a] => (a, Some(0)),
            [a, decimals] => (a, decimals.literal.and_then(as_integer)),
            _ => return Err(misused("`round` takes a column and a number of decimals")),
        };
        if !decimals.is_some_and(|n| (-400..=400).contains(&n)) {
            return Err(not_decomposable("the decimals of `round` must be an integer between -400 and 400")
                .hint("Give a whole number: `p['x'].round(2)`"));
        }
        if a.dtype.is_numeric() || a.dtype == DType::Bool {
            return Ok(a.dtype.clone());
        }
        Err(mismatch(
            format!("`round` of {} is not defined", describe(a)),
            "Convert the column to numbers first, e.g. with `.astype(\"float64\")`",
        ))
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, dtype, rows)?;
        let decimals = match args.get(1) {
            Some(Operand::Literal(literal)) => as_integer(literal).and_then(|n| i32::try_from(n).ok()),
            Some(Operand::Array(_)) => None,
            None => Some(0),
        };
        let decimals =
            decimals.ok_or_else(|| Error::internal("`round` was called without a number of decimals"))?;
        match dtype {
            DType::Float64 => round::<Float64Type>(&array, decimals),
            DType::Float32 => round::<Float32Type>(&array, decimals),
            DType::Bool => Ok(array),
            dtype if dtype.is_integer() && decimals >= 0 => Ok(array),
            dtype => with_integer!(dtype, T => {
                type N = <T as ArrowPrimitiveType>::Native;
                // NumPy rounds integers through float64 and lets them wrap on the way back.
                let rounded = primitive::<T>(&array)?
                    .unary::<_, T>(|v| (v as f64).round_to(decimals) as i128 as N);
                Ok(Arc::new(rounded))
            }, Err(Error::internal(format!("`round` cannot give {dtype}")))),
        }
    }
}

fn round<T>(array: &dyn Array, decimals: i32) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Real + ArrowNativeType,
{
    Ok(Arc::new(primitive::<T>(array)?.unary::<_, T>(|v| v.round_to(decimals))))
}
