//! `(x, number, every list must have it)`: one value of each list, from the end where the number is negative.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;

use super::{Operand, Operator, Typed, item_of, lists, range, whole};
use crate::error::{Code, Error, Result};
use crate::plan::op::operand::argument;
use crate::plan::{DType, Literal};

pub struct Get;

impl Operator for Get {
    fn name(&self) -> &'static str {
        "list_get"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        item_of(args, "a value of lists").cloned()
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let number = whole(args, 1)?.ok_or_else(|| Error::internal("no number of a value"))?;
        let strict = matches!(argument(args, 2)?, Operand::Literal(Literal::Bool(true)));
        let mut found = Vec::with_capacity(rows);
        for row in 0..lists.len() {
            let Some((start, end)) = range(&lists, row) else {
                found.push(None);
                continue;
            };
            let from = if number < 0 { end } else { start } as i64;
            let at = from.saturating_add(number);
            let there = (start as i64..end as i64).contains(&at);
            if strict && !there {
                return Err(Error::new(
                    Code::OperationFailed,
                    format!("`.list[{number}]`: a list has {} values only", end - start),
                )
                .hint("`.str[...]` gives a missing value there"));
            }
            found.push(there.then_some(at as u64));
        }
        Ok(take(lists.values(), &UInt64Array::from(found), None)?)
    }
}
