//! The beginning of the side that streams, read before the other one is collected: all of it where it is small.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use parking_lot::Mutex;

use super::output::held;
use crate::error::{Error, Result};

/// What was read of every partition.
#[derive(Default)]
pub struct Begun {
    partitions: Vec<Mutex<Option<Part>>>,
    schema: Option<SchemaRef>,
    complete: bool,
    rows: usize,
}

struct Part {
    batches: Vec<RecordBatch>,
    /// What comes after them; `None` at the end.
    rest: Option<SendableRecordBatchStream>,
    reservation: MemoryReservation,
}

impl Begun {
    /// Every row was read.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A column of all that was read, in pieces.
    pub fn column(&self, place: usize) -> Vec<ArrayRef> {
        let mut pieces = Vec::new();
        for part in &self.partitions {
            if let Some(part) = &*part.lock() {
                pieces.extend(part.batches.iter().map(|batch| batch.column(place).clone()));
            }
        }
        pieces
    }

    /// All rows of a partition, beginning with those that were read; `None` where it was not begun.
    pub fn rest(&self, partition: usize) -> Option<SendableRecordBatchStream> {
        let part = self.partitions.get(partition)?.lock().take()?;
        let Part { batches, rest, reservation } = part;
        // Batches are let go of one by one, and with the last of them the reservation.
        let read = batches.into_iter().map(move |batch| {
            reservation.shrink(held(&batch).min(reservation.size()));
            Ok(batch)
        });
        let rows = stream::iter(read).chain(stream::iter(rest).flatten());
        Some(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone()?, rows)))
    }
}

/// Reads all partitions at once, until together they have more rows than `limit`, or memory has no room for them.
pub async fn begin(plan: &Arc<dyn ExecutionPlan>, limit: usize, context: &Arc<TaskContext>) -> Result<Begun> {
    let rows = Arc::new(AtomicUsize::new(0));
    let partitions = plan.properties().partitioning.partition_count();
    let parts: Vec<_> = (0..partitions)
        .map(|partition| {
            let (plan, context, rows) = (plan.clone(), context.clone(), rows.clone());
            SpawnedTask::spawn(async move {
                let reservation = MemoryConsumer::new("join").register(context.memory_pool());
                let mut stream = plan.execute(partition, context)?;
                let mut batches = Vec::new();
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    let seen = rows.fetch_add(batch.num_rows(), Ordering::Relaxed) + batch.num_rows();
                    let room = reservation.try_grow(held(&batch)).is_ok();
                    batches.push(batch);
                    if seen > limit || !room {
                        return Ok::<_, Error>(Part { batches, rest: Some(stream), reservation });
                    }
                }
                Ok(Part { batches, rest: None, reservation })
            })
        })
        .collect();
    let mut begun = Begun { schema: Some(plan.schema()), complete: true, ..Begun::default() };
    for part in parts {
        let part = part.join().await.map_err(|_| Error::internal("a thread of the engine panicked"))??;
        begun.complete &= part.rest.is_none();
        begun.partitions.push(Mutex::new(Some(part)));
    }
    begun.rows = rows.load(Ordering::Relaxed);
    Ok(begun)
}
