//! Joins of which the collected side does not fit memory: both sides are split into shares by the hash of their keys, on
//! disk, the shares are joined one by one, and what comes out of them is merged in the order of the streaming side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::{SortOptions, concat_batches};
use arrow::datatypes::SchemaRef;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::Column;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;

use super::exec::JoinSpec;
use super::keys::{Keys, picked};
use super::output::{Cursor, Origin, Pairs, held, unmatched};
use super::pairs_left::PairsLeft;
use super::parts::{PLACE, Part, SHARES, Scattering, Side, partition_of, placed, places};
use super::table::JoinTable;
use super::unique::{Seen, not_unique};
use crate::engine::control::{Control, Stage};
use crate::engine::group::exec::blocking;
use crate::engine::group::shares::in_parallel;
use crate::engine::owned_exec::compacted;
use crate::engine::placed_exec::Rising;
use crate::engine::sort::{Merge, Order, Piece, Run, Writing};
use crate::error::{Error, Result};

/// Of so many parts of the memory limit one is for rows of all partitions on their way to the shares.
const APART: usize = 16;
const LEAST_APART: usize = 64 << 10;
const MOST_APART: usize = 32 << 20;

/// Of so many parts of the memory limit one is for the blocks that are merged.
const MERGED: usize = 8;
const BLOCK: (usize, usize) = (4 << 10, 1 << 20);

/// Rows of a batch that comes out.
const ROWS: usize = 8 * 1024;

/// What a join on disk is made with.
pub struct Room {
    disk: Arc<DiskManager>,
    limit: usize,
}

impl Room {
    /// None if there is none on disk.
    pub fn of(context: &TaskContext) -> Option<Self> {
        let disk = context.runtime_env().disk_manager.clone();
        let limit = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(limit) => limit,
            _ => usize::MAX,
        };
        disk.tmp_files_enabled().then_some(Self { disk, limit })
    }

    /// The memory limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes of rows that come out of a share at a time, about.
    pub fn output(&self) -> usize {
        (self.limit / APART / SHARES).clamp(LEAST_APART, BLOCK.1)
    }

    /// The side whose rows have this schema and these keys, in so many partitions.
    pub fn side(
        &self,
        schema: &SchemaRef,
        keys: &[usize],
        partitions: usize,
        control: &Arc<Control>,
    ) -> Arc<Side> {
        let apart = (self.limit / APART / partitions.max(1)).clamp(LEAST_APART, MOST_APART);
        Arc::new(Side::new(self.disk.clone(), control.clone(), (schema, keys.to_vec()), apart))
    }
}

/// Brings the rest of a partition's rows to the shares, after those that were read.
pub async fn scatter(
    side: Arc<Side>,
    partition: usize,
    read: Vec<RecordBatch>,
    rest: Option<SendableRecordBatchStream>,
    room: &MemoryReservation,
) -> Result<()> {
    let mut scattering = Scattering::new(side.clone(), partition)?;
    scattering = blocking(move || {
        for batch in read {
            scattering.add(&batch)?;
        }
        Ok(scattering)
    })
    .await?;
    // What was read is on disk.
    scattering.apart = room_apart(side.apart, room);
    if let Some(mut rows) = rest {
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            scattering = blocking(move || scattering.add(&batch).map(|()| scattering)).await?;
        }
    }
    blocking(move || scattering.flush()).await?;
    room.free();
    Ok(())
}

/// Takes room for so many bytes of rows, or for as many as others leave: these may hold what they have until this side is
/// on disk. For a few it is taken in any case, without which nobody comes any further.
fn room_apart(wanted: usize, room: &MemoryReservation) -> usize {
    let mut bytes = wanted;
    while bytes > LEAST_APART {
        if room.try_resize(bytes).is_ok() {
            return bytes;
        }
        bytes /= 2;
    }
    let least = LEAST_APART.min(wanted);
    room.resize(least);
    least
}

