//! The physical operator: collects one side, and lets the partitions of the other one stream past it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use super::begin::{Begun, begin};
use super::filter::KeyFilter;
use super::keys::{Keys, picked};
use super::output::{Cursor, Keeps, Origin, Pairs, held, unmatched};
use super::parts::Side;
use super::placed::Placed;
use super::spilled::{Joining, Room, Spilled, scatter};
use super::table::JoinTable;
use super::unique::{Seen, not_unique};
use crate::engine::control::{Control, Stage};
use crate::engine::group::exec::{blocking, blocking_on_others};
use crate::engine::placed_exec::{Rising, placed};
use crate::error::{Error, Result};

/// Batches made ahead of whoever consumes them, per partition.
const AHEAD: usize = 2;

pub struct JoinSpec {
    pub keeps: Keeps,
    pub order: JoinOrder,
    /// Collected rows without a partner come out after all others.
    pub unmatched: bool,
    pub probe_keys: Vec<usize>,
    pub build_keys: Vec<usize>,
    pub columns: Vec<Origin>,
    pub schema: SchemaRef,
    /// What the keys of a side are called, where no two of its rows may have the same.
    pub probe_unique: Option<(&'static str, String)>,
    pub build_unique: Option<(&'static str, String)>,
    /// The streaming side comes first, as long as it has no more rows than this.
    pub begin: Option<usize>,
    /// What scans of a side learn of the other one's keys: the number of the key, and the filter.
    pub probe_filters: Vec<(usize, Arc<KeyFilter>)>,
    pub build_filters: Vec<(usize, Arc<KeyFilter>)>,
    pub display: String,
    /// Memory is known to be short: development builds go to disk at once then, so that small tests take that way.
    pub short: bool,
}

/// How the order of what comes out is told. If it is not by that of the rows, those of a join on disk come as they are
/// made.
#[derive(Debug, Clone)]
pub enum JoinOrder {
    /// By that of the rows.
    Rows,
    /// By a column of this name behind all others.
    Place(Arc<str>),
    /// Nobody asks.
    Any,
}

impl JoinOrder {
    pub fn place(&self) -> Option<&Arc<str>> {
        match self {
            Self::Place(name) => Some(name),
            Self::Rows | Self::Any => None,
        }
    }
}

/// The side that was collected.
struct Built {
    batch: RecordBatch,
    table: JoinTable,
    matched: Vec<AtomicBool>,
    seen: Option<Mutex<Seen>>,
    begun: Begun,
    _reservation: MemoryReservation,
}

/// What goes when so many parts that were made with it have ended, however long the plan lives.
struct Kept<T> {
    kept: Mutex<Option<Arc<T>>>,
    parts: AtomicUsize,
}

/// What a part is made with.
struct Lent<T> {
    lent: Arc<T>,
    of: Arc<Kept<T>>,
}

impl<T> Kept<T> {
    fn until(kept: T, parts: usize) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(Some(Arc::new(kept))), parts: AtomicUsize::new(parts) })
    }

    fn part(self: Arc<Self>) -> Result<Lent<T>> {
        let lent = self.kept.lock().clone();
        let lent = lent.ok_or_else(|| Error::internal("a part of a join was asked for twice"))?;
        Ok(Lent { lent, of: self })
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if self.of.parts.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.of.kept.lock() = None;
        }
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lent
    }
}

/// What partitions of the output are made of.
#[derive(Clone)]
enum Ready {
    Memory(Arc<Kept<Built>>),
    /// The sides did not fit, and have been joined.
    Disk(Arc<Spilled>),
    /// The sides did not fit, and are joined as their rows are taken.
    Placed(Arc<Placed>),
}

pub struct JoinExec {
    probe: Arc<dyn ExecutionPlan>,
    build: Arc<dyn ExecutionPlan>,
    spec: Arc<JoinSpec>,
    control: Arc<Control>,
    threads: usize,
    built: Arc<OnceCell<Result<Ready>>>,
    /// A permit for each partition that has streamed past.
    passed: Arc<Semaphore>,
    properties: Arc<PlanProperties>,
}

