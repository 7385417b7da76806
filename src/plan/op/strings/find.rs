//! Where a text is within a text, in characters: `find`, `rfind`, `index`, `rindex`. `(x, text, start, stop)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use memchr::memmem;

use super::build::{byte_of, clamp, length};
use super::{Operand, Operator, Typed, constants, of_text, position_at, text_at, texts};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::op::failed;

pub struct Find {
    name: &'static str,
    last: bool,
    /// Not finding is an error.
    must: bool,
}

pub const FIND: Find = Find { name: "str_find", last: false, must: false };
pub const RFIND: Find = Find { name: "str_rfind", last: true, must: false };
pub const INDEX: Find = Find { name: "str_index", last: false, must: true };
pub const RINDEX: Find = Find { name: "str_rindex", last: true, must: true };

impl Operator for Find {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Int64)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let wanted = text_at(&constants, 1)?;
        let (start, stop) = (position_at(&constants, 2)?.unwrap_or(0), position_at(&constants, 3)?);
        let first = memmem::Finder::new(wanted);
        let last = memmem::FinderRev::new(wanted);
        let mut found = Vec::with_capacity(rows);
        for text in &array {
            let Some(text) = text else {
                found.push(0);
                continue;
            };
            let within = window(text, start, stop);
            let at = within.and_then(|(from, to)| {
                let window = text.as_bytes().get(from..to)?;
                let at = if self.last { last.rfind(window) } else { first.find(window) }?;
                text.get(..from + at).map(|before| length(before) as i64)
            });
            if self.must && at.is_none() {
                return Err(failed("substring not found".to_owned())
                    .hint("Use `.str.find`, which answers -1, or select the rows that contain it first"));
            }
            found.push(at.unwrap_or(-1));
        }
        Ok(Arc::new(Int64Array::new(found.into(), array.nulls().cloned())))
    }
}

/// The bytes of the characters from start to stop; none where the start lies behind the end.
fn window(text: &str, start: i64, stop: Option<i64>) -> Option<(usize, usize)> {
    if start == 0 && stop.is_none() {
        return Some((0, text.len()));
    }
    let length = length(text);
    if start > length as i64 {
        return None;
    }
    let (start, stop) = (clamp(start, length), clamp(stop.unwrap_or(i64::MAX), length));
    (start <= stop).then(|| (byte_of(text, start), byte_of(text, stop)))
}
