//! Arithmetic with the rules of NumPy and pandas: `+ - * / // % **`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, PrimitiveArray, StringViewBuilder,
};

use super::super::dtype::DType;
use super::super::expr::Literal;
use super::operand::{
    Side, apply, argument, booleans, column, side, strings, try_apply, with_integer, with_number,
};
use super::promote::{arithmetic, as_integer, bare, describe, is_missing, mismatch};
use super::real::Real;
use super::{Operand, Operator, Typed, failed, temporal};
use crate::error::{Error, Result, misused, not_decomposable};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Add,
    Sub,
    Mul,
    TrueDiv,
    FloorDiv,
    Mod,
    Pow,
}

pub struct Arithmetic {
    pub kind: Kind,
    pub name: &'static str,
    pub symbol: &'static str,
}

impl Operator for Arithmetic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display(&self, args: &[String]) -> String {
        format!("({})", args.join(&format!(" {} ", self.symbol)))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.name)));
        };
        if a.dtype == DType::Str && b.dtype == DType::Str && self.kind == Kind::Add {
            return Ok(DType::Str);
        }
        if let Some(dtype) = temporal::infer(self.kind, a, b)? {
            return Ok(dtype);
        }
        let Some(dtype) = arithmetic(a, b)? else { return Err(self.refuse(a, b)) };
        match (self.kind, &dtype) {
            (Kind::Add | Kind::Mul, _) => Ok(dtype),
            (_, DType::Bool) => Err(self.refuse(a, b)),
            (Kind::Pow, _) if a.dtype == DType::Bool => Err(self.refuse(a, b)),
            (Kind::TrueDiv, dtype) if dtype.is_integer() => Ok(DType::Float64),
            (Kind::FloorDiv | Kind::Mod, dtype) if dtype.is_integer() && constant(b) == Some(0) => {
                Err(not_decomposable(format!(
                    "{} {} 0 is an integer division by zero",
                    describe(a),
                    self.symbol
                ))
                .hint(
                    "Use `.astype(\"float64\")` on the column first, where the result is infinite or missing",
                ))
            }
            (Kind::Pow, dtype) if dtype.is_integer() && constant(b).is_some_and(|n| n < 0) => Err(mismatch(
                "integers to negative integer powers are not allowed".to_owned(),
                "Use `.astype(\"float64\")` on the column first, or a float power",
            )),
            _ => Ok(dtype),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (a, b) = (argument(args, 0)?, argument(args, 1)?);
        match dtype {
            DType::Str => return concatenate(a, b, rows),
            DType::Bool => return self.logical(a, b, rows),
            _ if a.dtype().is_temporal() || b.dtype().is_temporal() => {
                return temporal::eval(self.kind, a, b, rows, dtype);
            }
            _ => {}
        }
        match dtype {
            DType::Float32 => self.real::<arrow::datatypes::Float32Type>(a, b, rows, dtype),
            DType::Float64 => self.real::<arrow::datatypes::Float64Type>(a, b, rows, dtype),
            dtype => with_integer!(dtype, T => self.integer::<T>(a, b, rows, dtype),
                Err(Error::internal(format!("`{}` cannot give {dtype}", self.name)))),
        }
    }
}

fn constant(arg: &Typed<'_>) -> Option<i128> {
    arg.literal.and_then(as_integer)
}

impl Arithmetic {
    fn refuse(&self, a: &Typed<'_>, b: &Typed<'_>) -> Error {
        let what = format!("{} {} {} is not defined", describe(a), self.symbol, describe(b));
        let simple = |arg: &Typed<'_>| arg.dtype.is_simple();
        if !simple(a) || !simple(b) {
            let what = what.replace("is not defined", "cannot be computed natively");
            return not_decomposable(what).hint("Compute with parts of it: `.str[0]`, `.struct.field(...)`");
        }
        let decimal = |arg: &Typed<'_>| matches!(arg.dtype, DType::Decimal(..) | DType::Date);
        if decimal(a) || decimal(b) {
            let what = what.replace("is not defined", "cannot be computed natively");
            return not_decomposable(what).hint(
                "Convert the column first: `.astype(\"float64\")` for decimals, `.astype(\"datetime64[s]\")` for dates",
            );
        }
        if a.dtype == DType::Bool && (b.dtype == DType::Bool || self.kind == Kind::Pow) {
            return mismatch(
                what,
                "Use `&`, `|`, `^` for logic, or `.astype(\"int64\")` to count with booleans",
            );
        }
        mismatch(what, "Convert one side first, e.g. with `.astype(...)`")
    }

