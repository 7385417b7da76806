//! The values of a window in their order, in blocks: a value comes and goes in about the square root of their number.

use super::Held;
use crate::error::{Error, Result};

/// A block of more values than this is cut in two.
const BLOCK: usize = 1024;

#[derive(Default)]
pub struct Sorted {
    /// None of them empty.
    blocks: Vec<Vec<f64>>,
}

impl Sorted {
    /// The first block whose last value is not below this one.
    fn block(&self, value: f64) -> usize {
        self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < value))
    }
}

impl Held for Sorted {
    fn add(&mut self, value: f64, _: usize) {
        let number = self.block(value).min(self.blocks.len().saturating_sub(1));
        let Some(block) = self.blocks.get_mut(number) else {
            self.blocks.push(vec![value]);
            return;
        };
        block.insert(block.partition_point(|other| *other < value), value);
        if block.len() > BLOCK {
            let upper = block.split_off(BLOCK / 2);
            self.blocks.insert(number + 1, upper);
        }
    }

    fn remove(&mut self, value: f64, _: usize) {
        let number = self.block(value);
        let Some(block) = self.blocks.get_mut(number) else { return };
        let place = block.partition_point(|other| *other < value);
        if place < block.len() {
            block.remove(place);
        }
        if block.is_empty() {
            self.blocks.remove(number);
        }
    }

    fn at(&self, place: usize) -> f64 {
        let mut left = place;
        for block in &self.blocks {
            match block.get(left) {
                Some(value) => return *value,
                None => left -= block.len(),
            }
        }
        f64::NAN
    }

    fn below(&self, value: f64) -> (usize, usize) {
        let (mut less, mut not_more) = (0, 0);
        for block in &self.blocks {
            if block.last().is_some_and(|last| *last < value) {
                less += block.len();
                not_more += block.len();
                continue;
            }
            less += block.partition_point(|other| *other < value);
            let within = block.partition_point(|other| *other <= value);
            not_more += within;
            if within < block.len() {
                break;
            }
        }
        (less, not_more)
    }
}

/// How a value is ranked among those of its window.
#[derive(Clone, Copy)]
pub struct Rank {
    ties: Ties,
    /// The largest is the first.
    falling: bool,
    /// As a part of how many there are.
    share: bool,
}

/// What equal values get.
#[derive(Clone, Copy)]
enum Ties {
    Average,
    Least,
    Most,
}

impl Rank {
    pub fn new(word: &str, ties: &str) -> Result<Self> {
        let ties = match ties {
            "average" => Ties::Average,
            "min" => Ties::Least,
            "max" => Ties::Most,
            other => return Err(Error::internal(format!("there is no {other} rank of a window"))),
        };
        Ok(Self { ties, falling: word.contains("falling"), share: word.contains("share") })
    }

    /// The rank of the row's own value, which is in its window; a missing one has none.
    pub fn of(self, held: &dyn Held, value: f64, count: i64) -> f64 {
        if value.is_nan() {
            return f64::NAN;
        }
        let (less, not_more) = held.below(value);
        let (before, with) = if self.falling {
            (count as f64 - not_more as f64, count as f64 - less as f64)
        } else {
            (less as f64, not_more as f64)
        };
        let rank = match self.ties {
            Ties::Average => (before + 1.0 + with) / 2.0,
            Ties::Least => before + 1.0,
            Ties::Most => with,
        };
        if self.share { rank / count as f64 } else { rank }
    }
}