impl JoinExec {
    pub fn new(
        probe: Arc<dyn ExecutionPlan>,
        build: Arc<dyn ExecutionPlan>,
        spec: Arc<JoinSpec>,
        control: Arc<Control>,
        threads: usize,
    ) -> Self {
        let partitions = probe.properties().partitioning.partition_count() + usize::from(spec.unmatched);
        let schema = match spec.order.place() {
            Some(name) => placed(&spec.schema, name),
            None => spec.schema.clone(),
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let (built, passed) = (Arc::default(), Arc::new(Semaphore::new(0)));
        Self { probe, build, spec, control, threads, built, passed, properties }
    }
}

impl fmt::Debug for JoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinExec({})", self.spec.display)
    }
}

impl DisplayAs for JoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinExec: {}; the second input is collected", self.spec.display)?;
        match &self.spec.order {
            JoinOrder::Rows => Ok(()),
            JoinOrder::Place(name) => write!(f, "; order as {name}"),
            JoinOrder::Any => write!(f, "; in any order"),
        }
    }
}

impl ExecutionPlan for JoinExec {
    fn name(&self) -> &'static str {
        "JoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.probe, &self.build]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let [probe, build] = children.as_slice() else { return Ok(self) };
        let (spec, control) = (self.spec.clone(), self.control.clone());
        Ok(Arc::new(Self::new(probe.clone(), build.clone(), spec, control, self.threads)))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), AHEAD);
        let sender = stream.tx();
        let partitions = self.probe.properties().partitioning.partition_count();
        let (spec, control, passed) = (self.spec.clone(), self.control.clone(), self.passed.clone());
        let (cell, build, threads) = (self.built.clone(), self.build.clone(), self.threads);
        let (probe, schema) = (self.probe.clone(), self.schema());
        stream.spawn(async move {
            // What was found the first time is so for every partition: nothing is collected again after an error.
            let ready = cell
                .get_or_init(|| collect((&probe, build), &spec, &control, threads, context.clone()))
                .await
                .clone()?;
            let built = match ready {
                Ready::Memory(kept) => kept.part()?,
                Ready::Disk(spilled) => {
                    let rising = numbers(&spec, partition, schema)?;
                    let send = move || spilled.send(partition, rising, &sender);
                    return Ok(blocking_on_others(&control, send).await?);
                }
                Ready::Placed(placed) => {
                    let send = move || placed.send(partition, &schema, &sender);
                    return Ok(blocking_on_others(&control, send).await?);
                }
            };
            let mut rising = numbers(&spec, partition, schema)?;
            let mut number = |output| match &mut rising {
                Some(rising) => rising.number(&output),
                None => Ok(output),
            };
            if partition < partitions {
                let mut rows = match built.begun.rest(partition) {
                    Some(rows) => rows,
                    None => probe.execute(partition, context)?,
                };
                let mut heads = Vec::new();
                while let Some(batch) = rows.next().await {
                    let batch = batch?;
                    let keys = picked(batch.columns(), &spec.probe_keys);
                    if let (Some(seen), Some((side, names))) = (&built.seen, &spec.probe_unique)
                        && seen.lock().meets_again(&keys)?
                    {
                        return Err(not_unique(side, names).into());
                    }
                    built.table.find(&Keys::new(&keys, batch.num_rows())?, &mut heads);
                    let (mut pairs, mut cursor) = (Pairs::default(), Cursor::default());
                    while pairs.fill(&built.table, &heads, spec.keeps, &mut cursor) {
                        control.check()?;
                        if spec.unmatched {
                            pairs.mark(&built.matched);
                        }
                        if pairs.build.is_empty() {
                            continue;
                        }
                        let output = pairs.gather(&batch, &built.batch, &spec.columns, &spec.schema)?;
                        if sender.send(Ok(number(output)?)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                passed.add_permits(1);
                return Ok(());
            }
            let all = u32::try_from(partitions).map_err(|_| Error::internal("too many partitions"))?;
            let _all = passed.acquire_many(all).await.map_err(|_| Error::cancelled())?;
            let input = probe.schema();
            let types = |place: usize| -> DataType { input.field(place).data_type().clone() };
            for output in unmatched(&built.batch, &built.matched, &spec.columns, &spec.schema, types)? {
                control.check()?;
                if sender.send(Ok(number(output)?)).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}

/// Collects a plan's rows, all partitions at once, and puts them into a table.
async fn collect(
    (probe, plan): (&Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>),
    spec: &Arc<JoinSpec>,
    control: &Arc<Control>,
    threads: usize,
    context: Arc<TaskContext>,
) -> Result<Ready> {
    let begun = match spec.begin {
        Some(rows) => begin(probe, rows, &context).await?,
        None => Begun::default(),
    };
    let mut reservation_of_filters = MemoryConsumer::new("join").register(context.memory_pool());
    if begun.is_complete() {
        let keys = |place: usize| begun.column(spec.probe_keys[place]);
        tell(&spec.build_filters, keys, begun.rows(), &mut reservation_of_filters)?;
    }
    let started = Instant::now();
    let schema = plan.schema();
    let reservation = MemoryConsumer::new("join").register(context.memory_pool());
    let partitions = plan.properties().partitioning.partition_count();
    // Rows without keys are all partners of each other.
    let room = if spec.build_keys.is_empty() { None } else { Room::of(&context) };
    let side = room.as_ref().map(|room| room.side(&schema, &spec.build_keys, partitions, control));
    let short = Arc::new(AtomicBool::new(spec.short && cfg!(debug_assertions)));
    // Rows of more than half of the limit do not fit in one piece beside their batches: whoever makes them has the room.
    let most = room.as_ref().map_or(usize::MAX, |room| room.limit() / 2);
    let collected = Arc::new(AtomicUsize::new(0));
    let parts = (0..partitions).map(|partition| {
        let (plan, context) = (plan.clone(), context.clone());
        let (side, short, collected) = (side.clone(), short.clone(), collected.clone());
        let reservation = reservation.new_empty();
        // Stopped with this attempt: the next one may begin at once.
        SpawnedTask::spawn(async move {
            let mut rows = plan.execute(partition, context)?;
            let mut batches = Vec::new();
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                let fits = match &side {
                    None => reservation.try_grow(held(&batch)).map(|()| true)?,
                    Some(_) => {
                        let bytes = held(&batch);
                        !short.load(Ordering::Relaxed)
                            && collected.fetch_add(bytes, Ordering::Relaxed) + bytes <= most
                            && reservation.try_grow(bytes).is_ok()
                    }
                };
                batches.push(batch);
                if let (false, Some(side)) = (fits, &side) {
                    short.store(true, Ordering::Relaxed);
                    scatter(side.clone(), partition, std::mem::take(&mut batches), Some(rows), &reservation)
                        .await?;
                    break;
                }
            }
            Ok::<_, Error>((batches, reservation))
        })
    });
    let mut in_memory = Vec::with_capacity(partitions);
    for part in parts.collect::<Vec<_>>() {
        let (part, held) =
            part.join().await.map_err(|_| Error::internal("a thread of the engine panicked"))??;
        in_memory.push(part);
        // Not counted twice, not even for a moment.
        let bytes = held.free();
        reservation.grow(bytes);
    }
    let rows: usize = in_memory.iter().flatten().map(RecordBatch::num_rows).sum();
    let single = matches!(spec.build_keys.as_slice(), [key] if schema.field(*key).data_type().is_primitive());
    // The rows in one piece, beside their batches until these are gone.
    let needed = reservation.size() + JoinTable::estimate(rows, single);
    let fits = !short.load(Ordering::Relaxed)
        && match &room {
            None => reservation.try_grow(needed).map(|()| true)?,
            Some(_) => reservation.try_grow(needed).is_ok(),
        };
    if let (false, Some(room), Some(side)) = (fits, &room, side) {
        let rest = in_memory.into_iter().enumerate().map(|(partition, batches)| {
            // Each partition's rows count until they are on disk.
            let bytes: usize = batches.iter().map(held).sum();
            let (side, room) = (side.clone(), reservation.split(bytes.min(reservation.size())));
            async move { scatter(side, partition, batches, None, &room).await }
        });
        futures::future::try_join_all(rest).await?;
        drop(reservation);
        return on_disk((probe, begun), (schema, side), room, spec, (control, threads), &context).await;
    }
    let batches: Vec<RecordBatch> = in_memory.into_iter().flatten().collect();
    let (places, control_of) = (spec.build_keys.clone(), control.clone());
    let marks = if spec.unmatched { rows } else { 0 };
    let (batch, table) = blocking(move || {
        let batch = concat_batches(&schema, &batches)?;
        drop(batches);
        control_of.check()?;
        let keys = Keys::new(&picked(batch.columns(), &places), batch.num_rows())?;
        let table = JoinTable::new(keys, threads, &control_of)?;
        Ok((batch, table))
    })
    .await?;
    if let Some((side, names)) = &spec.build_unique
        && !table.is_unique()
    {
        return Err(not_unique(side, names));
    }
    reservation.try_resize(held(&batch) + table.size() + marks)?;
    let seen = match &spec.probe_unique {
        Some(_) => {
            // The keys of both sides are of one type.
            let types = spec.build_keys.iter().map(|key| batch.column(*key).data_type().clone());
            Some(Mutex::new(Seen::new(&types.collect::<Vec<_>>())?))
        }
        None => None,
    };
    control.stage(Stage {
        name: "join".to_owned(),
        rows: rows as u64,
        seconds: started.elapsed().as_secs_f64(),
        details: format!("{}: one side collected, rows are its own", spec.display),
    });
    if !begun.is_complete() {
        let keys = |place: usize| vec![batch.column(spec.build_keys[place]).clone()];
        tell(&spec.probe_filters, keys, rows, &mut reservation_of_filters)?;
    }
    reservation.grow(reservation_of_filters.free());
    let matched = (0..marks).map(|_| AtomicBool::new(false)).collect();
    let built = Built { batch, table, matched, seen, begun, _reservation: reservation };
    let outputs = probe.properties().partitioning.partition_count() + usize::from(spec.unmatched);
    Ok(Ready::Memory(Kept::until(built, outputs)))
}

/// Brings the streaming side to disk as well, and joins both.
async fn on_disk(
    (probe, begun): (&Arc<dyn ExecutionPlan>, Begun),
    (build_schema, build): (SchemaRef, Arc<Side>),
    room: &Room,
    spec: &Arc<JoinSpec>,
    (control, threads): (&Arc<Control>, usize),
    context: &Arc<TaskContext>,
) -> Result<Ready> {
    let build = blocking(move || build.finish()).await?;
    let partitions = probe.properties().partitioning.partition_count();
    let side = room.side(&probe.schema(), &spec.probe_keys, partitions, control);
    let scattering = (0..partitions).map(|partition| {
        let rows = match begun.rest(partition) {
            Some(rows) => rows,
            None => probe.execute(partition, context.clone())?,
        };
        let (side, held) = (side.clone(), MemoryConsumer::new("join").register(context.memory_pool()));
        let rest = async move { scatter(side, partition, Vec::new(), Some(rows), &held).await };
        Ok::<_, Error>(SpawnedTask::spawn(rest))
    });
    for part in scattering.collect::<Result<Vec<_>>>()? {
        part.join().await.map_err(|_| Error::internal("a thread of the engine panicked"))??;
    }
    let joining = Joining {
        spec: spec.clone(),
        build,
        longest: side.longest(),
        probe: blocking(move || side.finish()).await?,
        schemas: [build_schema, probe.schema()],
        partitions,
        threads,
        control: control.clone(),
    };
    match Placed::new(joining, room, context) {
        Ok(placed) => Ok(Ready::Placed(Arc::new(placed))),
        Err(joining) => Ok(Ready::Disk(Arc::new(joining.run(room, context).await?))),
    }
}

/// What tells the order of a partition's rows, if that is asked for.
fn numbers(spec: &JoinSpec, partition: usize, schema: SchemaRef) -> Result<Option<Rising>> {
    spec.order.place().map(|_| Rising::new(partition, schema)).transpose()
}

/// Lets scans know of the keys that there are, if there is room for that.
fn tell(
    filters: &[(usize, Arc<KeyFilter>)],
    keys: impl Fn(usize) -> Vec<ArrayRef>,
    rows: usize,
    reservation: &mut MemoryReservation,
) -> Result<()> {
    for (key, filter) in filters {
        if reservation.try_grow(KeyFilter::estimate(rows)).is_ok() {
            filter.set(&keys(*key))?;
        }
    }
    Ok(())
}
