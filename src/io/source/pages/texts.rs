//! Texts as Parquet's plain encoding has them, each behind its length: found as views of the page.

use arrow::array::make_view;
use arrow::buffer::Buffer;
use bytes::Bytes;

use super::{Result, damaged};

/// The texts of a page.
pub struct Texts {
    data: Bytes,
    at: usize,
    /// Every byte is ASCII, also those of the lengths: then no text need be looked at.
    plain: bool,
}

impl Texts {
    /// From `at` on. Of bytes that are no texts nothing is asked.
    pub fn new(data: Bytes, at: usize, are_texts: bool) -> Self {
        let plain = !are_texts || data.get(at..).is_some_and(<[u8]>::is_ascii);
        Self { data, at, plain }
    }

    pub fn buffer(&self) -> Buffer {
        Buffer::from(self.data.clone())
    }

    #[inline(always)]
    fn next(&mut self) -> Result<(usize, &[u8])> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Err(cut()) };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(bytes) = rest.get(..length) else { return Err(cut()) };
        let from = self.at + 4;
        self.at = from + length;
        Ok((from, bytes))
    }

    pub fn skip(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.next()?;
        }
        Ok(())
    }

    /// Appends the views of the next texts, with the page as this buffer.
    pub fn read(&mut self, count: usize, buffer: u32, out: &mut Vec<u128>) -> Result<()> {
        out.reserve(count);
        for _ in 0..count {
            let plain = self.plain;
            let (from, bytes) = self.next()?;
            if !plain && std::str::from_utf8(bytes).is_err() {
                return Err(damaged("a text is not valid UTF-8"));
            }
            let from = u32::try_from(from).map_err(|_| damaged("a page is too large"))?;
            out.push(make_view(bytes, buffer, from));
        }
        Ok(())
    }

    /// Of the next `count` texts appends the views of those at these places, counted from `base` on.
    pub fn pick(
        &mut self,
        count: usize,
        places: &[u32],
        base: u32,
        buffer: u32,
        out: &mut Vec<u128>,
    ) -> Result<()> {
        let mut passed = 0;
        for place in places {
            let place = (place - base) as usize;
            self.skip(place - passed)?;
            self.read(1, buffer, out)?;
            passed = place + 1;
        }
        self.skip(count - passed)
    }
}

fn cut() -> parquet::errors::ParquetError {
    damaged("a page ends within a text")
}
