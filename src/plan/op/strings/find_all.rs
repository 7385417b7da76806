//! `(x, pattern, flags)`: what a pattern matches in each text, or what its one group does, as a list.

use std::any::Any;

use arrow::array::{Array, ArrayRef};

use super::build::Texts;
use super::pattern::{Pattern, of};
use super::{Operand, Operator, Typed, integer_at, literals, of_text, text_at, texts};
use crate::error::{Result, not_decomposable};
use crate::plan::op::Prepared;
use crate::plan::op::lists::list_of;
use crate::plan::{DType, Literal};

pub struct FindAll;

impl Operator for FindAll {
    fn name(&self) -> &'static str {
        "str_findall"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let constants = literals(args);
        let pattern = Pattern::new(text_at(&constants, 1)?, integer_at(&constants, 2)?)?;
        if pattern.groups().len() > 1 {
            return Err(not_decomposable(
                "`str.findall` of a pattern with several groups gives lists of tuples",
            )
            .hint("Use `str.extractall`, or write groups that are only for grouping as `(?:...)`"));
        }
        if pattern.may_be_empty() {
            return Err(not_decomposable(
                "`str.findall` of a pattern that an empty text matches is not native",
            )
            .hint("Use `+` for `*`"));
        }
        of_text(args, "str.findall", DType::List(DType::Str.into()))
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Pattern::new(text_at(args, 1)?, integer_at(args, 2)?)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let pattern = of(prepared)?;
        let array = texts(args, 0, rows)?;
        let mut made = Texts::over(&array);
        let mut offsets: Vec<i64> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut count = 0;
        for (view, text) in array.views().iter().zip(&array) {
            if let Some(text) = text {
                let mut add = |start, end| {
                    made.part(*view, text, start, end);
                    count += 1;
                    true
                };
                if pattern.groups().is_empty() {
                    pattern.each(text, add)?;
                } else {
                    // A group that took no part is an empty text.
                    pattern.each_captures(text, |groups| {
                        let (start, end) = groups.get(1).copied().flatten().unwrap_or((0, 0));
                        add(start, end)
                    })?;
                }
            }
            offsets.push(count);
        }
        list_of(made.finish(None)?, offsets, array.nulls().cloned())
    }
}
