//! Beginnings and ends: `startswith`, `endswith`, `removeprefix`, `removesuffix`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray};
use arrow::buffer::BooleanBuffer;

use super::build::parts;
use super::{Operand, Operator, Typed, ask, bool_at, constants, of_text, several_at, text_at, texts};
use crate::error::Result;
use crate::plan::DType;

/// `(x, text or list of texts, what is answered where a text is missing)`.
pub struct Affix {
    name: &'static str,
    end: bool,
}

pub const STARTS: Affix = Affix { name: "str_startswith", end: false };
pub const ENDS: Affix = Affix { name: "str_endswith", end: true };

impl Operator for Affix {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let (wanted, missing) = (several_at(&constants, 1)?, bool_at(&constants, 2)?);
        Ok(Arc::new(match wanted.as_slice() {
            [one] if !self.end && (1..=4).contains(&one.len()) => short_prefix(&array, one, missing),
            [one] if self.end => ask(&array, missing, |text| text.ends_with(one)),
            [one] => ask(&array, missing, |text| text.starts_with(one)),
            several if self.end => {
                ask(&array, missing, |text| several.iter().any(|wanted| text.ends_with(wanted)))
            }
            several => ask(&array, missing, |text| several.iter().any(|wanted| text.starts_with(wanted))),
        }))
    }
}

/// A view has the first four bytes in itself: no text is looked at.
fn short_prefix(array: &StringViewArray, prefix: &str, missing: bool) -> BooleanArray {
    let mut wanted: u128 = 0;
    for (place, byte) in prefix.bytes().enumerate() {
        wanted |= u128::from(byte) << (32 + 8 * place);
    }
    let mask = ((1_u128 << (8 * prefix.len())) - 1) << 32;
    let views = array.views();
    let found = super::super::operand::bits(views, |view| {
        view & mask == wanted && view as u32 >= prefix.len() as u32
    });
    let found = match array.nulls() {
        None => found,
        Some(nulls) if missing => &found | &!nulls.inner(),
        Some(nulls) => &found & nulls.inner(),
    };
    let found: BooleanBuffer = found;
    BooleanArray::new(found, None)
}

/// `(x, text)`: the text off the beginning or the end, where it is there.
pub struct Remove {
    name: &'static str,
    end: bool,
}

pub const REMOVE_PREFIX: Remove = Remove { name: "str_removeprefix", end: false };
pub const REMOVE_SUFFIX: Remove = Remove { name: "str_removesuffix", end: true };

impl Operator for Remove {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let affix = text_at(&constants, 1)?;
        parts(&array, |text| {
            if self.end {
                (0, text.strip_suffix(affix).map_or(text.len(), str::len))
            } else {
                (text.strip_prefix(affix).map_or(0, |rest| text.len() - rest.len()), text.len())
            }
        })
    }
}
