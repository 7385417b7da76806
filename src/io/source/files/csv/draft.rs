//! Values parsed while the types of a file are looked for: as the types that its first rows have, which mostly are those of
//! all rows. What turns out so need not be read again.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use parking_lot::Mutex;

use super::super::Fault;
use super::super::data::Data;
use super::super::infer::{Missing, Seen};
use super::super::room::{Held, Room};
use super::column::Column;
use super::records::{Record, Records};
use super::tokens::Dialect;
use crate::io::source::options::Declared;

/// What is looked at of a file's beginning.
const SAMPLE_ROWS: usize = 256;
const SAMPLE_BYTES: u64 = 256 << 10;

/// With more columns than these it is likely that most of them are not wanted.
const MOST_COLUMNS: usize = 32;

/// The types that values are parsed as, and the room for what is kept of them.
pub struct Guess<'a> {
    /// None: nothing is kept of the column.
    types: Vec<Option<DataType>>,
    /// The columns whose type is looked for.
    inferred: Vec<bool>,
    declared: &'a [Option<Declared>],
    room: Arc<Room>,
}

impl<'a> Guess<'a> {
    /// What the first rows of a file say of `inferred` columns; none where that is not worth the while.
    pub fn of(
        data: &Data,
        (start, line): (u64, u64),
        dialect: Dialect,
        inferred: &[usize],
        declared: &'a [Option<Declared>],
        missing: &Missing,
        room: Arc<Room>,
    ) -> Option<Self> {
        if declared.len() > MOST_COLUMNS || room.is_full() {
            return None;
        }
        let mut seen = vec![Seen::default(); declared.len()];
        let range: Range<u64> = start..start.saturating_add(SAMPLE_BYTES).min(data.size);
        let whole = range.end == data.size;
        let mut records = Records::new(data.reader(range, &Arc::default()), dialect, line);
        let mut rows = 0;
        while rows < SAMPLE_ROWS {
            // What cannot be read is told when all is read.
            let Ok(Some(record)) = records.next() else { break };
            inferred.iter().for_each(|place| seen[*place].note(record.get(*place), missing));
            rows += 1;
        }
        if rows < SAMPLE_ROWS && !whole {
            return None;
        }
        let mut types: Vec<Option<DataType>> = declared
            .iter()
            .map(|declared| declared.as_ref().map(|declared| declared.arrow.clone()))
            .collect();
        let mut open = vec![false; declared.len()];
        for place in inferred {
            open[*place] = true;
            types[*place] = Some(seen[*place].data_type()).filter(|found| *found != DataType::Null);
        }
        Some(Self { types, inferred: open, declared, room })
    }

    /// Begins the values of a part.
    pub fn draft(&self) -> Option<Draft<'_>> {
        if self.room.is_full() {
            return None;
        }
        let column = |(found, declared): (&Option<DataType>, &Option<Declared>)| {
            found.as_ref().and_then(|found| Column::of(found, declared.as_ref()).ok())
        };
        Some(Draft { columns: self.types.iter().zip(self.declared).map(column).collect(), guess: self })
    }
}

/// The values of a part as far as it is read.
pub struct Draft<'a> {
    columns: Vec<Option<Column>>,
    guess: &'a Guess<'a>,
}

impl Draft<'_> {
    /// Adds a record, and notes what it says of columns whose type is looked for.
    #[inline]
    pub fn add(&mut self, record: &Record<'_>, seen: &mut [Seen], missing: &Missing) {
        for (place, (column, seen)) in self.columns.iter_mut().zip(seen).enumerate() {
            let is_open = self.guess.inferred[place];
            let Some(known) = column else {
                if is_open {
                    seen.note(record.get(place), missing);
                }
                continue;
            };
            let text = record.get(place);
            let fits =
                if is_open { known.note(text, missing, seen) } else { known.push(text, missing).is_ok() };
            if !fits {
                *column = None;
            }
        }
    }

    pub fn finish(self, rows: usize) -> Option<Kept> {
        let arrays: Vec<_> = self.columns.into_iter().map(|column| column.map(Column::finish)).collect();
        let bytes = arrays.iter().flatten().map(|array| array.get_array_memory_size()).sum();
        let held = self.guess.room.take(bytes)?;
        Some(Kept { arrays, rows, held })
    }
}

/// The values of a part; of columns that turned out to be others, none.
pub struct Kept {
    arrays: Vec<Option<ArrayRef>>,
    rows: usize,
    held: Held,
}

/// What is kept of a file's parts, until it is read.
#[derive(Default)]
pub struct Drafts(Vec<Mutex<Option<Kept>>>);

impl Drafts {
    pub fn new(parts: impl Iterator<Item = Option<Kept>>) -> Self {
        Self(parts.map(Mutex::new).collect())
    }

    /// Forgets columns that are of another type.
    pub fn settle(&mut self, schema: &SchemaRef) {
        for kept in self.0.iter_mut().filter_map(|kept| kept.get_mut().as_mut()) {
            for (array, field) in kept.arrays.iter_mut().zip(schema.fields()) {
                if array.as_ref().is_some_and(|array| array.data_type() != field.data_type()) {
                    *array = None;
                }
            }
        }
    }

    /// Some columns of a part, once, if all of them are there; what is not wanted is gone as well.
    pub fn take(&self, part: usize, columns: &[usize], schema: &SchemaRef) -> Result<Option<Once>, Fault> {
        let Some(kept) = self.0.get(part).and_then(|kept| kept.lock().take()) else { return Ok(None) };
        let arrays = columns.iter().map(|column| kept.arrays[*column].clone()).collect::<Option<Vec<_>>>();
        let Some(arrays) = arrays else { return Ok(None) };
        let options = RecordBatchOptions::new().with_row_count(Some(kept.rows));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
        Ok(Some(Once { batch: Some(batch), _held: kept.held }))
    }
}

/// The one batch of a part.
pub struct Once {
    batch: Option<RecordBatch>,
    _held: Held,
}

impl Iterator for Once {
    type Item = Result<RecordBatch, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch.take().map(Ok)
    }
}
