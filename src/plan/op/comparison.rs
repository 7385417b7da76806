//! Comparisons: never missing themselves; a missing value equals nothing, differs from everything.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Scalar};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{Date32Type, Float32Type, Float64Type, Int64Type, UInt64Type};

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::operand::{
    argument, bits, bits_of_pairs, column, constant, convert, counts, primitive, strings, unexpected,
    with_integer, with_number,
};
use super::promote::{as_integer, bare, describe, fits, is_missing, mismatch, promote};
use super::{Operand, Operator, Typed, time, views};
use crate::error::{Error, Result, misused, not_decomposable};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Order {
    /// The same question asked from the other side.
    fn mirrored(self) -> Self {
        match self {
            Order::Lt => Order::Gt,
            Order::Le => Order::Ge,
            Order::Gt => Order::Lt,
            Order::Ge => Order::Le,
            same => same,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Order::Eq => "==",
            Order::Ne => "!=",
            Order::Lt => "<",
            Order::Le => "<=",
            Order::Gt => ">",
            Order::Ge => ">=",
        }
    }

    fn is_equality(self) -> bool {
        matches!(self, Order::Eq | Order::Ne)
    }
}

pub struct Comparison(pub Order);

impl Operator for Comparison {
    fn name(&self) -> &'static str {
        match self.0 {
            Order::Eq => "eq",
            Order::Ne => "ne",
            Order::Lt => "lt",
            Order::Le => "le",
            Order::Gt => "gt",
            Order::Ge => "ge",
        }
    }

    fn display(&self, args: &[String]) -> String {
        format!("({})", args.join(&format!(" {} ", self.0.symbol())))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.name())));
        };
        kind(self.0, a, b)?;
        Ok(DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        Ok(Arc::new(compare(self.0, argument(args, 0)?, argument(args, 1)?, rows)?))
    }
}

/// How two arguments are compared.
enum Compared {
    Numbers,
    Same,
    Times,
    /// Never equal: different kinds, or one side always missing.
    Never,
}

fn kind(order: Order, a: &Typed<'_>, b: &Typed<'_>) -> Result<Compared> {
    use DType::{Binary, Bool, Date, Decimal, Duration, Null, Str, Timestamp};
    let what = || format!("{} {} {}", describe(a), order.symbol(), describe(b));
    let missing = |arg: &Typed<'_>| arg.dtype == Null || arg.literal.is_some_and(is_missing);
    let list = |arg: &Typed<'_>| matches!(arg.literal, Some(Literal::List(_)));
    let number = |dtype: &DType| dtype.is_numeric() || *dtype == Bool;
    if list(a) || list(b) {
        return Err(not_decomposable(format!("{} compares row by row with a list", what()))
            .hint("Use `.isin([...])` for membership"));
    }
    match (&a.dtype, &b.dtype) {
        (x, y) if !x.is_simple() || !y.is_simple() => {
            Err(not_decomposable(format!("{} cannot be computed natively", what()))
                .hint("Compare parts of it: `.str[0]`, `.str.len()`, `.struct.field(...)`"))
        }
        _ if missing(a) || missing(b) => Ok(Compared::Never),
        (x, y) if number(x) && number(y) => Ok(Compared::Numbers),
        (Str, Str) | (Binary, Binary) | (Date, Date) => Ok(Compared::Same),
        (Decimal(..), Decimal(..)) if a.dtype == b.dtype => Ok(Compared::Same),
        (Timestamp(_, x), Timestamp(_, y)) if x.is_some() == y.is_some() => Ok(Compared::Times),
        (Duration(_), Duration(_)) => Ok(Compared::Times),
        (Timestamp(..), Timestamp(..)) => Err(mismatch(
            format!("{} compares times with and without a time zone", what()),
            "Give both a time zone, or neither",
        )),
        (Timestamp(_, tz), Str) if b.literal.is_some() => parsed(b, tz).map(|_| Compared::Times),
        (Str, Timestamp(_, tz)) if a.literal.is_some() => parsed(a, tz).map(|_| Compared::Times),
        (Decimal(..), _) | (_, Decimal(..)) => {
            Err(not_decomposable(format!("{} mixes decimals with another type", what()))
                .hint("Use `.astype(\"float64\")` on the decimals first"))
        }
        (Date, _) | (_, Date) => Err(not_decomposable(format!("{} mixes dates with another type", what()))
            .hint("Compare dates with a `datetime.date`, or use `.astype(\"datetime64[s]\")` first")),
        (Duration(_), Str) | (Str, Duration(_)) => {
            Err(not_decomposable(format!("{} reads a string as a span", what()))
                .hint("Pass a `pd.Timedelta`"))
        }
        _ if order.is_equality() => Ok(Compared::Never),
        _ => Err(mismatch(
            format!("{} is not ordered", what()),
            "Convert one side first, e.g. with `.astype(...)`",
        )),
    }
}

