//! The physical operator that scans: contiguous partitions, each in source order, filtered and projected.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, Statistics,
};

use super::scan::{MorselQueue, MorselReaders, Scan};
use crate::engine::keep::kept;
use crate::error::Result;
use crate::plan::eval::Program;

/// Chunks decoded ahead of whoever consumes them, per partition.
const AHEAD: usize = 2;

pub struct ScanExec {
    scan: Arc<Scan>,
    predicate: Option<Arc<Program>>,
    outputs: Arc<[Program]>,
    partitions: Vec<Range<usize>>,
    display: String,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    pub fn new(
        scan: Arc<Scan>,
        predicate: Option<Program>,
        outputs: Vec<Program>,
        schema: SchemaRef,
        threads: usize,
        display: String,
    ) -> Self {
        let partitions = shares(&scan, threads);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            scan,
            predicate: predicate.map(Arc::new),
            outputs: outputs.into(),
            partitions,
            display,
            properties,
        }
    }
}

/// Splits the morsels into contiguous runs of about as many rows each.
fn shares(scan: &Scan, threads: usize) -> Vec<Range<usize>> {
    let total = scan.rows().max(1);
    let mut shares: Vec<Range<usize>> = Vec::with_capacity(threads);
    let mut seen = 0;
    for (position, morsel) in scan.morsels.iter().enumerate() {
        let due = (seen * threads as u64 / total) as usize;
        let begun = shares.len();
        match shares.last_mut() {
            Some(last) if due < begun => last.end = position + 1,
            _ => shares.push(position..position + 1),
        }
        seen += morsel.rows as u64;
    }
    if shares.is_empty() {
        shares.push(0..0);
    }
    shares
}

impl fmt::Debug for ScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec({})", self.display)
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: {}, {} partitions in order", self.display, self.partitions.len())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// How many rows there are: what joins are ordered by, and what `count(*)` alone needs to know.
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DataFusionResult<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if args.partition().is_none() {
            let rows = usize::try_from(self.scan.rows()).unwrap_or(usize::MAX);
            statistics.num_rows =
                if self.predicate.is_none() { Precision::Exact(rows) } else { Precision::Inexact(rows) };
        }
        Ok(Arc::new(statistics))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let queue = Arc::new(MorselQueue::new(self.scan.clone(), self.partitions[partition].clone()));
        let (predicate, outputs) = (self.predicate.clone(), self.outputs.clone());
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), AHEAD);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let mut readers = MorselReaders::new(queue);
            while let Some(mut reader) = readers.next_reader()? {
                while let Some(chunk) = reader.next_chunk()? {
                    if sender.is_closed() {
                        // Nobody wants more: a filter that finds nothing would never notice by sending.
                        return Ok(());
                    }
                    let rows = chunk.num_rows();
                    let output = project(&chunk, predicate.as_deref(), &outputs, &schema)?;
                    reader.finished(rows);
                    if output.num_rows() > 0 && sender.blocking_send(Ok(output)).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}

fn project(
    chunk: &RecordBatch,
    predicate: Option<&Program>,
    outputs: &[Program],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let filtered;
    let chunk = match predicate {
        None => chunk,
        Some(predicate) => {
            let mask = predicate.eval(chunk)?;
            filtered = kept(chunk, mask.as_boolean())?;
            &filtered
        }
    };
    let columns = outputs.iter().map(|output| output.eval(chunk)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(chunk.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
