//! A source of files of one format other than Parquet: opened, columns reconciled, rows numbered across files.

mod avro;
mod compression;
mod csv;
mod data;
mod hadoop;
mod infer;
mod ipc;
mod json;
mod numbers;
mod room;
mod shape;
pub mod spool;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use self::compression::Compression;
pub use self::data::Data;
use self::data::Opening;
use self::infer::Seen;
pub use self::room::Room;
use super::SourceColumn;
use super::hive::{self, Partitions};
use super::options::ReadOptions;
use super::reconcile::{Origin, Reconciled, reconcile_some};
use crate::error::{Code, Error, Result};
use crate::io::location::FileRef;

/// What can be wrong with a file's content; its name is added by whoever opened it.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Fault>> + Send>;

/// Files that are fetched at the same time; as many as there are threads are looked through.
const AT_ONCE: usize = 16;

/// A file format: how a file of it is opened.
pub trait Format: Send + Sync {
    /// As tasks name it.
    fn name(&self) -> &'static str;

    /// As people do.
    fn title(&self) -> &'static str;

    /// How names of its files end, in lower case and without what says the compression.
    fn endings(&self) -> &'static [&'static str];

    /// Files of text are compressed as a whole; the others compress within.
    fn is_text(&self) -> bool {
        false
    }

    /// The read options that it takes.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads as much of a file as it takes to know its columns and its rows. Blocks.
    fn open(&self, data: Data, ending: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault>;
}

/// What the opening of a file may use.
pub struct With<'a> {
    /// Where what has to be written down is kept, without a name.
    pub spool: &'a Path,
    pub threads: usize,
    pub options: &'a ReadOptions,
    /// For values that are read right after the opening: none where they may not be.
    pub room: Option<Arc<Room>>,
}

/// A file whose columns and rows are known.
pub trait Opened: Send + Sync {
    fn schema(&self) -> SchemaRef;

    /// The rows of each part that is read by itself, in order.
    fn parts(&self) -> &[usize];

    /// Some columns of a part, in the order of the file's own, in batches of about as many rows. Blocks.
    fn read(
        &self,
        part: usize,
        columns: &[usize],
        rows: usize,
        read: &Arc<AtomicU64>,
    ) -> Result<Batches, Fault>;

    /// Whether a column may have missing values; asked of integers and booleans.
    fn may_miss(&self, column: usize) -> bool {
        self.schema().fields().get(column).is_none_or(|field| field.is_nullable())
    }

    /// What the values of its columns have in common, where the format says nothing of types.
    fn seen(&self) -> Vec<(&str, Seen)> {
        Vec::new()
    }

    /// Takes the types that such columns have in all files together.
    fn settle(&mut self, _: &dyn Fn(&str) -> Option<DataType>) {}
}

/// Every format but Parquet.
pub fn formats() -> &'static [&'static dyn Format] {
    FORMATS
}

/// A new one is a line here.
const FORMATS: &[&dyn Format] = &[&csv::Csv, &json::JsonLines, &ipc::Ipc, &avro::Avro];

/// The names of all formats that are read.
pub fn names() -> Vec<&'static str> {
    std::iter::once("parquet").chain(FORMATS.iter().map(|format| format.name())).collect()
}

/// What a file's name says.
#[derive(Clone, Copy)]
pub struct Told {
    /// None for Parquet.
    pub format: Option<&'static dyn Format>,
    pub ending: &'static str,
    compression: Option<Compression>,
}

impl Told {
    pub fn title(&self) -> &'static str {
        self.format.map_or("Parquet", Format::title)
    }

    pub fn is_parquet(&self) -> bool {
        self.format.is_none()
    }
}

const PARQUET: [&str; 3] = [".parquet", ".parq", ".pq"];

/// The format that a file's name tells, if it does.
pub fn told(name: &str) -> Option<Told> {
    let lower = name.to_ascii_lowercase();
    if let Some(ending) = PARQUET.into_iter().find(|ending| lower.ends_with(ending)) {
        return Some(Told { format: None, ending, compression: None });
    }
    let (stem, compression) = compression::told(&lower);
    FORMATS.iter().find_map(|format| {
        let ending = format.endings().iter().find(|ending| stem.ends_with(*ending))?;
        if compression.is_some() && !format.is_text() {
            return None;
        }
        Some(Told { format: Some(*format), ending, compression })
    })
}

