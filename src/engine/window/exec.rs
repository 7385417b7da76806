//! The physical operator: adds a column for each call of a window function, rows in the order of the input.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, Scalar, UInt32Array};
use arrow::compute::kernels::{cmp, zip::zip};
use arrow::compute::{concat, concat_batches, nullif};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::keys::Keys;
use super::{Call, WindowSpec};
use crate::engine::control::{Control, Stage};
use crate::engine::group::exec::{blocking, single_partition};
use crate::engine::group::shares::in_parallel;
use crate::engine::node_exec::one_child;
use crate::engine::ordered::in_order;
use crate::engine::owned_exec::OwnedExec;
use crate::error::{Code, Error, Result};
use crate::plan::eval::literal_array;
use crate::plan::window::{Groups, Running};
use crate::plan::{DType, Literal};

pub struct WindowExec {
    input: Arc<dyn ExecutionPlan>,
    spec: Arc<WindowSpec>,
    control: Arc<Control>,
    threads: usize,
    display: String,
    properties: Arc<PlanProperties>,
}

impl WindowExec {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        spec: Arc<WindowSpec>,
        control: Arc<Control>,
        threads: usize,
        display: String,
    ) -> Self {
        let schema = input.schema();
        let kept = spec.kept.iter().map(|place| schema.field(*place).clone());
        let made = spec.calls.iter().map(|call| Field::new(&*call.name, call.arrow.clone(), true));
        let properties = single_partition(Arc::new(Schema::new(kept.chain(made).collect::<Vec<_>>())));
        Self { input, spec, control, threads, display, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        let (spec, control) = (self.spec.clone(), self.control.clone());
        Self::new(input, spec, control, self.threads, self.display.clone())
    }
}

impl fmt::Debug for WindowExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowExec({})", self.display)
    }
}

impl DisplayAs for WindowExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.spec.goes_by_steps() { "by steps" } else { "over all rows in memory" };
        write!(f, "WindowExec: {}, {how}", self.display)
    }
}

impl ExecutionPlan for WindowExec {
    one_child!("WindowExec");

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let reservation = MemoryConsumer::new("window").register(context.memory_pool());
        if self.spec.goes_by_steps() {
            let mut steps = Steps::new(self.spec.clone(), schema.clone(), self.control.clone(), reservation)?;
            let batches = in_order(self.input.clone(), context);
            let computed = batches.map(move |batch| Ok(steps.next(&batch?)?));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, computed)));
        }
        let input: Arc<dyn ExecutionPlan> = Arc::new(OwnedExec::new(self.input.clone()));
        let (spec, control, output) = (self.spec.clone(), self.control.clone(), schema.clone());
        let (threads, display) = (self.threads, self.display.clone());
        let answer = async move {
            let started = Instant::now();
            let collected = collect(input, &context, &reservation).await?;
            let work = move || {
                let batches = whole(&spec, collected, &output, &control, threads, &reservation)?;
                control.stage(Stage {
                    name: "window".to_owned(),
                    rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
                    seconds: started.elapsed().as_secs_f64(),
                    details: display,
                });
                // Held until the last batch is on its way.
                Ok((batches, reservation))
            };
            let (batches, reservation) = blocking(work).await?;
            let batches = futures::stream::iter(batches.into_iter().map(Ok));
            Ok::<_, datafusion::error::DataFusionError>(batches.inspect(move |_| {
                let _ = &reservation;
            }))
        };
        let batches = futures::stream::once(answer).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// All partitions at once, joined in their order.
async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    reservation: &MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    let partitions = plan.properties().partitioning.partition_count();
    let streams = (0..partitions).map(|partition| {
        let plan = plan.clone();
        async move {
            let mut stream = plan.execute(partition, context.clone())?;
            let mut batches = Vec::new();
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                hold(reservation, batch.get_array_memory_size())?;
                batches.push(batch);
            }
            Ok::<_, Error>(batches)
        }
    });
    Ok(futures::future::try_join_all(streams).await?.into_iter().flatten().collect())
}

fn hold(reservation: &MemoryReservation, bytes: usize) -> Result<()> {
    reservation.try_grow(bytes).map_err(|error| {
        let what = "a function of neighbouring rows or of whole groups holds its rows in memory, \
                    and they need more than the limit";
        let cause = Error::from(error);
        if cause.code() != Code::OutOfMemory {
            return cause;
        }
        Error::new(Code::OutOfMemory, what)
            .hint("Raise `memory_limit`, or give it fewer rows or columns: filter and select first")
    })
}

