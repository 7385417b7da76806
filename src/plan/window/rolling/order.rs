//! The values of a window in their order, in blocks: a value comes and goes in about the square root of their number.

use super::Held;

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
}
