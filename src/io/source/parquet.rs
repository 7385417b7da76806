//! A source of Parquet files: footers read, schemas reconciled, rows numbered across files.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::SourceColumn;
use super::declared::Declared;
use super::footers::{FileKey, Footers};
use super::hive::{self, Partitions};
use super::pages::{int96, schema};
use super::partial::{self, Pending};
use super::reconcile::{Origin, Reconciled, reconcile_some};
use crate::error::{Code, Error, Result};
use crate::io::fetch::Object;
use crate::io::location::{FileRef, Place, unreadable};
use crate::io::look::TAIL;
use crate::io::ranged::Ranged;
use crate::plan::DType;

/// Footers asked for at the same time.
pub(super) const FOOTERS_AT_ONCE: usize = 32;

/// A file, and its footer if that was read.
pub(super) type Looked = (FileRef, Option<Arc<ParquetMetaData>>);

pub struct ParquetSource {
    pub columns: Vec<SourceColumn>,
    pub files: Vec<ParquetFile>,
    /// The `pandas` entry of the first file's metadata, if it has one.
    pub pandas: Option<String>,
    /// Where it is not known yet which files matter.
    pub pending: Option<Pending>,
}

pub struct ParquetFile {
    pub file: FileRef,
    pub rows: u64,
    /// Number of this file's first row in the whole source.
    pub first_row: u64,
    /// For each column of the source where this file has it.
    pub origins: Vec<Origin>,
    pub footer: Arc<ParquetMetaData>,
    /// Whether its footer was read; else it counts as if it had no rows.
    pub opened: bool,
    /// The file's own Arrow schema.
    pub schema: SchemaRef,
    /// What the decoder needs, for each choice of columns that stay dictionaries.
    readers: Mutex<HashMap<Vec<usize>, ArrowReaderMetadata>>,
}

/// What pandas writes into a file about its index.
#[derive(serde::Deserialize)]
struct PandasNotes {
    #[serde(default)]
    index_columns: Vec<serde_json::Value>,
    #[serde(default)]
    columns: Vec<PandasColumn>,
}

#[derive(serde::Deserialize)]
struct PandasColumn {
    #[serde(default)]
    name: serde_json::Value,
    #[serde(default)]
    field_name: serde_json::Value,
}

impl ParquetSource {
    /// The columns that were the index of the pandas object that was written, each with the name it had.
    pub fn index(&self) -> Vec<(Arc<str>, Option<String>)> {
        let notes = self.pandas.as_deref().and_then(|text| serde_json::from_str::<PandasNotes>(text).ok());
        let Some(notes) = notes else { return Vec::new() };
        // A range is described, not stored: only names are columns.
        let names = notes.index_columns.iter().filter_map(|column| column.as_str());
        let stored = names.filter_map(|name| {
            let column = self.columns.iter().find(|column| *column.field.name == *name)?;
            let said = notes.columns.iter().find(|column| column.field_name.as_str() == Some(name));
            let label = match said.map(|said| &said.name) {
                None => Some(name.to_owned()),
                Some(serde_json::Value::Null) => None,
                Some(serde_json::Value::String(label)) => Some(label.clone()),
                Some(other) => Some(other.to_string()),
            };
            // How pandas' older writers have called a level without a name.
            Some((column.field.name.clone(), label.filter(|label| !is_level(label))))
        });
        stored.collect()
    }

    /// The range that was the index of the pandas object that was written, where rows are not just counted from 0: its
    /// name, its start and its step. Several files have no range in common.
    pub fn range(&self) -> Option<(Option<String>, i64, i64)> {
        let [_] = self.files.as_slice() else { return None };
        let notes = serde_json::from_str::<PandasNotes>(self.pandas.as_deref()?).ok()?;
        let [only] = notes.index_columns.as_slice() else { return None };
        let name = only.get("name").and_then(|name| name.as_str()).map(str::to_owned);
        let (start, step) = (only.get("start")?.as_i64()?, only.get("step")?.as_i64()?);
        (name.is_some() || (start, step) != (0, 1)).then_some((name, start, step))
    }

    /// With these columns, if not all.
    pub async fn open(files: Vec<FileRef>, footers: &Footers, only: Option<&[String]>) -> Result<Self> {
        // What the names of directories say needs no file.
        let partitions = hive::partitions(files.iter())?;
        Self::of(Self::footers(files, footers).await?, &partitions, None, only)
    }

    /// Files of a table that has a log of its own, which says their columns and the values that are the same in a file.
    pub async fn declared(files: Vec<FileRef>, declared: &Declared, footers: &Footers) -> Result<Self> {
        let partitions = declared.partitions()?;
        Self::of(Self::footers(files, footers).await?, &partitions, Some(&declared.schema), None)
    }

