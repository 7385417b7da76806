//! The rows of one lane on their way to files of a stage.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::format::{Encoder, Fault, Unwritable};
use super::sample::{Ahead, Sample};
use super::stage::Stage;
use super::target::WrittenFile;
use super::{bytes_of, long_bytes};
use crate::error::{Code, Error, Result};

/// What accounts for the memory that a lane holds.
pub trait Room: Send {
    /// Whether there is room for so many bytes in all; if not, it stays as it was.
    fn resize(&mut self, bytes: usize) -> bool;

    /// Takes what is needed in any case.
    fn insist(&mut self, bytes: usize);
}

/// One stretch of the answer's rows, in their order.
pub trait Lane: Send {
    /// Writes rows. Blocks.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Ends the files, in the order of their names. `even_empty`: a file without rows is better than none.
    fn finish(self: Box<Self>, even_empty: bool) -> Result<Vec<Part>>;
}

/// A file that is closed: its name in the stage, and what there is to say of it.
pub struct Part {
    pub name: String,
    pub written: WrittenFile,
}

/// Rows of a row group, at most.
pub const ROW_GROUP: usize = 1 << 20;

/// What is kept to the end of a file may take one half of a lane's bytes: then the file is ended where another may follow,
/// and rows have the other half in any case. Where memory is short, one part in so many is worth to be written.
const HALF: usize = 2;
const LITTLE: usize = 8;

/// What a format's type cannot hold is an error, not a missing value.
const EXACT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// A file that is being written.
pub struct Open {
    name: String,
    pub encoder: Box<dyn Encoder>,
    pub rows: u64,
}

pub fn problem(stage: &Stage, error: &Fault) -> Error {
    let why = error.to_string();
    if let Some((_, why)) = why.split_once(stage.target.failed(&"").sentence()) {
        // A store's own words, on their way through the encoder.
        return stage
            .target
            .failed(&why)
            .hint("What was there is as it was; run it again when the store answers");
    }
    let failed = stage.target.failed(error);
    if error.is::<Unwritable>() {
        failed.hint(
            "What was there is as it was. Replace such values in the operation, or write another format",
        )
    } else {
        failed.hint(
            "What was there is as it was. Check the room on the disk and the permissions, and run it again",
        )
    }
}

impl Open {
    pub fn begin(
        stage: &Stage,
        schema: &SchemaRef,
        directory: &str,
        (lane, number): (usize, usize),
        ahead: Ahead<'_>,
    ) -> Result<Self> {
        let name = stage.part(directory, lane, number);
        let begun = || -> Result<_, Fault> {
            let out = stage.place.create(&name)?;
            stage.target.format.open(out, schema.clone(), stage.target.how, ahead)
        };
        let encoder = begun().map_err(|error| problem(stage, &error))?;
        Ok(Self { name, encoder, rows: 0 })
    }

    pub fn end(self, stage: &Stage) -> Result<Part> {
        let Self { name, encoder, rows } = self;
        let ended = || -> Result<u64, Fault> { Ok(encoder.finish()?.close()?) };
        let bytes = ended().map_err(|error| problem(stage, &error))?;
        let written = WrittenFile { path: stage.place.shown(&name), rows, bytes };
        Ok(Part { name, written })
    }
}

