//! Arithmetic on points in time and spans.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Float64Type, Int64Type};

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::arithmetic::Kind;
use super::operand::{Side, column, constant, counts, instants, side, spans, try_apply};
use super::promote::{bare, describe, finer, is_missing, mismatch};
use super::{Operand, Typed, time};
use crate::error::{Error, Result};

/// The result's type where either argument is a time or a span; `None` where neither is.
pub fn infer(kind: Kind, a: &Typed<'_>, b: &Typed<'_>) -> Result<Option<DType>> {
    use DType::{Duration, Timestamp};
    let temporal = |arg: &Typed<'_>| matches!(arg.dtype, Timestamp(..) | Duration(_));
    if !temporal(a) && !temporal(b) {
        return Ok(None);
    }
    let found = match (kind, &a.dtype, &b.dtype) {
        (Kind::Sub, Timestamp(u, x), Timestamp(v, y)) if x.is_some() == y.is_some() => {
            Some(Duration(meet(a, *u, b, *v)))
        }
        (Kind::Add | Kind::Sub, Timestamp(u, tz), Duration(v)) => {
            Some(Timestamp(meet(a, *u, b, *v), tz.clone()))
        }
        (Kind::Add, Duration(u), Timestamp(v, tz)) => Some(Timestamp(meet(a, *u, b, *v), tz.clone())),
        (Kind::Add | Kind::Sub, Duration(u), Duration(v)) => Some(Duration(meet(a, *u, b, *v))),
        (Kind::TrueDiv, Duration(_), Duration(_)) => Some(DType::Float64),
        (Kind::FloorDiv, Duration(_), Duration(_)) => Some(DType::Int64),
        (Kind::Mod, Duration(u), Duration(v)) => Some(Duration(meet(a, *u, b, *v))),
        (Kind::Mul, Duration(u), DType::Float64) | (Kind::Mul, DType::Float64, Duration(u)) => {
            Some(Duration(*u))
        }
        (Kind::TrueDiv, Duration(u), DType::Float64) => Some(Duration(*u)),
        (Kind::TrueDiv, Duration(u), other) if other.is_signed() => Some(Duration(*u)),
        (Kind::Mul, Duration(u), other) | (Kind::Mul, other, Duration(u)) if other.is_signed() => {
            Some(Duration(*u))
        }
        _ => None,
    };
    let missing = |arg: &Typed<'_>| arg.literal.is_some_and(is_missing);
    match found {
        Some(dtype) if !missing(a) && !missing(b) => Ok(Some(dtype)),
        _ => Err(refuse(kind, a, b)),
    }
}

fn refuse(kind: Kind, a: &Typed<'_>, b: &Typed<'_>) -> Error {
    let verb = match kind {
        Kind::Add => "+",
        Kind::Sub => "-",
        Kind::Mul => "*",
        Kind::TrueDiv => "/",
        Kind::FloorDiv => "//",
        Kind::Mod => "%",
        Kind::Pow => "**",
    };
    mismatch(
        format!("{} {verb} {} is not supported", describe(a), describe(b)),
        "Times can be subtracted from times of the same kind of zone, and a `pd.Timedelta` added to them",
    )
}

/// The unit of the result: the finer of both, but a constant that the column's unit can say exactly
/// leaves it alone.
fn meet(a: &Typed<'_>, u: Unit, b: &Typed<'_>, v: Unit) -> Unit {
    let exact = |literal: &Literal, to| match bare(literal) {
        Literal::Timestamp(value, from, _) | Literal::Duration(value, from) => {
            time::rescale(*value, *from, to).is_some()
        }
        _ => false,
    };
    match (a.literal, b.literal) {
        (None, Some(literal)) if exact(literal, u) => u,
        (Some(literal), None) if exact(literal, v) => v,
        _ => finer(u, v),
    }
}

