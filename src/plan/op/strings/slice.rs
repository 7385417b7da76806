//! Characters by position: `slice`, `get`, `slice_replace`.

use arrow::array::{Array, ArrayRef};

use super::build::{Texts, byte_of, clamp, length, parts, some_parts};
use super::{Operand, Operator, Typed, constants, integer_at, of_text, position_at, text_at, texts};
use crate::error::Result;
use crate::plan::DType;

/// `(x, start, stop, step)`, as Python slices.
pub struct Slice;

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "str_slice"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.slice", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let (start, stop) = (position_at(&constants, 1)?, position_at(&constants, 2)?);
        let step = position_at(&constants, 3)?.unwrap_or(1);
        if step == 1 {
            return parts(&array, |text| range(text, start.unwrap_or(0), stop));
        }
        let mut made = Texts::new(rows);
        let mut characters = Vec::new();
        for text in &array {
            let Some(text) = text else {
                made.missing();
                continue;
            };
            characters.clear();
            characters.extend(text.chars());
            made.write(|open| stepped(&characters, start, stop, step, open));
        }
        made.finish(array.nulls().cloned())
    }
}

/// The bytes of the characters from start to stop.
fn range(text: &str, start: i64, stop: Option<i64>) -> (usize, usize) {
    if start >= 0 && stop.is_none_or(|stop| stop >= 0) {
        // Nothing is counted from the end: what lies behind the stop is not looked at.
        let from = byte_of(text, start as usize);
        let to = match stop {
            None => text.len(),
            Some(stop) => {
                let rest = text.get(from..).unwrap_or_default();
                from + byte_of(rest, (stop - start).max(0) as usize)
            }
        };
        return (from, to);
    }
    let length = length(text);
    let (start, stop) = (clamp(start, length), clamp(stop.unwrap_or(i64::MAX), length));
    (byte_of(text, start), byte_of(text, stop.max(start)))
}

fn stepped(text: &[char], start: Option<i64>, stop: Option<i64>, step: i64, open: &mut String) {
    let length = text.len() as i64;
    let bound = |place: i64, low: i64, high: i64| {
        let place = if place < 0 { place.saturating_add(length) } else { place };
        place.clamp(low, high)
    };
    let (mut at, end) = if step > 0 {
        (start.map_or(0, |start| bound(start, 0, length)), stop.map_or(length, |stop| bound(stop, 0, length)))
    } else {
        (
            start.map_or(length - 1, |start| bound(start, -1, length - 1)),
            stop.map_or(-1, |stop| bound(stop, -1, length - 1)),
        )
    };
    while if step > 0 { at < end } else { at > end } {
        open.extend(text.get(at as usize));
        at = at.saturating_add(step);
    }
}

/// `(x, position)`: one character; missing where there is none.
pub struct Get;

impl Operator for Get {
    fn name(&self) -> &'static str {
        "str_get"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.get", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let place = integer_at(&constants(args), 1)?;
        some_parts(&array, |text| {
            let at = if place >= 0 {
                byte_of(text, place as usize)
            } else {
                let length = length(text) as i64;
                if place < -length {
                    return Ok(None);
                }
                byte_of(text, (length + place) as usize)
            };
            let c = text.get(at..).and_then(|rest| rest.chars().next());
            Ok(c.map(|c| (at, at + c.len_utf8())))
        })
    }
}

/// `(x, start, stop, replacement)`.
pub struct SliceReplace;

impl Operator for SliceReplace {
    fn name(&self) -> &'static str {
        "str_slice_replace"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.slice_replace", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let start = position_at(&constants, 1)?.unwrap_or(0);
        let (stop, new) = (position_at(&constants, 2)?, text_at(&constants, 3)?);
        super::build::map(&array, |text, open| {
            let (from, to) = range(text, start, stop);
            open.push_str(text.get(..from).unwrap_or_default());
            open.push_str(new);
            open.push_str(text.get(to..).unwrap_or_default());
        })
    }
}
