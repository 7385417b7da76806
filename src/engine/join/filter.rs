//! What is known of the keys on one side of a join, for scans of the other side: rows that cannot have a partner need
//! not be read on.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;

use crate::engine::group::fixed::words;
use crate::engine::group::intern::mix;
use crate::error::Result;
use crate::plan::DType;
use crate::plan::lookup::Finds;

/// A set of bits by the keys themselves has at most this many for each key, or this many at all.
const BITS_PER_KEY: u64 = 64;
const LEAST_BITS: u64 = 1 << 20;
/// A filter by hashes has about so many for each key.
const HASHED_BITS_PER_KEY: usize = 16;
/// After so many rows it is looked at whether the filter is worth its time.
const TRIAL: usize = 64 * 1024;
/// It is, where it drops at least one row in this many.
const WORTH: usize = 8;

/// Keys of the other side, once they are known. Before that, and of rows with a missing key, everything passes.
#[derive(Default)]
pub struct KeyFilter {
    keys: OnceLock<KeySet>,
    /// The least and the largest one.
    range: OnceLock<(i64, i64)>,
    seen: AtomicUsize,
    dropped: AtomicUsize,
}

enum KeySet {
    /// Bits by key, from the least key on.
    Bits { least: u64, size: u64, bits: Vec<u64> },
    /// Words of a Bloom filter: each key has its bits in one of them.
    Hashed(Vec<u64>),
}

impl KeySet {
    #[inline(always)]
    fn has(&self, word: u64) -> bool {
        match self {
            KeySet::Bits { least, size, bits } => {
                let place = word.wrapping_sub(*least);
                place < *size && bits[(place / 64) as usize] >> (place % 64) & 1 == 1
            }
            KeySet::Hashed(bits) => {
                let (place, pattern) = pattern(word, bits.len());
                bits[place] & pattern == pattern
            }
        }
    }
}

/// Which word of a Bloom filter a key has its bits in, and which they are. The filter's length is a power of two.
#[inline(always)]
fn pattern(word: u64, length: usize) -> (usize, u64) {
    let hash = mix(word, 0);
    let bits =
        (1 << (hash >> 58)) | (1 << (hash >> 52 & 63)) | (1 << (hash >> 46 & 63)) | (1 << (hash >> 40 & 63));
    (hash as usize & (length - 1), bits)
}

impl KeyFilter {
    /// Keys of these types only: their words are compared.
    pub fn takes(dtype: &DType) -> bool {
        dtype.is_integer() || matches!(dtype, DType::Date | DType::Timestamp(..) | DType::Duration(_))
    }

    /// Bytes that the filter of so many keys takes at most.
    pub fn estimate(keys: usize) -> usize {
        (keys * BITS_PER_KEY as usize).max(LEAST_BITS as usize) / 8
    }

    /// Lets only these keys pass from now on.
    pub fn set(&self, keys: &[ArrayRef]) -> Result<()> {
        let mut columns = Vec::with_capacity(keys.len());
        let (mut least, mut most, mut count) = (i64::MAX, i64::MIN, 0);
        for column in keys {
            let (words, present) = words(column)?;
            for (row, word) in words.iter().enumerate() {
                if present.as_ref().is_none_or(|present| present.value(row)) {
                    (least, most) = (least.min(*word as i64), most.max(*word as i64));
                    count += 1;
                }
            }
            columns.push((words, present));
        }
        let range = if count == 0 { 0 } else { most.wrapping_sub(least) as u64 };
        let exact = range < (count as u64 * BITS_PER_KEY).max(LEAST_BITS);
        let mut set = if exact {
            let bits = vec![0; range as usize / 64 + 1];
            KeySet::Bits { least: least as u64, size: if count == 0 { 0 } else { range + 1 }, bits }
        } else {
            KeySet::Hashed(vec![0; (count * HASHED_BITS_PER_KEY / 64).next_power_of_two()])
        };
        for (words, present) in &columns {
            for (row, word) in words.iter().enumerate() {
                if present.as_ref().is_some_and(|present| !present.value(row)) {
                    continue;
                }
                match &mut set {
                    KeySet::Bits { least, bits, .. } => {
                        let place = word.wrapping_sub(*least);
                        bits[(place / 64) as usize] |= 1 << (place % 64);
                    }
                    KeySet::Hashed(bits) => {
                        let (place, pattern) = pattern(*word, bits.len());
                        bits[place] |= pattern;
                    }
                }
            }
        }
        // A second time changes nothing: the first keys are those that are right.
        let _ = self.range.set((least, most));
        let _ = self.keys.set(set);
        Ok(())
    }

