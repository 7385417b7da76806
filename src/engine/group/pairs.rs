//! Pairs of ids to group numbers: how several key columns become one.

use hashbrown::HashTable;

use super::bytes::too_many;
use super::intern::{MISSING, mix};
use crate::error::Result;

/// A matrix of at most this many cells takes the place of a hash table.
const LARGEST_MATRIX: usize = 1 << 18;

/// Numbers distinct pairs from 1 in order of arrival.
#[derive(Default)]
pub struct Pairs {
    /// By number; the first is not used.
    pairs: Vec<(u32, u32)>,
    lookup: Lookup,
}

enum Lookup {
    /// `numbers[left * width + right]`
    Matrix {
        numbers: Vec<u32>,
        height: usize,
        width: usize,
    },
    Table(HashTable<u32>),
}

impl Default for Lookup {
    fn default() -> Self {
        Lookup::Matrix { numbers: Vec::new(), height: 0, width: 0 }
    }
}

impl Pairs {
    pub fn new() -> Self {
        Self { pairs: vec![(0, 0)], lookup: Lookup::default() }
    }

    /// One more than the highest number.
    pub fn height(&self) -> usize {
        self.pairs.len()
    }

    /// By number; the entry of number 0 means nothing.
    pub fn pairs(&self) -> &[(u32, u32)] {
        &self.pairs
    }

    pub fn size(&self) -> usize {
        let lookup = match &self.lookup {
            Lookup::Matrix { numbers, .. } => numbers.capacity() * size_of::<u32>(),
            Lookup::Table(table) => table.capacity() * (size_of::<u32>() + 1),
        };
        lookup + self.pairs.capacity() * size_of::<(u32, u32)>()
    }

    /// Replaces each id in `left` by the number of its pair with the one in `right`. Ids are below
    /// `heights.0` and `heights.1`. With `drop_missing` a pair with a missing half gets number 0.
    pub fn number(
        &mut self,
        left: &mut [u32],
        right: &[u32],
        heights: (usize, usize),
        drop_missing: bool,
    ) -> Result<()> {
        self.fit(heights);
        let pairs = &mut self.pairs;
        match &mut self.lookup {
            Lookup::Matrix { numbers, width, .. } => {
                for (left, right) in left.iter_mut().zip(right) {
                    if drop_missing && (*left == MISSING || *right == MISSING) {
                        *left = MISSING;
                        continue;
                    }
                    let number = &mut numbers[*left as usize * *width + *right as usize];
                    if *number == 0 {
                        *number = u32::try_from(pairs.len()).map_err(|_| too_many())?;
                        pairs.push((*left, *right));
                    }
                    *left = *number;
                }
            }
            Lookup::Table(table) => {
                for (left, right) in left.iter_mut().zip(right) {
                    if drop_missing && (*left == MISSING || *right == MISSING) {
                        *left = MISSING;
                        continue;
                    }
                    let pair = (*left, *right);
                    let found = table.find(hash(pair), |number| pairs[*number as usize] == pair);
                    *left = match found {
                        Some(number) => *number,
                        None => {
                            let number = u32::try_from(pairs.len()).map_err(|_| too_many())?;
                            pairs.push(pair);
                            table.insert_unique(hash(pair), number, |number| hash(pairs[*number as usize]));
                            number
                        }
                    };
                }
            }
        }
        Ok(())
    }

    /// Makes room for ids below `heights`: a wider matrix, or a table where that would be too large.
    fn fit(&mut self, heights: (usize, usize)) {
        let Lookup::Matrix { height, width, .. } = &self.lookup else { return };
        if heights.0 <= *height && heights.1 <= *width {
            return;
        }
        let height = heights.0.next_power_of_two().max(*height);
        let width = heights.1.next_power_of_two().max(*width);
        let numbered = self.pairs.iter().enumerate().skip(1);
        self.lookup = if height.saturating_mul(width) <= LARGEST_MATRIX {
            let mut numbers = vec![0; height * width];
            for (number, (left, right)) in numbered {
                numbers[*left as usize * width + *right as usize] = number as u32;
            }
            Lookup::Matrix { numbers, height, width }
        } else {
            let mut table = HashTable::with_capacity(self.pairs.len() * 2);
            for (number, pair) in numbered {
                table.insert_unique(hash(*pair), number as u32, |number| hash(self.pairs[*number as usize]));
            }
            Lookup::Table(table)
        };
    }
}

fn hash((left, right): (u32, u32)) -> u64 {
    mix(u64::from(left) << 32 | u64::from(right), 0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the lookup is made of, equal pairs and only they have equal numbers.
        #[test]
        fn numbers_are_those_of_a_map(batches in prop::collection::vec(prop::collection::vec((0u32..900, 0u32..900), 0..60), 1..6)) {
            let mut pairs = Pairs::new();
            let mut expected: HashMap<(u32, u32), u32> = HashMap::new();
            let mut heights = (1, 1);
            for batch in batches {
                let mut left: Vec<u32> = batch.iter().map(|pair| pair.0).collect();
                let right: Vec<u32> = batch.iter().map(|pair| pair.1).collect();
                for (a, b) in &batch {
                    heights = (heights.0.max(*a as usize + 1), heights.1.max(*b as usize + 1));
                }
                let numbered = pairs.number(&mut left, &right, heights, true);
                prop_assert!(numbered.is_ok());
                for (pair, number) in batch.iter().zip(left) {
                    if pair.0 == 0 || pair.1 == 0 {
                        prop_assert_eq!(number, 0);
                    } else {
                        let next = expected.len() as u32 + 1;
                        prop_assert_eq!(number, *expected.entry(*pair).or_insert(next));
                    }
                }
            }
            prop_assert_eq!(pairs.height(), expected.len() + 1);
        }
    }
}
