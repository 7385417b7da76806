//! Which type two types meet in: NumPy's promotion, and how plain constants adapt to a column (NEP 50).

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::{Typed, time};
use crate::error::{Code, Error, Result, not_decomposable};

/// `np.promote_types`, and for times the finer unit. `None` where NumPy has no common type but `object`.
pub fn promote(a: &DType, b: &DType) -> Option<DType> {
    use DType::*;
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Bool, other) | (other, Bool) if other.is_numeric() => Some(other.clone()),
        (Timestamp(u, x), Timestamp(v, y)) if x == y => Some(Timestamp(finer(*u, *v), x.clone())),
        (Duration(u), Duration(v)) => Some(Duration(finer(*u, *v))),
        _ if a.is_numeric() && b.is_numeric() => Some(promote_numbers(a, b)),
        _ => None,
    }
}

fn promote_numbers(a: &DType, b: &DType) -> DType {
    let (x, y) = (a.bits().unwrap_or(64), b.bits().unwrap_or(64));
    if a.is_float() || b.is_float() {
        // A float32 holds every integer of up to 16 bits; beyond that NumPy goes to float64.
        let narrow = |dtype: &DType, bits| if dtype.is_float() { bits <= 32 } else { bits <= 16 };
        return if narrow(a, x) && narrow(b, y) { DType::Float32 } else { DType::Float64 };
    }
    match (a.is_signed(), b.is_signed()) {
        (true, true) => signed(x.max(y)),
        (false, false) => unsigned(x.max(y)),
        (true, false) => mixed(x, y),
        (false, true) => mixed(y, x),
    }
}

fn mixed(signed_bits: u32, unsigned_bits: u32) -> DType {
    match (signed_bits, unsigned_bits) {
        (_, 64) => DType::Float64,
        (s, u) if s > u => signed(s),
        (_, u) => signed(u * 2),
    }
}

fn signed(bits: u32) -> DType {
    match bits {
        8 => DType::Int8,
        16 => DType::Int16,
        32 => DType::Int32,
        _ => DType::Int64,
    }
}

fn unsigned(bits: u32) -> DType {
    match bits {
        8 => DType::UInt8,
        16 => DType::UInt16,
        32 => DType::UInt32,
        _ => DType::UInt64,
    }
}

pub fn finer(a: Unit, b: Unit) -> Unit {
    if time::per_second(a) >= time::per_second(b) { a } else { b }
}

/// The smallest and the largest value of an integer type.
pub fn integer_range(dtype: &DType) -> Option<(i128, i128)> {
    let bits = dtype.bits().filter(|_| dtype.is_integer())?;
    Some(if dtype.is_signed() {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    })
}

pub fn fits(value: i128, dtype: &DType) -> bool {
    integer_range(dtype).is_some_and(|(low, high)| (low..=high).contains(&value))
}

/// A constant's value without the width it may carry.
pub fn bare(literal: &Literal) -> &Literal {
    match literal {
        Literal::Typed(inner, _) => bare(inner),
        other => other,
    }
}

/// A constant's value as an integer, where it is one.
pub fn as_integer(literal: &Literal) -> Option<i128> {
    match bare(literal) {
        Literal::Bool(v) => Some(i128::from(*v)),
        Literal::Int(v) => Some(i128::from(*v)),
        Literal::UInt(v) => Some(i128::from(*v)),
        _ => None,
    }
}

pub fn is_missing(literal: &Literal) -> bool {
    match bare(literal) {
        Literal::Null => true,
        Literal::Float(v) => v.is_nan(),
        _ => false,
    }
}

pub fn out_of_range(value: i128, dtype: &DType) -> Error {
    not_decomposable(format!("the constant {value} does not fit a column of type {dtype}"))
        .hint("Widen the column first, e.g. with `.astype(\"int64\")`")
}

pub fn mismatch(message: String, hint: &'static str) -> Error {
    Error::new(Code::SchemaMismatch, message).hint(hint)
}

/// The type of numeric arithmetic between two arguments. In pandas every scalar is weak here, NumPy's
/// own scalars included.
pub fn arithmetic(a: &Typed<'_>, b: &Typed<'_>) -> Result<Option<DType>> {
    match (a.literal, b.literal) {
        (Some(_), Some(_)) | (None, None) => Ok(promote(&a.dtype, &b.dtype).filter(numeric_or_bool)),
        (None, Some(literal)) => weak(&a.dtype, literal),
        (Some(literal), None) => weak(&b.dtype, literal),
    }
}

fn numeric_or_bool(dtype: &DType) -> bool {
    dtype.is_numeric() || *dtype == DType::Bool
}

