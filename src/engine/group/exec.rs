//! The physical operator: grouping fused with a scan, or over any other plan.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;
use tokio::task::JoinError;

use super::GroupSpec;
use super::arrange::Arranged;
use super::collect::{Collector, Rows};
use super::external::External;
use super::merge::{combine, merge};
use super::numbers::Meaning;
use super::room::{Expected, Room};
use super::shares::Shares;
use super::table::GroupTable;
use crate::engine::control::{Control, Stage};
use crate::engine::morsels::{MorselQueue, MorselReaders};
use crate::engine::predicate::Predicate;
use crate::engine::scan::Scan;
use crate::error::{Error, Result};
use crate::memory::leave_to_others;
use crate::plan::eval::Program;

/// Bytes of a value that is not of one width, as it is counted before the answer is there.
const VIEW: usize = 16;

/// Bytes of a row of the answer while rows are put in order: its number, and its key in a few bytes.
const IN_ORDER: usize = 20;

/// Where the rows come from.
#[derive(Clone)]
pub enum GroupInput {
    /// Morsels of a scan, taken by whichever thread is free.
    Scan(Arc<Scan>),
    Plan(Arc<dyn ExecutionPlan>),
}

/// What is computed of each batch of the input, and handed to the table.
pub struct GroupWork {
    pub predicate: Option<Predicate>,
    pub keys: Vec<Program>,
    pub args: Vec<Vec<Program>>,
    pub positions: Option<Program>,
}

impl GroupWork {
    fn apply(&self, collector: &mut Collector, batch: &RecordBatch) -> Result<()> {
        let evaluate = |programs: &[Program]| programs.iter().map(|program| program.eval(batch)).collect();
        let keys: Vec<ArrayRef> = evaluate(&self.keys)?;
        let args = self.args.iter().map(|args| evaluate(args)).collect::<Result<Vec<_>>>()?;
        let positions = self.positions.as_ref().map(|program| program.eval(batch)).transpose()?;
        collector.add(Rows { keys, args, positions, rows: batch.num_rows() })
    }
}

pub struct GroupExec {
    input: GroupInput,
    work: Arc<GroupWork>,
    spec: Arc<GroupSpec>,
    control: Arc<Control>,
    threads: usize,
    /// How groups are put in order that memory has no room for; none if they cannot go to disk.
    external: Option<External>,
    /// Memory is short from the start.
    short: bool,
    display: String,
    properties: Arc<PlanProperties>,
}

impl GroupExec {
    pub fn new(
        input: GroupInput,
        mut work: GroupWork,
        spec: GroupSpec,
        control: Arc<Control>,
        threads: usize,
        display: String,
    ) -> Result<Self> {
        let properties = single_partition(spec.schema());
        // Aggregates that share a state share their arguments as well.
        let leaders = spec.leaders()?;
        for (number, args) in work.args.iter_mut().enumerate() {
            if !leaders.contains(&number) {
                args.clear();
            }
        }
        let (work, spec, short) = (Arc::new(work), Arc::new(spec), false);
        let external = External::of(&spec)?;
        Ok(Self { input, work, spec, control, threads, external, short, display, properties })
    }

    /// The same where memory is known to be short; none if its groups cannot go to disk.
    pub fn spilling(self) -> Option<Self> {
        self.external.is_some().then_some(Self { short: true, ..self })
    }
}

/// One partition, everything at the end.
pub fn single_partition(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Final,
        Boundedness::Bounded,
    ))
}

impl fmt::Debug for GroupExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupExec({})", self.display)
    }
}

impl DisplayAs for GroupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupExec: {}", self.display)
    }
}

