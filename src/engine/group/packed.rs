//! Rows of ids packed into one word each: how several numbered keys become a single one.

use arrow::array::{ArrayRef, UInt64Array};
use arrow::buffer::NullBuffer;
use parking_lot::Mutex;

use super::intern::MISSING;
use super::limit;
use super::words::Words;
use crate::error::Result;

/// Marks a word that is the number of a row whose ids have no room in their fields.
const ESCAPED: u64 = 1 << 63;

/// More ids than are expected find room, by this factor.
const SLACK: f64 = 1.25;

/// No key has more bits than this.
const MOST: u32 = limit(31, 2) as u32;

/// Where in a word each key's id lies.
pub struct Layout(Vec<Field>);

#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    fn of(self, word: u64) -> u32 {
        (word >> self.shift & ((1 << self.bits) - 1)) as u32
    }
}

impl Layout {
    /// For keys of which so many ids are expected each. None where they do not fit a word.
    pub fn new(expected: &[f64]) -> Option<Self> {
        let mut bits: Vec<u32> = Vec::with_capacity(expected.len());
        for expected in expected {
            let most = expected * SLACK + 1.0;
            if most >= f64::from(1u32 << 31) {
                return None;
            }
            bits.push(u32::BITS - (most as u32).leading_zeros());
        }
        // What is left goes to those that have most.
        let room = ESCAPED.trailing_zeros().checked_sub(bits.iter().sum())?;
        for _ in 0..room {
            if let Some(most) = bits.iter_mut().filter(|bits| **bits < MOST).max() {
                *most += 1;
            }
        }
        let mut shift = 0;
        let fields = bits.into_iter().map(|bits| {
            let field = Field { shift, bits: bits.min(MOST) };
            shift += field.bits;
            field
        });
        Some(Self(fields.collect()))
    }

    /// One word a row, of one column of ids a key. With `drop_missing` a row with a missing id has none.
    pub fn pack(
        &self,
        columns: &[&[u32]],
        escaped: &Mutex<Words>,
        drop_missing: bool,
    ) -> Result<UInt64Array> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut words = vec![0; rows];
        let (mut beyond, mut missing) = (0, false);
        for (field, column) in self.0.iter().zip(columns) {
            for (word, id) in words.iter_mut().zip(*column) {
                *word |= u64::from(*id) << field.shift;
                beyond |= id >> field.bits;
                missing |= *id == MISSING;
            }
        }
        if beyond != 0 {
            self.escape(columns, &mut words, escaped)?;
        }
        let nulls = (missing && drop_missing).then(|| {
            let valid = |row: usize| columns.iter().all(|column| column[row] != MISSING);
            (0..rows).map(valid).collect::<NullBuffer>()
        });
        Ok(UInt64Array::new(words.into(), nulls))
    }

    /// Rows with an id that has no room are numbered, for all threads alike.
    #[cold]
    fn escape(&self, columns: &[&[u32]], words: &mut [u64], escaped: &Mutex<Words>) -> Result<()> {
        let is_beyond = |row: &usize| {
            let mut ids = self.0.iter().zip(columns).map(|(field, column)| column[*row] >> field.bits);
            ids.any(|beyond| beyond != 0)
        };
        let rows: Vec<usize> = (0..words.len()).filter(is_beyond).collect();
        let ids: Vec<Vec<u32>> =
            columns.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
        let mut numbers = Vec::new();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        escaped.lock().number(&ids, &mut numbers, false)?;
        for (row, number) in rows.into_iter().zip(numbers) {
            words[row] = ESCAPED | u64::from(number);
        }
        Ok(())
    }

    /// The id of one key in each word.
    pub fn ids(&self, key: usize, words: &[u64], escaped: &Words) -> Vec<u32> {
        let field = self.0[key];
        if escaped.height() < 2 {
            return words.iter().map(|word| field.of(*word)).collect();
        }
        let id = |word: &u64| {
            if word & ESCAPED == 0 {
                field.of(*word)
            } else {
                escaped.row((word & !ESCAPED) as usize).get(key).copied().unwrap_or(MISSING)
            }
        };
        words.iter().map(id).collect()
    }
}

/// The values behind ids, of which the first value is missing.
pub fn valued(values: &ArrayRef, ids: Vec<u32>) -> Result<ArrayRef> {
    use arrow::array::{Array, UInt32Array};
    use arrow::compute::take;
    let there = values.len().saturating_sub(1);
    if there == 0 || ids.contains(&MISSING) {
        return Ok(take(values, &UInt32Array::from(ids), None)?);
    }
    // Without the missing one there is nothing to look at but the values.
    let places = UInt32Array::from_iter_values(ids.into_iter().map(|id| id - 1));
    Ok(take(&values.slice(1, there), &places, None)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::Array;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Also where there are more ids than were expected.
        #[test]
        fn ids_come_out_as_they_went_in(
            rows in prop::collection::vec((0u32..20, 0u32..300, 0u32..3), 0..80),
            expected in (1f64..20.0, 1f64..300.0, 1f64..3.0),
            drop_missing: bool,
        ) {
            let layout = Layout::new(&[expected.0, expected.1, expected.2]).unwrap();
            let escaped = Mutex::new(Words::new(3));
            let columns: [Vec<u32>; 3] = [
                rows.iter().map(|row| row.0).collect(),
                rows.iter().map(|row| row.1).collect(),
                rows.iter().map(|row| row.2).collect(),
            ];
            let packed = layout.pack(&columns.each_ref().map(Vec::as_slice), &escaped, drop_missing).unwrap();
            for (key, column) in columns.iter().enumerate() {
                prop_assert_eq!(&layout.ids(key, packed.values(), &escaped.lock()), column);
            }
            for (row, ids) in rows.iter().enumerate() {
                prop_assert_eq!(packed.is_null(row), drop_missing && (ids.0 == 0 || ids.1 == 0 || ids.2 == 0));
            }
            let distinct = |words: &[u64]| words.iter().collect::<std::collections::HashSet<_>>().len();
            prop_assert_eq!(distinct(packed.values()), rows.iter().collect::<std::collections::HashSet<_>>().len());
        }
    }

    #[test]
    fn too_many_ids_have_no_layout() {
        assert!(Layout::new(&[1e9, 1e9, 1e9]).is_none());
        assert!(Layout::new(&[f64::INFINITY]).is_none());
        assert!(Layout::new(&[100.0, 100.0, 1e5, 100.0, 100.0, 1e5]).is_some());
    }
}
