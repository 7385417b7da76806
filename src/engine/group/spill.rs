//! Groups on disk: what a share held when memory ran out, in Arrow's stream format, one file a share.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Int64Type, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;

use super::table::Partial;
use crate::error::{Code, Error, Result};

/// What one share spilled so far, still being written.
pub struct Spilled {
    file: Arc<dyn SpillFile>,
    writer: StreamWriter<BufWriter<File>>,
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
    /// A file for groups like these; they are written to it.
    pub fn begin(disk: &Arc<DiskManager>, partial: &Partial) -> Result<Self> {
        let file = disk.create_tmp_file("groups")?;
        let Some(path) = file.path() else {
            return Err(Error::internal("the disk manager gave a file that is not on this machine"));
        };
        let open = File::options().write(true).open(path).map_err(failed)?;
        let layout = Layout {
            keys: partial.keys.len(),
            states: partial.states.iter().map(Vec::len).collect(),
            first: partial.first.is_some(),
        };
        let batch = batch(partial)?;
        let writer = StreamWriter::try_new(BufWriter::new(open), &batch.schema())?;
        let mut spilled = Self { file, writer, layout };
        spilled.writer.write(&batch)?;
        Ok(spilled)
    }

    pub fn add(&mut self, partial: &Partial) -> Result<()> {
        Ok(self.writer.write(&batch(partial)?)?)
    }

    /// Ends the writing and reads everything back, a batch at a time as it was added. The file goes with the reader.
    pub fn read(self) -> Result<Reading> {
        let Self { file, mut writer, layout } = self;
        writer.finish()?;
        writer.into_inner()?.into_inner().map_err(|error| failed(error.into_error()))?;
        let Some(path) = file.path() else {
            return Err(Error::internal("a file of spilled groups has lost its path"));
        };
        let open = File::open(path).map_err(failed)?;
        let bytes = open.metadata().map_err(failed)?.len();
        let reader = StreamReader::try_new(BufReader::new(open), None)?;
        Ok(Reading { _file: file, bytes, reader, layout })
    }
}

pub struct Reading {
    _file: Arc<dyn SpillFile>,
    /// How long the file is.
    pub bytes: u64,
    reader: StreamReader<BufReader<File>>,
    layout: Layout,
}

impl Iterator for Reading {
    type Item = Result<Partial>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next().map(|batch| Ok(self.layout.partial(&batch?)))
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
    let columns: Vec<ArrayRef> =
        partial.keys.iter().chain(partial.states.iter().flatten()).cloned().chain(first).collect();
    let fields = columns.iter().enumerate();
    let fields =
        fields.map(|(number, column)| Field::new(number.to_string(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(partial.rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

fn failed(error: std::io::Error) -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("groups that do not fit the memory limit cannot be spilled: {error}"),
    )
    .hint("Free space in `spill_dir`, name another directory, or give more memory with `memory_limit`")
}