fn parsed(arg: &Typed<'_>, tz: &Option<String>) -> Result<(i64, Unit)> {
    match arg.literal.map(bare) {
        Some(Literal::Str(text)) => time::parse(text, tz.as_deref()),
        _ => Err(Error::internal("a string constant was expected")),
    }
}

pub fn compare(order: Order, a: &Operand, b: &Operand, rows: usize) -> Result<BooleanArray> {
    let (order, a, b) = match (a, b) {
        (Operand::Literal(_), Operand::Array(_)) => (order.mirrored(), b, a),
        (Operand::Literal(Literal::Str(_)), Operand::Literal(Literal::Timestamp(..))) => {
            (order.mirrored(), b, a)
        }
        _ => (order, a, b),
    };
    let x = Typed { dtype: a.dtype(), literal: literal_of(a) };
    let y = Typed { dtype: b.dtype(), literal: literal_of(b) };
    let kind = kind(order, &x, &y)?;
    if matches!(kind, Compared::Never) {
        return Ok(all(order == Order::Ne, rows));
    }
    let left = column(a, &x.dtype, rows)?;
    let known = match (kind, y.literal) {
        (Compared::Numbers, Some(literal)) => number_with_constant(order, &left, &x.dtype, literal)?,
        (Compared::Numbers, None) => numbers(order, &left, &x.dtype, &column(b, &y.dtype, rows)?, &y.dtype)?,
        (Compared::Times, Some(literal)) => time_with_constant(order, &left, &x.dtype, literal)?,
        (Compared::Times, None) => times(order, &left, &x.dtype, &column(b, &y.dtype, rows)?, &y.dtype)?,
        (Compared::Same, _) => same(order, &left, &x.dtype, b, rows)?,
        (Compared::Never, _) => return Ok(all(order == Order::Ne, rows)),
    };
    let mut result = known;
    for side in [Some(&left), array_of(b)].into_iter().flatten() {
        // NaN needs no care: it equals nothing and differs from everything by itself.
        if let Some(present) = side.nulls().filter(|nulls| nulls.null_count() > 0).map(NullBuffer::inner) {
            result = if order == Order::Ne { &result | &!present } else { &result & present };
        }
    }
    Ok(BooleanArray::new(result, None))
}

fn literal_of(operand: &Operand) -> Option<&Literal> {
    match operand {
        Operand::Literal(literal) => Some(literal),
        Operand::Array(_) => None,
    }
}

fn array_of(operand: &Operand) -> Option<&ArrayRef> {
    match operand {
        Operand::Array(array) => Some(array),
        Operand::Literal(_) => None,
    }
}

fn all(value: bool, rows: usize) -> BooleanArray {
    BooleanArray::new(every(value, rows), None)
}

fn every(value: bool, rows: usize) -> BooleanBuffer {
    if value { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }
}

// One loop per question, so that each is branch-free.

fn loop_constant<V: Copy + PartialOrd>(order: Order, values: &[V], constant: V) -> BooleanBuffer {
    match order {
        Order::Eq => bits(values, |v| v == constant),
        Order::Ne => bits(values, |v| v != constant),
        Order::Lt => bits(values, |v| v < constant),
        Order::Le => bits(values, |v| v <= constant),
        Order::Gt => bits(values, |v| v > constant),
        Order::Ge => bits(values, |v| v >= constant),
    }
}

