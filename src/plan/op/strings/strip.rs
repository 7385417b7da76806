//! `strip`, `lstrip`, `rstrip`: white space or given characters off the ends.

use arrow::array::ArrayRef;

use super::build::parts;
use super::classes::space;
use super::{Operand, Operator, Typed, constants, maybe_text_at, of_text, texts};
use crate::error::Result;
use crate::plan::DType;

pub struct Strip {
    name: &'static str,
    left: bool,
    right: bool,
}

pub const STRIP: Strip = Strip { name: "str_strip", left: true, right: true };
pub const LSTRIP: Strip = Strip { name: "str_lstrip", left: true, right: false };
pub const RSTRIP: Strip = Strip { name: "str_rstrip", left: false, right: true };

impl Operator for Strip {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        match maybe_text_at(&constants(args), 1)? {
            None => parts(&array, |text| self.kept(text, space)),
            Some(one) if one.len() == 1 => {
                let one = one.chars().next().unwrap_or(' ');
                parts(&array, |text| self.kept(text, |c| c == one))
            }
            Some(several) => parts(&array, |text| self.kept(text, |c| several.contains(c))),
        }
    }
}

impl Strip {
    fn kept(&self, text: &str, goes: impl Fn(char) -> bool) -> (usize, usize) {
        let rest = if self.left { text.trim_start_matches(&goes) } else { text };
        let start = text.len() - rest.len();
        let kept = if self.right { rest.trim_end_matches(&goes) } else { rest };
        (start, start + kept.len())
    }
}
