//! Results of chunks that are to be written: kept on disk, in whatever order they come, until all are there.
//!
//! Only then the types of the columns are known: integers here and floats there become floats, as `pandas.concat` has it.
//! So memory is bounded by one result a worker, however slow the first chunk is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::ledger::Slice;
use super::values::Values;
use super::work::CallRun;
use crate::engine::control::Control;
use crate::error::{Code, Error, Result};
use crate::io::sink::gather::Gathering;
use crate::io::sink::part::Room;
use crate::io::sink::stage::Stage;
use crate::io::sink::target::{Target, Written};
use crate::io::sink::witness::Witness;
use crate::io::sink::{columns, lane};
use crate::runtime::run::{Finished, Finisher, Run};
use crate::worker::{Blob, Part};

/// Bytes of a result that are read at a time.
const BUFFER: usize = 256 << 10;

pub struct Gathered {
    url: String,
    /// Until it is shown or given up.
    stage: Mutex<Option<Arc<Stage>>>,
    budget: usize,
    room: Mutex<Option<Box<dyn Room>>>,
    witness: Option<Arc<dyn Witness>>,
    file: File,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    end: u64,
    /// By the chunks' numbers, and the first rows of their parts where they were run in parts: where the results lie.
    chunks: BTreeMap<(u64, u64), Range<u64>>,
    /// Of the first one that came, and the chunk's name.
    labels: Option<(Vec<Value>, String)>,
    /// Columns with types that hold those of all results so far; the last one has the rows' numbers.
    fields: Vec<Field>,
    /// Whether every result has all rows of its chunk.
    whole: bool,
}

/// What a worker says of a result.
#[derive(Deserialize)]
struct Facts {
    labels: Vec<Value>,
    whole: bool,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "results for {}", self.url)
    }
}

impl Gathered {
    /// Begins the write, so that what is in the way is told before any work. Blocks.
    pub fn new(target: Target, budget: usize, room: Box<dyn Room>, spool: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(spool).map_err(|error| unkept(&error))?;
        let witness = target.witness.clone();
        let (url, stage) = (target.url.clone(), Mutex::new(Some(Arc::new(Stage::begin(target)?))));
        let found = Mutex::new(Found { whole: true, ..Found::default() });
        Ok(Self { url, stage, budget, room: Mutex::new(Some(room)), witness, file, found })
    }

    /// What was staged goes, if it was not shown, and its key is free.
    fn release(&self) {
        drop(self.stage.lock().take());
        if let Some(witness) = &self.witness {
            witness.release();
        }
    }

    /// Takes the result of a chunk out of what a worker sent. Blocks.
    fn keep(&self, slice: &Slice, function: &str, part: &mut Part) -> Result<()> {
        if let (true, Some(blob)) = (part.failed.is_empty(), part.blobs.first()) {
            let label = slice.parcel.label.as_deref().unwrap_or_default();
            let place = (slice.number(), slice.extent().from);
            self.take(place, label, function, blob, &part.more)?;
            part.blobs.clear();
        }
        Ok(())
    }

    /// Writes what is kept, on a thread of its own, and ends the run.
    fn finish(self: Arc<Self>, run: Arc<Run>) {
        let ended = run.clone();
        let writing = std::thread::Builder::new().name("rlm-writing".to_owned()).spawn(move || {
            let _finisher = Finisher(run.clone());
            let written = self.write(&run.control);
            self.release();
            run.finish(written.map(Finished::Written));
        });
        if let Err(error) = writing {
            let error = Error::new(Code::OutOfMemory, format!("cannot start a thread to write: {error}"));
            ended.finish(Err(error.hint("Raise the limit of threads")));
        }
    }

