//! Columns of text being made: new texts, and parts of a column's texts that are not copied.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ByteView, StringViewArray, make_view};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

use crate::error::{Error, Result};

/// Bytes after which another block is begun.
const BLOCK: usize = 1 << 20;
/// Texts of at most this many bytes lie within their views.
const INLINE: usize = 12;

/// Makes a column of text, row by row.
pub struct Texts {
    views: Vec<u128>,
    blocks: Vec<Buffer>,
    open: String,
    too_long: bool,
}

impl Texts {
    pub fn new(rows: usize) -> Self {
        Self { views: Vec::with_capacity(rows), blocks: Vec::new(), open: String::new(), too_long: false }
    }

    /// For rows that may be parts of the texts of `array`.
    pub fn over(array: &StringViewArray) -> Self {
        Self { blocks: array.data_buffers().to_vec(), ..Self::new(array.len()) }
    }

    pub fn missing(&mut self) {
        self.views.push(0);
    }

    pub fn push(&mut self, text: &str) {
        if text.len() <= INLINE {
            self.views.push(make_view(text.as_bytes(), 0, 0));
        } else {
            self.write(|open| open.push_str(text));
        }
    }

    /// A text that `write` appends to what it is given.
    pub fn write(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.open.len();
        write(&mut self.open);
        let text = self.open.get(start..).unwrap_or_default();
        let short = text.len() <= INLINE;
        self.too_long |= u32::try_from(self.open.len()).is_err();
        self.views.push(make_view(text.as_bytes(), self.blocks.len() as u32, start as u32));
        if short {
            self.open.truncate(start);
        } else if self.open.len() >= BLOCK {
            self.seal();
        }
    }

    /// The bytes from `start` to `end` of `text`, which is what `view` of the column given to `over` shows.
    pub fn part(&mut self, view: u128, text: &str, start: usize, end: usize) {
        let part = text.get(start..end).unwrap_or_default();
        if part.len() == text.len() {
            self.views.push(view);
        } else if part.len() <= INLINE {
            self.views.push(make_view(part.as_bytes(), 0, 0));
        } else {
            let whole = ByteView::from(view);
            let offset = whole.offset + start as u32;
            self.views.push(make_view(part.as_bytes(), whole.buffer_index, offset));
        }
    }

    fn seal(&mut self) {
        let full = std::mem::take(&mut self.open);
        self.blocks.push(Buffer::from_vec(full.into_bytes()));
    }

    pub fn finish(mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if self.too_long {
            return Err(Error::internal("a text grew beyond 4 GiB"));
        }
        if !self.open.is_empty() {
            self.seal();
        }
        if nulls.as_ref().is_some_and(|nulls| nulls.len() != self.views.len()) {
            return Err(Error::internal("a column of text has another length than its missing values"));
        }
        let views = ScalarBuffer::from(self.views);
        // SAFETY: every view was made of a `&str` that lies where it says: within itself, in a block of
        // `open`, or in a block of the column whose text it is a part of. Checking the UTF-8 of every
        // value again costs as much as most kernels do.
        Ok(Arc::new(unsafe { StringViewArray::new_unchecked(views, self.blocks, nulls) }))
    }
}

/// A new text for every text.
pub fn map(array: &StringViewArray, write: impl Fn(&str, &mut String)) -> Result<ArrayRef> {
    let mut texts = Texts::new(array.len());
    for text in array {
        match text {
            Some(text) => texts.write(|open| write(text, open)),
            None => texts.missing(),
        }
    }
    texts.finish(array.nulls().cloned())
}

/// A part of every text, as bytes from and to.
pub fn parts(array: &StringViewArray, part: impl Fn(&str) -> (usize, usize)) -> Result<ArrayRef> {
    let mut texts = Texts::over(array);
    for (view, text) in array.views().iter().zip(array) {
        match text {
            Some(text) => {
                let (start, end) = part(text);
                texts.part(*view, text, start, end);
            }
            None => texts.missing(),
        }
    }
    texts.finish(array.nulls().cloned())
}

/// A part of every text, or nothing.
pub fn some_parts(
    array: &StringViewArray,
    mut part: impl FnMut(&str) -> Result<Option<(usize, usize)>>,
) -> Result<ArrayRef> {
    let mut texts = Texts::over(array);
    let mut valid = Vec::with_capacity(array.len());
    for (view, text) in array.views().iter().zip(array) {
        let found = text.map(&mut part).transpose()?.flatten();
        valid.push(found.is_some());
        match (text, found) {
            (Some(text), Some((start, end))) => texts.part(*view, text, start, end),
            _ => texts.missing(),
        }
    }
    let nulls = NullBuffer::from(valid);
    texts.finish((nulls.null_count() > 0).then_some(nulls))
}

/// The byte at which character number `place` begins; the end where there are fewer.
pub fn byte_of(text: &str, place: usize) -> usize {
    if text.is_ascii() {
        return place.min(text.len());
    }
    text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte)
}

/// How many characters (code points) a text has.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// What Python's slicing makes of a start or stop: negative ones count from the end.
pub fn clamp(place: i64, length: usize) -> usize {
    let length = length as i64;
    let place = if place < 0 { place.saturating_add(length) } else { place };
    place.clamp(0, length) as usize
}
