//! Rows in runs of one key each, for keys that are numbers close to each other.

use super::table::{NONE, each, look};
use crate::engine::control::Control;
use crate::error::Result;

/// Marks the last row of a key.
const LAST: u32 = 1 << 31;

/// Tables of as many rows or more have no room for the mark.
pub const MOST: usize = LAST as usize;

pub struct Runs {
    /// Where the rows of each number begin; behind them, where those without a key do, and where these end.
    starts: Vec<u32>,
    /// In order within a run.
    rows: Vec<u32>,
}

impl Runs {
    /// Runs of words from `least` on, and the place of the rows without a key.
    pub fn new(
        words: &[u64],
        (least, size): (u64, usize),
        without_key: &[u32],
        threads: usize,
        skips: impl Fn(usize) -> bool + Sync,
        control: &Control,
    ) -> Result<(Self, u32)> {
        let mut starts = vec![0; size + 2];
        let per = size.div_ceil(threads).max(1);
        let skips = &skips;
        let place = |number: usize, word: u64| word.wrapping_sub(least.wrapping_add((number * per) as u64));
        each(starts[..size].chunks_mut(per).enumerate().collect(), |(number, counts)| {
            for (row, word) in words.iter().enumerate() {
                look(control, row)?;
                let place = place(number, *word);
                if place < counts.len() as u64 && !skips(row) {
                    counts[place as usize] += 1;
                }
            }
            Ok(())
        })?;
        let mut sum = 0;
        for start in &mut starts[..=size] {
            sum += std::mem::replace(start, sum);
        }
        starts[size + 1] = sum + without_key.len() as u32;
        let mut rows = vec![0; sum as usize];
        // Each thread has the runs of its own numbers.
        let mut parts = Vec::with_capacity(threads);
        let mut rest = rows.as_mut_slice();
        for (number, begins) in starts[..size].chunks(per).enumerate() {
            let (first, end) = (starts[number * per], starts[number * per + begins.len()]);
            let (own, others) = rest.split_at_mut((end - first) as usize);
            rest = others;
            parts.push((number, begins, first, own));
        }
        each(parts, |(number, begins, first, own)| {
            let mut next: Vec<u32> = begins.iter().map(|begin| begin - first).collect();
            for (row, word) in words.iter().enumerate() {
                look(control, row)?;
                let place = place(number, *word);
                if place < next.len() as u64 && !skips(row) {
                    let next = &mut next[place as usize];
                    own[*next as usize] = row as u32;
                    *next += 1;
                }
            }
            Ok(())
        })?;
        rows.extend_from_slice(without_key);
        for ends in starts.windows(2).filter(|ends| ends[0] < ends[1]) {
            rows[ends[1] as usize - 1] |= LAST;
        }
        let missing = if without_key.is_empty() { NONE } else { sum };
        Ok((Self { starts, rows }, missing))
    }

    /// The first place of a number, counted from the least one; [`NONE`] where it has no rows.
    #[inline(always)]
    pub fn first(&self, number: u64) -> u32 {
        if number >= self.starts.len() as u64 - 2 {
            return NONE;
        }
        let (start, end) = (self.starts[number as usize], self.starts[number as usize + 1]);
        if start < end { start } else { NONE }
    }

    #[inline(always)]
    pub fn row(&self, place: u32) -> u32 {
        self.rows[place as usize] & !LAST
    }

    /// The place after this one of the same key, or [`NONE`].
    #[inline(always)]
    pub fn after(&self, place: u32) -> u32 {
        if self.rows[place as usize] & LAST == 0 { place + 1 } else { NONE }
    }

    pub fn size(&self) -> usize {
        size_of_val(self.starts.as_slice()) + size_of_val(self.rows.as_slice())
    }
}