pub fn eval(kind: Kind, a: &Operand, b: &Operand, rows: usize, dtype: &DType) -> Result<ArrayRef> {
    let late = || time::overflow("this time arithmetic");
    match (kind, dtype) {
        (Kind::FloorDiv | Kind::Mod, _) => parts(kind, a, b, rows, dtype),
        (Kind::Mul | Kind::TrueDiv, DType::Duration(unit))
            if kind == Kind::TrueDiv || [a, b].iter().any(|side| side.dtype() == DType::Float64) =>
        {
            Ok(spans(scaled(kind, a, b, *unit, rows)?, *unit))
        }
        (Kind::TrueDiv, _) => {
            let real = |operand: &Operand| -> Result<_> {
                let unit = unit_of(&operand.dtype())?;
                let array = column(operand, &operand.dtype(), rows)?;
                let scale = time::per_second(unit);
                // Whole numbers of the finest unit divide exactly as pandas divides them.
                Ok((counts(&array)?, scale))
            };
            let ((x, u), (y, v)) = (real(a)?, real(b)?);
            let (up, down) = ((v / u).max(1) as f64, (u / v).max(1) as f64);
            let quotient = arrow::compute::binary::<_, _, _, Float64Type>(&x, &y, |x, y| {
                (x as f64 * up) / (y as f64 * down)
            })?;
            Ok(Arc::new(quotient))
        }
        (Kind::Mul, DType::Duration(unit)) => {
            let factor = |operand: &Operand| -> Result<Side<Int64Type>> {
                match operand.dtype() {
                    DType::Duration(_) => ticks(operand, *unit, rows),
                    _ => side(operand, &DType::Int64),
                }
            };
            let product =
                try_apply(&factor(a)?, &factor(b)?, rows, |a, b| a.checked_mul(b).ok_or_else(late))?;
            Ok(spans(product, *unit))
        }
        (Kind::Add | Kind::Sub, DType::Timestamp(unit, _) | DType::Duration(unit)) => {
            let (x, y) = (ticks(a, *unit, rows)?, ticks(b, *unit, rows)?);
            let sum = if kind == Kind::Add {
                try_apply(&x, &y, rows, |a, b| a.checked_add(b).ok_or_else(late))?
            } else {
                try_apply(&x, &y, rows, |a, b| a.checked_sub(b).ok_or_else(late))?
            };
            Ok(match dtype {
                DType::Timestamp(_, tz) => instants(sum, *unit, tz.as_deref()),
                _ => spans(sum, *unit),
            })
        }
        _ => Err(Error::internal(format!("time arithmetic cannot give {dtype}"))),
    }
}

/// A span times or by a number, cut off towards nothing as NumPy does.
fn scaled(kind: Kind, a: &Operand, b: &Operand, unit: Unit, rows: usize) -> Result<arrow::array::Int64Array> {
    let late = || time::overflow("this time arithmetic");
    let (span, number) = if matches!(a.dtype(), DType::Duration(_)) { (a, b) } else { (b, a) };
    let span = match ticks(span, unit, rows)? {
        Side::Column(values) => values,
        Side::Scalar(Some(one)) => arrow::array::Int64Array::from_value(one, rows),
        Side::Scalar(None) => arrow::array::Int64Array::new_null(rows),
    };
    if number.dtype() != DType::Float64 {
        let number = column(number, &DType::Int64, rows)?;
        let number = super::operand::primitive::<Int64Type>(&number)?.clone();
        let divided = span.iter().zip(&number).map(|pair| match pair {
            (Some(_), Some(0)) => Err(super::failed("a span is divided by zero".to_owned())),
            (Some(span), Some(number)) => span.checked_div(number).map(Some).ok_or_else(late),
            _ => Ok(None),
        });
        return divided.collect();
    }
    let number = column(number, &DType::Float64, rows)?;
    let number = super::operand::primitive::<Float64Type>(&number)?.clone();
    let made = span.iter().zip(&number).map(|pair| {
        let (Some(span), Some(number)) = pair else { return Ok(None) };
        let product = if kind == Kind::Mul { span as f64 * number } else { span as f64 / number };
        if product.is_nan() {
            return Ok(None);
        }
        if product.abs() < 9.2e18 { Ok(Some(product as i64)) } else { Err(late()) }
    });
    made.collect()
}

/// How often a span fits into another, and what is left.
fn parts(kind: Kind, a: &Operand, b: &Operand, rows: usize, dtype: &DType) -> Result<ArrayRef> {
    let unit = finer(unit_of(&a.dtype())?, unit_of(&b.dtype())?);
    let (x, y) = (ticks(a, unit, rows)?, ticks(b, unit, rows)?);
    let made = try_apply(&x, &y, rows, |x, y| {
        if y == 0 {
            return Err(super::failed("a span is divided by a span of no length".to_owned()));
        }
        let rest = x.wrapping_rem(y);
        let rest = if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest };
        Ok(if kind == Kind::Mod { rest } else { (x - rest) / y })
    })?;
    Ok(match dtype {
        DType::Duration(to) => {
            let to = *to;
            let exact = |v| time::rescale(v, unit, to).ok_or_else(|| time::overflow("this remainder"));
            spans(made.try_unary(exact)?, to)
        }
        _ => Arc::new(made),
    })
}

fn unit_of(dtype: &DType) -> Result<Unit> {
    match dtype {
        DType::Timestamp(unit, _) | DType::Duration(unit) => Ok(*unit),
        other => Err(Error::internal(format!("{other} has no unit of time"))),
    }
}

/// An argument as counts of `unit`, which is at least as fine as its own.
fn ticks(operand: &Operand, unit: Unit, rows: usize) -> Result<Side<Int64Type>> {
    let from = unit_of(&operand.dtype())?;
    let convert =
        |value| time::rescale(value, from, unit).ok_or_else(|| time::overflow("this time arithmetic"));
    Ok(match operand {
        Operand::Array(array) => {
            let values = counts(array)?;
            Side::Column(if from == unit { values } else { values.try_unary(convert)? })
        }
        Operand::Literal(literal) => {
            let one = counts(&constant(literal, &literal.dtype(), rows.min(1))?)?;
            if one.is_empty() { Side::Scalar(None) } else { Side::Scalar(Some(convert(one.value(0))?)) }
        }
    })
}
