//! Operators that see a plan's partitions one after the other: numbering rows, and keeping the first ones.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::group::exec::single_partition;
use super::node_exec::one_child;
use super::slice;

/// What is done with the rows as they come by in order.
#[derive(Debug, Clone)]
pub enum Pass {
    /// Adds a column of this name that counts from 0.
    Number(Arc<str>),
    /// Keeps the first so many.
    First(usize),
    /// Keeps from one place to before another; negative places count from the end.
    Slice(i64, Option<i64>),
}

/// All partitions of the input as one, in order, with `pass` applied.
#[derive(Debug)]
pub struct OrderedExec {
    input: Arc<dyn ExecutionPlan>,
    pass: Pass,
    properties: Arc<PlanProperties>,
}

impl OrderedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, pass: Pass) -> Self {
        let schema = match &pass {
            Pass::First(_) | Pass::Slice(..) => input.schema(),
            Pass::Number(name) => {
                let mut fields: Vec<_> = input.schema().fields().iter().cloned().collect();
                fields.push(Arc::new(Field::new(&**name, DataType::Int64, true)));
                Arc::new(Schema::new(fields))
            }
        };
        Self { input, pass, properties: single_partition(schema) }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.pass.clone())
    }
}

impl DisplayAs for OrderedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pass {
            Pass::Number(name) => write!(f, "OrderedExec: number the rows as {name}"),
            Pass::First(rows) => write!(f, "OrderedExec: first {rows} rows"),
            Pass::Slice(start, None) => write!(f, "OrderedExec: rows from {start}"),
            Pass::Slice(start, Some(stop)) => write!(f, "OrderedExec: rows from {start} to {stop}"),
        }
    }
}

impl ExecutionPlan for OrderedExec {
    one_child!("OrderedExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let batches = in_order(self.input.clone(), context);
        let output = schema.clone();
        let passed = match self.pass.clone() {
            Pass::Number(_) => {
                let mut next = 0;
                let number = move |batch: DataFusionResult<RecordBatch>| {
                    let batch = batch?;
                    let rows = batch.num_rows() as i64;
                    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(next..next + rows));
                    next += rows;
                    let columns = batch.columns().iter().cloned().chain([numbers]).collect();
                    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    Ok(RecordBatch::try_new_with_options(output.clone(), columns, &options)?)
                };
                batches.map(number).boxed()
            }
            Pass::Slice(start, stop) => slice::sliced(batches, start, stop),
            Pass::First(rows) => {
                let left = rows;
                futures::stream::try_unfold((batches, left), |(mut batches, left)| async move {
                    if left == 0 {
                        return Ok(None);
                    }
                    let Some(batch) = batches.try_next().await? else { return Ok(None) };
                    let batch = batch.slice(0, batch.num_rows().min(left));
                    let left = left - batch.num_rows();
                    Ok(Some((batch, (batches, left))))
                })
                .boxed()
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, passed)))
    }
}

/// A plan's partitions one after the other. The next one is not started before the last has ended.
pub fn in_order(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> futures::stream::BoxStream<'static, DataFusionResult<RecordBatch>> {
    let partitions = plan.properties().partitioning.partition_count();
    futures::stream::iter(0..partitions)
        .map(move |partition| plan.execute(partition, context.clone()))
        .try_flatten()
        .boxed()
}
