//! Scans: which rows of a source are read in which morsels, and the decoding of one morsel in chunks.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::below_nulls::sound;
use super::control::Control;
pub use super::cut::{Morsel, morsels, morsels_of_rows};
use super::flat::FlatMorsel;
use super::flat_scan::part;
use super::key_ranges::KeyColumn;
use super::memory::Held;
use super::predicate::{Early, Predicate, order};
use super::scan_cost::Cost;
use super::stages::Stages;
use crate::error::{Code, Error, Result};
use crate::io::ranged::Ranged;
use crate::io::source::files::Reading;
use crate::io::source::parquet::guarded;
use crate::io::source::reconcile::{completed, converted};
use crate::io::source::{MemorySource, ParquetSource, Source, has_offsets, is_codes};
use crate::plan::node::ROW;
use crate::plan::op::lists::trimmed;

/// What is read of a source, and how.
pub struct Scan {
    pub source: Source,
    /// Columns of the source, in the order of the batches.
    pub columns: Vec<usize>,
    /// The batches end with [`ROW`].
    pub row_numbers: bool,
    /// Columns that may come as dictionaries, morsel by morsel, where their pages are.
    pub dictionaries: Vec<usize>,
    /// Conditions that may be met while decoding.
    pub early: Option<Arc<Early>>,
    /// The same, where columns are decoded one by one.
    pub stages: Option<Arc<Stages>>,
    /// Columns that nothing but these stages reads: of rows that have met them they come as missing.
    pub only_asked: Vec<usize>,
    /// Keys of joins, by which morsels may turn out not to matter.
    pub keys: Vec<KeyColumn>,
    /// In source order.
    pub morsels: Vec<Morsel>,
    pub chunk_rows: usize,
    pub cost: Cost,
    /// Texts in memory come as they lie there, not as views.
    pub texts_as_they_are: bool,
    pub control: Arc<Control>,
    pub io: tokio::runtime::Handle,
}

impl Scan {
    /// How many chunks the morsels make.
    pub fn chunks(&self) -> u64 {
        self.morsels.iter().map(|morsel| morsel.rows.div_ceil(self.chunk_rows) as u64).sum()
    }

    pub fn rows(&self) -> u64 {
        self.morsels.iter().map(|morsel| morsel.rows as u64).sum()
    }

    /// One above the highest number of a row.
    pub fn end(&self) -> u64 {
        self.morsels.iter().map(|morsel| morsel.first_row + morsel.rows as u64).max().unwrap_or(0)
    }

    /// The schema of the batches where no column comes as a dictionary.
    pub fn schema(&self) -> SchemaRef {
        let columns = self.source.columns();
        let mut fields: Vec<_> = self
            .columns
            .iter()
            .map(|column| &columns[*column])
            .map(|column| ArrowField::new(&*column.field.name, column.arrow.clone(), true))
            .collect();
        if self.row_numbers {
            fields.push(ArrowField::new(ROW, DataType::Int64, true));
        }
        Arc::new(Schema::new(fields))
    }

    /// Bytes that are fetched for a morsel before it can be decoded.
    pub fn fetched(&self, morsel: &Morsel) -> u64 {
        match &self.source {
            Source::Parquet(source) => source.files[morsel.file].fetched(morsel.row_group, &self.columns),
            Source::Files(_) | Source::Memory(_) => 0,
        }
    }

    /// Gets a morsel's bytes within reach. The decoding is left to [`MorselReader`].
    pub async fn open(&self, morsel: Morsel) -> Result<MorselReader> {
        let held = self.control.memory.hold(self.fetched(&morsel));
        self.open_counted(morsel, held).await
    }

    /// The same where its bytes are counted already.
    pub async fn open_counted(&self, morsel: Morsel, held: Held) -> Result<MorselReader> {
        self.control.check()?;
        let decoder = match &self.source {
            Source::Parquet(source) => self.open_parquet(source, morsel).await?,
            Source::Files(source) => {
                let file = &source.files[morsel.file];
                let read = &self.control.bytes_read;
                let (reading, order) =
                    file.read(source.title, morsel.row_group, &self.columns, self.chunk_rows, read)?;
                Decoder::Files { reading: Box::new(reading), order }
            }
            Source::Memory(source) => Decoder::Memory { source: source.clone(), at: 0 },
        };
        let filtered = matches!(&decoder, Decoder::Flat(flat) if flat.filters());
        Ok(MorselReader {
            decoder,
            filtered,
            morsel,
            _held: held,
            done: 0,
            given: 0,
            columns: self.columns.clone(),
            dictionaries: self.dictionaries.clone(),
            row_numbers: self.row_numbers,
            chunk_rows: self.chunk_rows,
            texts_as_they_are: self.texts_as_they_are,
            source: self.source.clone(),
            schema: None,
            control: self.control.clone(),
        })
    }

