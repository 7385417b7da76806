//! Rows that wait in memory to be sorted, and the same rows in order.

use arrow::array::RecordBatch;
use arrow::row::Rows;

use super::order::prefix;
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// Rows are sorted in so many pieces, with a look at the wish to stop after each.
const STOPS: usize = 1 << 20;

/// Batches as they came, with their keys.
#[derive(Default)]
pub struct Buffer {
    pub batches: Vec<RecordBatch>,
    keys: Vec<Rows>,
    pub rows: usize,
    pub bytes: usize,
}

/// A row of a buffer, and the bytes of its key from the first one on in which any two keys differ.
#[derive(Clone, Copy)]
struct Entry {
    prefix: u64,
    batch: u32,
    row: u32,
}

impl Buffer {
    /// Bytes of a batch, its keys, and what sorting its rows takes.
    pub fn cost(batch: &RecordBatch, keys: &Rows) -> usize {
        batch.get_array_memory_size() + keys.size() + 2 * batch.num_rows() * size_of::<Entry>()
    }

    pub fn push(&mut self, batch: RecordBatch, keys: Rows) {
        self.bytes += Self::cost(&batch, &keys);
        self.rows += batch.num_rows();
        self.batches.push(batch);
        self.keys.push(keys);
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn sort(self, control: &Control) -> Result<Sorted> {
        let Self { batches, keys, rows, bytes } = self;
        let common = common(&keys);
        let mut entries = Vec::with_capacity(rows);
        for (number, keys) in keys.iter().enumerate() {
            let batch = u32::try_from(number).map_err(|_| Error::internal("too many batches to sort"))?;
            entries.extend((0_u32..).zip(keys.iter()).map(|(row, key)| Entry {
                prefix: prefix(key.data(), common),
                batch,
                row,
            }));
        }
        let key = |entry: &Entry| keys[entry.batch as usize].row(entry.row as usize).data();
        let compare = |a: &Entry, b: &Entry| a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b)));
        for piece in entries.chunks_mut(STOPS) {
            control.check()?;
            piece.sort_unstable_by(compare);
        }
        control.check()?;
        if entries.len() > STOPS {
            // Finds the sorted pieces, and merges them.
            entries.sort_by(compare);
        }
        Ok(Sorted { batches, keys, entries, bytes })
    }
}

/// How many first bytes all keys have in common.
fn common(keys: &[Rows]) -> usize {
    let mut all = keys.iter().flat_map(Rows::iter);
    let Some(first) = all.next() else { return 0 };
    let first = first.data();
    let mut length = first.len();
    for key in all {
        let key = key.data();
        length = length.min(key.len());
        if key[..length] != first[..length] {
            length = key.iter().zip(first).take(length).take_while(|(a, b)| a == b).count();
        }
        if length == 0 {
            break;
        }
    }
    length
}

/// Rows in order.
pub struct Sorted {
    pub batches: Vec<RecordBatch>,
    keys: Vec<Rows>,
    entries: Vec<Entry>,
    pub bytes: usize,
}

impl Sorted {
    /// Bytes that the sorting of a row took, and that are free when it is in order.
    pub const SORTING: usize = size_of::<Entry>();

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key of the row at a place in the order.
    pub fn key(&self, place: usize) -> &[u8] {
        let entry = &self.entries[place];
        self.keys[entry.batch as usize].row(entry.row as usize).data()
    }

    /// The batch of the row at a place in the order, and which of its rows it is.
    pub fn row(&self, place: usize) -> (usize, usize) {
        let entry = &self.entries[place];
        (entry.batch as usize, entry.row as usize)
    }
}
