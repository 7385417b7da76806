//! The rows of one side of a join on disk, in shares by the hash of their keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::execution::disk_manager::DiskManager;
use parking_lot::Mutex;

use super::keys::{Keys, picked};
use super::output::held;
use crate::engine::control::Control;
use crate::engine::group::intern::mix;
use crate::engine::owned_exec::compacted;
use crate::engine::spill_file::{Writing, Written};
use crate::error::{Error, Result};

/// Rows of as many shares are apart from each other: the collected side may be about as many times as large as a share
/// that fits memory.
pub const SHARES: usize = 64;

/// Where a row has its place in its side: the number of its partition, and that of the row in it.
pub const PLACE: &str = "__place";

/// Of a place, so many bits are the number in the partition.
const ROW_BITS: u32 = 40;

/// The place of a row of a partition.
pub fn place_of(partition: usize, row: i64) -> i64 {
    ((partition as i64) << ROW_BITS) | row
}

/// The number of a place's partition.
pub fn partition_of(place: i64) -> usize {
    (place >> ROW_BITS) as usize
}

/// The number of a place's row in its partition.
pub fn row_of(place: i64) -> i64 {
    place & ((1 << ROW_BITS) - 1)
}

/// A schema with the rows' places behind its columns.
pub fn placed(schema: &Schema) -> SchemaRef {
    let place = Arc::new(Field::new(PLACE, DataType::Int64, false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([place]).collect::<Vec<_>>()))
}

/// One side, while it is written.
pub struct Side {
    disk: Arc<DiskManager>,
    control: Arc<Control>,
    keys: Vec<usize>,
    schema: SchemaRef,
    shares: Vec<Mutex<Share>>,
    /// Bytes of rows that a partition sets apart at a time, where there is room for them.
    pub apart: usize,
    /// Rows of the partition that has most.
    longest: AtomicI64,
}

#[derive(Default)]
struct Share {
    writing: Option<Writing>,
    rows: usize,
    bytes: usize,
}

/// One share of a side, complete.
pub struct Part {
    written: Written,
    pub rows: usize,
    /// What its rows take in memory.
    pub bytes: usize,
}

impl Side {
    /// A side with these columns, some of which are its keys.
    pub fn new(
        disk: Arc<DiskManager>,
        control: Arc<Control>,
        (schema, keys): (&Schema, Vec<usize>),
        apart: usize,
    ) -> Self {
        let shares = (0..SHARES).map(|_| Mutex::default()).collect();
        let longest = AtomicI64::new(0);
        Self { disk, control, keys, schema: placed(schema), shares, apart, longest }
    }

    /// How many rows the partition has that has most.
    pub fn longest(&self) -> i64 {
        self.longest.load(Ordering::Relaxed)
    }

    fn add(&self, share: usize, rows: &RecordBatch) -> Result<()> {
        let mut share = self.shares[share].lock();
        share.rows += rows.num_rows();
        share.bytes += held(rows);
        let writing = match &mut share.writing {
            Some(writing) => writing,
            none => none.insert(Writing::begin(&self.disk, "rows of a join", rows)?),
        };
        writing.add(rows)
    }

    /// The shares, each of which has its rows if it has any.
    pub fn finish(&self) -> Result<Vec<Option<Part>>> {
        let finish = |share: &Mutex<Share>| {
            let Share { writing, rows, bytes } = std::mem::take(&mut *share.lock());
            let Some(writing) = writing else { return Ok(None) };
            let written = writing.finish()?;
            self.control.memory.spill(written.bytes);
            Ok(Some(Part { written, rows, bytes }))
        };
        self.shares.iter().map(finish).collect()
    }
}

impl Part {
    /// Its rows, those of each partition in order. The file goes with them.
    pub fn read(self) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        self.written.read()
    }

    /// Its rows in the order of their places.
    pub fn read_in_order(self) -> Result<Vec<RecordBatch>> {
        let mut batches = self.read()?.collect::<Result<Vec<_>>>()?;
        batches.retain(|batch| batch.num_rows() > 0);
        // Each is of one partition, and those of one are in order.
        batches.sort_by_key(|batch| places(batch).map_or(0, |places| places.value(0)));
        Ok(batches)
    }
}

/// The places of a batch's rows.
pub fn places(batch: &RecordBatch) -> Option<&Int64Array> {
    batch.columns().last().and_then(|column| column.as_primitive_opt::<Int64Type>())
}

/// The rows of one partition of a side on their way to the shares.
pub struct Scattering {
    side: Arc<Side>,
    next: i64,
    batches: Vec<RecordBatch>,
    bytes: usize,
    /// Bytes of rows that are set apart at a time.
    pub apart: usize,
}

impl Scattering {
    pub fn new(side: Arc<Side>, partition: usize) -> Result<Self> {
        if partition >= 1 << (62 - ROW_BITS) {
            return Err(Error::internal("too many partitions"));
        }
        let (next, apart) = (place_of(partition, 0), side.apart);
        Ok(Self { side, next, batches: Vec::new(), bytes: 0, apart })
    }

    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as i64;
        let places: ArrayRef = Arc::new(Int64Array::from_iter_values(self.next..self.next + rows));
        self.next += rows;
        self.bytes += held(batch) + places.get_buffer_memory_size();
        let columns = batch.columns().iter().cloned().chain([places]).collect();
        self.batches.push(RecordBatch::try_new(self.side.schema.clone(), columns)?);
        if self.bytes >= self.apart { self.flush() } else { Ok(()) }
    }

    /// Everything that was added is in the shares.
    pub fn flush(&mut self) -> Result<()> {
        self.side.control.check()?;
        self.side.longest.fetch_max(row_of(self.next), Ordering::Relaxed);
        let batches = std::mem::take(&mut self.batches);
        self.bytes = 0;
        let mut rows: Vec<Vec<(usize, usize)>> = vec![Vec::new(); SHARES];
        for (number, batch) in batches.iter().enumerate() {
            let keys = Keys::new(&picked(batch.columns(), &self.side.keys), batch.num_rows())?;
            for (row, hash) in keys.hashes().into_iter().enumerate() {
                rows[share_of(hash)].push((number, row));
            }
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        for (share, rows) in rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            self.side.add(share, &compacted(&interleave_record_batch(&batches, &rows)?)?)?;
        }
        Ok(())
    }
}

/// The share of a key, by other bits than those by which tables find it.
fn share_of(hash: u64) -> usize {
    (mix(hash, SHARES as u64) >> (u64::BITS - SHARES.trailing_zeros())) as usize
}
