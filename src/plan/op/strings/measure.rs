//! Numbers about texts: `len`, `count`.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};

use super::build::length;
use super::pattern::Pattern;
use super::{Operand, Operator, Typed, integer_at, literals, of_text, text_at, texts};
use crate::error::{Result, misused, not_decomposable};
use crate::plan::op::Prepared;
use crate::plan::op::operand::argument;
use crate::plan::op::promote::{describe, mismatch};
use crate::plan::{DType, Literal};

/// Characters of a text, bytes of a binary value.
pub struct Len;

impl Operator for Len {
    fn name(&self) -> &'static str {
        "str_len"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [arg] if matches!(arg.dtype, DType::Str | DType::Binary) => Ok(DType::Int64),
            [arg] => Err(mismatch(
                format!("`str.len` needs text, and this is {}", describe(arg)),
                "Only columns of strings, bytes and lists have it",
            )),
            _ => Err(misused("`str.len` takes a column")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        if let Operand::Array(array) = argument(args, 0)?
            && let Some(array) = array.as_binary_view_opt()
        {
            // The lowest half of a view's lowest word.
            let lengths = array.views().iter().map(|view| i64::from(*view as u32));
            return Ok(Arc::new(Int64Array::new(lengths.collect(), array.nulls().cloned())));
        }
        let array = texts(args, 0, rows)?;
        let lengths = array.iter().map(|text| text.map_or(0, length) as i64);
        Ok(Arc::new(Int64Array::new(lengths.collect(), array.nulls().cloned())))
    }
}

/// `(x, pattern, flags)`: how often a pattern is found.
pub struct Count;

impl Operator for Count {
    fn name(&self) -> &'static str {
        "str_count"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let constants = literals(args);
        let pattern = Pattern::new(text_at(&constants, 1)?, integer_at(&constants, 2)?)?;
        if pattern.may_be_empty() {
            return Err(not_decomposable(
                "`str.count` of a pattern that an empty text matches is not native",
            )
            .hint("pandas counts such matches differently from column to column; use `+` for `*`"));
        }
        of_text(args, "str.count", DType::Int64)
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
        let pattern = super::pattern::of(prepared)?;
        let array = texts(args, 0, rows)?;
        let mut counts = Vec::with_capacity(rows);
        for text in &array {
            let mut count = 0;
            if let Some(text) = text {
                pattern.each(text, |_, _| {
                    count += 1;
                    true
                })?;
            }
            counts.push(count);
        }
        Ok(Arc::new(Int64Array::new(counts.into(), array.nulls().cloned())))
    }
}
