//! Writing answers to files that are visible only when all of them are complete.

mod flush;
pub mod format;
pub mod gather;
mod hive;
mod local;
mod occupied;
mod out;
mod pack;
pub mod part;
mod partition;
pub mod remote;
mod route;
pub mod sample;
pub mod stage;
pub mod target;
mod upload;
pub mod witness;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use arrow::datatypes::{ByteViewType, DataType, Schema, SchemaRef};

use self::gather::Gathering;
use self::part::{Lane, PartWriter, Room};
use self::partition::PartitionWriter;
use self::stage::Stage;
use self::target::{Target, Written};
use crate::error::{Code, Error, Result};

/// The columns as the target's files store them; refused where they cannot.
pub fn columns(target: &Target, schema: &Schema) -> Result<SchemaRef> {
    let mut seen = HashSet::new();
    if let Some(twice) = schema.fields().iter().find(|field| !seen.insert(field.name().as_str())) {
        return Err(Error::new(
            Code::OutputFailed,
            format!("the answer has two columns called `{}`, which a file cannot hold", twice.name()),
        )
        .hint("Rename one of them in the operation")
        .detail("column", twice.name().as_str()));
    }
    partitions(target, schema)?;
    format::stored(target.format, schema).map_err(|unfit| {
        let format::Unfit { column, why } = unfit;
        Error::new(Code::OutputFailed, format!("column `{column}` cannot be written: {why}"))
            .hint("Convert, rename or drop it in the operation, or write another format")
            .detail("column", column)
    })
}

/// The writer of one lane, whose columns are those of [`columns`]. Lanes of one write share what they gather.
pub fn lane(
    stage: Arc<Stage>,
    schema: SchemaRef,
    number: usize,
    budget: usize,
    room: Box<dyn Room>,
    gathering: &Arc<Gathering>,
) -> Result<Box<dyn Lane>> {
    Ok(if stage.target.partition_by.is_empty() {
        Box::new(PartWriter::new(stage, schema, number, budget, room))
    } else {
        Box::new(PartitionWriter::new(stage, schema, number, budget, room, gathering.clone())?)
    })
}

/// Refuses columns that cannot become directories.
fn partitions(target: &Target, schema: &Schema) -> Result<()> {
    let by = &target.partition_by;
    let mut seen = HashSet::new();
    for name in by {
        if !seen.insert(name) {
            return Err(Error::new(Code::InvalidTask, format!("output.partitionBy says `{name}` twice"))
                .hint("Say each column once")
                .detail("path", "output.partitionBy"));
        }
        let Some((_, field)) = schema.column_with_name(name) else {
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let error = Error::new(
                Code::OutputFailed,
                format!("the answer has no column `{name}` to partition its files by"),
            );
            return Err(error.hint(format!("It has {}", known.join(", "))).detail("column", name.as_str()));
        };
        if !hive::names_directories(field.data_type()) {
            return Err(Error::new(
                Code::OutputFailed,
                format!("column `{name}` is of type {}, which no directory is named by", field.data_type()),
            )
            .hint("Partition by numbers, texts, dates, times or truth values")
            .detail("column", name.as_str()));
        }
    }
    if !by.is_empty() && by.len() == schema.fields().len() {
        return Err(Error::new(
            Code::OutputFailed,
            "all columns would become directories, and none is left for the files",
        )
        .hint("Leave a column out of partitionBy"));
    }
    Ok(())
}

/// Rows that are in memory anyway: what writing them takes beside is not counted.
struct Beside;

impl Room for Beside {
    fn resize(&mut self, _: usize) -> bool {
        true
    }

    fn insist(&mut self, _: usize) {}
}

/// Bytes that are held of rows that are in memory anyway.
const BUDGET: usize = 64 << 20;

/// Writes rows that are in memory. Blocks.
pub fn write(target: Target, schema: &Schema, batches: &[RecordBatch]) -> Result<Written> {
    let url = target.url.clone();
    if target.skips()? {
        return Ok(Written { url, files: Vec::new(), skipped: true });
    }
    let stored = columns(&target, schema)?;
    let stage = Arc::new(Stage::begin(target)?);
    let alone = Arc::new(Gathering::new(1, 1));
    let mut lane = lane(stage.clone(), stored, 0, BUDGET, Box::new(Beside), &alone)?;
    batches.iter().try_for_each(|batch| lane.write(batch))?;
    let files = stage.commit(lane.finish(true)?, &|| Ok(None))?;
    Ok(Written { url, files, skipped: false })
}

/// Bytes of the rows of a batch, which may be a part of a larger one.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    let size = |column: &ArrayRef| {
        let texts = match column.data_type() {
            DataType::Utf8View => text_bytes(column.as_string_view()),
            DataType::BinaryView => text_bytes(column.as_binary_view()),
            _ => 0,
        };
        let own = column.to_data().get_slice_memory_size();
        texts + own.unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(size).sum()
}

/// Bytes of what views point to: rows may share them.
fn text_bytes<T: ByteViewType + ?Sized>(column: &GenericByteViewArray<T>) -> usize {
    let there: usize = column.data_buffers().iter().map(|buffer| buffer.len()).sum();
    if there == 0 { 0 } else { long_bytes(column.views()).min(there) }
}

/// Bytes of the values that are not within their views.
fn long_bytes(views: &[u128]) -> usize {
    const INLINE: u32 = 12;
    let lengths = views.iter().map(|view| *view as u32);
    lengths.filter(|length| *length > INLINE).map(|length| length as usize).sum()
}
