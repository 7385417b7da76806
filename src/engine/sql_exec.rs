//! The answer of a query: its columns in the plan's own types and under its names, its errors in our words.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;

use super::node_exec::one_child;
use crate::plan::sql;

/// Batches computed ahead of whoever consumes them, per partition.
const AHEAD: usize = 2;

#[derive(Debug)]
pub struct SqlExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl SqlExec {
    /// `schema` has a field for each of the input's columns, in order.
    pub fn new(input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Self {
        let partitions = input.properties().partitioning.partition_count();
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.properties.eq_properties.schema().clone())
    }
}

impl DisplayAs for SqlExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlExec: the answer's names and types")
    }
}

impl ExecutionPlan for SqlExec {
    one_child!("SqlExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        // A task for each partition: whoever collects them would compute them one by one.
        let mut stream = RecordBatchReceiverStream::builder(self.input.schema(), AHEAD);
        let (sender, input) = (stream.tx(), self.input.clone());
        stream.spawn(async move {
            let mut batches = input.execute(partition, context)?;
            while let Some(batch) = batches.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        let output = schema.clone();
        let batches = stream.build().map(move |batch| {
            let converted = batch.and_then(|batch| converted(&batch, &output));
            converted.map_err(|error| DataFusionError::from(sql::execution(error)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

fn converted(batch: &RecordBatch, schema: &SchemaRef) -> DataFusionResult<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                cast(column, field.data_type())
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
