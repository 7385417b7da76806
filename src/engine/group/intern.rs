//! Interning: from a key column's values to dense ids, the same id for the same value.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::ascending::Ascending;
use super::bytes::BytesInterner;
use super::fixed::FixedInterner;
use super::rows::RowsInterner;
use crate::error::Result;

/// The id of a missing value.
pub const MISSING: u32 = 0;

/// Numbers the distinct values of one column from 1 in order of arrival; [`MISSING`] is 0.
pub trait Interner: Send {
    /// Replaces `ids` by the id of each row.
    fn intern(&mut self, column: &ArrayRef, ids: &mut Vec<u32>) -> Result<()>;

    /// Replaces `hashes` by the hash of each row's value, 0 for a missing one. Adds nothing.
    fn hash(&mut self, column: &ArrayRef, hashes: &mut Vec<u64>) -> Result<()>;

    /// One more than the highest id.
    fn height(&self) -> usize;

    /// All values in ascending order, which is that of their ids, if so they came.
    fn ascending(&self) -> Option<Ascending<'_>> {
        None
    }

    /// The hash of each value by its id; equal values have equal hashes in every interner.
    fn hashes(&self) -> Vec<u64>;

    /// The values by id, the first one null.
    fn values(&self) -> Result<ArrayRef>;

    /// Bytes held.
    fn size(&self) -> usize;

    /// Makes room for so many values more, where that is known.
    fn reserve(&mut self, _values: usize) {}
}

/// The interner for a key column of this Arrow type.
pub fn interner(arrow: &DataType) -> Result<Box<dyn Interner>> {
    Ok(match arrow {
        DataType::Utf8View | DataType::BinaryView => Box::new(BytesInterner::new(arrow.clone())),
        other if FixedInterner::takes(other) => Box::new(FixedInterner::new(other.clone())),
        other => Box::new(RowsInterner::new(other.clone())?),
    })
}

/// The same for one of many tables, each of which has a part of the values.
pub fn interner_of_share(arrow: &DataType) -> Result<Box<dyn Interner>> {
    match arrow {
        fixed if FixedInterner::takes(fixed) => Ok(Box::new(FixedInterner::new(fixed.clone()).hashed())),
        other => interner(other),
    }
}

const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];

/// Mixes two words by a folded multiplication, as wyhash and foldhash do.
#[inline]
pub fn mix(low: u64, high: u64) -> u64 {
    let product = u128::from(low ^ SPREAD[0]).wrapping_mul(u128::from(high ^ SPREAD[1]));
    (product as u64) ^ ((product >> 64) as u64)
}

/// A hint that this slot will be read soon.
#[inline(always)]
pub fn prefetch<T>(slots: &[T], position: usize) {
    #[cfg(target_arch = "x86_64")]
    if position < slots.len() {
        // SAFETY: the address lies within the slice, and a prefetch reads nothing.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(slots.as_ptr().add(position).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slots, position);
}

/// How many rows ahead slots are prefetched: enough to cover a miss to memory.
pub const AHEAD: usize = 24;