    async fn open_parquet(&self, source: &Arc<ParquetSource>, morsel: Morsel) -> Result<Decoder> {
        let file = &source.files[morsel.file];
        let leaves = file.leaves(&self.columns);
        if leaves.is_empty() {
            // Rows are counted in the footer, and what directories' names say is known: the file is not opened.
            return Ok(Decoder::Rows { file: morsel.file, at: 0 });
        }
        let dictionaries: Vec<usize> = self
            .dictionaries
            .iter()
            .copied()
            .filter(|column| file.is_dictionary(morsel.row_group, *column))
            .collect();
        let bytes = file.bytes(morsel.row_group, &leaves, &self.control.bytes_read).await?;
        if let Some(flat) = self.flat(source, &morsel, &bytes)? {
            return Ok(Decoder::Flat(Box::new(flat)));
        }
        let metadata = file.reader(&source.columns, &dictionaries)?;
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves.iter().copied());
        let mut builder = ParquetRecordBatchReaderBuilder::<Ranged>::new_with_metadata(bytes, metadata)
            .with_row_groups(vec![morsel.row_group])
            .with_projection(mask)
            .with_batch_size(self.chunk_rows);
        if let Some(selection) = part(file.footer.row_group(morsel.row_group).num_rows(), &morsel) {
            builder = builder.with_row_selection(selection);
        }
        let (order, file_number) = (order(file, &self.columns), morsel.file);
        // What comes as a dictionary is of no condition.
        let suits = |early: &Arc<Early>| dictionaries.is_empty() && early.suits(file, &source.columns);
        if let Some(early) = self.early.clone().filter(suits) {
            let builder = Some(Box::new(builder));
            return Ok(Decoder::Planned { builder, early, order, file: file_number });
        }
        let reader = Box::new(guarded(&file.file.name, || builder.build())?);
        Ok(Decoder::Parquet { reader, order, file: file_number })
    }
}

enum Decoder {
    Planned {
        builder: Option<Box<ParquetRecordBatchReaderBuilder<Ranged>>>,
        early: Arc<Early>,
        order: Vec<Option<usize>>,
        file: usize,
    },
    /// Nothing but columns that are the same in every row.
    Rows {
        file: usize,
        at: usize,
    },
    Parquet {
        reader: Box<ParquetRecordBatchReader>,
        order: Vec<Option<usize>>,
        file: usize,
    },
    /// Column by column.
    Flat(Box<FlatMorsel>),
    Files {
        reading: Box<Reading>,
        order: Vec<Option<usize>>,
    },
    Memory {
        source: Arc<MemorySource>,
        at: usize,
    },
}

/// Decodes one morsel, at most a chunk at a time. Blocks; belongs on a thread that may.
pub struct MorselReader {
    decoder: Decoder,
    /// Only rows that meet the scan's conditions come.
    filtered: bool,
    pub(super) morsel: Morsel,
    /// Its fetched bytes, as long as they are there.
    _held: Held,
    done: usize,
    /// Of how many rows the chunk that was given last is what is left.
    given: usize,
    columns: Vec<usize>,
    dictionaries: Vec<usize>,
    row_numbers: bool,
    chunk_rows: usize,
    texts_as_they_are: bool,
    source: Source,
    schema: Option<SchemaRef>,
    control: Arc<Control>,
}