/// What comes out of the shares, by partition of the streaming side; collected rows without a partner are one more.
pub struct Spilled {
    pieces: Vec<Mutex<Vec<Piece>>>,
    /// For the blocks of each partition's pieces, until they are merged.
    rooms: Vec<Mutex<MemoryReservation>>,
    order: Order,
    control: Arc<Control>,
}

/// Joins the shares of both sides, several at once.
pub struct Joining {
    pub spec: Arc<JoinSpec>,
    pub build: Vec<Option<Part>>,
    pub probe: Vec<Option<Part>>,
    pub schemas: [SchemaRef; 2],
    pub partitions: usize,
    /// Rows of the longest partition of the streaming side.
    pub longest: i64,
    pub threads: usize,
    pub control: Arc<Control>,
}

impl Joining {
    /// The shares' parts, those last that take most.
    pub fn pairs(&mut self) -> Vec<Pair> {
        let (build, probe) = (std::mem::take(&mut self.build), std::mem::take(&mut self.probe));
        let mut pairs: Vec<Pair> = build.into_iter().zip(probe).collect();
        pairs.sort_by_key(|(build, _)| build.as_ref().map_or(0, |part| part.bytes));
        pairs
    }

    /// What was done, in so long.
    pub fn done(&self, rows: usize, started: Instant) {
        self.control.note("a join went to disk: its rows did not fit the memory limit");
        self.control.stage(Stage {
            name: "join".to_owned(),
            rows: rows as u64,
            seconds: started.elapsed().as_secs_f64(),
            details: format!("{}: {SHARES} shares on disk, joined one by one", self.spec.display),
        });
    }