impl ExecutionPlan for GroupExec {
    fn name(&self) -> &'static str {
        "GroupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        match &self.input {
            GroupInput::Scan(_) => Vec::new(),
            GroupInput::Plan(plan) => vec![plan],
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = match (children.into_iter().next(), &self.input) {
            (Some(child), _) => GroupInput::Plan(child),
            (None, input) => input.clone(),
        };
        Ok(Arc::new(Self {
            input,
            work: self.work.clone(),
            spec: self.spec.clone(),
            control: self.control.clone(),
            threads: self.threads,
            external: self.external.clone(),
            short: self.short,
            display: self.display.clone(),
            properties: self.properties.clone(),
        }))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let (input, work, spec) = (self.input.clone(), self.work.clone(), self.spec.clone());
        let (control, threads, display) = (self.control.clone(), self.threads, self.display.clone());
        let disk = context.runtime_env().disk_manager.clone();
        let external = self.external.clone().filter(|_| disk.tmp_files_enabled());
        let limit = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(limit) => Some(limit),
            _ => None,
        };
        let room = Room { disk: external.is_some().then_some(disk), short: self.short, limit, threads };
        let answer = async move {
            let started = Instant::now();
            let rows = match &input {
                GroupInput::Scan(scan) => Expected { count: Some(scan.rows()), end: Some(scan.end()) },
                GroupInput::Plan(_) => Expected::default(),
            };
            let shares = Arc::new(Shares::new(spec.clone(), rows, reserve(&context), room));
            let new = |(number, threads)| {
                let (spec, shares, control) = (spec.clone(), shares.clone(), control.clone());
                Collector::new(spec, shares, control, reserve(&context), (number, threads))
            };
            let tables = match input {
                GroupInput::Scan(scan) => scan_tables(scan, &work, new, threads, &context).await?,
                GroupInput::Plan(plan) => plan_tables(plan, &work, new, &context).await?,
            };
            let grouped = started.elapsed().as_secs_f64();
            let own: usize = tables.iter().map(|(table, _)| table.len()).sum();
            let (groups, shared) = match shares.is_open() {
                true => (own + shares.groups(), ", many groups shared by hash"),
                false => (own, ""),
            };
            control.stage(Stage {
                name: "group".to_owned(),
                rows: groups as u64,
                seconds: grouped,
                details: format!(
                    "{display}; {} threads, rows are their partial groups{shared}",
                    tables.len()
                ),
            });
            let merging = Instant::now();
            let (tables, reservations): (Vec<_>, Vec<_>) = tables.into_iter().unzip();
            // What is to be there beside the tables while they become the answer.
            let beside = reserve(&context);
            let fits = !shares.spills() && {
                let held = tables.iter().map(GroupTable::size).sum::<usize>() + shares.size();
                beside.try_grow(to_merge(&spec, groups, held)).is_ok()
            };
            if let (false, Some(external)) = (fits, external) {
                drop(beside);
                shares.begin_spilling();
                let (work, to, by) = (spec.clone(), shares.clone(), control.clone());
                let only = blocking(move || {
                    let only = combine(&work, tables, &to, threads, &by)?;
                    drop(reservations);
                    to.make_room()?;
                    Ok(only)
                });
                let only = match only.await? {
                    Some(only) => only,
                    None => {
                        if shares.spilled() > 0 {
                            control.note(format!(
                                "{} groups were spilled to disk: they did not fit the memory limit",
                                shares.spilled()
                            ));
                        }
                        return Ok(external.answer(shares, control, threads, &context)?);
                    }
                };
                let by = control.clone();
                let arranged =
                    move || Arranged::new(spec, (vec![only], false), Meaning::default(), threads, &by);
                return in_batches(blocking(arranged).await?, reserve(&context), threads, control);
            }
            let merger = control.clone();
            let merged = blocking(move || merge(&spec, tables, &shares, threads, &merger)).await?;
            drop((reservations, beside));
            control.stage(Stage {
                name: "merge".to_owned(),
                rows: merged.rows() as u64,
                seconds: merging.elapsed().as_secs_f64(),
                details: "threads' groups merged by hash, then put in order".to_owned(),
            });
            in_batches(merged, reserve(&context), threads, control)
        };
        let answer = futures::stream::once(answer).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), answer)))
    }
}

/// Bytes that are needed beside those that tables hold while they become an answer in memory: what it takes more than
/// they do, and the order of its rows.
fn to_merge(spec: &GroupSpec, groups: usize, held: usize) -> usize {
    let fields = spec.schema();
    let widths = fields.fields().iter().map(|field| field.data_type().primitive_width().unwrap_or(VIEW));
    let answer = groups.saturating_mul(widths.sum());
    answer.saturating_sub(held).saturating_add(groups.saturating_mul(IN_ORDER))
}

/// Groups in order, a batch at a time.
fn in_batches(
    groups: Arranged,
    held: MemoryReservation,
    threads: usize,
    control: Arc<Control>,
) -> DataFusionResult<BoxStream<'static, DataFusionResult<RecordBatch>>> {
    held.try_resize(groups.size())?;
    let groups = Arc::new((groups, held));
    let batches = futures::stream::iter(0..groups.0.batches()).map(move |number| {
        let (groups, control) = (groups.clone(), control.clone());
        let batch = move || {
            control.check()?;
            let batch = groups.0.batch(number)?;
            groups.1.try_shrink(groups.0.let_go_with(number))?;
            Ok(batch)
        };
        async move { Ok(blocking(batch).await?) }
    });
    Ok(batches.buffered(threads.max(1)).boxed())
}

