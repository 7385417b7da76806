//! Expressions over a plan's columns. DataFusion's operator for them works out which orders and equalities of columns
//! they keep, which no operator of ours asks for, and which took a third of the time that lowering a small question takes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    Statistics,
};
use futures::StreamExt;

use super::node_exec::one_child;
use crate::error::Result;

/// Expressions and the names of their columns.
type Named = Arc<[(Arc<dyn PhysicalExpr>, String)]>;

#[derive(Debug)]
pub struct ComputeExec {
    input: Arc<dyn ExecutionPlan>,
    exprs: Named,
    properties: Arc<PlanProperties>,
}

impl ComputeExec {
    /// A column of each expression, for the same rows in the same partitions.
    pub fn new(input: Arc<dyn ExecutionPlan>, exprs: Vec<(Arc<dyn PhysicalExpr>, String)>) -> Result<Self> {
        let schema = schema_of(&exprs, &input.schema())?;
        Ok(Self::with_schema(input, exprs.into(), schema))
    }

    fn with_schema(input: Arc<dyn ExecutionPlan>, exprs: Named, schema: SchemaRef) -> Self {
        let partitions = input.properties().partitioning.partition_count();
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            input.pipeline_behavior(),
            input.boundedness(),
        ));
        Self { input, exprs, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::with_schema(input, self.exprs.clone(), self.schema())
    }
}

fn schema_of(exprs: &[(Arc<dyn PhysicalExpr>, String)], input: &Schema) -> Result<SchemaRef> {
    let fields = exprs
        .iter()
        .map(|(expr, name)| {
            let found = expr.return_field(input)?;
            let field = Field::new(name, found.data_type().clone(), found.is_nullable());
            Ok(field.with_metadata(found.metadata().clone()))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

impl DisplayAs for ComputeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComputeExec: ")?;
        for (number, (expr, name)) in self.exprs.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { ", " })?;
            match expr.downcast_ref::<Column>() {
                Some(column) if column.name() == name => f.write_str(name)?,
                _ => write!(f, "{name} = {expr}")?,
            }
        }
        Ok(())
    }
}

impl ExecutionPlan for ComputeExec {
    one_child!("ComputeExec");

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    /// How many rows there are.
    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> DataFusionResult<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if let Some(input) = inputs.first() {
            statistics.num_rows = input.num_rows;
        }
        Ok(Arc::new(statistics))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let (exprs, schema) = (self.exprs.clone(), self.schema());
        let batches = self.input.execute(partition, context)?;
        let of = schema.clone();
        let computed = batches.map(move |batch| computed(&batch?, &exprs, &of));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, computed)))
    }
}

fn computed(
    batch: &RecordBatch,
    exprs: &[(Arc<dyn PhysicalExpr>, String)],
    schema: &SchemaRef,
) -> DataFusionResult<RecordBatch> {
    let arrays = exprs
        .iter()
        .map(|(expr, _)| expr.evaluate(batch)?.into_array(batch.num_rows()))
        .collect::<DataFusionResult<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
}
