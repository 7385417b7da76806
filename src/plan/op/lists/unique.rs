//! Each value of a list once, in order of appearance; missing values are one value.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};

use super::{Operand, Operator, Typed, item_of, list_of, lists, range};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::op::key::AsKey;

pub struct Unique;

impl Operator for Unique {
    fn name(&self) -> &'static str {
        "list_unique"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let item = item_of(args, "`unique`")?;
        if !item.is_simple() {
            return Err(not_decomposable(format!("`unique` cannot compare values of type {item}"))
                .hint("`explode` the lists, and take a part of the values that can be compared"));
        }
        Ok(args[0].dtype.clone())
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let values = lists.values();
        // Both zeros are one, and so are NaN and a missing value.
        let item = DType::from_arrow(values.data_type());
        let keys = AsKey.eval(&[Operand::Array(values.clone())], values.len(), &item)?;
        let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
        let keys = converter.convert_columns(&[keys])?;
        let mut kept: Vec<u64> = Vec::with_capacity(values.len());
        let mut offsets: Vec<i64> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut seen = HashSet::new();
        for row in 0..lists.len() {
            seen.clear();
            if let Some((start, end)) = range(&lists, row) {
                kept.extend((start..end).filter(|at| seen.insert(keys.row(*at))).map(|at| at as u64));
            }
            offsets.push(kept.len() as i64);
        }
        list_of(take(values, &UInt64Array::from(kept), None)?, offsets, lists.nulls().cloned())
    }
}