/// The same for a file of which the user says the format.
pub fn said(name: &str, format: &str) -> Result<Told> {
    if format == "parquet" {
        return Ok(Told { format: None, ending: PARQUET[0], compression: None });
    }
    let known = FORMATS.iter().find(|known| known.name() == format);
    let Some(known) = known else {
        let error = Error::new(Code::InvalidTask, format!("there is no format `{format}`"));
        return Err(error.hint(format!("Known are {}", names().join(", "))).detail("path", "input.format"));
    };
    let lower = name.to_ascii_lowercase();
    let (stem, compression) = compression::told(&lower);
    let ending = known.endings().iter().find(|ending| stem.ends_with(*ending)).or(known.endings().first());
    let compression = compression.filter(|_| known.is_text());
    Ok(Told { format: Some(*known), ending: ending.copied().unwrap_or_default(), compression })
}

pub struct FilesSource {
    pub title: &'static str,
    pub columns: Vec<SourceColumn>,
    pub files: Vec<File>,
    /// Of each file its size, and what changes when it does.
    pub stamps: Vec<(u64, Arc<str>)>,
    /// What was said of how they are read.
    pub read_as: String,
}

pub struct File {
    pub name: Arc<str>,
    opened: Box<dyn Opened>,
    /// Number of this file's first row in the whole source.
    pub first_row: u64,
    /// For each column of the source where this file has it.
    pub origins: Vec<Origin>,
}

impl FilesSource {
    /// Opens files of one format. What is compressed or remote is kept in `spool`, without a name, while it is needed.
    /// Dropping the future ends what its threads do. `room` is for values that are read right after.
    pub async fn open(
        files: Vec<(FileRef, Told)>,
        spool: &Path,
        threads: usize,
        options: &Arc<ReadOptions>,
        room: Option<Room>,
    ) -> Result<Self> {
        let opening = Opening::default();
        let room = &room.map(Arc::new);
        // What the names of directories say needs no file.
        let partitions = hive::partitions(files.iter().map(|(file, _)| file))?;
        let title = files.first().map_or("", |(_, told)| told.title());
        let bytes: u64 = files.iter().map(|(file, _)| file.size).sum();
        let (gives_up, turns) = (&opening, &Semaphore::new(threads.max(1)));
        let opened = files.into_iter().map(|(file, told)| async move {
            let Some(format) = told.format else {
                return Err(Error::internal("a Parquet file among others"));
            };
            options.suit(title, format.options())?;
            let data = Data::of(&file, spool, gives_up).await?;
            let turn = turns.acquire().await;
            let _turn = turn.map_err(|_| Error::internal("files are opened that nobody waits for"))?;
            let threads = share(threads, file.size, bytes);
            let (name, spool, room, options) =
                (file.name.clone(), spool.to_path_buf(), room.clone(), options.clone());
            let work = move || {
                guarded(&name, title, || {
                    let data = match told.compression {
                        Some(compression) => compression.decompressed(&data, &spool)?,
                        None => data,
                    };
                    let with = With { spool: &spool, threads, options: &options, room };
                    format.open(data, told.ending, &with)
                })
            };
            let found = tokio::task::spawn_blocking(work).await;
            let found = found.map_err(|_| Error::internal("the opening of a file was aborted"))?;
            Ok(((file.name, found?), (file.size, file.stamp)))
        });
        let opened: Vec<_> = stream::iter(opened).buffered(AT_ONCE.max(threads)).try_collect().await?;
        let (mut opened, stamps): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        opening.done();
        settle(&mut opened);
        let there: Vec<_> = opened.iter().map(|(_, file)| file.schema()).collect();
        let there = there.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().as_str()));
        options.check_columns(&there.collect::<Vec<_>>())?;
        let mut source = Self::reconcile(title, opened, &partitions, options.columns.as_deref())?;
        source.stamps = stamps;
        source.read_as = format!("{options:?}");
        Ok(source)
    }

    fn reconcile(
        title: &'static str,
        opened: Vec<(Arc<str>, Box<dyn Opened>)>,
        partitions: &Partitions,
        only: Option<&[String]>,
    ) -> Result<Self> {
        let schemas: Vec<_> = opened.iter().map(|(name, file)| (name.clone(), file.schema())).collect();
        let Reconciled { mut columns, files: origins } = reconcile_some(&schemas, partitions, only)?;
        let mut files: Vec<File> = Vec::with_capacity(opened.len());
        let mut first_row = 0;
        for ((name, opened), origins) in opened.into_iter().zip(origins) {
            let rows: usize = opened.parts().iter().sum();
            files.push(File { name, opened, first_row, origins });
            first_row += rows as u64;
        }
        // What no row says anything of is as pandas has it: missing numbers; without rows, texts.
        let unknown = if first_row == 0 { DataType::Utf8View } else { DataType::Float64 };
        for column in columns.iter_mut().filter(|column| column.arrow == DataType::Null) {
            *column = SourceColumn::new(&column.field.name, &unknown);
        }
        Ok(Self { title, columns, files, stamps: Vec::new(), read_as: String::new() })
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().flat_map(|file| file.opened.parts()).map(|rows| *rows as u64).sum()
    }
}

