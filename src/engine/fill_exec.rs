//! Groups by bins of time, and between them rows for the bins without rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{concat, interleave, partition};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::group::exec::single_partition;
use super::node_exec::one_child;
use super::ordered::in_order;
use crate::error::Result;
use crate::plan::dtype::Unit;
use crate::plan::op::Bins;
use crate::plan::op::operand::{counts, instants};

/// Rows of a batch that is made.
const ROWS: usize = 8192;

/// What is filled in.
#[derive(Debug, Clone)]
pub struct Fill {
    pub bins: Bins,
    pub unit: Unit,
    pub tz: Option<String>,
    /// Which column has the bins' labels.
    pub key: usize,
    /// Columns of other keys, for each of whose values bins are filled in.
    pub kept: Vec<usize>,
    /// One row: what the columns are in a bin without rows.
    pub empty: Vec<ArrayRef>,
}

/// The input, sorted by the keys, with a row for every bin between the first and the last of the same other keys.
#[derive(Debug)]
pub struct FillExec {
    input: Arc<dyn ExecutionPlan>,
    fill: Arc<Fill>,
    properties: Arc<PlanProperties>,
}

impl FillExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, fill: Arc<Fill>) -> Self {
        let properties = single_partition(input.schema());
        Self { input, fill, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.fill.clone())
    }
}

impl DisplayAs for FillExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FillExec: bins without rows")
    }
}

impl ExecutionPlan for FillExec {
    one_child!("FillExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let fill = self.fill.clone();
        let mut last: Option<(i64, RecordBatch)> = None;
        let filled = in_order(self.input.clone(), context).map(
            move |batch: DataFusionResult<RecordBatch>| -> DataFusionResult<_> {
                let batch = batch?;
                let labels = counts(batch.column(fill.key))?;
                let begins = begins(&batch, &fill.kept, last.as_ref().map(|(_, row)| row))?;
                let next = last.as_ref().map(|(label, _)| fill.bins.next(*label)).transpose()?;
                if let Some(&label) = labels.values().last() {
                    last = Some((label, batch.slice(batch.num_rows() - 1, 1)));
                }
                let labels = labels.values().to_vec();
                let filling = Filling { fill: fill.clone(), labels, begins, batch, row: 0, next };
                Ok(futures::stream::iter(filling.map(|made| -> DataFusionResult<RecordBatch> { Ok(made?) })))
            },
        );
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), filled.try_flatten().boxed())))
    }
}

/// Which rows are the first with their values in the columns of other keys.
fn begins(batch: &RecordBatch, kept: &[usize], before: Option<&RecordBatch>) -> Result<Vec<bool>> {
    let mut begins = vec![false; batch.num_rows()];
    if kept.is_empty() || begins.is_empty() {
        return Ok(begins);
    }
    let columns: Vec<ArrayRef> = kept.iter().map(|place| batch.column(*place).clone()).collect();
    for range in partition(&columns)?.ranges() {
        begins[range.start] = true;
    }
    if let Some(before) = before {
        let pairs = kept.iter().map(|place| {
            let (last, first) = (before.column(*place), batch.column(*place).slice(0, 1));
            concat(&[&**last as &dyn Array, &*first])
        });
        let pairs = pairs.collect::<std::result::Result<Vec<_>, _>>()?;
        begins[0] = partition(&pairs)?.len() > 1;
    }
    Ok(begins)
}

/// A batch on its way, some rows at a time.
struct Filling {
    fill: Arc<Fill>,
    batch: RecordBatch,
    labels: Vec<i64>,
    begins: Vec<bool>,
    row: usize,
    /// The label that the next row has, or is filled in; none before the first row of all.
    next: Option<i64>,
}

impl Iterator for Filling {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.row < self.labels.len()).then(|| self.piece())
    }
}

impl Filling {
    fn piece(&mut self) -> Result<RecordBatch> {
        let (mut made, mut places) = (Vec::with_capacity(ROWS), Vec::with_capacity(ROWS));
        let mut rows = Vec::with_capacity(ROWS);
        while self.row < self.labels.len() && made.len() < ROWS {
            let label = self.labels[self.row];
            let next = self.next.filter(|next| *next < label && !self.begins[self.row]);
            rows.push((0, self.row));
            match next {
                Some(missing) => {
                    made.push(missing);
                    places.push((1, 0));
                }
                None => {
                    made.push(label);
                    places.push((0, self.row));
                    self.row += 1;
                }
            }
            self.next = Some(self.fill.bins.next(next.unwrap_or(label))?);
        }
        let columns = self.batch.columns().iter().zip(&self.fill.empty).enumerate();
        let columns = columns.map(|(place, (column, empty))| {
            if place == self.fill.key {
                return Ok(instants(made.clone().into(), self.fill.unit, self.fill.tz.as_deref()));
            }
            let places = if self.fill.kept.contains(&place) { &rows } else { &places };
            Ok(interleave(&[&**column as &dyn Array, &**empty], places)?)
        });
        Ok(RecordBatch::try_new(self.batch.schema(), columns.collect::<Result<_>>()?)?)
    }
}
