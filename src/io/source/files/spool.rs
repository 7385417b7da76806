//! Tables that come one after the other, and once: kept in memory while they are small, beyond that written down without
//! a name, so that rows are counted before they are read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use ring::digest::{Context, SHA256};

use super::super::hive::Partitions;
use super::super::reconcile::{converted, reconcile};
use super::super::{FilesSource, MemorySource, Source, SourceColumn};
use super::data::Data;
use super::{Format, Opened, ReadOptions, With, guarded, ipc};
use crate::error::{Code, Error, Result};
use crate::io::sink::bytes_of;

/// Rows and bytes of a part; small tables are put together, large ones are cut.
const PART_ROWS: usize = 64 << 10;
const PART_BYTES: usize = 8 << 20;

/// How often the columns may change: each time is another file.
const MOST_SEGMENTS: usize = 256;

const TITLE: &str = "a stream";

pub struct Spool {
    directory: PathBuf,
    /// Bytes that are kept in memory.
    room: usize,
    /// Runs of rows with the same columns.
    segments: Vec<Segment>,
    /// Rows that do not make a part yet; they have the last segment's columns.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    held_bytes: usize,
    tables: u64,
    /// The columns of the last table, and where in it those of the last segment are.
    known: Option<(SchemaRef, Vec<Option<usize>>)>,
}

struct Segment {
    name: Arc<str>,
    columns: Vec<SourceColumn>,
    schema: SchemaRef,
    held: Vec<RecordBatch>,
    writer: Option<FileWriter<BufWriter<Hashed>>>,
}

impl Spool {
    pub fn new(directory: &Path, room: usize) -> Self {
        Self {
            directory: directory.to_path_buf(),
            room,
            segments: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            held_bytes: 0,
            tables: 0,
            known: None,
        }
    }

    /// Whether no table has come.
    pub fn is_empty(&self) -> bool {
        self.tables == 0
    }

    /// The next table begins, and has these columns.
    pub fn begin(&mut self, schema: &SchemaRef) -> Result<()> {
        self.tables += 1;
        self.suit(schema)
    }

