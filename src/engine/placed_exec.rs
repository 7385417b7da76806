//! Numbers that rise with the rows' order, given to all partitions at once: they tell what comes before what, and
//! nothing else.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::node_exec::one_child;
use crate::error::Error;

/// Bits of a row's number within its partition.
const BITS: u32 = 44;

#[derive(Debug)]
pub struct PlacedExec {
    input: Arc<dyn ExecutionPlan>,
    name: Arc<str>,
    properties: Arc<PlanProperties>,
}

impl PlacedExec {
    /// The input's rows, its partitions in order, with such a column at the end.
    pub fn new(input: Arc<dyn ExecutionPlan>, name: Arc<str>) -> Self {
        let mut fields: Vec<_> = input.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(&*name, DataType::Int64, true)));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            input.properties().partitioning.clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        ));
        Self { input, name, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.name.clone())
    }
}

impl DisplayAs for PlacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlacedExec: rising numbers as {}", self.name)
    }
}

impl ExecutionPlan for PlacedExec {
    one_child!("PlacedExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let output = schema.clone();
        let too_many = || DataFusionError::from(Error::internal("more rows than there are numbers"));
        let first = i64::try_from(partition).ok().filter(|number| *number < 1 << (63 - BITS));
        let first = first.ok_or_else(too_many)? << BITS;
        let mut next = first;
        let placed = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            let end = next + batch.num_rows() as i64;
            if end - first > 1 << BITS {
                return Err(too_many());
            }
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(next..end));
            next = end;
            let columns = batch.columns().iter().cloned().chain([numbers]).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(output.clone(), columns, &options)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, placed)))
    }
}