fn whole(
    spec: &WindowSpec,
    batches: Vec<RecordBatch>,
    schema: &SchemaRef,
    control: &Control,
    threads: usize,
    reservation: &MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    let mut exprs: Vec<Vec<ArrayRef>> = vec![Vec::new(); spec.exprs.len()];
    let mut keys = spec
        .partitions
        .iter()
        .map(|(exprs, dropna)| keys(spec, exprs, *dropna))
        .collect::<Result<Vec<_>>>()?;
    let mut ids: Vec<Vec<u32>> = vec![Vec::new(); keys.len()];
    let used = |place: &usize| spec.calls.iter().any(|call| call.args.contains(place));
    let arguments: Vec<usize> = (0..spec.exprs.len()).filter(used).collect();
    for batch in &batches {
        control.check()?;
        let values = spec.exprs.iter().map(|expr| expr.eval(batch)).collect::<Result<Vec<_>>>()?;
        for (((exprs, _), keys), ids) in spec.partitions.iter().zip(&mut keys).zip(&mut ids) {
            let columns: Vec<ArrayRef> = exprs.iter().map(|place| values[*place].clone()).collect();
            keys.number(&columns, ids)?;
        }
        for place in &arguments {
            exprs[*place].push(values[*place].clone());
        }
    }
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::with_capacity(exprs.len());
    for (parts, arrow) in exprs.into_iter().zip(&spec.types) {
        control.check()?;
        columns.push(match parts.as_slice() {
            [] => arrow::array::new_empty_array(arrow),
            [only] => only.clone(),
            several => concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        });
    }
    let key_bytes: usize = keys.iter().map(Keys::size).sum();
    let column_bytes: usize = columns.iter().map(|column| column.get_array_memory_size()).sum();
    // Groups have the rows' numbers and their order beside them, and every call a column.
    let own = 8 * rows * (keys.len() + spec.calls.len());
    hold(reservation, key_bytes + column_bytes + own)?;
    let outside: Vec<Option<u32>> = keys.iter().map(Keys::outside).collect();
    let groups = ids
        .into_iter()
        .zip(&keys)
        .map(|(ids, keys)| Groups::new(ids, keys.count()))
        .collect::<Result<Vec<_>>>()?;
    let all = Groups::one(rows)?;
    let compute = |call: &Call| -> Result<ArrayRef> {
        let args: Vec<ArrayRef> = call.args.iter().map(|place| columns[*place].clone()).collect();
        let proceed = || control.check();
        match call.partition {
            None => call.window.compute(&args, &all, &proceed),
            Some(partition) => {
                let values = call.window.compute(&args, &groups[partition], &proceed)?;
                without(values, groups[partition].ids(), outside[partition], &call.window.outside())
            }
        }
    };
    let results = on_threads(&spec.calls, threads, &compute)?;
    let mut from = 0;
    let output = batches.iter().map(|batch| {
        let rows = batch.num_rows();
        let made = results.iter().map(|column| column.slice(from, rows)).collect();
        from += rows;
        joined(spec, batch, made, schema)
    });
    output.collect()
}

/// Every call, on whichever thread is free.
fn on_threads(
    calls: &[Call],
    threads: usize,
    compute: &(impl Fn(&Call) -> Result<ArrayRef> + Sync),
) -> Result<Vec<ArrayRef>> {
    let threads = threads.min(calls.len());
    if threads < 2 {
        return calls.iter().map(compute).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, ArrayRef)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(call) = calls.get(number) else { return Ok(done) };
            done.push((number, compute(call)?));
        }
    };
    let mut done: Vec<_> =
        in_parallel((0..threads).map(|_| &work).collect())?.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, column)| column).collect())
}

fn keys(spec: &WindowSpec, exprs: &[usize], dropna: bool) -> Result<Keys> {
    let types: Vec<_> = exprs.iter().map(|place| spec.types[*place].clone()).collect();
    Keys::new(&types, dropna)
}

/// With `fill` for rows that are in no group.
fn without(values: ArrayRef, ids: Option<&[u32]>, outside: Option<u32>, fill: &Literal) -> Result<ArrayRef> {
    let (Some(ids), Some(outside)) = (ids, outside) else { return Ok(values) };
    if !ids.contains(&outside) {
        return Ok(values);
    }
    let ids = UInt32Array::from(ids.to_vec());
    let there = cmp::eq(&ids, &UInt32Array::new_scalar(outside))?;
    if *fill == Literal::Null {
        return Ok(nullif(&values, &there)?);
    }
    let fill = literal_array(fill, &DType::from_arrow(values.data_type()), 1)?;
    Ok(zip(&there, &Scalar::new(fill), &values)?)
}