    async fn footers(files: Vec<FileRef>, footers: &Footers) -> Result<Vec<Looked>> {
        let opened = futures::stream::iter(files)
            .map(|file| async move {
                let footer = footer(&file, footers).await?;
                Ok::<_, Error>((file, Some(footer)))
            })
            .buffered(FOOTERS_AT_ONCE);
        opened.try_collect().await
    }

    pub(super) fn of(
        opened: Vec<Looked>,
        partitions: &Partitions,
        declared: Option<&SchemaRef>,
        only: Option<&[String]>,
    ) -> Result<Self> {
        let mut schemas = Vec::with_capacity(opened.len());
        let (mut pandas, mut first) = (None, true);
        for (file, footer) in &opened {
            let Some(footer) = footer else {
                schemas.push((file.name.clone(), Arc::new(Schema::empty())));
                continue;
            };
            let reader = guarded(&file.name, || {
                ArrowReaderMetadata::try_new(footer.clone(), ArrowReaderOptions::new())
            })?;
            let schema = int96::as_written(reader.schema(), footer, declared.is_some());
            if std::mem::take(&mut first) {
                pandas = schema.metadata().get("pandas").cloned().or_else(|| {
                    let entries = footer.file_metadata().key_value_metadata()?;
                    entries.iter().find(|entry| entry.key == "pandas")?.value.clone()
                });
            }
            schemas.push((file.name.clone(), schema));
        }
        // What is declared comes before the files, as if it were one of them.
        let before = declared.map(|schema| (Arc::from("the table's log"), schema.clone()));
        let all: Vec<_> = before.into_iter().chain(schemas.iter().cloned()).collect();
        let only = only.map(|only| with_index(only, pandas.as_deref(), &all));
        let Reconciled { columns, files: origins } = reconcile_some(&all, partitions, only.as_deref())?;
        let origins = origins.into_iter().skip(all.len() - schemas.len());
        let pandas = pandas.filter(|_| declared.is_none());
        let mut files: Vec<ParquetFile> = Vec::with_capacity(opened.len());
        let mut first_row = 0;
        for (((file, footer), (_, schema)), origins) in opened.into_iter().zip(schemas).zip(origins) {
            let (opened, readers) = (footer.is_some(), Mutex::default());
            let footer = footer.map_or_else(partial::nothing, Ok)?;
            let rows = footer.row_groups().iter().map(|group| group.num_rows().max(0) as u64).sum();
            files.push(ParquetFile { file, rows, first_row, origins, footer, opened, schema, readers });
            first_row += rows;
        }
        Ok(Self { columns, files, pandas, pending: None })
    }
}

