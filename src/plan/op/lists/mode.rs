//! `(x, least)`: the most frequent value of each list; of several that are as frequent the least, or the first.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::row::{Row, RowConverter, SortField};

use super::{Operand, Operator, Typed, item_of, lists, range};
use crate::error::{Result, not_decomposable};
use crate::plan::op::key::AsKey;
use crate::plan::op::operand::argument;
use crate::plan::{DType, Literal};

pub struct Mode;

impl Operator for Mode {
    fn name(&self) -> &'static str {
        "list_mode"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let item = item_of(args, "`mode`")?;
        if !item.is_simple() {
            return Err(not_decomposable(format!("`mode` cannot compare values of type {item}"))
                .hint("Take a part of the values that can be compared, before they are grouped"));
        }
        Ok(item.clone())
    }

    fn eval(&self, args: &[Operand], _: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let least = matches!(argument(args, 1)?, Operand::Literal(Literal::Bool(true)));
        let values = lists.values();
        // Both zeros are one, and NaN is missing.
        let item = DType::from_arrow(values.data_type());
        let keys = AsKey.eval(&[Operand::Array(values.clone())], values.len(), &item)?;
        let missing = keys.logical_nulls();
        let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
        let keys = converter.convert_columns(&[keys])?;
        let mut found = Vec::with_capacity(lists.len());
        // How often each value is there, and where it is first.
        let mut counts: HashMap<Row<'_>, (usize, usize)> = HashMap::new();
        for row in 0..lists.len() {
            counts.clear();
            let (start, end) = range(&lists, row).unwrap_or((0, 0));
            for at in start..end {
                if missing.as_ref().is_none_or(|missing| missing.is_valid(at)) {
                    counts.entry(keys.row(at)).or_insert((0, at)).0 += 1;
                }
            }
            let best = counts.iter().max_by(|(a, (of_a, at_a)), (b, (of_b, at_b))| {
                let earlier = if least { b.cmp(a) } else { at_b.cmp(at_a) };
                of_a.cmp(of_b).then(earlier)
            });
            found.push(best.map(|(_, (_, at))| *at as u64));
        }
        Ok(take(values, &UInt64Array::from(found), None)?)
    }
}
