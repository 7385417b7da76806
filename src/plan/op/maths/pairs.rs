//! Functions of two numbers that give floats: the hypotenuse, the angle of a point.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, Float64Type};

use super::super::operand::{apply, argument, side};
use super::super::promote::{arithmetic, describe, mismatch};
use super::super::{Operand, Operator, Typed};
use super::float_of;
use crate::error::{Error, Result, misused};
use crate::plan::DType;

pub struct Pair {
    name: &'static str,
    wide: fn(f64, f64) -> f64,
    single: fn(f32, f32) -> f32,
}

pub const HYPOT: Pair = Pair { name: "hypot", wide: f64::hypot, single: f32::hypot };
pub const ARCTAN2: Pair = Pair { name: "arctan2", wide: f64::atan2, single: f32::atan2 };

impl Operator for Pair {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.name)));
        };
        let Some(dtype) = arithmetic(a, b)? else {
            return Err(mismatch(
                format!("`{}` of {} and {} is not defined", self.name, describe(a), describe(b)),
                "Convert them to numbers first, e.g. with `.astype(\"float64\")`",
            ));
        };
        float_of(&Typed { dtype, literal: None }, self.name)
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (a, b) = (argument(args, 0)?, argument(args, 1)?);
        Ok(match dtype {
            DType::Float64 => {
                let (a, b) = (side::<Float64Type>(a, dtype)?, side::<Float64Type>(b, dtype)?);
                Arc::new(apply(&a, &b, rows, self.wide)?)
            }
            DType::Float32 => {
                let (a, b) = (side::<Float32Type>(a, dtype)?, side::<Float32Type>(b, dtype)?);
                Arc::new(apply(&a, &b, rows, self.single)?)
            }
            other => return Err(Error::internal(format!("`{}` cannot give {other}", self.name))),
        })
    }
}