/// Rows with the columns' types as the format stores them; with `views`, texts and bytes that come as such stay so.
pub fn fit(batch: &RecordBatch, schema: &SchemaRef, views: bool) -> Result<RecordBatch> {
    let mut differ = false;
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        if views && is_dense(column) {
            differ = true;
            return Ok(column.clone());
        }
        cast_with_options(column, field.data_type(), &EXACT).map_err(|error| {
            let name = field.name().as_str();
            let message = format!("column `{name}` holds a value that the format cannot: {error}");
            Error::new(Code::OutputFailed, message)
                .hint("Convert or drop it in the operation, or write another format")
                .detail("column", name)
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = match differ {
        false => schema.clone(),
        true => {
            let fields = schema.fields().iter().zip(&columns);
            let fields = fields
                .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        }
    };
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Bytes that views may lie among without being copied out.
const AMONG: usize = 1 << 20;

/// Views of texts that are most of what they point into: few rows of many would hold the memory of all.
fn is_dense(column: &ArrayRef) -> bool {
    let (views, buffers) = match column.data_type() {
        DataType::Utf8View => {
            let column = column.as_string_view();
            (column.views(), column.data_buffers())
        }
        DataType::BinaryView => {
            let column = column.as_binary_view();
            (column.views(), column.data_buffers())
        }
        _ => return false,
    };
    let among: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    among <= AMONG || among <= 2 * long_bytes(views)
}

/// A lane that writes one file, or several of at most so many rows.
pub struct PartWriter {
    stage: Arc<Stage>,
    schema: SchemaRef,
    lane: usize,
    /// Bytes that are held before they are written.
    budget: usize,
    room: Box<dyn Room>,
    sample: Option<Sample>,
    open: Option<Open>,
    parts: Vec<Part>,
}

impl PartWriter {
    pub fn new(
        stage: Arc<Stage>,
        schema: SchemaRef,
        lane: usize,
        budget: usize,
        room: Box<dyn Room>,
    ) -> Self {
        Self { stage, schema, lane, budget, room, sample: None, open: None, parts: Vec::new() }
    }

    /// Begins a file; `first` are its first rows, or the first of all.
    fn begin(&mut self, first: &RecordBatch) -> Result<Open> {
        let sample = &*self.sample.get_or_insert_with(|| Sample::of(first));
        let most = self.stage.target.max_rows.and_then(|most| usize::try_from(most).ok());
        let ahead = Ahead { sample, rows: most.unwrap_or(usize::MAX).min(ROW_GROUP) };
        Open::begin(&self.stage, &self.schema, "", (self.lane, self.parts.len()), ahead)
    }

    fn end(&mut self, open: Open) -> Result<()> {
        self.parts.push(open.end(&self.stage)?);
        self.room.insist(0);
        Ok(())
    }
}

impl Lane for PartWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rest = fit(batch, &self.schema, self.stage.target.format.takes_views())?;
        let size = bytes_of(&rest);
        while rest.num_rows() > 0 {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.begin(&rest)?,
            };
            let room = self.stage.target.max_rows.map_or(u64::MAX, |most| most - open.rows);
            let rows = usize::try_from(room).unwrap_or(usize::MAX).min(rest.num_rows());
            let wrote = open.encoder.write(&rest.slice(0, rows));
            wrote.map_err(|error| problem(&self.stage, &error))?;
            open.rows += rows as u64;
            rest = rest.slice(rows, rest.num_rows() - rows);
            let (held, kept) = (open.encoder.held(), open.encoder.kept());
            let free = held.saturating_sub(kept);
            // What stays to the end of the file leaves less room for rows, but never so little that it grows by itself:
            // the smaller the row groups, the more there is to say of them. Of a single file they grow with it, so that it
            // is as the root of what is written.
            let most = self.budget.saturating_sub(kept).max(self.budget / HALF).max(kept);
            let least = (self.budget / LITTLE).max(kept / HALF);
            if free > most || !self.room.resize(held + size) && free > least {
                open.encoder.flush().map_err(|error| problem(&self.stage, &error))?;
            }
            let held = open.encoder.held() + size;
            if !self.room.resize(held) {
                self.room.insist(held);
            }
            let is_long = !self.stage.target.single && open.encoder.kept() > self.budget / HALF;
            if is_long || Some(open.rows) == self.stage.target.max_rows {
                self.end(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, even_empty: bool) -> Result<Vec<Part>> {
        if let Some(open) = self.open.take() {
            self.end(open)?;
        } else if even_empty && self.parts.is_empty() {
            let open = self.begin(&RecordBatch::new_empty(self.schema.clone()))?;
            self.end(open)?;
        }
        Ok(std::mem::take(&mut self.parts))
    }
}
