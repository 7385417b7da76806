//! `(x, pattern, flags)`: the groups of every match as a list of structs, whose fields are numbered.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};

use super::build::Texts;
use super::pattern::{Pattern, of};
use super::{Operand, Operator, Typed, integer_at, literals, of_text, text_at, texts};
use crate::error::{Result, not_decomposable};
use crate::plan::op::Prepared;
use crate::plan::op::lists::list_of;
use crate::plan::{DType, Literal};

pub struct ExtractAll;

impl Operator for ExtractAll {
    fn name(&self) -> &'static str {
        "str_extractall"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let constants = literals(args);
        let pattern = Pattern::new(text_at(&constants, 1)?, integer_at(&constants, 2)?)?;
        if pattern.groups().is_empty() {
            return Err(not_decomposable("`str.extractall` takes a pattern with groups, in pandas too")
                .hint("Put what is wanted in parentheses"));
        }
        if pattern.may_be_empty() {
            return Err(not_decomposable(
                "`str.extractall` of a pattern that an empty text matches is not native",
            )
            .hint("Use `+` for `*`"));
        }
        let groups = (0..pattern.groups().len()).map(|number| (number.to_string().into(), DType::Str));
        of_text(args, "str.extractall", DType::List(DType::Struct(groups.collect()).into()))
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
        let mut made: Vec<(Texts, Vec<bool>)> =
            pattern.groups().iter().map(|_| (Texts::over(&array), Vec::new())).collect();
        let mut offsets: Vec<i64> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut count = 0;
        for (view, text) in array.views().iter().zip(&array) {
            if let Some(text) = text {
                pattern.each_captures(text, |groups| {
                    for (number, (texts, valid)) in made.iter_mut().enumerate() {
                        let found = groups.get(number + 1).copied().flatten();
                        valid.push(found.is_some());
                        match found {
                            Some((start, end)) => texts.part(*view, text, start, end),
                            None => texts.missing(),
                        }
                    }
                    count += 1;
                    true
                })?;
            }
            offsets.push(count);
        }
        let fields = (0..made.len()).map(|number| Field::new(number.to_string(), DataType::Utf8View, true));
        let fields: Vec<_> = fields.collect();
        let columns = made.into_iter().map(|(texts, valid)| texts.finish(Some(NullBuffer::from(valid))));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let matches: ArrayRef = Arc::new(StructArray::try_new(fields.into(), columns, None)?);
        list_of(matches, offsets, array.nulls().cloned())
    }
}