    /// The next rows of a table.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.suit(&batch.schema())?;
        for start in (0..batch.num_rows()).step_by(PART_ROWS) {
            let part = batch.slice(start, PART_ROWS.min(batch.num_rows() - start));
            let part = self.suited(&part)?;
            self.waiting_rows += part.num_rows();
            self.waiting_bytes += bytes_of(&part);
            self.waiting.push(part);
            if self.waiting_rows >= PART_ROWS || self.waiting_bytes >= PART_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Everything as a source. Blocks.
    pub fn finish(mut self, threads: usize) -> Result<Source> {
        self.flush()?;
        if let [only] = self.segments.as_mut_slice()
            && only.writer.is_none()
        {
            let table = (only.schema.clone(), std::mem::take(&mut only.held));
            return Ok(Source::Memory(Arc::new(MemorySource::new(vec![table])?)));
        }
        self.write_down()?;
        let options = ReadOptions::default();
        let with = With { spool: &self.directory, threads, options: &options, room: None };
        let mut opened: Vec<(Arc<str>, Box<dyn Opened>)> = Vec::new();
        let mut stamps = Vec::new();
        for segment in self.segments {
            let Some(mut writer) = segment.writer else { continue };
            let kept = || -> io::Result<Hashed> {
                writer.finish().map_err(io::Error::other)?;
                let buffer = writer.into_inner().map_err(io::Error::other)?;
                Ok(buffer.into_inner()?)
            };
            let kept = kept().map_err(|error| unkept(&error))?;
            let stamp: String =
                kept.digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let data = Data::kept(kept.file).map_err(|error| unkept(&error))?;
            stamps.push((data.size, Arc::from(stamp)));
            let file = guarded(&segment.name, "Arrow IPC", || ipc::Ipc.open(data, "", &with))?;
            opened.push((segment.name, file));
        }
        let mut source = FilesSource::reconcile(TITLE, opened, &Partitions::default(), None)?;
        source.stamps = stamps;
        Ok(Source::Files(Arc::new(source)))
    }

    /// Sees to it that the last segment can take rows of these columns.
    fn suit(&mut self, schema: &SchemaRef) -> Result<()> {
        if self.known.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, schema) || known == schema) {
            return Ok(());
        }
        let name: Arc<str> = format!("table {} of the stream", self.tables).into();
        let mut both = vec![(name.clone(), plain(schema))];
        if let Some(last) = self.segments.last() {
            both.insert(0, (last.name.clone(), last.schema.clone()));
        }
        let columns = reconcile(&both, &Partitions::default())?.columns;
        let same = |last: &Segment| {
            last.columns.len() == columns.len()
                && last.columns.iter().zip(&columns).all(|(last, column)| last.arrow == column.arrow)
        };
        if !self.segments.last().is_some_and(same) {
            self.flush()?;
            if self.segments.len() == MOST_SEGMENTS {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!(
                        "the columns of the source's tables changed {MOST_SEGMENTS} times, up to table {}",
                        self.tables
                    ),
                )
                .hint("Yield tables with the same columns"));
            }
            let fields =
                columns.iter().map(|column| Field::new(&*column.field.name, column.arrow.clone(), true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            self.segments.push(Segment { name, columns, schema, held: Vec::new(), writer: None });
        }
        let Some(last) = self.segments.last() else { return Ok(()) };
        let place = |column: &SourceColumn| schema.index_of(&column.field.name).ok();
        self.known = Some((schema.clone(), last.columns.iter().map(place).collect()));
        Ok(())
    }

    /// Rows with the columns of the last segment, in memory of their own where they are views.
    fn suited(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (Some(last), Some((_, places))) = (self.segments.last(), &self.known) else {
            return Err(Error::internal("rows before their columns"));
        };
        let name = format!("table {} of the stream", self.tables);
        let column = |(column, place): (&SourceColumn, &Option<usize>)| -> Result<ArrayRef> {
            let Some(place) = place else { return Ok(new_null_array(&column.arrow, batch.num_rows())) };
            Ok(compact(converted(batch.column(*place), column, &name)?))
        };
        let arrays = last.columns.iter().zip(places).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(last.schema.clone(), arrays, &options)?)
    }

    /// Makes a part of the rows that wait.
    fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.held_bytes += std::mem::take(&mut self.waiting_bytes);
        self.waiting_rows = 0;
        let Some(last) = self.segments.last_mut() else { return Ok(()) };
        let part = match <[RecordBatch; 1]>::try_from(waiting) {
            Ok([only]) => only,
            Err(several) if several.is_empty() => return Ok(()),
            Err(several) => concat_batches(&last.schema, &several)?,
        };
        last.held.push(part);
        if self.held_bytes > self.room || last.writer.is_some() {
            self.write_down()?;
        }
        Ok(())
    }

    fn write_down(&mut self) -> Result<()> {
        for segment in &mut self.segments {
            segment.write_down(&self.directory)?;
        }
        self.held_bytes = 0;
        // From now on every part is written at once.
        self.room = 0;
        Ok(())
    }
}

impl Segment {
    fn write_down(&mut self, directory: &Path) -> Result<()> {
        let mut write = || -> io::Result<()> {
            let mut writer = match self.writer.take() {
                Some(writer) => writer,
                None => {
                    let file = tempfile::tempfile_in(directory)?;
                    let file = BufWriter::new(Hashed { file, digest: Context::new(&SHA256) });
                    let packed =
                        IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME));
                    packed
                        .and_then(|options| FileWriter::try_new_with_options(file, &self.schema, options))
                        .map_err(io::Error::other)?
                }
            };
            for batch in self.held.drain(..) {
                writer.write(&batch).map_err(io::Error::other)?;
            }
            self.writer = Some(writer);
            Ok(())
        };
        write().map_err(|error| unkept(&error))
    }
}

/// A file of which it is known what was written to it.
struct Hashed {
    file: File,
    digest: Context,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Columns without what libraries note beside them, and without dictionaries: each table has its own.
fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Views hold on to all that they were cut from.
fn compact(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}

fn unkept(error: &io::Error) -> Error {
    Error::new(
        Code::SourceUnreadable,
        format!("the tables of the source cannot be kept in `spill_dir`: {error}"),
    )
    .hint("Make room there, or give the client another `spill_dir`")
    .detail("path", "input.source")
}
