//! Numbers: functions of NumPy and of pandas beyond arithmetic. One file each and one line in the list below.

mod bins;
mod checked;
mod extremes;
mod functions;
mod guard;
mod lookup;
mod pairs;
mod predicates;
mod select;

use self::checked::Checked;
use self::extremes::{Extreme, Side};
use self::lookup::Lookup;
pub use self::select::Value;

use self::predicates::{Predicate, Question};
use super::arithmetic::Kind;
use super::promote::{describe, mismatch};
use super::{Operator, Typed};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;

pub const OPERATORS: &[&dyn Operator] = &[
    &functions::LOG,
    &functions::LOG2,
    &functions::LOG10,
    &functions::LOG1P,
    &functions::EXP,
    &functions::EXP2,
    &functions::EXPM1,
    &functions::SQRT,
    &functions::CBRT,
    &functions::SIN,
    &functions::COS,
    &functions::TAN,
    &functions::ARCSIN,
    &functions::ARCCOS,
    &functions::ARCTAN,
    &functions::SINH,
    &functions::COSH,
    &functions::TANH,
    &functions::ARCSINH,
    &functions::ARCCOSH,
    &functions::ARCTANH,
    &functions::DEGREES,
    &functions::RADIANS,
    &functions::RINT,
    &functions::RECIPROCAL,
    &functions::FLOOR,
    &functions::CEIL,
    &functions::TRUNC,
    &functions::SIGN,
    &functions::SQUARE,
    &pairs::HYPOT,
    &pairs::ARCTAN2,
    &Predicate { name: "isfinite", question: Question::Finite },
    &Predicate { name: "isinf", question: Question::Infinite },
    &Predicate { name: "isnan", question: Question::Nan },
    &Predicate { name: "signbit", question: Question::Negative },
    &Extreme { name: "maximum", side: Side::Largest, skips: false },
    &Extreme { name: "minimum", side: Side::Smallest, skips: false },
    &Extreme { name: "fmax", side: Side::Largest, skips: true },
    &Extreme { name: "fmin", side: Side::Smallest, skips: true },
    &bins::Bins,
    &select::Select,
    &Lookup { name: "map_values", keeps: false },
    &Lookup { name: "replace_values", keeps: true },
    &guard::Given,
    &guard::Ensure,
    &Checked { kind: Kind::Add, name: "checked_add", symbol: "+" },
    &Checked { kind: Kind::Sub, name: "checked_sub", symbol: "-" },
    &Checked { kind: Kind::Mul, name: "checked_mul", symbol: "*" },
    &Checked { kind: Kind::Pow, name: "checked_pow", symbol: "**" },
];

/// The float that NumPy computes in for an argument: its own width, `float32` for 16 bits, else `float64`.
fn float_of(arg: &Typed<'_>, what: &str) -> Result<DType> {
    use DType::*;
    match arg.dtype {
        Float32 | Float64 => Ok(arg.dtype.clone()),
        Int16 | UInt16 => Ok(Float32),
        Int32 | Int64 | UInt32 | UInt64 => Ok(Float64),
        Bool if arg.literal.is_some() => Ok(Float64),
        Bool | Int8 | UInt8 => Err(not_decomposable(format!(
            "`{what}` of {} is computed in 16-bit floats by NumPy, which are not native",
            describe(arg)
        ))
        .hint("Widen the column first: `.astype(\"float64\")`")),
        _ => Err(mismatch(
            format!("`{what}` of {} is not defined", describe(arg)),
            "Convert the column to numbers first, e.g. with `.astype(\"float64\")`",
        )),
    }
}
