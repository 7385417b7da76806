//! Stops within DataFusion's operators: joins make much of little, and neither look at a wish to stop nor yield.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ColumnarValue, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::StreamExt;

use super::control::Control;
use super::node_exec::one_child;
use super::owned_exec::OwnedExec;
use crate::error::Result;

/// The same plan, whose joins stop when the run is to stop, between batches and within their conditions, and whose
/// sorts are given batches that own their memory.
pub fn stoppable(plan: Arc<dyn ExecutionPlan>, control: &Arc<Control>) -> Result<Arc<dyn ExecutionPlan>> {
    let stopped = plan.transform_up(|node| {
        if let Some(sort) = node.downcast_ref::<SortExec>()
            && sort.fetch().is_none()
        {
            // As the sorts of ours: what a batch is reserved for is what its rows need.
            let owned = Arc::new(OwnedExec::new(sort.input().clone()));
            let sort = SortExec::new(sort.expr().clone(), owned)
                .with_preserve_partitioning(sort.preserve_partitioning());
            return Ok(Transformed::yes(Arc::new(sort) as Arc<dyn ExecutionPlan>));
        }
        if node.children().len() < 2 && node.name() != "UnnestExec" {
            return Ok(Transformed::no(node));
        }
        let node = with_condition(node, control)?;
        Ok(Transformed::yes(Arc::new(StopExec::new(node, control.clone())) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(stopped.data)
}

fn with_condition(
    node: Arc<dyn ExecutionPlan>,
    control: &Arc<Control>,
) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
    let checked = |filter: &JoinFilter| {
        let inner = filter.expression().clone();
        let expression = Arc::new(StopExpr { inner, control: control.clone() });
        JoinFilter::new(expression, filter.column_indices().to_vec(), filter.schema().clone())
    };
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let builder = NestedLoopJoinExecBuilder::from(join);
        return Ok(Arc::new(builder.with_filter(Some(checked(filter))).build()?));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        return Ok(Arc::new(join.builder().with_filter(Some(checked(filter))).build()?));
    }
    Ok(node)
}

/// Passes batches on, looks at the wish to stop at each, and lets others have the thread now and then.
struct StopExec {
    input: Arc<dyn ExecutionPlan>,
    control: Arc<Control>,
    properties: Arc<PlanProperties>,
}

impl StopExec {
    fn new(input: Arc<dyn ExecutionPlan>, control: Arc<Control>) -> Self {
        let properties = input.properties().clone();
        Self { input, control, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.control.clone())
    }
}

impl fmt::Debug for StopExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopExec({:?})", self.input)
    }
}

impl DisplayAs for StopExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopExec")
    }
}

impl ExecutionPlan for StopExec {
    one_child!("StopExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let control = self.control.clone();
        let batches = self.input.execute(partition, context)?.map(move |batch| {
            control.check_clock()?;
            batch
        });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches))))
    }
}

/// A join's condition that fails when the run is to stop.
struct StopExpr {
    inner: Arc<dyn PhysicalExpr>,
    control: Arc<Control>,
}

impl PhysicalExpr for StopExpr {
    fn data_type(&self, schema: &Schema) -> DataFusionResult<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> DataFusionResult<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> DataFusionResult<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        self.control.check_clock()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let inner = children.into_iter().next().unwrap_or_else(|| self.inner.clone());
        Ok(Arc::new(Self { inner, control: self.control.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

impl fmt::Display for StopExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl fmt::Debug for StopExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl PartialEq for StopExpr {
    fn eq(&self, other: &Self) -> bool {
        self.inner.as_ref() == other.inner.as_ref()
    }
}

impl Eq for StopExpr {}

impl Hash for StopExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}
