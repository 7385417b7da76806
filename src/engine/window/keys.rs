//! From key columns to the number of each row's group.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::engine::group::intern::{Interner, MISSING, interner};
use crate::engine::group::pairs::Pairs;
use crate::error::Result;

/// Numbers groups by their keys in order of arrival. 0 are rows with a missing key, where those are in no group.
pub struct Keys {
    interners: Vec<Box<dyn Interner>>,
    pairs: Vec<Pairs>,
    dropna: bool,
    ids: Vec<u32>,
}

impl Keys {
    pub fn new(types: &[DataType], dropna: bool) -> Result<Self> {
        let interners = types.iter().map(interner).collect::<Result<Vec<_>>>()?;
        let pairs = (1..interners.len()).map(|_| Pairs::new()).collect();
        Ok(Self { interners, pairs, dropna, ids: Vec::new() })
    }

    /// Appends the group of each row.
    pub fn number(&mut self, keys: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        let mut numbers = Vec::new();
        let mut height = 1;
        for (place, (interner, key)) in self.interners.iter_mut().zip(keys).enumerate() {
            if place == 0 {
                interner.intern(key, &mut numbers)?;
                height = interner.height();
                continue;
            }
            interner.intern(key, &mut self.ids)?;
            let pairs = &mut self.pairs[place - 1];
            pairs.number(&mut numbers, &self.ids, (height, interner.height()), self.dropna)?;
            height = pairs.height();
        }
        groups.append(&mut numbers);
        Ok(())
    }

    /// One more than the highest number.
    pub fn count(&self) -> usize {
        match (self.pairs.last(), self.interners.first()) {
            (Some(pairs), _) => pairs.height(),
            (None, Some(interner)) => interner.height(),
            (None, None) => 1,
        }
    }

    pub fn size(&self) -> usize {
        self.interners.iter().map(|interner| interner.size()).sum::<usize>()
            + self.pairs.iter().map(Pairs::size).sum::<usize>()
    }

    /// The number of rows that are in no group.
    pub fn outside(&self) -> Option<u32> {
        self.dropna.then_some(MISSING)
    }
}
