//! Functions of one number: logarithms, powers, angles, whole parts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array};
use arrow::datatypes::{Float32Type, Float64Type};

use super::super::operand::{argument, column, primitive, with_integer};
use super::super::{Operand, Operator, Typed};
use super::float_of;
use crate::error::{Error, Result, misused, not_decomposable};
use crate::plan::DType;

/// What a function makes of integers.
#[derive(Clone, Copy, PartialEq)]
enum Integers {
    /// Floats, as of any number.
    Floats,
    /// The same integers.
    Same,
    /// -1, 0 or 1.
    Sign,
    /// Their squares, which wrap.
    Square,
    Refused,
}

pub struct Function {
    name: &'static str,
    integers: Integers,
    wide: fn(&Float64Array) -> Float64Array,
    single: fn(&Float32Array) -> Float32Array,
}

macro_rules! function {
    ($constant:ident, $name:literal, $integers:ident, $v:ident => $body:expr) => {
        pub const $constant: Function = Function {
            name: $name,
            integers: Integers::$integers,
            wide: |array| array.unary(|$v: f64| $body),
            single: |array| array.unary(|$v: f32| $body),
        };
    };
}

function!(LOG, "log", Floats, v => v.ln());
function!(LOG2, "log2", Floats, v => v.log2());
function!(LOG10, "log10", Floats, v => v.log10());
function!(LOG1P, "log1p", Floats, v => v.ln_1p());
function!(EXP, "exp", Floats, v => v.exp());
function!(EXP2, "exp2", Floats, v => v.exp2());
function!(EXPM1, "expm1", Floats, v => v.exp_m1());
function!(SQRT, "sqrt", Floats, v => v.sqrt());
function!(CBRT, "cbrt", Floats, v => v.cbrt());
function!(SIN, "sin", Floats, v => v.sin());
function!(COS, "cos", Floats, v => v.cos());
function!(TAN, "tan", Floats, v => v.tan());
function!(ARCSIN, "arcsin", Floats, v => v.asin());
function!(ARCCOS, "arccos", Floats, v => v.acos());
function!(ARCTAN, "arctan", Floats, v => v.atan());
function!(SINH, "sinh", Floats, v => v.sinh());
function!(COSH, "cosh", Floats, v => v.cosh());
function!(TANH, "tanh", Floats, v => v.tanh());
function!(ARCSINH, "arcsinh", Floats, v => v.asinh());
function!(ARCCOSH, "arccosh", Floats, v => v.acosh());
function!(ARCTANH, "arctanh", Floats, v => v.atanh());
function!(DEGREES, "degrees", Floats, v => v.to_degrees());
function!(RADIANS, "radians", Floats, v => v.to_radians());
function!(RINT, "rint", Floats, v => v.round_ties_even());
function!(RECIPROCAL, "reciprocal", Refused, v => v.recip());
function!(FLOOR, "floor", Same, v => v.floor());
function!(CEIL, "ceil", Same, v => v.ceil());
function!(TRUNC, "trunc", Same, v => v.trunc());
function!(SQUARE, "square", Square, v => v * v);
function!(SIGN, "sign", Sign, v => if v > 0.0 {
    1.0
} else if v < 0.0 {
    -1.0
} else if v == 0.0 {
    0.0
} else {
    v
});

impl Operator for Function {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a] = args else {
            return Err(misused(format!("`{}` takes one argument", self.name)));
        };
        match self.integers {
            Integers::Refused if a.dtype.is_integer() => {
                Err(not_decomposable(format!("`{}` of integers is an integer division in NumPy", self.name))
                    .hint("Write `1 / column`, or `.astype(\"float64\")` first"))
            }
            Integers::Same | Integers::Sign | Integers::Square if a.dtype.is_integer() => Ok(a.dtype.clone()),
            Integers::Same if a.dtype == DType::Bool => Ok(DType::Bool),
            _ => float_of(a, self.name),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, dtype, rows)?;
        Ok(match dtype {
            DType::Float64 => Arc::new((self.wide)(primitive::<Float64Type>(&array)?)),
            DType::Float32 => Arc::new((self.single)(primitive::<Float32Type>(&array)?)),
            _ if self.integers == Integers::Same => array,
            dtype => with_integer!(dtype, T => {
                let array = primitive::<T>(&array)?;
                if self.integers == Integers::Square {
                    Arc::new(array.unary::<_, T>(|v| v.wrapping_mul(v)))
                } else {
                    Arc::new(array.unary::<_, T>(|v| match v.cmp(&0) {
                        std::cmp::Ordering::Greater => 1,
                        std::cmp::Ordering::Equal => 0,
                        // Only reached by signed types.
                        std::cmp::Ordering::Less => (0 as <T as arrow::array::ArrowPrimitiveType>::Native).wrapping_sub(1),
                    }))
                }
            }, return Err(Error::internal(format!("`{}` cannot give {dtype}", self.name)))),
        })
    }
}