fn weak(column: &DType, literal: &Literal) -> Result<Option<DType>> {
    if !numeric_or_bool(column) {
        return Ok(None);
    }
    let literal = bare(literal);
    Ok(match literal {
        Literal::Bool(_) => Some(column.clone()),
        Literal::Int(_) | Literal::UInt(_) => {
            let value = as_integer(literal).unwrap_or_default();
            let dtype = if *column == DType::Bool { DType::Int64 } else { column.clone() };
            if dtype.is_integer() && !fits(value, &dtype) {
                return Err(out_of_range(value, &dtype));
            }
            Some(dtype)
        }
        Literal::Float(_) if column.is_float() => Some(column.clone()),
        Literal::Float(_) => Some(DType::Float64),
        _ => None,
    })
}

/// The type that holds the values of both arguments, for `fillna` and `where`. Where pandas would make an
/// `object` column of mixed kinds this is refused; a literal that the column can hold leaves its type alone.
pub fn common(a: &Typed<'_>, b: &Typed<'_>, what: &str) -> Result<DType> {
    let found = match (a.literal, b.literal) {
        (None, Some(literal)) => hold(&a.dtype, literal)?,
        (Some(literal), None) => hold(&b.dtype, literal)?,
        _ => meet(&a.dtype, &b.dtype),
    };
    found.ok_or_else(|| {
        not_decomposable(format!("{what} would mix {} and {} in one column", describe(a), describe(b)))
            .hint("Use a value of the column's own type, or convert the column first with `.astype(...)`")
    })
}

fn meet(a: &DType, b: &DType) -> Option<DType> {
    match (a, b) {
        (DType::Null, other) | (other, DType::Null) => Some(with_missing(other)),
        (DType::Bool, other) | (other, DType::Bool) if *other != DType::Bool => None,
        (DType::Opaque(_), _) | (_, DType::Opaque(_)) => None,
        _ => promote(a, b),
    }
}

/// pandas' integer columns cannot hold a missing value and become float64.
fn with_missing(dtype: &DType) -> DType {
    if dtype.is_integer() { DType::Float64 } else { dtype.clone() }
}

fn hold(column: &DType, literal: &Literal) -> Result<Option<DType>> {
    if matches!(column, DType::Opaque(_)) {
        return Ok(None);
    }
    if is_missing(literal) {
        return Ok(Some(with_missing(column)));
    }
    if *column == DType::Null {
        return Ok(Some(literal.dtype()));
    }
    if let (Literal::Typed(..), true) = (literal, column.is_float()) {
        return Ok(meet(column, &literal.dtype()));
    }
    Ok(match (column, bare(literal)) {
        (dtype, value @ (Literal::Int(_) | Literal::UInt(_))) if dtype.is_integer() => {
            let value = as_integer(value).unwrap_or_default();
            if !fits(value, dtype) {
                return Err(out_of_range(value, dtype));
            }
            Some(dtype.clone())
        }
        (dtype, Literal::Int(_) | Literal::UInt(_) | Literal::Float(_)) if dtype.is_float() => {
            Some(dtype.clone())
        }
        (dtype, Literal::Float(v)) if dtype.is_integer() => {
            let whole = v.fract() == 0.0 && v.abs() < 1e18 && fits(*v as i128, dtype);
            Some(if whole { dtype.clone() } else { DType::Float64 })
        }
        (DType::Timestamp(unit, tz), Literal::Str(text)) => {
            let (value, finest) = time::parse(text, tz.as_deref())?;
            time::rescale(value, finest, *unit).map(|_| column.clone())
        }
        (DType::Timestamp(unit, tz), Literal::Timestamp(value, other, zone)) if tz == zone => {
            Some(match time::rescale(*value, *other, *unit) {
                Some(_) => column.clone(),
                None => DType::Timestamp(finer(*unit, *other), tz.clone()),
            })
        }
        (DType::Duration(unit), Literal::Duration(value, other)) => {
            Some(match time::rescale(*value, *other, *unit) {
                Some(_) => column.clone(),
                None => DType::Duration(finer(*unit, *other)),
            })
        }
        (dtype, value) if value.dtype() == *dtype => Some(dtype.clone()),
        _ => None,
    })
}

/// How messages name an argument.
pub fn describe(arg: &Typed<'_>) -> String {
    match arg.literal {
        Some(literal) => match bare(literal) {
            Literal::Null => "a missing value".to_owned(),
            Literal::Str(_) => "a string".to_owned(),
            Literal::List(_) => "a list".to_owned(),
            other => format!("a {} constant", other.dtype()),
        },
        None => format!("a {} column", arg.dtype),
    }
}