impl File {
    /// Whether a column of the file's own may have missing values; asked of integers and booleans.
    pub fn may_miss(&self, column: usize) -> bool {
        self.opened.may_miss(column)
    }

    pub fn parts(&self) -> &[usize] {
        self.opened.parts()
    }

    /// The batches of a part, and where in them each of the source's `columns` is, if it is in the file.
    pub fn read(
        &self,
        title: &'static str,
        part: usize,
        columns: &[usize],
        rows: usize,
        read: &Arc<AtomicU64>,
    ) -> Result<(Reading, Vec<Option<usize>>)> {
        let place = |column: &usize| self.origins[*column].place();
        let mut kept: Vec<usize> = columns.iter().filter_map(place).collect();
        kept.sort_unstable();
        let among = |place| kept.partition_point(|other| *other < place);
        let order = columns.iter().map(|column| place(column).map(among)).collect();
        let mut reading = Reading {
            name: self.name.clone(),
            title,
            batches: Box::new(std::iter::empty()),
            rest: None,
            rows,
        };
        if kept.is_empty() {
            // Rows alone are known already.
            let options = RecordBatchOptions::new().with_row_count(self.parts().get(part).copied());
            let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
            reading.rest = Some(rows);
        } else {
            reading.batches = guarded(&self.name, title, || self.opened.read(part, &kept, rows, read))?;
        }
        Ok((reading, order))
    }
}

/// Types that values tell are those of the values of all files, as if the files were one.
fn settle(opened: &mut [(Arc<str>, Box<dyn Opened>)]) {
    let mut together: HashMap<String, Seen> = HashMap::new();
    for (_, file) in &*opened {
        for (name, seen) in file.seen() {
            together.entry(name.to_owned()).or_default().and(&seen);
        }
    }
    for (_, file) in opened {
        file.settle(&|name| together.get(name).map(Seen::data_type));
    }
}

/// The rows of a part, at most so many at a time.
pub struct Reading {
    name: Arc<str>,
    title: &'static str,
    batches: Batches,
    rest: Option<RecordBatch>,
    rows: usize,
}

impl Reading {
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.rest.as_ref().is_none_or(|rest| rest.num_rows() == 0) {
            let next = guarded(&self.name, self.title, || self.batches.next().transpose())?;
            let Some(next) = next else { return Ok(None) };
            self.rest = Some(next);
        }
        let Some(rest) = self.rest.take() else { return Ok(None) };
        let rows = rest.num_rows().min(self.rows);
        if rows < rest.num_rows() {
            self.rest = Some(rest.slice(rows, rest.num_rows() - rows));
        }
        Ok(Some(rest.slice(0, rows)))
    }
}

/// How many of the threads open a file of so many bytes beside others.
fn share(threads: usize, file: u64, all: u64) -> usize {
    let part = u128::from(file) * threads as u128;
    usize::try_from(part.div_ceil(u128::from(all.max(1)))).unwrap_or(threads).clamp(1, threads.max(1))
}

/// What `work` makes of each number up to `count`, by several threads.
fn side_by_side<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(number)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(some)).collect();
        let mut done = some();
        for thread in others {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

/// Damaged bytes can make a decoder panic: that too is an error of the file.
fn guarded<T>(name: &str, title: &str, work: impl FnOnce() -> Result<T, Fault>) -> Result<T> {
    let why = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "its parts contradict each other".to_owned(),
    };
    let why = why.lines().next().unwrap_or_default();
    Err(Error::new(Code::SourceUnreadable, format!("file `{name}` cannot be read as {title}: {why}"))
        .hint("The file is damaged, cut off, of another format, or needs other `readOptions`; write it again or leave it out")
        .detail("file", name))
}

fn fault(error: ArrowError) -> Fault {
    match error {
        ArrowError::ParquetError(text)
        | ArrowError::IpcError(text)
        | ArrowError::ParseError(text)
        | ArrowError::AvroError(text)
        | ArrowError::JsonError(text)
        | ArrowError::SchemaError(text)
        | ArrowError::InvalidArgumentError(text) => text.into(),
        other => other.to_string().into(),
    }
}