fn loop_pairs<V: Copy, W: Copy, U: PartialOrd>(
    order: Order,
    a: &[V],
    b: &[W],
    left: impl Fn(V) -> U,
    right: impl Fn(W) -> U,
) -> BooleanBuffer {
    match order {
        Order::Eq => bits_of_pairs(a, b, |a, b| left(a) == right(b)),
        Order::Ne => bits_of_pairs(a, b, |a, b| left(a) != right(b)),
        Order::Lt => bits_of_pairs(a, b, |a, b| left(a) < right(b)),
        Order::Le => bits_of_pairs(a, b, |a, b| left(a) <= right(b)),
        Order::Gt => bits_of_pairs(a, b, |a, b| left(a) > right(b)),
        Order::Ge => bits_of_pairs(a, b, |a, b| left(a) >= right(b)),
    }
}

/// Compares every value with a constant that lies beyond all of them, or between two of them: `floor` is
/// the constant rounded down.
fn beyond(order: Order, values: &[i64], floor: i128) -> BooleanBuffer {
    match (order, i64::try_from(floor)) {
        (Order::Eq, _) => every(false, values.len()),
        (Order::Ne, _) => every(true, values.len()),
        (Order::Lt | Order::Le, Ok(floor)) => bits(values, |v| v <= floor),
        (Order::Gt | Order::Ge, Ok(floor)) => bits(values, |v| v > floor),
        (Order::Lt | Order::Le, Err(_)) => every(floor > 0, values.len()),
        (Order::Gt | Order::Ge, Err(_)) => every(floor < 0, values.len()),
    }
}

fn number_with_constant(
    order: Order,
    left: &ArrayRef,
    dtype: &DType,
    literal: &Literal,
) -> Result<BooleanBuffer> {
    // Integers are compared exactly with integers of every size.
    if let (Some(value), false) = (as_integer(literal), dtype.is_float()) {
        if *dtype == DType::Bool {
            return number_with_constant(order, &convert(left, &DType::Int8)?, &DType::Int8, literal);
        }
        if !fits(value, dtype) {
            let below = matches!(order, Order::Lt | Order::Le);
            let above = matches!(order, Order::Gt | Order::Ge);
            return Ok(every(order == Order::Ne || (below && value > 0) || (above && value < 0), left.len()));
        }
        return with_integer!(dtype, T => {
            let constant = value as <T as ArrowPrimitiveType>::Native;
            Ok(loop_constant(order, primitive::<T>(left)?.values(), constant))
        }, Err(unexpected(left.data_type(), "numbers")));
    }
    // A float32 column makes plain constants float32; any other column becomes what promotion says.
    let target = match (dtype, literal) {
        (DType::Float32, Literal::Typed(_, other)) => promote(dtype, other).unwrap_or(DType::Float64),
        (DType::Float32, _) => DType::Float32,
        _ => DType::Float64,
    };
    let left = convert(left, &target)?;
    let right = constant(literal, &target, 1)?;
    Ok(match target {
        DType::Float32 => loop_constant(
            order,
            primitive::<Float32Type>(&left)?.values(),
            primitive::<Float32Type>(&right)?.value(0),
        ),
        _ => loop_constant(
            order,
            primitive::<Float64Type>(&left)?.values(),
            primitive::<Float64Type>(&right)?.value(0),
        ),
    })
}