fn is_level(label: &str) -> bool {
    let number = label.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The columns that are asked for, and those that are the index of the pandas object that was written: as in pandas, it
/// comes along.
fn with_index(only: &[String], pandas: Option<&str>, files: &[(Arc<str>, SchemaRef)]) -> Vec<String> {
    let notes = pandas.and_then(|notes| serde_json::from_str::<PandasNotes>(notes).ok());
    let index = notes.into_iter().flat_map(|notes| notes.index_columns);
    let there = |name: &str| files.iter().any(|(_, schema)| schema.field_with_name(name).is_ok());
    let index = index.filter_map(|name| name.as_str().map(str::to_owned));
    let more = index.filter(|name| !only.contains(name) && there(name)).collect::<Vec<_>>();
    only.iter().cloned().chain(more).collect()
}

impl ParquetFile {
    /// Whether every data page of a column's chunk is dictionary-encoded, so that codes come for free.
    pub fn is_dictionary(&self, row_group: usize, column: usize) -> bool {
        let Some(leaf) = self.leaf(column) else { return false };
        let bytes = self.found(column).is_some_and(|found| is_bytes(dictionary_value(found)));
        let chunk = self.footer.row_group(row_group).column(leaf);
        bytes
            && chunk.dictionary_page_offset().is_some()
            && chunk.page_encoding_stats_mask().is_some_and(|mask| {
                mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY)
            })
    }

    /// The type that a column has in this file, if it is there.
    pub fn found(&self, column: usize) -> Option<&DataType> {
        Some(self.schema.field(self.origins.get(column)?.place()?).data_type())
    }

    /// Whether the file has another type for a column than the source.
    pub fn widens(&self, columns: &[SourceColumn], column: usize) -> bool {
        self.found(column).is_some_and(|found| DType::from_arrow(found) != columns[column].field.dtype)
    }

    /// Whether the file has a column as the source has it, though texts may be held in another way.
    pub fn has(&self, columns: &[SourceColumn], column: usize) -> bool {
        let wanted = &columns[column].arrow;
        self.found(column).map(dictionary_value).is_some_and(|found| match wanted {
            DataType::Utf8View => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
            DataType::BinaryView => {
                matches!(found, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
            }
            other => found == other,
        })
    }

    /// The leaf of a column that is in the file and not nested.
    pub fn leaf(&self, column: usize) -> Option<usize> {
        let root = self.origins.get(column)?.place()?;
        let schema = self.footer.file_metadata().schema_descr();
        let mut leaves = (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == root);
        let leaf = leaves.next()?;
        leaves.next().is_none().then_some(leaf)
    }

    /// Every leaf of these columns.
    pub fn leaves(&self, columns: &[usize]) -> Vec<usize> {
        let roots: Vec<usize> = columns.iter().filter_map(|column| self.origins[*column].place()).collect();
        let schema = self.footer.file_metadata().schema_descr();
        (0..schema.num_columns()).filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))).collect()
    }

    /// Bytes that are fetched before these columns of a row group can be decoded.
    pub fn fetched(&self, row_group: usize, columns: &[usize]) -> u64 {
        match &self.file.place {
            Place::Local(_) => 0,
            Place::Remote(..) => {
                let group = self.footer.row_group(row_group);
                self.leaves(columns).iter().map(|leaf| group.column(*leaf).byte_range().1).sum()
            }
        }
    }

    /// The schema by which a column is decoded: strings as views, or as dictionaries where asked.
    pub fn reader(&self, columns: &[SourceColumn], dictionaries: &[usize]) -> Result<ArrowReaderMetadata> {
        let mut readers = self.readers.lock();
        if let Some(reader) = readers.get(dictionaries) {
            return Ok(reader.clone());
        }
        let mut fields: Vec<ArrowField> =
            self.schema.fields().iter().map(|field| (**field).clone()).collect();
        for (column, origin) in self.origins.iter().enumerate() {
            let Some(position) = origin.place() else { continue };
            let field = &mut fields[position];
            let target = match (&columns[column].arrow, dictionary_value(field.data_type())) {
                (DataType::Utf8View, value) if is_bytes(value) && dictionaries.contains(&column) => {
                    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
                }
                (view @ (DataType::Utf8View | DataType::BinaryView), value) if is_bytes(value) => {
                    view.clone()
                }
                (_, value) => value.clone(),
            };
            *field = field.clone().with_data_type(target);
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let reader = guarded(&self.file.name, || ArrowReaderMetadata::try_new(self.footer.clone(), options))?;
        readers.insert(dictionaries.to_vec(), reader.clone());
        Ok(reader)
    }

    /// Whether a column of a row group fails to be read on its own. Reads all of it: for errors only.
    pub fn column_is_broken(&self, source: &ParquetSource, row_group: usize, column: usize) -> bool {
        let outcome = || -> Result<()> {
            let metadata = self.reader(&source.columns, &[])?;
            let leaves = self.leaves(&[column]);
            let bytes = futures::executor::block_on(self.bytes(row_group, &leaves, &Arc::default()))?;
            let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
            let reader = ParquetRecordBatchReaderBuilder::<Ranged>::new_with_metadata(bytes, metadata)
                .with_row_groups(vec![row_group])
                .with_projection(mask);
            guarded(&self.file.name, || {
                reader.build()?.try_for_each(|batch| batch.map(drop)).map_err(ParquetError::from)
            })
        };
        outcome().is_err()
    }

    /// A local file opened for positioned reads.
    pub fn local(&self, path: &Path, read: &Arc<AtomicU64>) -> Result<Ranged> {
        let file = File::open(path).map_err(|error| unreadable(&self.file.name, &error))?;
        Ok(Ranged::Local { file: Arc::new(file), size: self.file.size, read: read.clone() })
    }

    /// Opens the file for positioned reads, or fetches the byte ranges of these leaves of a row group.
    pub async fn bytes(&self, row_group: usize, leaves: &[usize], read: &Arc<AtomicU64>) -> Result<Ranged> {
        match &self.file.place {
            Place::Local(path) => self.local(path, read),
            Place::Remote(store, path) => {
                let group = self.footer.row_group(row_group);
                let ranges: Vec<_> = leaves
                    .iter()
                    .map(|leaf| {
                        let (start, length) = group.column(*leaf).byte_range();
                        start..(start + length).min(self.file.size)
                    })
                    .collect();
                let object = Object { file: &self.file, store: store.as_ref(), path };
                let fetched = object.ranges(&ranges).await?;
                let total: u64 = fetched.iter().map(|bytes| bytes.len() as u64).sum();
                read.fetch_add(total, std::sync::atomic::Ordering::Relaxed);
                let parts = ranges.iter().map(|range| range.start).zip(fetched).collect();
                Ok(Ranged::fetched(self.file.size, parts))
            }
        }
    }
}

