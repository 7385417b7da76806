//! `split`, `rsplit`: the pieces of each text as a list. Its arguments are those of `str_split_part` without the last.

use std::any::Any;

use arrow::array::{Array, ArrayRef};

use super::build::Texts;
use super::split::{Split, split};
use super::{Operand, Operator, Typed, literals, of_text, texts};
use crate::error::Result;
use crate::plan::op::Prepared;
use crate::plan::op::lists::list_of;
use crate::plan::{DType, Literal};

pub struct SplitList;

impl Operator for SplitList {
    fn name(&self) -> &'static str {
        "str_split"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        Split::new(&literals(args))?;
        of_text(args, "str.split", DType::List(DType::Str.into()))
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Split::new(args)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let split = split(prepared)?;
        let array = texts(args, 0, rows)?;
        let mut made = Texts::over(&array);
        let mut offsets: Vec<i64> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let (mut pieces, mut count) = (Vec::new(), 0);
        for (view, text) in array.views().iter().zip(&array) {
            if let Some(text) = text {
                split.pieces(text, usize::MAX, &mut pieces)?;
                for (start, end) in &pieces {
                    made.part(*view, text, *start, *end);
                }
                count += pieces.len() as i64;
            }
            offsets.push(count);
        }
        list_of(made.finish(None)?, offsets, array.nulls().cloned())
    }
}