    /// Joins a share's parts; what takes the rows that come out says whether it wants more.
    pub fn one(&self, (build, probe): Pair, schema: &SchemaRef, to: &mut dyn Taking) -> Result<()> {
        let Self { spec, schemas: [build_schema, probe_schema], partitions, control, .. } = self;
        let batches = build.map(Part::read_in_order).transpose()?.unwrap_or_default();
        let build = concat_batches(&placed(build_schema), &batches)?;
        drop(batches);
        let keys = picked(build.columns(), &spec.build_keys);
        let table = JoinTable::new(Keys::new(&keys, build.num_rows())?, 1, control)?;
        if let Some((side, names)) = &spec.build_unique
            && !table.is_unique()
        {
            return Err(not_unique(side, names));
        }
        let mut seen = match &spec.probe_unique {
            Some(_) => Some(Seen::new(&keys.iter().map(|key| key.data_type().clone()).collect::<Vec<_>>())?),
            None => None,
        };
        let marks = if spec.unmatched { build.num_rows() } else { 0 };
        let matched: Vec<AtomicBool> = (0..marks).map(|_| AtomicBool::new(false)).collect();
        let probed = self.with_place(Origin::Probe(probe_schema.fields().len()));
        let mut heads = Vec::new();
        for batch in probe.map(Part::read).transpose()?.into_iter().flatten() {
            let batch = batch?;
            let Some(partition) = places(&batch)
                .filter(|places| !places.is_empty())
                .map(|places| partition_of(places.value(0)))
            else {
                continue;
            };
            let keys = picked(batch.columns(), &spec.probe_keys);
            if let (Some(seen), Some((side, names))) = (&mut seen, &spec.probe_unique)
                && seen.meets_again(&keys)?
            {
                return Err(not_unique(side, names));
            }
            table.find(&Keys::new(&keys, batch.num_rows())?, &mut heads);
            let (mut pairs, mut cursor) = (Pairs::default(), Cursor::default());
            while pairs.fill(&table, &heads, spec.keeps, &mut cursor) {
                control.check()?;
                if spec.unmatched {
                    pairs.mark(&matched);
                }
                if !pairs.build.is_empty() {
                    let output = pairs.gather(&batch, &build, &probed, schema)?;
                    if !to.take(partition, output)? {
                        return Ok(());
                    }
                }
            }
        }
        if spec.unmatched {
            let alone = self.with_place(Origin::Build(build_schema.fields().len()));
            let types = |place: usize| probe_schema.field(place).data_type().clone();
            for output in unmatched(&build, &matched, &alone, schema, types)? {
                control.check()?;
                if !to.take(*partitions, output)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn with_place(&self, place: Origin) -> Vec<Origin> {
        self.spec.columns.iter().copied().chain([place]).collect()
    }

    pub async fn run(self, room: &Room, context: &Arc<TaskContext>) -> Result<Spilled> {
        let started = Instant::now();
        let outputs = self.partitions + usize::from(self.spec.unmatched);
        let schema = placed(&self.spec.schema);
        let place = Column::new(PLACE, schema.fields().len() - 1);
        let ascending = SortOptions { descending: false, nulls_first: false };
        let keys = vec![PhysicalSortExpr::new(Arc::new(place), ascending)];
        let reservation = || MemoryConsumer::new("join").register(context.memory_pool());
        let work = Work {
            block: (room.limit / MERGED / (2 * SHARES * outputs)).clamp(BLOCK.0, BLOCK.1),
            disk: room.disk.clone(),
            pieces: (0..outputs).map(|_| Mutex::default()).collect(),
            schema: schema.clone(),
            joining: self,
            rows: AtomicUsize::new(0),
        };
        let threads = work.joining.threads.clamp(1, SHARES);
        let rooms: Vec<MemoryReservation> = (0..threads).map(|_| reservation()).collect();
        let work = blocking(move || work.all(rooms)).await?;
        let Work { joining, pieces, rows, .. } = work;
        joining.done(rows.into_inner(), started);
        let rooms = pieces.iter().map(|pieces| {
            let room = reservation();
            room.try_grow(pieces.lock().iter().map(|piece| 2 * piece.block).sum())?;
            Ok(Mutex::new(room))
        });
        let rooms = rooms.collect::<Result<_>>()?;
        Ok(Spilled { pieces, rooms, order: Order { keys, schema }, control: joining.control })
    }
}

struct Work {
    joining: Joining,
    schema: SchemaRef,
    disk: Arc<DiskManager>,
    block: usize,
    pieces: Vec<Mutex<Vec<Piece>>>,
    rows: AtomicUsize,
}

/// Two parts of a share: of the collected side and of the streaming one.
pub type Pair = (Option<Part>, Option<Part>);

/// What takes the rows that come out of shares, each with its place behind its columns.
pub trait Taking {
    /// Rows of one partition, in order within a share; false if no more are wanted.
    fn take(&mut self, partition: usize, rows: RecordBatch) -> Result<bool>;
}

/// Bytes that a share takes while it is joined.
pub fn needed(build: Option<&Part>) -> usize {
    let (rows, bytes) = build.map_or((0, 0), |part| (part.rows, part.bytes));
    2 * bytes + JoinTable::estimate(rows, false)
}

impl Work {
    fn all(mut self, rooms: Vec<MemoryReservation>) -> Result<Self> {
        // Large ones first, so that none is left at the end alone.
        let pairs = PairsLeft::new(self.joining.pairs());
        let threads = rooms.into_iter().map(|room| {
            let (work, pairs) = (&self, &pairs);
            move || -> Result<()> {
                while let Some((pair, at_work)) = pairs.next(|pair| room.try_resize(work.needed(pair)))? {
                    work.one(pair)?;
                    room.free();
                    at_work.joined();
                }
                Ok(())
            }
        });
        in_parallel(threads.collect())?;
        Ok(self)
    }

    fn needed(&self, pair: &Pair) -> usize {
        needed(pair.0.as_ref()) + 4 * self.block
    }

    fn one(&self, pair: Pair) -> Result<()> {
        let mut outputs = Outputs { work: self, writing: self.pieces.iter().map(|_| None).collect() };
        self.joining.one(pair, &self.schema, &mut outputs)?;
        for (pieces, output) in self.pieces.iter().zip(outputs.writing) {
            if let Some(output) = output {
                let piece = output.finish()?;
                self.joining.control.memory.spill(piece.on_disk);
                pieces.lock().push(piece);
            }
        }
        Ok(())
    }

    /// Writes rows that come out, in blocks of moderate size.
    fn write(&self, to: &mut [Option<Writing>], partition: usize, rows: &RecordBatch) -> Result<()> {
        self.rows.fetch_add(rows.num_rows(), Ordering::Relaxed);
        let writing = to.get_mut(partition).ok_or_else(|| Error::internal("a row of no partition"))?;
        let writing = writing.get_or_insert_with(|| Writing::begin(&self.disk));
        let width = (held(rows) / rows.num_rows().max(1)).max(1);
        let step = (self.block / width).max(1);
        for from in (0..rows.num_rows()).step_by(step) {
            let block = compacted(&rows.slice(from, step.min(rows.num_rows() - from)))?;
            // The place as a key, and where it ends.
            writing.add(&block, block.num_rows() * KEY)?;
        }
        Ok(())
    }
}

/// Pieces of all partitions, being written.
struct Outputs<'a> {
    work: &'a Work,
    writing: Vec<Option<Writing>>,
}

impl Taking for Outputs<'_> {
    fn take(&mut self, partition: usize, rows: RecordBatch) -> Result<bool> {
        self.work.write(&mut self.writing, partition, &rows)?;
        Ok(true)
    }
}

/// Bytes of a place as a key.
const KEY: usize = 9 + size_of::<usize>();

impl Spilled {
    /// The rows of one partition, in order. Blocks.
    pub fn send(
        &self,
        partition: usize,
        mut rising: Option<Rising>,
        to: &Sender<DataFusionResult<RecordBatch>>,
    ) -> Result<()> {
        let pieces = self.pieces.get(partition).map(|pieces| std::mem::take(&mut *pieces.lock()));
        let runs = pieces.into_iter().flatten().map(Run::Disk).collect();
        let encoder = self.order.encoder()?;
        let mut merge = Merge::new(runs, &encoder, ROWS)?;
        let columns: Vec<usize> = (0..self.order.schema.fields().len() - 1).collect();
        while let Some(picked) = merge.next(&self.control)? {
            let rows = picked.batch()?.project(&columns)?;
            let rows = match &mut rising {
                Some(rising) => rising.number(&rows)?,
                None => rows,
            };
            if to.blocking_send(Ok(rows)).is_err() {
                break;
            }
        }
        if let Some(room) = self.rooms.get(partition) {
            room.lock().free();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::error::DataFusionError;
    use datafusion::execution::disk_manager::DiskManagerBuilder;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn a_partition_goes_to_disk_in_what_room_others_leave() {
        const LIMIT: usize = 64 << 20;
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, false)]));
        let batch = |from: i64| {
            let keys = Int64Array::from_iter_values(from..from + 10_000);
            RecordBatch::try_new(schema.clone(), vec![Arc::new(keys)]).unwrap()
        };
        // What others hold of the memory, and how much the partition sets apart then at a time.
        let room = Room { disk: Arc::new(DiskManagerBuilder::default().build().unwrap()), limit: LIMIT };
        let all = room.limit / APART;
        for (held, apart) in [(0, all), (LIMIT - all / 2, all / 2), (LIMIT, LEAST_APART)] {
            let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(LIMIT));
            let (others, mine) = (MemoryConsumer::new("test"), MemoryConsumer::new("join"));
            let (others, mine) = (others.register(&pool), mine.register(&pool));
            others.try_grow(held).unwrap();
            assert_eq!(room_apart(all, &mine), apart);
            mine.free();
            let side = room.side(&schema, &[0], 1, &Arc::default());
            let rest = futures::stream::iter(
                (1..20).map(|n| Ok::<_, DataFusionError>(batch(n))).collect::<Vec<_>>(),
            );
            let rest: SendableRecordBatchStream =
                Box::pin(RecordBatchStreamAdapter::new(schema.clone(), rest));
            scatter(side.clone(), 0, vec![batch(0)], Some(rest), &mine).await.unwrap();
            let rows: usize = side.finish().unwrap().iter().flatten().map(|part| part.rows).sum();
            assert_eq!((rows, mine.size()), (200_000, 0));
        }
    }
}
