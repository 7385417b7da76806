//! How often values repeat, guessed from the first rows: whether a dictionary of them is worth making.

use std::collections::HashSet;

use arrow::array::{Array, RecordBatch};
use arrow::row::{RowConverter, SortField};

/// Rows that are looked at. Fewer than the least say nothing.
const ROWS: usize = 8 << 10;
const LEAST: usize = 64;

/// Bytes of a dictionary, at most.
const DICTIONARY: f64 = (1 << 20) as f64;

/// A dictionary of more numbers than these takes longer to look up than what it saves is worth.
const NUMBERS: f64 = (32 << 10) as f64;
const NUMBER: f64 = 9.0;

/// What the first rows say of each column.
#[derive(Default)]
pub struct Sample(Vec<Column>);

#[derive(Clone, Copy)]
struct Column {
    /// How many different values there may be in all.
    distinct: f64,
    /// Bytes of one.
    width: f64,
}

/// A column of which it is not known is taken to repeat.
const UNKNOWN: Column = Column { distinct: 0.0, width: 0.0 };

impl Sample {
    pub fn of(batch: &RecordBatch) -> Self {
        let rows = batch.num_rows().min(ROWS);
        if rows < LEAST {
            return Self::default();
        }
        Self(batch.columns().iter().map(|column| Column::of(&column.slice(0, rows))).collect())
    }
}

impl Column {
    fn of(array: &dyn Array) -> Self {
        if array.data_type().is_nested() {
            return UNKNOWN;
        }
        let converter = RowConverter::new(vec![SortField::new(array.data_type().clone())]);
        let converted =
            converter.and_then(|converter| converter.convert_columns(&[array.slice(0, array.len())]));
        let Ok(converted) = converted else { return UNKNOWN };
        let mut seen: HashSet<&[u8], foldhash::fast::RandomState> = HashSet::default();
        let mut bytes = 0;
        let mut different = 0_usize;
        for row in &converted {
            bytes += row.data().len();
            different += usize::from(seen.insert(row.data()));
        }
        let rows = array.len() as f64;
        let again = rows - different as f64;
        // Of many equally frequent values, pairs meet as people meet who have the same birthday.
        let distinct = if again > rows / 4.0 { different as f64 } else { rows * rows / (2.0 * again) };
        Self { distinct, width: bytes as f64 / rows }
    }
}

/// What is known of a file before it is written.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    pub sample: &'a Sample,
    /// Its rows, or about those of a row group if it may have more.
    pub rows: usize,
}

impl Ahead<'_> {
    /// Whether the values of a column repeat so much that a dictionary of them is smaller than they are.
    pub fn repeats(&self, column: usize) -> bool {
        let Column { distinct, width } = self.sample.0.get(column).copied().unwrap_or(UNKNOWN);
        let most = if width <= NUMBER { NUMBERS } else { f64::INFINITY };
        distinct <= most.min(self.rows as f64 / 2.0) && distinct * width <= DICTIONARY
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn repeats(column: ArrayRef, rows: usize) -> bool {
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        Ahead { sample: &Sample::of(&batch), rows }.repeats(0)
    }

    fn numbers(of: impl Fn(i64) -> i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..10_000).map(of)))
    }

    #[test]
    fn what_never_repeats_needs_no_dictionary() {
        assert!(!repeats(numbers(|row| row), 1 << 20));
        assert!(repeats(numbers(|row| row % 100), 1 << 20));
        assert!(repeats(numbers(|_| 7), 1 << 20));
        // Some 20,000 values: few of a million rows, and as good as all of a thousand.
        let many = |row: i64| {
            let mixed = (row as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % 20_011) as i64
        };
        assert!(repeats(numbers(many), 1 << 20));
        assert!(!repeats(numbers(many), 1_000));
        let long: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..8192).map(|row| format!("{:0>400}", row / 2))));
        assert!(!repeats(long, 1 << 20), "its dictionary would be too large");
    }

    #[test]
    fn few_rows_say_nothing() {
        assert!(repeats(Arc::new(Int64Array::from_iter_values(0..9)), 9));
    }
}
