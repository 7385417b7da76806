//! The order of groups: by their keys, missing last, with a quick way for one string key.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices};
use arrow::datatypes::DataType;

use crate::error::Result;

/// Fewer rows than this are sorted by one thread.
const PARALLEL_FROM: usize = 64 * 1024;

/// The rows in ascending order of the columns, missing values last.
pub fn by_keys(columns: &[ArrayRef], threads: usize) -> Result<UInt32Array> {
    if let [column] = columns
        && *column.data_type() == DataType::Utf8View
    {
        return Ok(by_text(column, threads));
    }
    let options = SortOptions { descending: false, nulls_first: false };
    let columns: Vec<_> =
        columns.iter().map(|values| SortColumn { values: values.clone(), options: Some(options) }).collect();
    Ok(lexsort_to_indices(&columns, None)?)
}

/// Sorts by the first 12 bytes as one number, and by the whole text only where those agree.
fn by_text(column: &ArrayRef, threads: usize) -> UInt32Array {
    let array = column.as_string_view();
    let missing = |row: &u32| array.is_null(*row as usize);
    let mut rows: Vec<(u128, u32)> = Vec::with_capacity(array.len());
    for (row, view) in array.views().iter().enumerate() {
        if array.is_valid(row) {
            rows.push((leading(*view, array.value(row)), row as u32));
        }
    }
    let by = |a: &(u128, u32), b: &(u128, u32)| {
        a.0.cmp(&b.0).then_with(|| array.value(a.1 as usize).cmp(array.value(b.1 as usize)))
    };
    if threads > 1 && rows.len() >= PARALLEL_FROM {
        rows = sorted_in_parallel(rows, threads, &by);
    } else {
        rows.sort_unstable_by(by);
    }
    let last = (0..array.len() as u32).filter(missing);
    rows.into_iter().map(|(_, row)| row).chain(last).collect()
}

/// The first 12 bytes as a number that orders as they do, then the length up to 13: texts of at most
/// 12 bytes are told apart by it alone, and none that needs more is told apart wrongly.
fn leading(view: u128, text: &str) -> u128 {
    let length = view as u32 as usize;
    if length <= 12 {
        // A view holds the text from bit 32 up, the first byte lowest, padded with zeros.
        return (view >> 32).swap_bytes() | length as u128;
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
    use std::sync::Arc;

    use arrow::array::StringViewArray;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_sort_as_bytes_do(texts in prop::collection::vec(prop::option::of("[a-b\\x00é]{0,15}"), 0..60)) {
            let array: ArrayRef = Arc::new(StringViewArray::from(texts.clone()));
            let order = by_text(&array, 1);
            let sorted: Vec<_> = order.values().iter().map(|row| texts[*row as usize].clone()).collect();
            let mut expected: Vec<_> = texts.iter().flatten().cloned().map(Some).collect();
            expected.sort();
            expected.resize(texts.len(), None);
            prop_assert_eq!(sorted, expected);
        }
    }
}
