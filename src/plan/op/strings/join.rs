//! `join(x, separator)`: the characters of a text with a separator between them.

use arrow::array::ArrayRef;

use super::build::map;
use super::{Operand, Operator, Typed, constants, of_text, text_at, texts};
use crate::error::Result;
use crate::plan::DType;

pub struct Join;

impl Operator for Join {
    fn name(&self) -> &'static str {
        "str_join"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.join", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let separator = text_at(&constants, 1)?;
        map(&texts(args, 0, rows)?, |text, open| {
            for (number, c) in text.chars().enumerate() {
                if number > 0 {
                    open.push_str(separator);
                }
                open.push(c);
            }
        })
    }
}
