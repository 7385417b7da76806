//! `cat(separator, stand-in for missing ones, x, y, ...)`: the texts of a row in one.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;

use super::build::Texts;
use super::{Operand, Operator, Typed, constants, maybe_text_at, text_at, texts};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::op::promote::{describe, mismatch};

pub struct Cat;

impl Operator for Cat {
    fn name(&self) -> &'static str {
        "str_cat"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args.iter().skip(2).find(|arg| arg.dtype != DType::Str) {
            Some(other) => Err(mismatch(
                format!("`str.cat` needs columns of text, and one is {}", describe(other)),
                "Make text of it: `.astype(str)`",
            )),
            None => Ok(DType::Str),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let (separator, stand_in) = (text_at(&constants, 0)?, maybe_text_at(&constants, 1)?);
        let columns = (2..args.len()).map(|place| texts(args, place, rows)).collect::<Result<Vec<_>>>()?;
        let nulls = match stand_in {
            Some(_) => None,
            None => {
                columns.iter().fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.nulls()))
            }
        };
        let mut made = Texts::new(rows);
        for row in 0..rows {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                made.missing();
                continue;
            }
            made.write(|open| {
                for (number, column) in columns.iter().enumerate() {
                    if number > 0 {
                        open.push_str(separator);
                    }
                    let missing = column.is_null(row);
                    open.push_str(if missing { stand_in.unwrap_or_default() } else { column.value(row) });
                }
            });
        }
        made.finish(nulls)
    }
}