    fn is_worth_it(&self) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        seen < TRIAL || self.dropped.load(Ordering::Relaxed) * WORTH >= seen
    }
}

impl Finds for KeyFilter {
    fn range(&self) -> Option<(i64, i64)> {
        self.range.get().copied()
    }

    fn find(&self, keys: &ArrayRef) -> Result<ArrayRef> {
        let rows = keys.len();
        let set = match self.keys.get() {
            Some(set) if self.is_worth_it() => set,
            _ => return Ok(Arc::new(BooleanArray::new(BooleanBuffer::new_set(rows), None))),
        };
        let passes = match keys.as_primitive_opt::<Int64Type>() {
            Some(keys) => {
                let values = keys.values();
                let passes = BooleanBuffer::collect_bool(rows, |row| set.has(values[row] as u64));
                match keys.nulls() {
                    Some(nulls) => &passes | &!nulls.inner(),
                    None => passes,
                }
            }
            None => {
                let (words, present) = words(keys)?;
                let passes = BooleanBuffer::collect_bool(rows, |row| set.has(words[row]));
                match present {
                    Some(present) => &passes | &!&present,
                    None => passes,
                }
            }
        };
        self.seen.fetch_add(rows, Ordering::Relaxed);
        self.dropped.fetch_add(rows - passes.count_set_bits(), Ordering::Relaxed);
        Ok(Arc::new(BooleanArray::new(passes, None)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Date32Array, Int64Array};
    use proptest::prelude::*;

    use super::*;

    fn passing(filter: &KeyFilter, keys: ArrayRef) -> Vec<bool> {
        filter.find(&keys).unwrap().as_boolean().values().iter().collect()
    }

    #[test]
    fn everything_passes_before_the_keys_are_known() {
        let filter = KeyFilter::default();
        assert_eq!(passing(&filter, Arc::new(Int64Array::from(vec![1, 2]))), [true, true]);
        assert_eq!(filter.range(), None);
        filter.set(&[Arc::new(Int64Array::from(vec![2, 5]))]).unwrap();
        assert_eq!(filter.range(), Some((2, 5)));
        let keys = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(5), Some(6), Some(i64::MIN)]));
        assert_eq!(passing(&filter, keys), [false, true, true, true, false, false]);
    }

    #[test]
    fn no_keys_let_only_missing_ones_pass() {
        let filter = KeyFilter::default();
        filter.set(&[Arc::new(Date32Array::from(vec![None, None]))]).unwrap();
        assert_eq!(
            passing(&filter, Arc::new(Date32Array::from(vec![Some(0), None, Some(-1)]))),
            [false, true, false]
        );
    }

    proptest! {
        /// A key that was set always passes, however far apart the keys are.
        #[test]
        fn keys_pass(keys in prop::collection::vec(prop::option::of(any::<i64>()), 0..300), near in any::<bool>()) {
            let keys: Vec<_> = keys.iter().map(|key| key.map(|key| if near { key % 1000 } else { key })).collect();
            let filter = KeyFilter::default();
            let (a, b) = keys.split_at(keys.len() / 2);
            filter.set(&[Arc::new(Int64Array::from(a.to_vec())), Arc::new(Int64Array::from(b.to_vec()))]).unwrap();
            prop_assert!(passing(&filter, Arc::new(Int64Array::from(keys.clone()))).iter().all(|passes| *passes));
            let others: Vec<i64> = (-2000..2000).filter(|key| near && !keys.contains(&Some(*key))).collect();
            prop_assert!(passing(&filter, Arc::new(Int64Array::from(others))).iter().all(|passes| !*passes));
        }
    }
}
