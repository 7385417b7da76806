//! Runs of one value and runs of packed bits, one after the other: how Parquet writes levels and numbers of dictionaries.

use arrow::array::BooleanBufferBuilder;
use bytes::Bytes;

use super::{Result, damaged};

/// Packed values come in groups of so many.
const GROUP: usize = 8;
/// Where fewer than one value in this many is asked for, those alone are unpacked.
const SPARSE: usize = 4;

/// Values of at most 32 bits.
pub struct Hybrid {
    data: Bytes,
    /// Where the next run begins.
    at: usize,
    width: usize,
    unpack: Unpack,
    run: Run,
    scratch: Vec<u32>,
}

enum Run {
    Same {
        value: u32,
        left: usize,
    },
    Packed {
        /// Its first byte.
        from: usize,
        done: usize,
        left: usize,
    },
}

impl Hybrid {
    pub fn new(data: Bytes, width: u8) -> Result<Self> {
        let unpack = unpack_of(width).ok_or_else(|| damaged("a dictionary's numbers are too wide"))?;
        let run = Run::Same { value: 0, left: 0 };
        Ok(Self { data, at: 0, width: width.into(), unpack, run, scratch: Vec::new() })
    }

    /// How many values the run has left, beginning the next one if it is over.
    fn left(&mut self) -> Result<usize> {
        loop {
            match self.run {
                Run::Same { left, .. } | Run::Packed { left, .. } if left > 0 => return Ok(left),
                _ => self.begin()?,
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        if self.width == 0 && self.at >= self.data.len() {
            // Of values without bits nothing needs to be said.
            self.run = Run::Same { value: 0, left: usize::MAX };
            return Ok(());
        }
        let header = self.header()?;
        let count = usize::try_from(header >> 1).map_err(|_| damaged("a run is too long"))?;
        if header & 1 == 1 {
            let from = self.at;
            let bytes = count.saturating_mul(self.width).min(self.data.len() - from);
            // The last group may end before its bits do.
            let held = (bytes * 8).checked_div(self.width).unwrap_or(usize::MAX);
            let left = count.saturating_mul(GROUP).min(held);
            if left == 0 && count > 0 {
                return Err(damaged("a page ends within a run"));
            }
            self.at += bytes;
            self.run = Run::Packed { from, done: 0, left };
        } else {
            let bytes = self.width.div_ceil(8);
            let Some(value) = self.data.get(self.at..self.at + bytes) else {
                return Err(damaged("a page ends within a run"));
            };
            let value = value.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            self.at += bytes;
            self.run = Run::Same { value, left: count };
        }
        Ok(())
    }

    fn header(&mut self) -> Result<u64> {
        let mut header = 0_u64;
        for shift in (0..35).step_by(7) {
            let Some(byte) = self.data.get(self.at) else { return Err(damaged("a page has too few values")) };
            self.at += 1;
            header |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(header);
            }
        }
        Err(damaged("a run's length is no number"))
    }

    /// Passes over values.
    pub fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            let step = self.left()?.min(count);
            self.advance(step);
            count -= step;
        }
        Ok(())
    }

    fn advance(&mut self, count: usize) {
        match &mut self.run {
            Run::Same { left, .. } => *left -= count,
            Run::Packed { done, left, .. } => {
                *done += count;
                *left -= count;
            }
        }
    }

    /// Appends the next values.
    pub fn read(&mut self, mut count: usize, out: &mut Vec<u32>) -> Result<()> {
        while count > 0 {
            let step = self.left()?.min(count);
            match self.run {
                Run::Same { value, .. } => out.resize(out.len() + step, value),
                Run::Packed { from, done, .. } => self.packed(from, done, step, out),
            }
            self.advance(step);
            count -= step;
        }
        Ok(())
    }

    /// Of the next `count` values appends those at these places, which ascend and are counted from `base` on.
    pub fn pick(&mut self, count: usize, places: &[u32], base: u32, out: &mut Vec<u32>) -> Result<()> {
        let (mut passed, mut places) = (0, places);
        while passed < count {
            let step = self.left()?.min(count - passed);
            let end = places.partition_point(|place| ((place - base) as usize) < passed + step);
            let (here, later) = places.split_at(end);
            places = later;
            let begin = base + passed as u32;
            match self.run {
                _ if here.is_empty() => {}
                Run::Same { value, .. } => out.resize(out.len() + here.len(), value),
                Run::Packed { from, done, .. } if here.len() * SPARSE < step => {
                    let value = |place: &u32| self.single(from, done + (place - begin) as usize);
                    out.extend(here.iter().map(value));
                }
                Run::Packed { from, done, .. } => {
                    let mut scratch = std::mem::take(&mut self.scratch);
                    scratch.clear();
                    self.packed(from, done, step, &mut scratch);
                    out.extend(here.iter().map(|place| scratch[(place - begin) as usize]));
                    self.scratch = scratch;
                }
            }
            self.advance(step);
            passed += step;
        }
        Ok(())
    }

    /// Appends the next values, of one bit each, as bits.
    pub fn bits(&mut self, mut count: usize, out: &mut BooleanBufferBuilder) -> Result<()> {
        while count > 0 {
            let step = self.left()?.min(count);
            match self.run {
                Run::Same { value, .. } => out.append_n(step, value != 0),
                Run::Packed { from, done, .. } => {
                    out.append_packed_range(done..done + step, &self.data[from..]);
                }
            }
            self.advance(step);
            count -= step;
        }
        Ok(())
    }

    /// One value of a packed run.
    #[inline(always)]
    fn single(&self, from: usize, number: usize) -> u32 {
        let bit = number * self.width;
        let mask = (1_u64 << self.width) - 1;
        (word(&self.data, from + bit / 8) >> (bit % 8) & mask) as u32
    }

    fn packed(&self, from: usize, done: usize, count: usize, out: &mut Vec<u32>) {
        let begin = out.len();
        out.resize(begin + count, 0);
        let to = &mut out[begin..];
        // Up to the next group, whole groups, and what is left.
        let head = (done.next_multiple_of(GROUP) - done).min(count);
        for (number, value) in to[..head].iter_mut().enumerate() {
            *value = self.single(from, done + number);
        }
        let groups = &mut to[head..];
        let bytes = &self.data[from + (done + head) * self.width / 8..];
        let unpacked = (self.unpack)(bytes, groups);
        for (number, value) in to.iter_mut().enumerate().skip(head + unpacked) {
            *value = self.single(from, done + number);
        }
    }
}

