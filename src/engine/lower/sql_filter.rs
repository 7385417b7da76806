//! Filters of SQL that mean the same as ours: they go into the scan, and row groups are left out by them.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr as SqlExpr, Operator};

use crate::error::Result;
use crate::plan::dtype::Unit;
use crate::plan::{DType, Expr, Literal};

/// The filter as one of ours, if it keeps exactly the same rows.
///
/// These are comparisons of a column with a constant of its own type, joined by AND and OR: a missing value
/// fails them in SQL and here. Not of floats: NaN and the two zeros compare differently.
pub fn translated(filter: &SqlExpr, dtype_of: &dyn Fn(&str) -> Option<DType>) -> Result<Option<Expr>> {
    let SqlExpr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return Ok(None) };
    if let Operator::And | Operator::Or = op {
        let (Some(left), Some(right)) = (translated(left, dtype_of)?, translated(right, dtype_of)?) else {
            return Ok(None);
        };
        let name = if *op == Operator::And { "and" } else { "or" };
        return Expr::call(name, vec![left, right]).map(Some);
    }
    let (column, op, value) = match (&**left, &**right) {
        (SqlExpr::Column(column), SqlExpr::Literal(value, _)) => (column, *op, value),
        (SqlExpr::Literal(value, _), SqlExpr::Column(column)) => match op.swap() {
            Some(op) => (column, op, value),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let name = match op {
        Operator::Lt => "lt",
        Operator::LtEq => "le",
        Operator::Gt => "gt",
        Operator::GtEq => "ge",
        Operator::Eq => "eq",
        _ => return Ok(None),
    };
    let Some(dtype) = dtype_of(&column.name) else { return Ok(None) };
    let Some(literal) = literal(value, &dtype) else { return Ok(None) };
    let column: Arc<str> = column.name.as_str().into();
    Expr::call(name, vec![Expr::Column(column, dtype), Expr::Literal(literal)]).map(Some)
}

/// A constant of exactly the column's type.
fn literal(value: &ScalarValue, dtype: &DType) -> Option<Literal> {
    let (literal, of) = match value {
        ScalarValue::Int8(Some(value)) => (Literal::Int((*value).into()), DType::Int8),
        ScalarValue::Int16(Some(value)) => (Literal::Int((*value).into()), DType::Int16),
        ScalarValue::Int32(Some(value)) => (Literal::Int((*value).into()), DType::Int32),
        ScalarValue::Int64(Some(value)) => (Literal::Int(*value), DType::Int64),
        ScalarValue::UInt8(Some(value)) => (Literal::Int((*value).into()), DType::UInt8),
        ScalarValue::UInt16(Some(value)) => (Literal::Int((*value).into()), DType::UInt16),
        ScalarValue::UInt32(Some(value)) => (Literal::Int((*value).into()), DType::UInt32),
        ScalarValue::UInt64(Some(value)) => {
            (i64::try_from(*value).map_or(Literal::UInt(*value), Literal::Int), DType::UInt64)
        }
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => (Literal::Str(text.clone()), DType::Str),
        ScalarValue::Date32(Some(days)) => (Literal::Date(*days), DType::Date),
        ScalarValue::TimestampSecond(Some(count), zone) => timestamp(*count, Unit::Second, zone),
        ScalarValue::TimestampMillisecond(Some(count), zone) => timestamp(*count, Unit::Milli, zone),
        ScalarValue::TimestampMicrosecond(Some(count), zone) => timestamp(*count, Unit::Micro, zone),
        ScalarValue::TimestampNanosecond(Some(count), zone) => timestamp(*count, Unit::Nano, zone),
        _ => return None,
    };
    (of == *dtype).then_some(literal)
}

fn timestamp(count: i64, unit: Unit, zone: &Option<Arc<str>>) -> (Literal, DType) {
    let zone = zone.as_deref().map(str::to_owned);
    (Literal::Timestamp(count, unit, zone.clone()), DType::Timestamp(unit, zone))
}
