//! `(x, separator)`: the texts of each list as one, missing where one of them is.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;

use super::{Operand, Operator, Typed, item_of, lists, range};
use crate::error::{Error, Result};
use crate::plan::op::operand::{argument, strings};
use crate::plan::op::promote::mismatch;
use crate::plan::op::strings::build::Texts;
use crate::plan::{DType, Literal};

pub struct Join;

impl Operator for Join {
    fn name(&self) -> &'static str {
        "list_join"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match item_of(args, "`str.join`")? {
            DType::Str => Ok(DType::Str),
            other => Err(mismatch(
                format!("`str.join` joins lists of texts, and these are lists of {other}"),
                "`explode` the lists, convert the values with `astype(str)`, and collect them again",
            )),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let Operand::Literal(Literal::Str(separator)) = argument(args, 1)? else {
            return Err(Error::internal("a separator that is no text"));
        };
        let values = strings(lists.values())?;
        let mut texts = Texts::new(rows);
        let mut valid = Vec::with_capacity(rows);
        for row in 0..lists.len() {
            let found =
                range(&lists, row).filter(|(start, end)| (*start..*end).all(|at| values.is_valid(at)));
            valid.push(found.is_some());
            match found {
                None => texts.missing(),
                Some((start, end)) => texts.write(|open| {
                    for at in start..end {
                        if at > start {
                            open.push_str(separator);
                        }
                        open.push_str(values.value(at));
                    }
                }),
            }
        }
        let nulls = NullBuffer::from(valid);
        texts.finish((nulls.null_count() > 0).then_some(nulls))
    }
}