    fn take(&self, chunk: (u64, u64), label: &str, function: &str, blob: &Blob, more: &Value) -> Result<()> {
        if let Some(what) = more.get("value").and_then(Value::as_str) {
            let message =
                format!("`{function}` returned {what} for {label}, and `output` takes rows of the chunk");
            return Err(Error::new(Code::InvalidTask, message)
                .hint("Return the chunk's own rows or some of them, with their index; or leave `output` out")
                .detail("path", "output"));
        }
        let facts =
            Facts::deserialize(more).map_err(|error| Error::internal(format!("of a result: {error}")))?;
        let bytes = blob.bytes();
        let schema = StreamReader::try_new(bytes, None)?.schema();
        let start = {
            let mut found = self.found.lock();
            found.learn(&schema, facts, label)?;
            let start = found.end;
            found.end += bytes.len() as u64;
            start
        };
        self.file.write_all_at(bytes, start).map_err(|error| unkept(&error))?;
        self.found.lock().chunks.insert(chunk, start..start + bytes.len() as u64);
        Ok(())
    }

    /// Writes what is kept, in the order of the rows, and shows it. Blocks.
    fn write(&self, control: &Control) -> Result<Written> {
        let stage = self.stage.lock().clone().ok_or_else(|| Error::internal("a write that was given up"))?;
        let found = std::mem::take(&mut *self.found.lock());
        let Some((labels, _)) = &found.labels else {
            return Err(Error::new(
                Code::CombineRequired,
                "the source has no rows, so the operation was not called and what it returns is not known",
            )
            .hint("Check for rows before, or give the operation a source that has some"));
        };
        // Without a chunk in the middle the rows are not numbered on from one to the next.
        let mut numbers: Vec<u64> = found.chunks.keys().map(|(chunk, _)| *chunk).collect();
        numbers.dedup();
        let complete = numbers.iter().copied().eq(0..numbers.len() as u64);
        let numbered = !complete || !found.whole;
        let mut fields = found.fields;
        let numbers = fields.pop().ok_or_else(|| Error::internal("a result without its rows' numbers"))?;
        let names = labels.iter().map(|label| match label {
            Value::Null => "value".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let mut named: Vec<Field> =
            fields.into_iter().zip(names).map(|(field, name)| field.with_name(name)).collect();
        let last = named.len();
        let mut order: Vec<usize> = (0..last).collect();
        if numbered {
            named.insert(0, numbers.with_name("index"));
            order.insert(0, last);
        }
        let schema: SchemaRef = Arc::new(Schema::new(named));
        let stored = columns(&stage.target, &schema)?;
        let room = self.room.lock().take().ok_or_else(|| Error::internal("results are written once"))?;
        let mut lane = lane(stage.clone(), stored, 0, self.budget, room, &Arc::new(Gathering::new(1, 1)))?;
        for range in found.chunks.into_values() {
            let reader = BufReader::with_capacity(BUFFER, Stretch { file: &self.file, range });
            for batch in StreamReader::try_new(reader, None)? {
                control.check()?;
                lane.write(&fitting(&batch?, &order, &schema)?)?;
            }
        }
        control.check_clock()?;
        let files = stage.commit(lane.finish(true)?, &|| control.show())?;
        Ok(Written { url: self.url.clone(), files, skipped: false })
    }
}

impl CallRun {
    /// Puts the result of a chunk where it waits to be written.
    pub(super) fn gather(&self, unit: u64, part: &mut Part) -> Result<()> {
        let Some(gathered) = &self.spec.gathered else { return Ok(()) };
        let Some(slice) = self.state.lock().ledger.running(unit).cloned() else { return Ok(()) };
        gathered.keep(&slice, &self.spec.function.name, part)
    }

    /// Whoever writes is to stop, unless it is seen already.
    pub fn give_up_writing(&self) {
        if let Some(gathered) = self.spec.gathered.as_ref().filter(|_| !self.run.control.shows())
            && let Some(stage) = &*gathered.stage.lock()
        {
            stage.place.stop();
        }
    }
}

/// Gives a run its end; where its results are to be written, by a thread that does that.
pub fn conclude(gathered: Option<&Arc<Gathered>>, run: &Arc<Run>, outcome: Result<Values>) {
    match (gathered, outcome) {
        (Some(gathered), Ok(values)) => {
            // Of a chunk that was run in parts some may have been there when it was given up.
            gathered.found.lock().chunks.retain(|(chunk, _), _| !values.failures.contains_key(chunk));
            gathered.clone().finish(run.clone());
        }
        (Some(gathered), Err(error)) => {
            gathered.release();
            run.finish(Err(error));
        }
        (None, outcome) => run.finish(outcome.map(Finished::Values)),
    }
}

impl Found {
    fn learn(&mut self, schema: &Schema, facts: Facts, label: &str) -> Result<()> {
        let Some((labels, first)) = &self.labels else {
            self.whole = facts.whole;
            self.fields = schema.fields().iter().map(|field| plain(field)).collect();
            self.labels = Some((facts.labels, label.to_owned()));
            return Ok(());
        };
        if *labels != facts.labels || self.fields.len() != schema.fields().len() {
            let shown = |labels: &[Value]| Value::from(labels.to_vec()).to_string();
            return Err(Error::new(
                Code::CombineRequired,
                format!(
                    "the operation returned columns {} for {label} and {} for {first}",
                    shown(&facts.labels),
                    shown(labels)
                ),
            )
            .hint("Return the same columns for every chunk"));
        }
        self.whole &= facts.whole;
        for (place, (known, field)) in self.fields.iter_mut().zip(schema.fields()).enumerate() {
            let found = plain(field);
            let Some(wider) = wider(known.data_type(), found.data_type()) else {
                let column = labels.get(place).map(Value::to_string).unwrap_or_default();
                let (new, old) = (found.data_type(), known.data_type());
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!(
                        "the operation returned column {column} as {new} for {label} and as {old} before"
                    ),
                )
                .hint("Convert the column to one type in the operation")
                .detail("column", column));
            };
            *known = known.clone().with_data_type(wider);
        }
        Ok(())
    }
}