/// Eight bytes from a place on, zeros where there are none.
#[inline(always)]
fn word(data: &[u8], at: usize) -> u64 {
    match data.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => {
            let rest = data.get(at..).unwrap_or_default();
            rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// Unpacks whole groups, and says how many values that were. A few at the end of the data are left.
type Unpack = fn(&[u8], &mut [u32]) -> usize;

fn unpack<const WIDTH: usize>(bytes: &[u8], to: &mut [u32]) -> usize {
    let mask = (1_u64 << WIDTH) - 1;
    let (mut at, mut unpacked) = (0, 0);
    for to in to.chunks_exact_mut(GROUP) {
        // Eight bytes more, so that every value may be read as a part of a word.
        let Some(bytes) = bytes.get(at..at + WIDTH + 8) else { break };
        for (number, value) in to.iter_mut().enumerate() {
            let bit = number * WIDTH;
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[bit / 8..bit / 8 + 8]);
            *value = (u64::from_le_bytes(word) >> (bit % 8) & mask) as u32;
        }
        at += WIDTH;
        unpacked += GROUP;
    }
    unpacked
}

fn unpack_of(width: u8) -> Option<Unpack> {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => Some(unpack::<$width> as Unpack),)*
                _ => None,
            }
        };
    }
    widths!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
}
