//! Texts made longer: `pad`, `zfill`, `repeat`.

use arrow::array::ArrayRef;

use super::build::{length, map};
use super::{Operand, Operator, Typed, constants, integer_at, of_text, text_at, texts};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::op::failed;

/// Longer texts are an error of the operation rather than of memory.
const LONGEST: i64 = 1 << 24;

/// `(x, width, side, character)`: the side that is filled, or "both".
pub struct Pad;

impl Operator for Pad {
    fn name(&self) -> &'static str {
        "str_pad"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        width(integer_at(&super::literals(args), 1)?)?;
        of_text(args, "str.pad", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let width = width(integer_at(&constants, 1)?)?;
        let (side, fill) = (text_at(&constants, 2)?, text_at(&constants, 3)?);
        map(&array, |text, open| {
            let missing = width.saturating_sub(length(text));
            let before = match side {
                "left" => missing,
                "right" => 0,
                // As Python centres: an odd one goes to the left where the width is odd.
                _ => missing / 2 + (missing & width & 1),
            };
            open.extend(std::iter::repeat_n(fill, before));
            open.push_str(text);
            open.extend(std::iter::repeat_n(fill, missing - before));
        })
    }
}

fn width(width: i64) -> Result<usize> {
    if width > LONGEST {
        return Err(not_decomposable(format!("a width of {width} characters is not native"))
            .hint("Give a width from 0 to a million characters"));
    }
    Ok(usize::try_from(width).unwrap_or_default())
}

/// `(x, width)`: zeros on the left, behind a sign.
pub struct ZFill;

impl Operator for ZFill {
    fn name(&self) -> &'static str {
        "str_zfill"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        width(integer_at(&super::literals(args), 1)?)?;
        of_text(args, "str.zfill", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let width = width(integer_at(&constants(args), 1)?)?;
        map(&array, |text, open| {
            let missing = width.saturating_sub(length(text));
            let (sign, rest) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            open.push_str(sign);
            open.extend(std::iter::repeat_n('0', missing));
            open.push_str(rest);
        })
    }
}

/// `(x, times)`.
pub struct Repeat;

impl Operator for Repeat {
    fn name(&self) -> &'static str {
        "str_repeat"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.repeat", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let times = usize::try_from(integer_at(&constants(args), 1)?).unwrap_or_default();
        let longest = array.iter().flatten().map(str::len).max().unwrap_or_default();
        if longest.checked_mul(times).is_none_or(|bytes| bytes > LONGEST as usize * 16) {
            return Err(failed(format!("a text repeated {times} times is too long")));
        }
        map(&array, |text, open| open.extend(std::iter::repeat_n(text, times)))
    }
}
