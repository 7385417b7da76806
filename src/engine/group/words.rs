//! Rows of ids to group numbers: how many key columns become one at a single look-up.

use super::bytes::too_many;
use super::intern::{AHEAD, MISSING, mix, prefetch};
use super::slots::Slots;
use crate::error::Result;
use crate::memory::prefetch_all;

/// Numbers distinct rows of as many ids as there are keys, from 1 in order of arrival.
#[derive(Clone)]
pub struct Words {
    width: usize,
    slots: Slots,
    /// The rows by number, one after the other; that of number 0 is not used.
    rows: Vec<u32>,
    /// A batch, row by row, and the hashes of its rows.
    batch: Vec<u32>,
    hashes: Vec<u64>,
}

impl Words {
    pub fn new(width: usize) -> Self {
        let rows = vec![MISSING; width];
        Self { width, slots: Slots::new(256), rows, batch: Vec::new(), hashes: Vec::new() }
    }

    /// One more than the highest number.
    pub fn height(&self) -> usize {
        self.rows.len() / self.width
    }

    pub fn size(&self) -> usize {
        self.slots.size() + (self.rows.capacity() + self.batch.capacity()) * size_of::<u32>()
    }

    /// The ids of a number.
    pub fn row(&self, number: usize) -> &[u32] {
        self.rows.get(number * self.width..(number + 1) * self.width).unwrap_or_default()
    }

    /// The ids of one key, by number from `start` on.
    pub fn ids(&self, key: usize, start: usize) -> impl Iterator<Item = u32> {
        self.rows.iter().skip(start * self.width + key).step_by(self.width).copied()
    }

    /// Replaces `numbers` by the number of each row of ids, of which there is one column a key. With
    /// `drop_missing` a row with a missing id gets number 0.
    pub fn number(&mut self, columns: &[&[u32]], numbers: &mut Vec<u32>, drop_missing: bool) -> Result<()> {
        match self.width {
            2 => self.number_of::<2>(columns, numbers, drop_missing),
            3 => self.number_of::<3>(columns, numbers, drop_missing),
            4 => self.number_of::<4>(columns, numbers, drop_missing),
            5 => self.number_of::<5>(columns, numbers, drop_missing),
            6 => self.number_of::<6>(columns, numbers, drop_missing),
            7 => self.number_of::<7>(columns, numbers, drop_missing),
            8 => self.number_of::<8>(columns, numbers, drop_missing),
            // 0 stands for a width that is not known while compiling.
            _ => self.number_of::<0>(columns, numbers, drop_missing),
        }
    }

    fn number_of<const WIDTH: usize>(
        &mut self,
        columns: &[&[u32]],
        numbers: &mut Vec<u32>,
        drop_missing: bool,
    ) -> Result<()> {
        let width = if WIDTH == 0 { self.width } else { WIDTH };
        let rows = columns.first().map_or(0, |column| column.len());
        let mut batch = std::mem::take(&mut self.batch);
        let mut hashes = std::mem::take(&mut self.hashes);
        batch.clear();
        batch.resize(rows * width, 0);
        for (key, column) in columns.iter().enumerate() {
            for (row, id) in batch.chunks_exact_mut(width).zip(*column) {
                row[key] = *id;
            }
        }
        hashes.clear();
        hashes.extend(batch.chunks_exact(width).map(hash));
        numbers.clear();
        numbers.reserve(rows);
        let outside = self.slots.is_outside();
        if outside && rows * 2 > self.height() {
            self.slots.prefetch_all();
            prefetch_all(&self.rows);
        }
        for (row, ids) in batch.chunks_exact(width).enumerate() {
            if outside && let Some(ahead) = hashes.get(row + 2 * AHEAD) {
                self.slots.prefetch(*ahead);
                prefetch(&self.rows, self.slots.likely(hashes[row + AHEAD]) as usize * width);
            }
            if drop_missing && ids.contains(&MISSING) {
                numbers.push(0);
                continue;
            }
            let known = self.rows.as_slice();
            let same = |number: u32| known[number as usize * width..][..width] == *ids;
            let (position, number) = self.slots.find(hashes[row], same);
            numbers.push(if number == MISSING { self.insert(position, hashes[row], ids)? } else { number });
        }
        (self.batch, self.hashes) = (batch, hashes);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, position: usize, hash: u64, ids: &[u32]) -> Result<u32> {
        let number = u32::try_from(self.height()).map_err(|_| too_many())?;
        self.rows.extend_from_slice(ids);
        self.slots.put(position, hash, number, self.height());
        Ok(number)
    }
}

/// The hash of a row of ids.
#[inline(always)]
pub fn hash(ids: &[u32]) -> u64 {
    ids.chunks(2).fold(0, |hash, pair| match *pair {
        [one, other] => mix(hash, u64::from(one) | u64::from(other) << 32),
        [one] => mix(hash, u64::from(one)),
        _ => hash,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_a_map(
            width in 1usize..11,
            ids in prop::collection::vec(0u32..4, 0..600),
            drop_missing: bool,
            chunk in 1usize..50,
        ) {
            let mut words = Words::new(width);
            let mut known: HashMap<&[u32], u32> = HashMap::new();
            let rows: Vec<&[u32]> = ids.chunks_exact(width).collect();
            for batch in rows.chunks(chunk) {
                let columns: Vec<Vec<u32>> = (0..width).map(|key| batch.iter().map(|row| row[key]).collect()).collect();
                let mut numbers = Vec::new();
                words.number(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut numbers, drop_missing).unwrap();
                for (row, number) in batch.iter().zip(numbers) {
                    let next = known.len() as u32 + 1;
                    let expected = if drop_missing && row.contains(&0) { 0 } else { *known.entry(row).or_insert(next) };
                    prop_assert_eq!(number, expected);
                }
            }
            prop_assert_eq!(words.height(), known.len() + 1);
            for (row, number) in known {
                for (key, id) in row.iter().enumerate() {
                    prop_assert_eq!(words.ids(key, number as usize).next(), Some(*id));
                }
            }
        }
    }
}
