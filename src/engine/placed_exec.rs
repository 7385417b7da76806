//! Numbers that rise with the rows' order, given to all partitions at once: they tell what comes before what, and
//! nothing else.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::node_exec::one_child;
use crate::error::{Error, Result};

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
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(placed(&input.schema(), &name)),
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
        let mut rising = Rising::new(partition, schema.clone())?;
        let placed = self.input.execute(partition, context)?.map(move |batch| Ok(rising.number(&batch?)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, placed)))
    }
}

/// A schema with such a column behind its others.
pub fn placed(schema: &Schema, name: &str) -> SchemaRef {
    let numbers = Arc::new(Field::new(name, DataType::Int64, true));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([numbers]).collect::<Vec<_>>()))
}

/// The numbers of a partition's rows.
pub struct Rising {
    first: i64,
    next: i64,
    schema: SchemaRef,
}

impl Rising {
    /// For rows that have this schema with their numbers.
    pub fn new(partition: usize, schema: SchemaRef) -> Result<Self> {
        let first = i64::try_from(partition).ok().filter(|number| *number < 1 << (63 - BITS));
        let first = first.ok_or_else(too_many)? << BITS;
        Ok(Self { first, next: first, schema })
    }

    /// The next rows, with their numbers.
    pub fn number(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let end = self.next + batch.num_rows() as i64;
        if end - self.first > 1 << BITS {
            return Err(too_many());
        }
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.next..end));
        self.next = end;
        let columns = batch.columns().iter().cloned().chain([numbers]).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

fn too_many() -> Error {
    Error::internal("more rows than there are numbers")
}
