//! `(x, constant)`: whether a value is in each list; missing where the list is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};

use super::{Operand, Operator, Typed, item_of, lists, range};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::op::find;
use crate::plan::op::operand::{argument, booleans};

pub struct Contains;

impl Operator for Contains {
    fn name(&self) -> &'static str {
        "list_contains"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let item = item_of(args, "`in`")?.clone();
        let [_, wanted @ Typed { literal: Some(_), .. }] = args else {
            return Err(not_decomposable("`in` a list is native for constants")
                .hint("Compare with a constant, or `explode` the lists and compare the values"));
        };
        find("eq")?.infer(&[Typed { dtype: item, literal: None }, wanted.clone()])
    }

    fn eval(&self, args: &[Operand], _: usize, dtype: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let values = lists.values();
        let wanted = argument(args, 1)?.clone();
        let equal = find("eq")?.eval(&[Operand::Array(values.clone()), wanted], values.len(), dtype)?;
        let equal = booleans(&equal)?;
        let found = (0..lists.len()).map(|row| {
            let (start, end) = range(&lists, row)?;
            Some((start..end).any(|at| equal.is_valid(at) && equal.value(at)))
        });
        Ok(Arc::new(found.collect::<BooleanArray>()))
    }
}