/// Runs work that blocks, on a thread for it; a panic there is a defect of ours, reported as such. It must not wait for
/// other such work, which then may find no thread: see `blocking_on_others`.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    ended(tokio::task::spawn_blocking(with_thread(work)).await)
}

/// The same for work that waits for other work while it holds its thread: one of those that nobody else waits for.
pub async fn blocking_on_others<T: Send + 'static>(
    control: &Control,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(threads) = control.waiting.get() else { return blocking(work).await };
    let (work, here) = (with_thread(work), Handle::current());
    let work = move || {
        let _here = here.enter();
        work()
    };
    ended(threads.spawn_blocking(work).await)
}

fn with_thread<T>(work: impl FnOnce() -> Result<T>) -> impl FnOnce() -> Result<T> {
    move || {
        let result = work();
        leave_to_others();
        result
    }
}

fn ended<T>(joined: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    match joined {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(Error::internal("a thread of the engine panicked")),
        Err(_) => Err(Error::cancelled()),
    }
}

type Held = (GroupTable, MemoryReservation);

fn reserve(context: &TaskContext) -> MemoryReservation {
    MemoryConsumer::new("group").register(context.memory_pool())
}

async fn scan_tables(
    scan: Arc<Scan>,
    work: &Arc<GroupWork>,
    new: impl Fn((usize, usize)) -> Result<Collector>,
    threads: usize,
    context: &TaskContext,
) -> Result<Vec<Held>> {
    let threads = scan.threads(threads).min(scan.morsels.len()).max(1);
    let queue = Arc::new(MorselQueue::new(scan.clone(), 0..scan.morsels.len()).shared_by(threads));
    let workers = (0..threads).map(|number| {
        let (queue, work, collector) = (queue.clone(), work.clone(), new((number, threads)));
        let scan = scan.clone();
        let counted = scan.counted(threads, context.memory_pool());
        blocking(move || {
            let _counted = counted;
            let mut collector = collector?;
            let mut readers = MorselReaders::new(queue);
            while let Some(mut reader) = readers.next_reader()? {
                while let Some(chunk) = reader.next_chunk()? {
                    let rows = chunk.num_rows();
                    let chunk = match &work.predicate {
                        Some(predicate) => reader.keep(&scan, predicate, &chunk)?,
                        None => chunk,
                    };
                    work.apply(&mut collector, &chunk)?;
                    reader.finished(rows);
                }
            }
            collector.finish()
        })
    });
    all(workers, &scan.control).await
}

async fn plan_tables(
    plan: Arc<dyn ExecutionPlan>,
    work: &Arc<GroupWork>,
    new: impl Fn((usize, usize)) -> Result<Collector>,
    context: &Arc<TaskContext>,
) -> Result<Vec<Held>> {
    let partitions = plan.properties().partitioning.partition_count();
    let workers = (0..partitions).map(|partition| {
        let (plan, work, context) = (plan.clone(), work.clone(), context.clone());
        let collector = new((partition, partitions));
        SpawnedTask::spawn(async move {
            let mut collector = collector?;
            let mut batches = plan.execute(partition, context)?;
            while let Some(batch) = batches.next().await {
                work.apply(&mut collector, &batch?)?;
            }
            collector.finish()
        })
    });
    // All are at work before the first is waited for; those that are left when one fails are stopped.
    let workers: Vec<_> = workers.collect();
    let mut tables = Vec::with_capacity(partitions);
    for worker in workers {
        let table = worker.join().await.map_err(|_| Error::internal("a thread of the engine panicked"))?;
        tables.push(table?);
    }
    Ok(tables)
}

/// Waits for every worker, also after one failed: nothing may still be running when the error is told.
async fn all<T>(
    workers: impl Iterator<Item = impl Future<Output = Result<T>>>,
    control: &Control,
) -> Result<Vec<T>> {
    let stop_on_error = |result: Result<T>| {
        if let Err(error) = &result {
            control.abandon(error);
        }
        result
    };
    let workers = workers.map(|worker| async { stop_on_error(worker.await) });
    let mut results = Vec::new();
    let mut failure: Option<Error> = None;
    for result in futures::future::join_all(workers).await {
        match result {
            Ok(value) => results.push(value),
            // What the others say of being stopped is not the cause.
            Err(error) => match &failure {
                Some(first) if first.code() != crate::error::Code::Cancelled => {}
                _ => failure = Some(error),
            },
        }
    }
    match failure {
        None => Ok(results),
        Some(error) => Err(error),
    }
}
