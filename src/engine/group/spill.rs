//! Groups on disk: what a share held when memory ran out, and rows that are yet to be added to it, a file of each a share.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Int64Type, Schema};
use datafusion::execution::disk_manager::DiskManager;

use super::collect::{self, Rows};
use super::table::Partial;
use crate::engine::spill_file::{self, Writing};
use crate::error::Result;

/// What one share spilled so far, still being written.
pub struct Spilled {
    writing: Writing,
    layout: Layout,
}

/// How a table's groups lie in the columns of a batch.
struct Layout {
    keys: usize,
    /// Columns of each unit's state.
    states: Vec<usize>,
    first: bool,
}

impl Spilled {
    /// Writes groups behind those that are there, of the same layout.
    pub fn add(to: &mut Option<Self>, disk: &Arc<DiskManager>, partial: &Partial) -> Result<()> {
        let batch = batch(partial)?;
        if let Some(spilled) = to {
            return spilled.writing.add(&batch);
        }
        let layout = Layout {
            keys: partial.keys.len(),
            states: partial.states.iter().map(Vec::len).collect(),
            first: partial.first.is_some(),
        };
        let mut writing = Writing::begin(disk, "groups", &batch)?;
        writing.add(&batch)?;
        *to = Some(Self { writing, layout });
        Ok(())
    }

    /// Ends the writing and reads everything back, a batch at a time as it was added. The file goes with the reader.
    pub fn read(self) -> Result<Reading> {
        let written = self.writing.finish()?;
        Ok(Reading { bytes: written.bytes, batches: written.read()?, layout: self.layout })
    }
}

pub struct Reading {
    /// How long the file is.
    pub bytes: u64,
    batches: spill_file::Reading,
    layout: Layout,
}

impl Iterator for Reading {
    type Item = Result<Partial>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next().map(|batch| Ok(self.layout.partial(&batch?)))
    }
}

impl Layout {
    fn partial(&self, batch: &RecordBatch) -> Partial {
        let mut columns = batch.columns().iter().cloned();
        let keys = columns.by_ref().take(self.keys).collect();
        let states = self.states.iter().map(|count| columns.by_ref().take(*count).collect()).collect();
        let first = if self.first { columns.next() } else { None };
        Partial {
            keys,
            rows: batch.num_rows(),
            states,
            first: first.map(|first| first.as_primitive::<Int64Type>().clone()),
        }
    }
}

fn batch(partial: &Partial) -> Result<RecordBatch> {
    let first = partial.first.iter().map(|first| Arc::new(first.clone()) as ArrayRef);
    let columns = partial.keys.iter().chain(partial.states.iter().flatten()).cloned().chain(first).collect();
    batch_of(columns, partial.rows)
}

fn batch_of(columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let fields = columns.iter().enumerate();
    let fields =
        fields.map(|(number, column)| Field::new(number.to_string(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Rows of one share that are on disk as they are, still being written.
pub struct SpilledRows {
    writing: Writing,
    layout: collect::Layout,
    pub rows: usize,
}

impl SpilledRows {
    /// Writes rows behind those that are there, of the same layout.
    pub fn add(to: &mut Option<Self>, disk: &Arc<DiskManager>, rows: &Rows) -> Result<()> {
        let batch = batch_of(rows.columns(), rows.rows)?;
        if let Some(spilled) = to {
            spilled.rows += rows.rows;
            return spilled.writing.add(&batch);
        }
        let mut writing = Writing::begin(disk, "rows of groups", &batch)?;
        writing.add(&batch)?;
        *to = Some(Self { writing, layout: rows.layout(), rows: rows.rows });
        Ok(())
    }

    /// Ends the writing and reads everything back. How long the file is, and the rows; it goes with them.
    pub fn read(self) -> Result<(u64, impl Iterator<Item = Result<Rows>>)> {
        let Self { writing, layout, .. } = self;
        let written = writing.finish()?;
        let bytes = written.bytes;
        let rows = move |batch: RecordBatch| layout.rows(batch.columns().to_vec(), batch.num_rows());
        Ok((bytes, written.read()?.map(move |batch| batch.map(&rows))))
    }
}
