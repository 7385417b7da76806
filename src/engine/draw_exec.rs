//! The places of rows that are chosen, of one table or group after the other, in the order in which they come.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use super::control::Control;
use super::group::exec::{blocking, single_partition};
use super::node_exec::one_child;
use super::ordered::in_order;
use crate::error::Result;
use crate::plan::draw::{Draw, Drawing};
use crate::plan::node::{DRAWN, GROUP, PLACE};

/// Rows of a batch, about.
const ROWS: usize = 8192;

/// The input says how many rows each table or group has.
pub struct DrawExec {
    input: Arc<dyn ExecutionPlan>,
    /// The column with the counts.
    column: usize,
    draw: Arc<Draw>,
    control: Arc<Control>,
    properties: Arc<PlanProperties>,
}

impl DrawExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, column: usize, draw: Arc<Draw>, control: Arc<Control>) -> Self {
        let field = |name: &str| Field::new(name, DataType::Int64, true);
        let schema = Arc::new(Schema::new([GROUP, DRAWN, PLACE].map(field).to_vec()));
        Self { input, column, draw, control, properties: single_partition(schema) }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.column, self.draw.clone(), self.control.clone())
    }
}

impl fmt::Debug for DrawExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DrawExec({:?})", self.draw)
    }
}

impl DisplayAs for DrawExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DrawExec: places among so many rows")
    }
}

impl ExecutionPlan for DrawExec {
    one_child!("DrawExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let sender = stream.tx();
        let (column, control) = (self.column, self.control.clone());
        let mut counted = in_order(self.input.clone(), context.clone());
        let draw = self.draw.clone();
        stream.spawn(async move {
            let reservation = MemoryConsumer::new("sample").register(context.memory_pool());
            if let Draw::Weighted { .. } = *draw {
                let mut weights: Vec<f64> = Vec::new();
                while let Some(batch) = counted.next().await {
                    let more = batch?.column(column).as_primitive::<Float64Type>().clone();
                    reservation.try_resize(draw.bytes((weights.len() + more.len()) as u64))?;
                    weights.extend(more.iter().map(|weight| weight.unwrap_or(f64::NAN)));
                }
                let work = move || {
                    let drawn = draw.begin().weighted(weights, &|| control.check())?;
                    let drawn: Vec<i64> = drawn.into_iter().map(i64::from).collect();
                    let made = Made { groups: vec![0; drawn.len()], drawn };
                    Drawn { drawing: draw.begin(), group: 0, place: 0, made }.cut(&schema, 0)
                };
                for batch in blocking(work).await?.1 {
                    if sender.send(Ok(batch)).await.is_err() {
                        return Ok(());
                    }
                }
                return Ok(());
            }
            let mut rows = Drawn { drawing: draw.begin(), group: 0, place: 0, made: Made::default() };
            while let Some(batch) = counted.next().await {
                let counts = batch?.column(column).as_primitive::<Int64Type>().clone();
                let most = counts.values().iter().max().copied().unwrap_or(0).max(0) as u64;
                // One after the other: memory is needed for the largest of them, and for what was made.
                reservation.try_resize(draw.bytes(most) + counts.len() * 3 * size_of::<i64>())?;
                let mut next = 0;
                while next < counts.len() {
                    let (control, counts, schema) = (control.clone(), counts.clone(), schema.clone());
                    let work = move || {
                        rows.some(&counts, next, &control).and_then(|(rows, next)| rows.cut(&schema, next))
                    };
                    let (kept, batches, done) = blocking(work).await?;
                    (rows, next) = (kept, done);
                    for batch in batches {
                        if sender.send(Ok(batch)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}

/// Rows chosen so far.
struct Drawn {
    drawing: Drawing,
    group: i64,
    place: i64,
    made: Made,
}

#[derive(Default)]
struct Made {
    groups: Vec<i64>,
    drawn: Vec<i64>,
}

impl Drawn {
    /// Draws of the groups from `next` on, until there is a batch of rows; says which is next.
    fn some(mut self, counts: &Int64Array, mut next: usize, control: &Control) -> Result<(Self, usize)> {
        while next < counts.len() && self.made.drawn.len() < ROWS {
            if next.is_multiple_of(1024) {
                control.check()?;
            }
            let places = self.drawing.places(counts.value(next).max(0) as u64, &|| control.check())?;
            self.made.groups.resize(self.made.groups.len() + places.len(), self.group);
            self.made.drawn.extend(places.into_iter().map(i64::from));
            (self.group, next) = (self.group + 1, next + 1);
        }
        Ok((self, next))
    }

    /// What was made, as batches.
    fn cut(mut self, schema: &SchemaRef, next: usize) -> Result<(Self, Vec<RecordBatch>, usize)> {
        let made = std::mem::take(&mut self.made);
        let mut batches = Vec::new();
        for (groups, drawn) in made.groups.chunks(ROWS).zip(made.drawn.chunks(ROWS)) {
            let order = Int64Array::from_iter_values(self.place..self.place + drawn.len() as i64);
            self.place += drawn.len() as i64;
            let columns = [Int64Array::from(groups.to_vec()), Int64Array::from(drawn.to_vec()), order];
            let columns = columns.into_iter().map(|column| -> ArrayRef { Arc::new(column) }).collect();
            batches.push(RecordBatch::try_new(schema.clone(), columns)?);
        }
        Ok((self, batches, next))
    }
}
