//! The order of groups: by their keys, missing last.
//!
//! Each value of the first key is turned into a number that orders as it does, as far as 16 bytes tell. Numbers sort
//! fast; only where they agree are values compared, and then the other keys.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, UInt32Array};
use arrow::array::{DynComparator, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::error::Result;

/// Fewer rows than this are sorted by one thread.
const PARALLEL_FROM: usize = 64 * 1024;

/// The rows in ascending order of the columns, missing values last.
pub fn by_keys(columns: &[ArrayRef], threads: usize) -> Result<UInt32Array> {
    let Some((first, others)) = columns.split_first() else { return Ok(UInt32Array::from(Vec::<u32>::new())) };
    let comparator = |column: &ArrayRef| {
        make_comparator(column, column, SortOptions { descending: false, nulls_first: false })
    };
    let (leading, exact) = leading(first);
    let mut rest: Vec<DynComparator> = Vec::new();
    if !exact {
        rest.push(comparator(first)?);
    }
    for column in others {
        rest.push(comparator(column)?);
    }
    let by_rest = |a: u32, b: u32| {
        let pairs = rest.iter().map(|compare| compare(a as usize, b as usize));
        pairs.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    };
    // The row last: equal rows keep their order, and no order depends on the number of threads.
    let by = |a: &(u128, u32), b: &(u128, u32)| {
        a.0.cmp(&b.0).then_with(|| by_rest(a.1, b.1)).then_with(|| a.1.cmp(&b.1))
    };
    let mut rows: Vec<(u128, u32)> = leading.into_iter().zip(0..).collect();
    if threads > 1 && rows.len() >= PARALLEL_FROM {
        rows = sorted_in_parallel(rows, threads, &by);
    } else {
        rows.sort_unstable_by(by);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Numbers that order as the values do, a missing one last, and whether they tell all values apart.
fn leading(column: &ArrayRef) -> (Vec<u128>, bool) {
    macro_rules! whole {
        ($type:ty) => {
            (numbers::<$type>(column.as_primitive(), |value| i128::from(value).cast_unsigned() ^ SIGN), true)
        };
    }
    match column.data_type() {
        DataType::Utf8View => {
            let array = column.as_string_view();
            let mut exact = true;
            let rows = array.views().iter().enumerate().map(|(row, view)| {
                if array.is_null(row) {
                    return u128::MAX;
                }
                exact &= *view as u32 <= INLINE;
                leading_text(*view, array.value(row))
            });
            let rows = rows.collect();
            (rows, exact)
        }
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Date32 => whole!(Date32Type),
        DataType::Timestamp(TimeUnit::Second, _) => whole!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => whole!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => whole!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => whole!(TimestampNanosecondType),
        DataType::Float32 => {
            (numbers::<Float32Type>(column.as_primitive(), |value| float(f64::from(value))), true)
        }
        DataType::Float64 => (numbers::<Float64Type>(column.as_primitive(), float), true),
        _ => (vec![0; column.len()], false),
    }
}

const SIGN: u128 = 1 << 127;
/// Up to this many bytes a view holds its text.
const INLINE: u32 = 12;

fn numbers<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, number: impl Fn(T::Native) -> u128) -> Vec<u128> {
    let values = array.values().iter().enumerate();
    values.map(|(row, value)| if array.is_null(row) { u128::MAX } else { number(*value) }).collect()
}

/// The order of IEEE 754's `totalOrder`, which is that of the comparator.
fn float(value: f64) -> u128 {
    let bits = value.to_bits();
    let flipped = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    u128::from(flipped)
}

/// The first 12 bytes as a number that orders as they do, then the length up to 13: texts of at most
/// 12 bytes are told apart by it alone, and none that needs more is told apart wrongly.
fn leading_text(view: u128, text: &str) -> u128 {
    let length = view as u32;
    if length <= INLINE {
        // A view holds the text from bit 32 up, the first byte lowest, padded with zeros.
        return (view >> 32).swap_bytes() | u128::from(length);
    }
    let mut bytes = [0; 16];
    bytes[..12].copy_from_slice(&text.as_bytes()[..12]);
    u128::from_be_bytes(bytes) | 13
}

fn sorted_in_parallel<T: Copy + Send + Sync>(
    mut rows: Vec<T>,
    threads: usize,
    by: &(impl Fn(&T, &T) -> std::cmp::Ordering + Sync),
) -> Vec<T> {
    let share = rows.len().div_ceil(threads);
    std::thread::scope(|scope| {
        for part in rows.chunks_mut(share) {
            scope.spawn(|| part.sort_unstable_by(by));
        }
    });
    // Runs that are already sorted are found and merged by the stable sort.
    rows.sort_by(by);
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::StringViewArray;
    use proptest::prelude::*;

    use super::*;

    use arrow::array::{Float64Array, Int64Array};
    use arrow::compute::{SortColumn, lexsort_to_indices, take};

    proptest! {
        /// Equal to Arrow's own lexicographic sort, on one thread and on several.
        #[test]
        fn rows_are_in_lexicographic_order(
            rows in prop::collection::vec((prop::option::of("[a-b\\x00é]{0,15}"), prop::option::of(-3i64..3), prop::option::of(prop::num::f64::ANY)), 0..60),
            first in 0usize..3,
        ) {
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringViewArray>());
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
            let floats: ArrayRef = Arc::new(rows.iter().map(|row| row.2.filter(|value| !value.is_nan())).collect::<Float64Array>());
            let mut columns = vec![texts, numbers, floats];
            columns.rotate_left(first);
            for kept in 1..=3 {
                let columns = &columns[..kept];
                let options = Some(SortOptions { descending: false, nulls_first: false });
                let by: Vec<_> = columns.iter().map(|values| SortColumn { values: values.clone(), options }).collect();
                let expected = lexsort_to_indices(&by, None).unwrap();
                let found = by_keys(columns, 2).unwrap();
                for column in columns {
                    prop_assert_eq!(&take(column, &found, None).unwrap(), &take(column, &expected, None).unwrap());
                }
            }
        }
    }
}