/// A column as it is written: categories are their values, whose numbers differ between chunks.
fn plain(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    Field::new("", data_type, true)
}

/// The type that holds two others.
fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::{Float64, Int64, LargeUtf8, Null, Timestamp, Utf8};
    Some(match (one, other) {
        (one, other) if one == other => one.clone(),
        (Null, other) => other.clone(),
        (one, Null) => one.clone(),
        (Utf8 | LargeUtf8, Utf8 | LargeUtf8) => LargeUtf8,
        (one, other) if one.is_numeric() && other.is_numeric() => {
            let fits =
                |data_type: &DataType| data_type.is_signed_integer() || data_type.is_unsigned_integer();
            match (fits(one), fits(other)) {
                (true, true) if *one != DataType::UInt64 && *other != DataType::UInt64 => Int64,
                (true, true) => return None,
                _ if one.is_floating() && other.is_floating() || fits(one) || fits(other) => {
                    let decimal = |data_type: &DataType| !fits(data_type) && !data_type.is_floating();
                    if decimal(one) || decimal(other) {
                        return None;
                    }
                    Float64
                }
                _ => return None,
            }
        }
        (Timestamp(one, zone), Timestamp(other, same)) if zone == same => {
            Timestamp(std::cmp::max_by_key(*one, *other, |unit| fineness(*unit)), zone.clone())
        }
        _ => return None,
    })
}

fn fineness(unit: arrow::datatypes::TimeUnit) -> u8 {
    use arrow::datatypes::TimeUnit;
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

fn fitting(batch: &RecordBatch, order: &[usize], schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = order.iter().zip(schema.fields());
    let columns = columns.map(|(place, field)| cast(batch.column(*place), field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn unkept(error: &io::Error) -> Error {
    Error::new(Code::OutputFailed, format!("results cannot be kept until they are written: {error}"))
        .hint("Free room in `spill_dir`, or name another directory there")
}

/// A part of a file.
struct Stretch<'a> {
    file: &'a File,
    range: Range<u64>,
}

impl Read for Stretch<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let most = bytes.len().min(left);
        let read = self.file.read_at(&mut bytes[..most], self.range.start)?;
        self.range.start += read as u64;
        Ok(read)
    }
}