    fn integer<T>(&self, a: &Operand, b: &Operand, rows: usize, dtype: &DType) -> Result<ArrayRef>
    where
        T: ArrowPrimitiveType,
    {
        let (a, b) = (side::<T>(a, dtype)?, side::<T>(b, dtype)?);
        let symbol = self.symbol;
        let divisor = |b: T::Native| {
            if b.is_zero() {
                return Err(failed(format!("integer division by zero in `{symbol}`")).hint(
                    "pandas makes the whole column float64 then; say so with `.astype(\"float64\")` first",
                ));
            }
            Ok(b)
        };
        Ok(Arc::new(match self.kind {
            Kind::Add => apply(&a, &b, rows, |a, b| a.add_wrapping(b))?,
            Kind::Sub => apply(&a, &b, rows, |a, b| a.sub_wrapping(b))?,
            Kind::Mul => apply(&a, &b, rows, |a, b| a.mul_wrapping(b))?,
            Kind::FloorDiv => try_apply(&a, &b, rows, |a, b| Ok(floor_div(a, divisor(b)?)))?,
            Kind::Mod => try_apply(&a, &b, rows, |a, b| Ok(modulo(a, divisor(b)?)))?,
            Kind::Pow => try_apply(&a, &b, rows, power)?,
            Kind::TrueDiv => return Err(Error::internal("`truediv` cannot give integers")),
        }))
    }

    fn real<T>(&self, a: &Operand, b: &Operand, rows: usize, dtype: &DType) -> Result<ArrayRef>
    where
        T: ArrowPrimitiveType,
        T::Native: Real,
    {
        let exponent = match b {
            Operand::Literal(literal) if self.kind == Kind::Pow => shortcut(literal),
            _ => None,
        };
        let (a, b) = (side::<T>(a, dtype)?, side::<T>(b, dtype)?);
        Ok(Arc::new(match self.kind {
            Kind::Add => apply(&a, &b, rows, |a, b| a.add_wrapping(b))?,
            Kind::Sub => apply(&a, &b, rows, |a, b| a.sub_wrapping(b))?,
            Kind::Mul => apply(&a, &b, rows, |a, b| a.mul_wrapping(b))?,
            Kind::TrueDiv => apply(&a, &b, rows, |a, b| a.div_wrapping(b))?,
            Kind::FloorDiv => apply(&a, &b, rows, Real::floor_divide)?,
            Kind::Mod => apply(&a, &b, rows, Real::remainder)?,
            Kind::Pow => {
                // A missing value to the power of 0 is 1, and so is 1 to the power of a missing value.
                let (a, b) = (nulls_as_nan(a), nulls_as_nan(b));
                match exponent {
                    Some(Shortcut::Square) => apply(&a, &b, rows, |a, _| a.mul_wrapping(a))?,
                    Some(Shortcut::Root) => apply(&a, &b, rows, |a, _| a.root())?,
                    None => apply(&a, &b, rows, Real::power)?,
                }
            }
        }))
    }

    fn logical(&self, a: &Operand, b: &Operand, rows: usize) -> Result<ArrayRef> {
        let (a, b) = (column(a, &DType::Bool, rows)?, column(b, &DType::Bool, rows)?);
        let (a, b) = (booleans(&a)?, booleans(&b)?);
        Ok(Arc::new(match self.kind {
            Kind::Add => arrow::compute::or(a, b)?,
            Kind::Mul => arrow::compute::and(a, b)?,
            _ => return Err(Error::internal(format!("`{}` cannot give booleans", self.name))),
        }))
    }
}

fn floor_div<N: ArrowNativeTypeOp>(a: N, b: N) -> N {
    let (quotient, rest) = (a.div_wrapping(b), a.mod_wrapping(b));
    let down = !rest.is_zero() && rest.is_lt(N::ZERO) != b.is_lt(N::ZERO);
    if down { quotient.sub_wrapping(N::ONE) } else { quotient }
}

fn modulo<N: ArrowNativeTypeOp>(a: N, b: N) -> N {
    let rest = a.mod_wrapping(b);
    let down = !rest.is_zero() && rest.is_lt(N::ZERO) != b.is_lt(N::ZERO);
    if down { rest.add_wrapping(b) } else { rest }
}

