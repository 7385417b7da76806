//! The order of appearance without a sort: a group's place is how many others appeared before it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type, UInt8Type, UInt32Type};
use parking_lot::Mutex;

use super::arrange::BATCH;
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// Positions that lie further apart than so many for each group are sorted.
const SPARSE: usize = 64;

/// The groups of several tables in order, each as the number of its table and its row there, in pieces that are taken
/// one by one.
pub struct Places {
    pieces: Vec<Mutex<Vec<u32>>>,
    total: usize,
    /// Bits of a row.
    shift: u32,
}

/// The places of one batch.
pub struct Piece {
    places: Vec<u32>,
    shift: u32,
}

impl Piece {
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// For each group its table and its row there.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + Clone {
        let (shift, mask) = (self.shift, (1u64 << self.shift) - 1);
        self.places.iter().map(move |place| {
            let place = u64::from(*place);
            ((place >> shift) as usize, (place & mask) as usize)
        })
    }
}

/// A word of positions: which of them are a group's first, and how many such lie before the word.
#[derive(Clone, Copy, Default)]
struct Word {
    first: u64,
    before: u32,
}

/// Calls `work` with each row and its position.
fn each(firsts: &ArrayRef, mut work: impl FnMut(usize, i64)) -> Result<()> {
    macro_rules! each {
        ($type:ty) => {
            for (row, first) in firsts.as_primitive::<$type>().values().iter().enumerate() {
                work(row, i64::from(*first));
            }
        };
    }
    match firsts.data_type() {
        DataType::Int64 => each!(Int64Type),
        DataType::UInt32 => each!(UInt32Type),
        DataType::UInt8 => each!(UInt8Type),
        other => return Err(Error::internal(format!("first positions of type {other}"))),
    }
    Ok(())
}

impl Places {
    /// Groups by their first positions, which may be narrowed. None where the positions are too sparse, or the tables too uneven.
    pub fn by_first(tables: &[ArrayRef], control: &Control) -> Result<Option<Self>> {
        let total: usize = tables.iter().map(|table| table.len()).sum();
        let longest = tables.iter().map(|table| table.len()).max().unwrap_or(0);
        let bits = |count: usize| usize::BITS - count.saturating_sub(1).leading_zeros();
        let shift = bits(longest);
        if total == 0 || bits(tables.len()) + shift > u32::BITS || total > u32::MAX as usize {
            return Ok(None);
        }
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for table in tables {
            each(table, |_, first| (least, most) = (least.min(first), most.max(first)))?;
        }
        let span = i128::from(most) - i128::from(least) + 1;
        if span > total.saturating_mul(SPARSE) as i128 {
            return Ok(None);
        }
        control.check()?;
        let mut words = vec![Word::default(); (span as usize).div_ceil(64)];
        let place = |first: i64| {
            let distance = (first - least) as usize;
            (distance / 64, distance % 64)
        };
        for table in tables {
            each(table, |_, first| {
                let (word, bit) = place(first);
                words[word].first |= 1 << bit;
            })?;
        }
        control.check()?;
        let mut before = 0;
        for word in &mut words {
            word.before = before;
            before += word.first.count_ones();
        }
        if before as usize != total {
            // Several groups appeared at one position.
            return Ok(None);
        }
        let rows = |piece: usize| BATCH.min(total - piece * BATCH);
        let mut pieces: Vec<Vec<u32>> =
            (0..total.div_ceil(BATCH)).map(|piece| vec![0; rows(piece)]).collect();
        for (table, firsts) in tables.iter().enumerate() {
            control.check()?;
            each(firsts, |row, first| {
                let (word, bit) = place(first);
                let word = words[word];
                let rank = (word.before + (word.first & ((1 << bit) - 1)).count_ones()) as usize;
                pieces[rank / BATCH][rank % BATCH] = ((table as u64) << shift) as u32 | row as u32;
            })?;
        }
        Ok(Some(Self { pieces: pieces.into_iter().map(Mutex::new).collect(), total, shift }))
    }

    pub fn len(&self) -> usize {
        self.total
    }

    /// The places of the batch of this number, which nobody can have once more.
    pub fn take(&self, number: usize) -> Piece {
        let places = self.pieces.get(number).map(|piece| std::mem::take(&mut *piece.lock()));
        Piece { places: places.unwrap_or_default(), shift: self.shift }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::Int64Array;
    use proptest::prelude::*;

    use super::super::narrow::narrowed;
    use super::*;

    proptest! {
        #[test]
        fn places_are_those_of_a_sort(
            firsts in prop::collection::btree_set(-200i64..200, 1..60),
            tables in 1usize..9,
            seed in any::<u64>(),
            narrow: bool,
        ) {
            let mut parts: Vec<Vec<i64>> = vec![Vec::new(); tables];
            for first in &firsts {
                let part = super::super::intern::mix(*first as u64, seed) as usize % tables;
                parts[part].insert(0, *first);
            }
            let array = |part: &Vec<i64>| Arc::new(Int64Array::from(part.clone())) as ArrayRef;
            let mut arrays: Vec<ArrayRef> = parts.iter().map(array).collect();
            if narrow {
                arrays = arrays.into_iter().map(narrowed).collect();
            }
            if let Some(places) = Places::by_first(&arrays, &Control::default()).unwrap() {
                prop_assert_eq!(places.len(), firsts.len());
                let pieces: Vec<Piece> = (0..firsts.len().div_ceil(BATCH)).map(|number| places.take(number)).collect();
                let found: Vec<i64> = pieces.iter().flat_map(Piece::iter).map(|(table, row)| parts[table][row]).collect();
                prop_assert_eq!(found, firsts.into_iter().collect::<Vec<_>>());
            } else {
                prop_assert!(firsts.len() < 10);
            }
        }

        #[test]
        fn equal_positions_are_left_to_a_sort(twice in 0i64..9) {
            let parts = [vec![1, twice], vec![twice]].map(|part| Arc::new(Int64Array::from(part)) as ArrayRef);
            prop_assert!(Places::by_first(&parts, &Control::default()).unwrap().is_none());
        }
    }
}
