//! `between(x, low, high, inclusive)`: two comparisons, both true.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};

use super::super::dtype::DType;
use super::super::expr::Literal;
use super::comparison::{Comparison, Order, compare};
use super::operand::argument;
use super::{Operand, Operator, Typed};
use crate::error::{Error, Result, misused, not_decomposable};

pub struct Between;

/// The comparisons with the lower and the upper bound.
fn orders(inclusive: Option<&Literal>) -> Option<(Order, Order)> {
    match inclusive {
        None => Some((Order::Ge, Order::Le)),
        Some(Literal::Str(inclusive)) => match inclusive.as_str() {
            "both" => Some((Order::Ge, Order::Le)),
            "left" => Some((Order::Ge, Order::Lt)),
            "right" => Some((Order::Gt, Order::Le)),
            "neither" => Some((Order::Gt, Order::Lt)),
            _ => None,
        },
        Some(_) => None,
    }
}

impl Operator for Between {
    fn name(&self) -> &'static str {
        "between"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (x, low, high, inclusive) = match args {
            [x, low, high] => (x, low, high, None),
            [x, low, high, inclusive] => (x, low, high, Some(inclusive.literal.unwrap_or(&Literal::Null))),
            _ => return Err(misused("`between` takes a column, two bounds and `inclusive`")),
        };
        let Some((above, below)) = orders(inclusive) else {
            return Err(not_decomposable("`inclusive` of `between` is not one it knows")
                .hint("Use \"both\", \"left\", \"right\" or \"neither\""));
        };
        Comparison(above).infer(&[x.clone(), low.clone()])?;
        Comparison(below).infer(&[x.clone(), high.clone()])
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let inclusive = match args.get(3) {
            Some(Operand::Literal(literal)) => Some(literal),
            Some(Operand::Array(_)) => Some(&Literal::Null),
            None => None,
        };
        let (above, below) =
            orders(inclusive).ok_or_else(|| Error::internal("`between` was called without its sides"))?;
        let x = argument(args, 0)?;
        let low = compare(above, x, argument(args, 1)?, rows)?;
        let high = compare(below, x, argument(args, 2)?, rows)?;
        Ok(Arc::new(BooleanArray::new(low.values() & high.values(), None)))
    }
}
