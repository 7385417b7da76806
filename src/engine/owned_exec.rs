//! Batches of moderate size that own their memory: a sort reserves for a batch what its buffers hold, and does not
//! look up while it sorts one.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::DataType;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};

use super::join::output::held;
use super::node_exec::one_child;
use crate::error::Result;

/// Rows of a batch at most, and where memory is short at least.
const ROWS: usize = 64 * 1024;
const FEWEST_ROWS: usize = 16;
/// The share of the memory limit that a batch may take: several sorts hold a few each.
const SHARE: usize = 128;
/// Buffers of more than this many times what the rows need are left behind.
const SLACK: usize = 2;

#[derive(Debug)]
pub struct OwnedExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl OwnedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = input.properties().clone();
        Self { input, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input)
    }
}

impl DisplayAs for OwnedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnedExec: batches of at most {ROWS} rows")
    }
}

impl ExecutionPlan for OwnedExec {
    one_child!("OwnedExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let partitions = self.input.properties().partitioning.partition_count();
        let batches = self.input.execute(partition, context.clone())?;
        let pieces = owned_pieces(batches, partitions, &context);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, pieces)))
    }
}

/// The rows of batches, one of so many partitions, in batches of moderate size that own their memory.
pub fn owned_pieces(
    batches: impl Stream<Item = DataFusionResult<RecordBatch>> + Send + 'static,
    partitions: usize,
    context: &TaskContext,
) -> BoxStream<'static, DataFusionResult<RecordBatch>> {
    let bytes = match context.memory_pool().memory_limit() {
        MemoryLimit::Finite(limit) => limit / SHARE / partitions.max(1).div_ceil(2),
        _ => usize::MAX,
    };
    let pieces = batches.map_ok(move |batch| {
        let width = (held(&batch) / batch.num_rows().max(1)).max(1);
        let rows = (bytes / width).clamp(FEWEST_ROWS, ROWS);
        let starts = (0..batch.num_rows()).step_by(rows);
        stream::iter(starts.map(move |start| owned(&batch, start, rows))).boxed()
    });
    pieces.try_flatten().boxed()
}

fn owned(batch: &RecordBatch, start: usize, rows: usize) -> DataFusionResult<RecordBatch> {
    let rows = rows.min(batch.num_rows() - start);
    let columns = batch.columns().iter().map(|column| compact(&column.slice(start, rows))).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// The same rows, without buffers that mostly hold others.
pub fn compacted(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// The same values, without buffers that mostly hold others.
fn compact(column: &ArrayRef) -> ArrayRef {
    let column: ArrayRef = match column.data_type() {
        DataType::Utf8View if !column.as_string_view().data_buffers().is_empty() => {
            Arc::new(column.as_string_view().gc())
        }
        DataType::BinaryView if !column.as_binary_view().data_buffers().is_empty() => {
            Arc::new(column.as_binary_view().gc())
        }
        _ => column.clone(),
    };
    let data = column.to_data();
    let needed = data.get_slice_memory_size().unwrap_or(usize::MAX);
    if column.get_array_memory_size() / SLACK <= needed.saturating_add(1024) {
        return column;
    }
    let mut copy = arrow::array::MutableArrayData::new(vec![&data], false, data.len());
    match copy.try_extend(0, 0, data.len()) {
        Ok(()) => make_array(copy.freeze()),
        Err(_) => column,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Float64Array, StringViewArray};

    use super::*;

    #[test]
    fn a_slice_of_much_holds_little() {
        let numbers: ArrayRef =
            Arc::new((0..1_000_000).map(|n| Some(f64::from(n))).collect::<Float64Array>());
        let texts: ArrayRef = Arc::new(
            (0..100_000)
                .map(|n| Some(format!("a text of many bytes, number {n}")))
                .collect::<StringViewArray>(),
        );
        for column in [numbers, texts] {
            let slice = column.slice(50_000, 100);
            let compacted = compact(&slice);
            assert_eq!(&compacted, &slice);
            assert!(compacted.get_array_memory_size() < 20_000, "{}", compacted.get_array_memory_size());
        }
    }
}
