//! The physical operator: all partitions of its input as one, in the order of keys that tell all rows apart.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::collect::{Shared, collect};
use super::merge::{Merge, Picked};
use super::order::Order;
use super::passes::{Ready, ready};
use crate::engine::control::{Control, Stage};
use crate::engine::group::exec::{blocking, blocking_on_others, single_partition};
use crate::engine::node_exec::one_child;
use crate::error::{Error, Result};

/// The share of the memory limit that a sort is to have from the start, and what it makes do with.
const SHARE: usize = 16;
const LEAST: usize = 64 << 10;

/// The share of the memory limit that a block on disk takes, at least and at most.
const BLOCK_SHARE: usize = 512;
const BLOCK: (usize, usize) = (16 << 10, 1 << 20);

/// Batches that are told before they are made.
const AHEAD: usize = 2;

pub struct SortedExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<PhysicalSortExpr>,
    control: Arc<Control>,
    threads: usize,
    properties: Arc<PlanProperties>,
}

impl SortedExec {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        keys: Vec<PhysicalSortExpr>,
        control: Arc<Control>,
        threads: usize,
    ) -> Self {
        let properties = single_partition(input.schema());
        Self { input, keys, control, threads, properties }
    }

    /// Whether rows can be put in the order of such keys.
    pub fn supports(keys: &[PhysicalSortExpr], input: &Arc<dyn ExecutionPlan>) -> Result<bool> {
        Order::is_supported(keys, &input.schema())
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.keys.clone(), self.control.clone(), self.threads)
    }

    fn shown(&self) -> String {
        Order { keys: self.keys.clone(), schema: self.schema() }.shown()
    }
}

impl fmt::Debug for SortedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortedExec({})", self.shown())
    }
}

impl DisplayAs for SortedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortedExec: by {}", self.shown())
    }
}

impl ExecutionPlan for SortedExec {
    one_child!("SortedExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let order = Order { keys: self.keys.clone(), schema: self.schema() };
        let partitions = self.input.properties().partitioning.partition_count();
        let open = |partition| self.input.execute(partition, context.clone());
        let answer = sort_streams(
            order,
            (partitions, open),
            self.control.clone(),
            (self.threads, self.shown()),
            &context,
        )?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), answer)))
    }
}

/// The rows of so many streams as one, in order; `display` says in words in which.
pub fn sort_streams(
    order: Order,
    (count, open): (usize, impl Fn(usize) -> DataFusionResult<SendableRecordBatchStream>),
    control: Arc<Control>,
    (threads, display): (usize, String),
    context: &Arc<TaskContext>,
) -> DataFusionResult<BoxStream<'static, DataFusionResult<RecordBatch>>> {
    let pool = context.memory_pool().clone();
    let limit = match pool.memory_limit() {
        MemoryLimit::Finite(limit) => limit,
        _ => usize::MAX,
    };
    let shared = Arc::new(Shared {
        order,
        control,
        disk: context.runtime_env().disk_manager.clone(),
        pool,
        block: (limit / BLOCK_SHARE).clamp(BLOCK.0, BLOCK.1),
        short: AtomicUsize::new(0),
    });
    // Taken before anything is at work, so that nobody can take it.
    let inputs = (0..count).map(|number| {
        let room = first_room(context, limit / SHARE / count);
        Ok((open(number)?, room))
    });
    let inputs = inputs.collect::<DataFusionResult<Vec<_>>>()?;
    let most = context.session_config().batch_size();
    let answer = async move {
        sort(shared, inputs, most, threads.max(1), display).await.map_err(DataFusionError::from)
    };
    Ok(stream::once(answer).try_flatten().boxed())
}

/// So much memory, or less if it is not there.
fn first_room(context: &TaskContext, bytes: usize) -> MemoryReservation {
    let room = MemoryConsumer::new("sort").with_can_spill(true).register(context.memory_pool());
    let mut bytes = bytes.min(BLOCK.1 * SHARE);
    while bytes >= LEAST && room.try_resize(bytes).is_err() {
        bytes /= 2;
    }
    room
}

