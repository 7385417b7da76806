//! Rows that wait in memory to be sorted, and the same rows in order.

use arrow::array::RecordBatch;
use arrow::row::Rows;

use super::order::prefix;
use crate::engine::control::Control;
use crate::engine::group::limit;
use crate::error::{Error, Result};

/// Rows of equal first bytes are sorted in so many pieces, with a look at the wish to stop after each.
const STOPS: usize = 1 << 20;

/// So many rows or fewer stay in the inner caches while they are sorted by their first bytes.
const CACHED: usize = limit(16 * 1024, 4);

/// More are set apart by this many bits first.
const DIGIT: u32 = 10;

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
        let mut spare = entries.clone();
        by_prefix(&mut entries, &mut spare, control)?;
        drop(spare);
        let key = |entry: &Entry| keys[entry.batch as usize].row(entry.row as usize).data();
        for ties in entries.chunk_by_mut(|a, b| a.prefix == b.prefix).filter(|ties| ties.len() > 1) {
            for piece in ties.chunks_mut(STOPS) {
                control.check()?;
                piece.sort_unstable_by(|a, b| key(a).cmp(key(b)));
            }
            if ties.len() > STOPS {
                control.check()?;
                // Finds the sorted pieces, and merges them.
                ties.sort_by(|a, b| key(a).cmp(key(b)));
            }
        }
        let first = keys.iter().flat_map(Rows::iter).next();
        let start = first.map_or_else(Vec::new, |key| key.data()[..common].to_vec());
        Ok(Sorted { batches, keys, entries, bytes, start })
    }
}

/// Sorts by the prefix alone: entries are set apart by its highest bits that are not the same in all, until what is left
/// to be sorted fits the caches. `spare` is as long as `entries`, and holds anything.
fn by_prefix(entries: &mut [Entry], spare: &mut [Entry], control: &Control) -> Result<()> {
    if entries.len() <= CACHED {
        entries.sort_unstable_by_key(|entry| entry.prefix);
        return Ok(());
    }
    control.check()?;
    let (least, most) = entries
        .iter()
        .fold((u64::MAX, 0), |(least, most), entry| (entry.prefix.min(least), entry.prefix.max(most)));
    let shift = (u64::BITS - (most - least).leading_zeros()).saturating_sub(DIGIT);
    let bucket = |entry: &Entry| ((entry.prefix - least) >> shift) as usize;
    let mut ends = [0; 1 << DIGIT];
    entries.iter().for_each(|entry| ends[bucket(entry)] += 1);
    let mut next = 0;
    for end in &mut ends {
        next += std::mem::replace(end, next);
    }
    for entry in entries.iter() {
        let place = &mut ends[bucket(entry)];
        spare[*place] = *entry;
        *place += 1;
    }
    entries.copy_from_slice(spare);
    let mut from = 0;
    for to in ends.into_iter().filter(|_| shift > 0) {
        if to - from > 1 {
            by_prefix(&mut entries[from..to], &mut spare[from..to], control)?;
        }
        from = to;
    }
    Ok(())
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
    /// The first bytes, which all keys have in common.
    start: Vec<u8>,
}

/// Tells eight bytes of a key without a look at it.
#[derive(Debug, Clone, Copy)]
pub struct Prefixes {
    start: u64,
    shift: u32,
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

    /// What tells the bytes of keys from one on that is not behind those that all have in common.
    pub fn prefixes(&self, from: usize) -> Prefixes {
        let common = self.start.len().saturating_sub(from);
        let shift = u32::try_from(8 * common).unwrap_or(u32::MAX);
        Prefixes { start: prefix(&self.start, from), shift }
    }

    /// These bytes of the key of the row at a place.
    pub fn prefix(&self, prefixes: Prefixes, place: usize) -> u64 {
        prefixes.start | self.entries[place].prefix.checked_shr(prefixes.shift).unwrap_or(0)
    }

    /// The batch of the row at a place in the order, and which of its rows it is.
    pub fn row(&self, place: usize) -> (usize, usize) {
        let entry = &self.entries[place];
        (entry.batch as usize, entry.row as usize)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::DataType;
    use arrow::row::{RowConverter, SortField};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys with ties in their first bytes, in batches, come out in order, each with its own first bytes.
        #[test]
        fn rows_come_out_in_order(
            batches in prop::collection::vec(prop::collection::vec(("(same start)?[a-c]{0,12}", -3_i64..3), 1..60), 1..6),
            same in any::<bool>(),
        ) {
            let fields = [DataType::Utf8, DataType::Int64].map(SortField::new);
            let converter = RowConverter::new(fields.to_vec()).unwrap();
            let (mut buffer, mut expected) = (Buffer::default(), Vec::new());
            for rows in &batches {
                let text = |text: &String| if same { format!("all the same start{text}") } else { text.clone() };
                let texts: StringArray = rows.iter().map(|row| Some(text(&row.0))).collect();
                let numbers: Int64Array = rows.iter().map(|row| Some(row.1)).collect();
                let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(texts), Arc::new(numbers)];
                let keys = converter.convert_columns(&columns).unwrap();
                expected.extend(keys.iter().map(|key| key.data().to_vec()));
                let batch = RecordBatch::try_from_iter(["t", "n"].into_iter().zip(columns)).unwrap();
                buffer.push(batch, keys);
            }
            expected.sort();
            let sorted = buffer.sort(&Control::default()).unwrap();
            let found: Vec<Vec<u8>> = (0..sorted.len()).map(|place| sorted.key(place).to_vec()).collect();
            for from in 0..=sorted.start.len() {
                let prefixes = sorted.prefixes(from);
                for place in 0..sorted.len() {
                    prop_assert_eq!(sorted.prefix(prefixes, place), prefix(sorted.key(place), from));
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