fn numbers(order: Order, a: &ArrayRef, x: &DType, b: &ArrayRef, y: &DType) -> Result<BooleanBuffer> {
    let target = promote(x, y).ok_or_else(|| Error::internal(format!("{x} and {y} do not compare")))?;
    if target == DType::Bool {
        return numbers(
            order,
            &convert(a, &DType::Int8)?,
            &DType::Int8,
            &convert(b, &DType::Int8)?,
            &DType::Int8,
        );
    }
    if target == DType::Float64 && x.is_integer() && y.is_integer() {
        // One is uint64, the other signed: no type of NumPy holds both exactly.
        return if *x == DType::UInt64 {
            let (a, b) = (primitive::<UInt64Type>(a)?, convert(b, &DType::Int64)?);
            let b = primitive::<Int64Type>(&b)?;
            Ok(loop_pairs(order, a.values(), b.values(), i128::from, i128::from))
        } else {
            numbers(order.mirrored(), b, y, a, x)
        };
    }
    let (a, b) = (convert(a, &target)?, convert(b, &target)?);
    with_number!(&target, T => {
        let (a, b) = (primitive::<T>(&a)?, primitive::<T>(&b)?);
        Ok(loop_pairs(order, a.values(), b.values(), |v| v, |v| v))
    }, Err(Error::internal(format!("{x} and {y} do not compare"))))
}

fn unit_of(dtype: &DType) -> Result<Unit> {
    match dtype {
        DType::Timestamp(unit, _) | DType::Duration(unit) => Ok(*unit),
        other => Err(Error::internal(format!("{other} has no unit of time"))),
    }
}

fn time_with_constant(
    order: Order,
    left: &ArrayRef,
    dtype: &DType,
    literal: &Literal,
) -> Result<BooleanBuffer> {
    if *dtype == DType::Str {
        return Err(Error::internal("a string constant was compared with a constant time"));
    }
    let (value, from) = match (bare(literal), dtype) {
        (Literal::Timestamp(value, unit, _) | Literal::Duration(value, unit), _) => (*value, *unit),
        (Literal::Str(text), DType::Timestamp(_, tz)) => time::parse(text, tz.as_deref())?,
        _ => return Err(Error::internal(format!("{} does not compare with {dtype}", literal.dtype()))),
    };
    let values = counts(left)?;
    let (floor, exact) = time::rescale_floor(value, from, unit_of(dtype)?);
    Ok(match (exact, i64::try_from(floor)) {
        (true, Ok(value)) => loop_constant(order, values.values(), value),
        _ => beyond(order, values.values(), floor),
    })
}

fn times(order: Order, a: &ArrayRef, x: &DType, b: &ArrayRef, y: &DType) -> Result<BooleanBuffer> {
    let (u, v) = (time::per_second(unit_of(x)?), time::per_second(unit_of(y)?));
    let (a, b) = (counts(a)?, counts(b)?);
    if u == v {
        return Ok(loop_pairs(order, a.values(), b.values(), |v| v, |v| v));
    }
    let (up, down) = (i128::from((v / u).max(1)), i128::from((u / v).max(1)));
    Ok(loop_pairs(order, a.values(), b.values(), |a| i128::from(a) * up, |b| i128::from(b) * down))
}

/// Strings by code point, which is also the order of their UTF-8 bytes; binaries, dates, decimals.
fn same(order: Order, a: &ArrayRef, dtype: &DType, b: &Operand, rows: usize) -> Result<BooleanBuffer> {
    if let (DType::Date, Operand::Literal(literal)) = (dtype, b) {
        let right = constant(literal, dtype, 1)?;
        let right = primitive::<Date32Type>(&right)?.value(0);
        return Ok(loop_constant(order, primitive::<Date32Type>(a)?.values(), right));
    }
    if let (DType::Str, Operand::Literal(literal), Order::Eq | Order::Ne) = (dtype, b, order)
        && let Literal::Str(text) = bare(literal)
    {
        let equal = views::equal(strings(a)?, text);
        return Ok(if order == Order::Eq { equal } else { !&equal });
    }
    let compared = |right: &dyn arrow::array::Datum| match order {
        Order::Eq => cmp::eq(a, right),
        Order::Ne => cmp::neq(a, right),
        Order::Lt => cmp::lt(a, right),
        Order::Le => cmp::lt_eq(a, right),
        Order::Gt => cmp::gt(a, right),
        Order::Ge => cmp::gt_eq(a, right),
    };
    let result = match b {
        Operand::Literal(literal) => compared(&Scalar::new(constant(literal, dtype, 1)?))?,
        Operand::Array(_) => compared(&column(b, dtype, rows)?)?,
    };
    Ok(result.values().clone())
}