impl MorselReader {
    /// The next chunk, with columns in their Arrow forms or as `Dictionary(Int32, Utf8)`.
    pub fn next_chunk(&mut self) -> Result<Option<RecordBatch>> {
        self.control.check()?;
        if let Decoder::Flat(_) = &self.decoder {
            return self.next_left();
        }
        let Some((mut arrays, rows)) = self.decode()? else {
            if self.filtered {
                let rows = self.morsel.rows;
                self.control.succeed(rows.div_ceil(self.chunk_rows) as u64, rows as u64);
                return Ok(None);
            }
            if self.done != self.morsel.rows {
                return Err(self.short());
            }
            return Ok(None);
        };
        let first = self.morsel.first_row as i64 + self.done as i64;
        self.done += rows;
        for (array, place) in arrays.iter_mut().zip(&self.columns) {
            let column = &self.source.columns()[*place];
            let codes = is_codes(array.data_type()) && self.dictionaries.contains(place);
            let texts = self.texts_as_they_are && has_offsets(array.data_type(), &column.arrow);
            let keep = codes || texts || *array.data_type() == column.arrow;
            if array.data_type().is_nested() {
                *array = trimmed(array)?;
            }
            if let Source::Memory(_) = &self.source
                && let Some(made) = sound(array)?
            {
                *array = made;
            }
            if !keep {
                *array = match &self.source {
                    Source::Parquet(source) => {
                        converted(array, column, &source.files[self.morsel.file].file.name)?
                    }
                    Source::Files(source) => converted(array, column, &source.files[self.morsel.file].name)?,
                    Source::Memory(_) => cast(array, &column.arrow)
                        .map_err(|error| self.unconvertible(&column.field.name, &error))?,
                };
            }
        }
        if self.row_numbers {
            arrays.push(Arc::new(Int64Array::from_iter_values(first..first + rows as i64)));
        }
        let schema = self.schema_for(&arrays);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(schema, arrays, &options)?))
    }

    /// Of the next rows those that meet the conditions, column by column.
    fn next_left(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.control.check()?;
            let rows = self.chunk_rows.min(self.morsel.rows - self.done);
            let Decoder::Flat(flat) = &mut self.decoder else {
                return Err(Error::internal("a morsel of another kind"));
            };
            if rows == 0 {
                return Ok(None);
            }
            let left = flat.next(rows);
            let left = left.map_err(|error| self.of_column(error))?;
            let first = self.morsel.first_row as i64 + self.done as i64;
            self.done += rows;
            self.given = rows;
            if left.rows == 0 {
                self.control.succeed(1, rows as u64);
                continue;
            }
            let mut arrays = left.columns;
            if self.row_numbers {
                let places = left.selection.places(rows);
                let numbers = places.into_iter().map(|place| first + i64::from(place));
                arrays.push(Arc::new(Int64Array::from_iter_values(numbers)));
            }
            let schema = self.schema_for(&arrays);
            let options = RecordBatchOptions::new().with_row_count(Some(left.rows));
            return Ok(Some(RecordBatch::try_new_with_options(schema, arrays, &options)?));
        }
    }

    /// The rows of a chunk that meet the scan's conditions.
    pub fn keep(&self, scan: &Scan, predicate: &Predicate, chunk: &RecordBatch) -> Result<RecordBatch> {
        if self.filtered {
            return Ok(chunk.clone());
        }
        let kept = predicate.keep(chunk)?;
        if let Some(early) = &scan.early {
            early.note(chunk.num_rows(), kept.num_rows());
        }
        Ok(kept)
    }

    /// To be called when a chunk is done with.
    pub fn finished(&self, rows: usize) {
        match &self.decoder {
            Decoder::Flat(_) => self.control.succeed(1, self.given as u64),
            // The rows that were left out count as well, all of them at the end.
            _ if self.filtered => {}
            _ => self.control.succeed(1, rows as u64),
        }
    }

    fn decode(&mut self) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        self.decode_next().map_err(|error| self.of_column(error))
    }

    fn of_column(&self, error: Error) -> Error {
        match self.broken_column() {
            Some(column) => error.of_column(column),
            None => error,
        }
    }

    /// Which of the columns cannot be read: each is tried alone, where that needs no second fetch.
    fn broken_column(&self) -> Option<Arc<str>> {
        let Source::Parquet(source) = &self.source else { return None };
        let file = &source.files[self.morsel.file];
        if !matches!(file.file.place, crate::io::location::Place::Local(_)) {
            return None;
        }
        let group = self.morsel.row_group;
        let broken = self.columns.iter().find(|column| file.column_is_broken(source, group, **column));
        broken.map(|column| source.columns[*column].field.name.clone())
    }

    /// Makes the decoder ready. Meeting conditions early is work: it is not done where bytes are fetched.
    fn begin(&mut self) -> Result<()> {
        let Decoder::Planned { builder, early, order, file: number } = &mut self.decoder else {
            return Ok(());
        };
        let (Some(builder), Source::Parquet(source)) = (builder.take(), &self.source) else {
            return Err(Error::internal("a morsel is decoded once"));
        };
        let file = &source.files[*number];
        self.filtered = early.pays();
        let filter = self.filtered.then(|| early.filter(file, &source.columns));
        let built = guarded(&file.file.name, || match filter {
            Some(filter) => builder.with_row_filter(filter).build(),
            None => builder.build(),
        });
        self.control.check()?;
        let (reader, order, file) = (Box::new(built?), std::mem::take(order), *number);
        self.decoder = Decoder::Parquet { reader, order, file };
        Ok(())
    }

    fn decode_next(&mut self) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        self.begin()?;
        match &mut self.decoder {
            Decoder::Planned { .. } | Decoder::Flat(_) => Err(Error::internal("a decoder that is not ready")),
            Decoder::Parquet { reader, order, file } => {
                let Source::Parquet(source) = &self.source else {
                    return Err(Error::internal("a Parquet morsel of another source"));
                };
                let file = &source.files[*file];
                let next =
                    guarded(&file.file.name, || reader.next().transpose().map_err(ParquetError::from))?;
                let Some(batch) = next else { return Ok(None) };
                let arrays = completed(&batch, order, &self.columns, &source.columns, &file.origins)?;
                Ok(Some((arrays, batch.num_rows())))
            }
            Decoder::Rows { file, at } => {
                let Source::Parquet(source) = &self.source else {
                    return Err(Error::internal("a Parquet morsel of another source"));
                };
                let rows = self.chunk_rows.min(self.morsel.rows - *at);
                if rows == 0 {
                    return Ok(None);
                }
                *at += rows;
                let file = &source.files[*file];
                let arrays = self
                    .columns
                    .iter()
                    .map(|column| file.origins[*column].filled(&source.columns[*column], rows));
                Ok(Some((arrays.collect::<Result<_>>()?, rows)))
            }
            Decoder::Files { reading, order } => {
                let Source::Files(source) = &self.source else {
                    return Err(Error::internal("a part of a file of another source"));
                };
                let Some(batch) = reading.next_batch()? else { return Ok(None) };
                let origins = &source.files[self.morsel.file].origins;
                let arrays = completed(&batch, order, &self.columns, &source.columns, origins)?;
                Ok(Some((arrays, batch.num_rows())))
            }
            Decoder::Memory { source, at } => {
                let rows = self.chunk_rows.min(self.morsel.rows - *at);
                if rows == 0 {
                    return Ok(None);
                }
                let batch = &source.batches[self.morsel.file];
                let offset = self.morsel.offset + *at;
                *at += rows;
                let arrays =
                    self.columns.iter().map(|column| batch.column(*column).slice(offset, rows)).collect();
                Ok(Some((arrays, rows)))
            }
        }
    }

    fn schema_for(&mut self, arrays: &[ArrayRef]) -> SchemaRef {
        if let Some(schema) = &self.schema {
            let same = schema
                .fields()
                .iter()
                .zip(arrays)
                .all(|(field, array)| field.data_type() == array.data_type());
            if same {
                return schema.clone();
            }
        }
        let columns = self.source.columns();
        let names = self.columns.iter().map(|column| &*columns[*column].field.name).chain([ROW]);
        let fields: Vec<_> = names
            .zip(arrays)
            .map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        self.schema = Some(schema.clone());
        schema
    }

    fn file_name(&self) -> String {
        match &self.source {
            Source::Parquet(source) => source.files[self.morsel.file].file.name.to_string(),
            Source::Files(source) => source.files[self.morsel.file].name.to_string(),
            Source::Memory(_) => "data in memory".to_owned(),
        }
    }

    fn short(&self) -> Error {
        let name = self.file_name();
        Error::new(
            Code::SourceUnreadable,
            format!(
                "file `{name}` gave {} of the {} rows its footer promises for row group {}",
                self.done, self.morsel.rows, self.morsel.row_group
            ),
        )
        .hint("The file is damaged; write it again or leave it out")
        .detail("file", name)
    }

    fn unconvertible(&self, column: &str, error: &arrow::error::ArrowError) -> Error {
        let name = self.file_name();
        Error::new(
            Code::SourceUnreadable,
            format!("column `{column}` of `{name}` cannot be converted: {error}"),
        )
        .hint("Write the column with one of the documented types")
        .detail("file", name)
        .detail("column", column)
    }
}