/// The input's columns that go on, and the ones that were made.
fn joined(
    spec: &WindowSpec,
    batch: &RecordBatch,
    made: Vec<ArrayRef>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let kept = spec.kept.iter().map(|place| batch.column(*place).clone());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), kept.chain(made).collect(), &options)?)
}

/// What is remembered from step to step.
struct Steps {
    spec: Arc<WindowSpec>,
    schema: SchemaRef,
    control: Arc<Control>,
    reservation: MemoryReservation,
    keys: Vec<Keys>,
    /// Of each call: its state, or how many earlier rows it looks at.
    states: Vec<State>,
    /// As many of the last rows as any call looks back at.
    tail: Option<RecordBatch>,
}

enum State {
    Running(Box<dyn Running>),
    LookBack(usize),
}

impl Steps {
    fn new(
        spec: Arc<WindowSpec>,
        schema: SchemaRef,
        control: Arc<Control>,
        reservation: MemoryReservation,
    ) -> Result<Self> {
        let keys = spec
            .partitions
            .iter()
            .map(|(exprs, dropna)| keys(&spec, exprs, *dropna))
            .collect::<Result<_>>()?;
        let state = |call: &Call| match call.window.running() {
            Some(running) => State::Running(running),
            None => State::LookBack(call.window.look_back().unwrap_or(0)),
        };
        let states = spec.calls.iter().map(state).collect();
        Ok(Self { spec, schema, control, reservation, keys, states, tail: None })
    }

    fn next(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.control.check()?;
        let spec = self.spec.clone();
        let values = spec.exprs.iter().map(|expr| expr.eval(batch)).collect::<Result<Vec<_>>>()?;
        let mut groups = Vec::with_capacity(self.keys.len());
        for ((exprs, _), keys) in spec.partitions.iter().zip(&mut self.keys) {
            let columns: Vec<ArrayRef> = exprs.iter().map(|place| values[*place].clone()).collect();
            let mut ids = Vec::with_capacity(batch.num_rows());
            keys.number(&columns, &mut ids)?;
            groups.push(ids);
        }
        let none =
            vec![
                0;
                if spec.calls.iter().any(|call| call.partition.is_none()) { batch.num_rows() } else { 0 }
            ];
        let looks_back = self.states.iter().filter_map(|state| match state {
            State::LookBack(rows) => Some(*rows),
            State::Running(_) => None,
        });
        let looks_back = looks_back.max();
        let wide = match (&self.tail, looks_back) {
            (Some(tail), Some(_)) => Some(concat_batches(&batch.schema(), [tail, batch])?),
            (None, Some(_)) => Some(batch.clone()),
            (_, None) => None,
        };
        let mut made = Vec::with_capacity(spec.calls.len());
        for (call, state) in spec.calls.iter().zip(&mut self.states) {
            made.push(match (state, &wide) {
                (State::Running(running), _) => {
                    let args: Vec<ArrayRef> = call.args.iter().map(|place| values[*place].clone()).collect();
                    match call.partition {
                        None => running.push(&args, &none, 1)?,
                        Some(place) => {
                            let keys = &self.keys[place];
                            let values = running.push(&args, &groups[place], keys.count())?;
                            without(values, Some(&groups[place]), keys.outside(), &call.window.outside())?
                        }
                    }
                }
                (State::LookBack(_), Some(wide)) => {
                    let args = call.args.iter().map(|place| spec.exprs[*place].eval(wide));
                    let args = args.collect::<Result<Vec<_>>>()?;
                    let groups = Groups::one(wide.num_rows())?;
                    let control = &self.control;
                    let values = call.window.compute(&args, &groups, &|| control.check())?;
                    values.slice(wide.num_rows() - batch.num_rows(), batch.num_rows())
                }
                (State::LookBack(_), None) => return Err(Error::internal("the rows before went missing")),
            });
        }
        if let (Some(rows), Some(wide)) = (looks_back, wide) {
            let rows = rows.min(wide.num_rows());
            self.tail = Some(wide.slice(wide.num_rows() - rows, rows));
        }
        let states = self.states.iter().map(|state| match state {
            State::Running(running) => running.size(),
            State::LookBack(_) => 0,
        });
        let bytes = states.sum::<usize>() + self.keys.iter().map(Keys::size).sum::<usize>();
        self.reservation.try_resize(bytes)?;
        joined(&spec, batch, made, &self.schema)
    }
}