fn dictionary_value(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(data_type, D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Binary | D::LargeBinary | D::BinaryView)
}

/// A file's footer, as it was read before where the file is still the same.
pub(super) async fn footer(file: &FileRef, footers: &Footers) -> Result<Arc<ParquetMetaData>> {
    let opened = match &file.place {
        Place::Local(path) => Some(File::open(path).map_err(|error| unreadable(&file.name, &error))?),
        Place::Remote(..) => None,
    };
    let key = FileKey::of(file, opened.as_ref());
    if let Some(known) = key.as_ref().and_then(|key| footers.get(key)) {
        return Ok(known);
    }
    let footer = Arc::new(read_footer(file, opened).await?);
    if let Some(key) = key {
        let store = match &file.place {
            Place::Remote(store, _) => Some(store.clone()),
            Place::Local(_) => None,
        };
        footers.keep(key, store, &footer);
    }
    Ok(footer)
}

/// Keeps the footer of an object whose end is here, if that has all of it and the object can be told again; else it is
/// read when it is asked for.
pub fn keep_footer(file: &FileRef, tail: &Bytes, footers: &Footers) {
    let Some(key) = FileKey::of(file, None) else { return };
    let parsed = guarded(&file.name, || {
        let start = file.size.saturating_sub(tail.len() as u64);
        let found = footer_range(file.size, tail)?;
        found.start.checked_sub(start).map(|from| decoded(&tail[from as usize..tail.len() - END])).transpose()
    });
    if let (Ok(Some(footer)), Place::Remote(store, _)) = (parsed, &file.place) {
        footers.keep(key, Some(store.clone()), &Arc::new(footer));
    }
}

async fn read_footer(file: &FileRef, opened: Option<File>) -> Result<ParquetMetaData> {
    match (&file.place, opened) {
        (Place::Local(_), None) => Err(Error::internal("a local file that was not opened")),
        (Place::Local(_), Some(opened)) => {
            let read = Arc::default();
            let ranged = Ranged::Local { file: Arc::new(opened), size: file.size, read };
            // Reading blocks: between two files there may be a wish to stop.
            tokio::task::yield_now().await;
            guarded(&file.name, || {
                let length = file.size.min(END as u64);
                let end = ranged.get_bytes(file.size - length, length as usize)?;
                let found = footer_range(file.size, &end)?;
                decoded(&ranged.get_bytes(found.start, (found.end - found.start) as usize)?)
            })
        }
        (Place::Remote(store, path), _) => {
            let object = Object { file, store: store.as_ref(), path };
            let start = file.size.saturating_sub(TAIL);
            let tail = match file.size {
                0 => Bytes::new(),
                size => object.range(start..size).await?,
            };
            let found = guarded(&file.name, || footer_range(file.size, &tail))?;
            let footer = match found.start.checked_sub(start) {
                Some(from) => tail.slice(from as usize..tail.len() - END),
                None => object.range(found).await?,
            };
            guarded(&file.name, || decoded(&footer))
        }
    }
}

/// Bytes behind a footer: its length, and what a Parquet file ends with.
const END: usize = 8;

/// Where the footer lies in a file of this size that ends with these bytes.
fn footer_range(size: u64, tail: &[u8]) -> Result<Range<u64>, ParquetError> {
    let too_small =
        |needed| ParquetError::EOF(format!("Parquet file too small. Size is {size} but need {needed}"));
    let end = tail.last_chunk::<END>().ok_or_else(|| too_small(END))?;
    let end = FooterTail::try_new(end)?;
    if end.is_encrypted_footer() {
        return Err(ParquetError::General("its footer is encrypted".to_owned()));
    }
    let length = end.metadata_length();
    let behind = size.saturating_sub(END as u64);
    let start = behind.checked_sub(length as u64).ok_or_else(|| too_small(END + length))?;
    Ok(start..behind)
}

/// The one place where footers are decoded.
fn decoded(footer: &[u8]) -> Result<ParquetMetaData, ParquetError> {
    schema::check(footer)?;
    ParquetMetaDataReader::decode_metadata(footer)
}

/// Damaged bytes can make the decoder panic: that too is an error of the file.
pub fn guarded<T>(file: &str, decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    match std::panic::catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(broken(file, &error)),
        Err(_) => Err(broken(file, &ParquetError::General("its parts contradict each other".to_owned()))),
    }
}

/// A file that is there and is not a sound Parquet file.
pub fn broken(name: &str, error: &ParquetError) -> Error {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = ["Parquet error: ", "EOF: ", "Arrow: "]
        .iter()
        .fold(text, |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    Error::new(Code::SourceUnreadable, format!("file `{name}` cannot be read as Parquet: {text}"))
        .hint("The file is damaged, cut off or of another format; write it again or leave it out")
        .detail("file", name)
}