fn power<N: ArrowNativeTypeOp + arrow::datatypes::ArrowNativeType>(base: N, exponent: N) -> Result<N> {
    if exponent.is_lt(N::ZERO) {
        return Err(failed("an integer was raised to a negative integer power".to_owned())
            .hint("Use `.astype(\"float64\")` on the column first"));
    }
    let (mut result, mut base, mut left) = (N::ONE, base, exponent.as_usize());
    while left > 0 {
        if left & 1 == 1 {
            result = result.mul_wrapping(base);
        }
        base = base.mul_wrapping(base);
        left >>= 1;
    }
    Ok(result)
}

/// The exponents for which NumPy does not call `pow`; the results can differ in the last place.
enum Shortcut {
    Square,
    Root,
}

fn shortcut(literal: &Literal) -> Option<Shortcut> {
    match (as_integer(literal), bare(literal)) {
        (Some(2), _) => Some(Shortcut::Square),
        (_, Literal::Float(v)) if *v == 2.0 => Some(Shortcut::Square),
        (_, Literal::Float(v)) if *v == 0.5 => Some(Shortcut::Root),
        _ => None,
    }
}

fn nulls_as_nan<T>(side: Side<T>) -> Side<T>
where
    T: ArrowPrimitiveType,
    T::Native: Real,
{
    match side {
        Side::Scalar(value) => Side::Scalar(Some(value.unwrap_or(T::Native::MISSING))),
        Side::Column(array) if array.null_count() == 0 => Side::Column(array),
        Side::Column(array) => Side::Column(PrimitiveArray::from_iter_values(
            array.iter().map(|value| value.unwrap_or(T::Native::MISSING)),
        )),
    }
}

fn concatenate(a: &Operand, b: &Operand, rows: usize) -> Result<ArrayRef> {
    let missing = |operand: &Operand| matches!(operand, Operand::Literal(literal) if is_missing(literal));
    if missing(a) || missing(b) {
        return super::operand::constant(&Literal::Null, &DType::Str, rows);
    }
    let (a, b) = (column(a, &DType::Str, rows)?, column(b, &DType::Str, rows)?);
    let (a, b) = (strings(&a)?, strings(&b)?);
    let mut built = StringViewBuilder::with_capacity(rows);
    let mut text = String::new();
    for (a, b) in a.iter().zip(b) {
        match (a, b) {
            (Some(a), Some(b)) => {
                text.clear();
                text.push_str(a);
                text.push_str(b);
                built.append_value(&text);
            }
            _ => built.append_null(),
        }
    }
    Ok(Arc::new(built.finish()))
}

/// Negation, absolute value: the sign.
pub struct Sign {
    pub name: &'static str,
    pub negate: bool,
}

impl Operator for Sign {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display(&self, args: &[String]) -> String {
        if self.negate { format!("-{}", args.join(", ")) } else { format!("abs({})", args.join(", ")) }
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [a] if a.dtype.is_numeric() || matches!(a.dtype, DType::Bool | DType::Duration(_)) => {
                Ok(a.dtype.clone())
            }
            [a] => Err(mismatch(
                format!("`{}` of {} is not defined", self.name, describe(a)),
                "Convert the column to numbers first, e.g. with `.astype(\"float64\")`",
            )),
            _ => Err(misused(format!("`{}` takes one argument", self.name))),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, dtype, rows)?;
        match dtype {
            DType::Bool if self.negate => Ok(Arc::new(arrow::compute::not(booleans(&array)?)?)),
            DType::Bool => Ok(array),
            DType::Duration(unit) => {
                let counts = super::operand::counts(&array)?;
                let negate = self.negate;
                let counts = counts.unary(|v| if negate || v < 0 { v.wrapping_neg() } else { v });
                Ok(super::operand::spans(counts, *unit))
            }
            dtype => with_number!(dtype, T => {
                let array = super::operand::primitive::<T>(&array)?;
                let negate = self.negate;
                Ok(Arc::new(array.unary::<_, T>(|v| sign(v, negate))))
            }, Err(Error::internal(format!("`{}` cannot give {dtype}", self.name)))),
        }
    }
}

fn sign<N: ArrowNativeTypeOp>(v: N, negate: bool) -> N {
    // The smallest float is the one whose comparison sees the sign of -0.0: total order, as Arrow defines it.
    if negate || v.is_lt(N::ZERO) { v.neg_wrapping() } else { v }
}