async fn sort(
    shared: Arc<Shared>,
    inputs: Vec<(SendableRecordBatchStream, MemoryReservation)>,
    most: usize,
    threads: usize,
    display: String,
) -> Result<BoxStream<'static, DataFusionResult<RecordBatch>>> {
    let started = Instant::now();
    // All are at work before the first is waited for; those that are left when one fails are stopped.
    let collecting: Vec<_> = inputs
        .into_iter()
        .map(|(rows, room)| SpawnedTask::spawn(collect(shared.clone(), rows, room)))
        .collect();
    let mut collected = Vec::with_capacity(collecting.len());
    for part in collecting {
        let part = part.join().await.map_err(|_| Error::internal("a thread of the engine panicked"))?;
        collected.push(part?);
    }
    let rows = collected.iter().map(|part| {
        let sorted = part.sorted.as_ref().map_or(0, super::buffer::Sorted::len);
        sorted + part.pieces.iter().map(|piece| piece.rows).sum::<usize>()
    });
    let (rows, to) = (rows.sum::<usize>(), shared.clone());
    let Ready { runs, room, pieces, merged } = blocking(move || ready(collected, &to)).await?;
    let spilled = match (pieces, merged) {
        (0, _) => String::new(),
        (pieces, 0) => format!("; {pieces} sorted pieces on disk"),
        (pieces, merged) => format!("; {pieces} sorted pieces on disk, {merged} of them merged twice"),
    };
    if pieces > 0 {
        shared.control.note("a sort went to disk: its rows did not fit the memory limit");
    }
    shared.control.stage(Stage {
        name: "sort".to_owned(),
        rows: rows as u64,
        seconds: started.elapsed().as_secs_f64(),
        details: format!("everything below, and its rows by {display}{spilled}"),
    });
    // Rows of a batch as wide as those on disk.
    let most = match pieces {
        0 => most,
        _ => most.min(shared.rows_of_block(rows.max(1), width(&runs) * rows.max(1))).max(1),
    };
    let (send, mut told) = mpsc::channel::<Result<Picked>>(AHEAD);
    let control = shared.control.clone();
    let merging = async move {
        let merge = move || {
            let merged = (|| {
                let encoder = shared.order.encoder()?;
                let mut merge = Merge::new(runs, &encoder, most)?;
                while let Some(picked) = merge.next(&shared.control)? {
                    if send.blocking_send(Ok(picked)).is_err() {
                        break;
                    }
                }
                Ok(())
            })();
            if let Err(error) = merged {
                let _ = send.blocking_send(Err(error));
            }
            Ok(())
        };
        blocking_on_others(&control, merge).await
    };
    // It ends when nobody takes what it tells.
    let merging = SpawnedTask::spawn(merging);
    let room = Arc::new(room);
    let held = room.clone();
    let batches = stream::poll_fn(move |context| told.poll_recv(context)).map(move |picked| {
        let room = room.clone();
        async move {
            let batch = blocking(move || picked?.batch()).await;
            drop(room);
            Ok(batch?)
        }
    });
    // That nothing more was told is the end only if the merge says so.
    let ended = stream::once(async move {
        let ended = merging.join().await.map_err(|_| Error::internal("a thread of the engine panicked"));
        drop(held);
        ended?.map_err(DataFusionError::from)
    });
    let ended = ended.filter_map(|ended| async { ended.err().map(Err) });
    Ok(batches.buffered(threads).chain(ended).boxed())
}

/// Bytes of a row of those that are on disk.
fn width(runs: &[super::merge::Run]) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    for run in runs {
        if let super::merge::Run::Disk(piece) = run {
            rows += piece.rows;
            bytes += piece.bytes;
        }
    }
    bytes / rows.max(1)
}
