//! Collecting of rows in memory: in order, and counted where they are the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayData, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};

use super::answer::handed_out;
use super::run::Run;
use crate::engine::group::exec::blocking;
use crate::error::{Code, Error, Result, shown_bytes};

/// A batch of fewer rows than this is not worth another thread.
const SMALL: usize = 8 * 1024;

/// The name of the answer's rows, where it is told who lacked memory.
pub(super) const ANSWER: &str = "answer";

/// An answer that lacks memory with all but one of so many parts of the limit has no room beside any operator.
const WITHIN: usize = 4;

/// The detail of an answer that is larger than the limit, which it has.
const TOO_LARGE: &str = "answer_limit";

/// Whether it was the answer alone that did not fit.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.details().contains_key(TOO_LARGE)
}

/// What is held of the answer.
pub(super) struct Counted(Option<Answer>);

struct Answer {
    /// None where no other step is left that would spare memory: DataFusion's operators give nothing back for it.
    room: Option<MemoryReservation>,
    held: AtomicUsize,
    limit: usize,
    /// Buffers that somebody else has as well may be those of the source.
    shares: bool,
}

impl Counted {
    /// Rows that are few, or counted elsewhere.
    pub fn not() -> Self {
        Self(None)
    }

    pub fn answer(shares: bool, last: bool, limit: usize, context: &TaskContext) -> Self {
        let room = (!last).then(|| MemoryConsumer::new(ANSWER).register(context.memory_pool()));
        Self(Some(Answer { room, held: AtomicUsize::new(0), limit, shares }))
    }

    fn count(&self, batch: &RecordBatch) -> Result<()> {
        let Some(answer) = &self.0 else { return Ok(()) };
        let bytes: usize = batch.columns().iter().map(|column| bytes(&column.to_data(), answer.shares)).sum();
        let held = answer.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match &answer.room {
            None if held <= answer.limit => return Ok(()),
            None => {}
            Some(room) => match room.try_grow(bytes) {
                Ok(()) => return Ok(()),
                Err(refused) if held < answer.limit - answer.limit / WITHIN => return Err(refused.into()),
                Err(_) => {}
            },
        }
        let limit = shown_bytes(answer.limit as u64);
        let text =
            format!("the answer does not fit the run's memory limit of {limit}: its rows are collected");
        Err(Error::new(Code::OutOfMemory, text)
            .hint("Write it with `output`, which streams it to files, or raise `memory_limit`")
            .detail(TOO_LARGE, answer.limit as u64))
    }
}

/// Bytes of the rows of an array, without those of buffers that others have if these are not to be counted.
fn bytes(data: &ArrayData, shares: bool) -> usize {
    if shares && data.buffers().iter().any(|buffer| buffer.strong_count() > 2) {
        return 0;
    }
    data.get_slice_memory_size().unwrap_or(0)
}

/// Bytes that DataFusion's operators of a plan wrote to disk.
pub(super) fn spilled(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().into_iter().map(spilled).sum::<u64>()
}

/// All partitions at once, each in its order, joined in the order of the partitions.
pub(super) async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    (run, counted): (&Run, &Counted),
    context: &Arc<TaskContext>,
) -> Result<Vec<RecordBatch>> {
    let partitions = plan.properties().partitioning.partition_count();
    let streams = (0..partitions).map(|partition| plan.execute(partition, context.clone()));
    let mut tasks = Vec::with_capacity(partitions);
    for stream in streams {
        let counting = stream?.map(|batch| {
            let batch = batch?;
            counted.count(&batch)?;
            Ok::<_, Error>(batch)
        });
        tasks.push(async move { counting.try_collect::<Vec<_>>().await });
    }
    let collected = futures::future::try_join_all(tasks).await;
    run.control.memory.spill(spilled(&plan));
    let collected = collected?;
    Ok(collected.into_iter().flatten().filter(|batch| batch.num_rows() > 0).collect())
}

/// The same with the columns as they are handed out, so that no more than a few batches are there twice.
pub(super) async fn collect_plain(
    plan: Arc<dyn ExecutionPlan>,
    schema: &SchemaRef,
    threads: usize,
    (run, counted): (&Run, &Counted),
    context: &Arc<TaskContext>,
) -> Result<Vec<RecordBatch>> {
    if *schema.fields() == *plan.schema().fields() {
        return collect(plan, (run, counted), context).await;
    }
    let partitions = plan.properties().partitioning.partition_count();
    let mut tasks = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        let stream = plan.execute(partition, context.clone())?.map_err(Error::from);
        let plain = stream.map_ok(|batch| {
            let schema = schema.clone();
            async move {
                let batch = match batch.num_rows() {
                    0..SMALL => handed_out(&batch, &schema),
                    _ => blocking(move || handed_out(&batch, &schema)).await,
                }?;
                counted.count(&batch)?;
                Ok(batch)
            }
        });
        tasks.push(async move { plain.try_buffered(threads).try_collect::<Vec<_>>().await });
    }
    let collected = futures::future::try_join_all(tasks).await;
    run.control.memory.spill(spilled(&plan));
    let collected = collected?;
    Ok(collected.into_iter().flatten().filter(|batch| batch.num_rows() > 0).collect())
}
