//! The steps of a run: scalars first, then the plan, its partitions collected in order.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionConfig;

use super::answer::{Answer, plain_schema};
use super::collect::{Counted, collect, collect_plain, is_too_large, spilled};
use super::dummies;
use super::engine::{Engine, RunOptions};
use super::ladder::Rung;
use super::learnt::Question as Asked;
use super::output;
use super::run::{Finished, Run};
use super::wide;
use crate::engine::common::Question;
use crate::engine::control::Stage;
use crate::engine::group::exec::blocking;
use crate::engine::join::lookup;
use crate::engine::lower::{Grouping, Lowering};
use crate::engine::memory::WatchedPool;
use crate::engine::scalars::Scalars;
use crate::engine::shared_pool::RunPool;
use crate::engine::wide::spread;
use crate::error::{Code, Error, OPERATOR, Result};
use crate::io::sink::target::Target;
use crate::io::source::{MemorySource, Source, Sources};
use crate::plan::frame::{Cells, Frame, Kind};
use crate::plan::node::Field;
use crate::plan::wide::Wide;
use crate::plan::{Expr, Node};

/// Larger chunks than this are decoded in several steps: more than fits the caches gains nothing.
const LARGEST_CHUNK: usize = 128 * 1024;

/// What a sort keeps aside for merging what it spilled, where the limit allows as much.
const SORT_RESERVE: usize = 10 << 20;

pub(super) async fn execute(
    engine: Arc<Engine>,
    run: &Run,
    frame: Frame,
    sources: Sources,
    options: RunOptions,
    limit: usize,
) -> Result<Finished> {
    run.begin(frame.explain());
    if let Some(target) = &options.output
        && output::skips(target).await?
    {
        return Ok(Finished::Written(output::skipped(target)));
    }
    let settings = engine.settings();
    let chunk_rows = match options.chunk_rows {
        None => settings.batch_rows,
        Some(rows) => usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, LARGEST_CHUNK),
    };
    let mut lowering = Lowering {
        sources,
        control: run.control.clone(),
        io: engine.io()?,
        threads: options.threads.unwrap_or(settings.threads).max(1),
        chunk_rows,
        grouping: Grouping::Own,
        merging: false,
        plans: engine.plans.clone(),
    };
    let fastest = Rung::first(settings.grouping);
    let (sources, threads) = (lowering.sources.clone(), lowering.threads);
    let question = || Asked::new(&frame, &sources, (limit, threads));
    // Questions that fit pay nothing for those that did not.
    let known = (!engine.learnt.is_empty()).then(&question);
    let learnt = known.and_then(|question| engine.learnt.of(question)).filter(|_| fastest.is_fastest());
    if learnt.is_some() {
        run.control
            .note("began with operators that spill: this question did not fit the memory limit before");
    }
    let mut rung = learnt.unwrap_or(fastest);
    // The place of the run that waits for others, from its first wait on.
    let mut first = None;
    // Until the run ends, however long its answer is kept.
    let short_of_memory = Arc::new(OnceLock::new());
    let (mut ended, mut attempts, mut short) = (engine.memory.ended(), 0, false);
    // Nothing is learnt of a run that others left too little to.
    let mut alone = true;
    loop {
        let pool = Arc::new(RunPool::new(rung.pool(limit), engine.memory.clone()));
        rung.apply(&mut lowering);
        let target = options.output.as_ref();
        let watched = WatchedPool {
            inner: pool.clone(),
            memory: run.control.memory.clone(),
            short: Arc::downgrade(&short_of_memory),
        };
        let run_in = attempt(&engine, limit, watched, run, &frame, (rung, lowering.clone()), target);
        let error = match run_in.await.map_err(|error| run.control.cause_of(error)) {
            // No operator makes an answer smaller.
            Err(error) if error.code() == Code::OutOfMemory && !is_too_large(&error) => error,
            outcome => {
                if outcome.is_ok() && alone {
                    match (learnt, attempts) {
                        (Some(_), 0) => {
                            let memory = &run.control.memory;
                            engine.learnt.review(question(), (memory.peak(), memory.spilled()), limit);
                        }
                        (_, 0) => {}
                        _ => engine.learnt.note(question(), rung),
                    }
                }
                return outcome;
            }
        };
        attempts += 1;
        short |= pool.is_short_for_others();
        alone &= !short;
        drop(pool);
        let lacked = error.details().get(OPERATOR).and_then(|name| name.as_str());
        if let Some((next, note)) = rung.next(&frame.domain, lacked) {
            run.control.note(note);
            rung = next;
        } else if short {
            run.control.note("waited for other runs of the client, which held memory that it needs");
            if first.is_none() {
                first = Some(engine.memory.first().await);
            }
            engine.memory.more_ended(ended + attempts).await;
            (ended, attempts, short) = (engine.memory.ended(), 0, false);
            rung = fastest;
        } else {
            return Err(error);
        }
        run.control.restart();
    }
}

async fn attempt(
    engine: &Engine,
    limit: usize,
    pool: WatchedPool,
    run: &Run,
    frame: &Frame,
    (rung, mut lowering): (Rung, Lowering),
    target: Option<&Target>,
) -> Result<Finished> {
    run.control.check()?;
    // A query is first run with its rows repartitioned, and without spilling: both at once may never end.
    let spills = lowering.grouping == Grouping::DataFusion || !frame.domain.has_sql();
    let mode = if spills { DiskManagerMode::Custom(engine.spill.clone()) } else { DiskManagerMode::Disabled };
    let spill = DiskManagerBuilder::default().with_mode(mode);
    run.control.memory.set_limit(limit);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(spill)
        .build_arc()?;
    let config = SessionConfig::new()
        .with_target_partitions(lowering.threads)
        .with_batch_size(rung.batch_rows(limit, &frame.domain))
        .with_sort_spill_reservation_bytes(SORT_RESERVE.min(limit / (16 * lowering.threads)));
    let context = Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime));

    let outputs = match &frame.kind {
        Kind::Cells(cells) => cell_outputs(cells),
        _ => frame.outputs(),
    };
    let mut question = Question { domain: frame.domain.clone(), outputs };
    question = lowering.with_semi_joins(&question)?;
    let mut kept = Vec::new();
    // Where memory is short nothing is kept for later.
    if rung.is_fastest() {
        while let Some((next, held)) = shared(&question, &mut lowering, run, &context).await? {
            question = next;
            kept.push(held);
        }
    }
    let Question { domain, outputs } = question;
    let mut scalars = Scalars::default();
    let working = Counted::not();
    loop {
        let due = scalars.due(&domain, outputs.iter().map(|(_, expr)| expr))?;
        let tables = scalars.due_tables(&domain, outputs.iter().map(|(_, expr)| expr))?;
        if due.is_empty() && tables.is_empty() {
            break;
        }
        for (node, plan) in tables {
            let plan = lowering.columns(&plan, &all_columns(&plan))?;
            let schema = plan.schema();
            let batches = collect(plan, (run, &working), &context).await?;
            let (control, threads, context) = (run.control.clone(), lowering.threads, context.clone());
            let work = move || lookup::table(&schema, &batches, threads, &control, &context);
            scalars.learn_table(node, blocking(work).await?);
        }
        for batch in due {
            let columns = all_columns(&batch.node);
            // A scalar that is the whole answer stays what it is: an Arrow value of any type.
            if let (Kind::Scalar, [(name, Expr::Scalar(node, _))]) = (&frame.kind, outputs.as_slice())
                && batch.is_only(node)
            {
                let only = (name.clone(), columns[0].1.clone());
                let plan = lowering.columns(&batch.node, &[only])?;
                run.planned(displayable(plan.as_ref()).indent(false).to_string());
                let batches = collect(plan, (run, &working), &context).await?;
                return Ok(Finished::Table(Answer::scalar(batches)));
            }
            let plan = lowering.columns(&batch.node, &columns)?;
            let rows = collect(plan, (run, &working), &context).await?;
            let row = rows.iter().find(|rows| rows.num_rows() > 0);
            let row = row.ok_or_else(|| Error::internal("an aggregate without an answer"))?;
            scalars.learn(batch, row)?;
        }
    }
    let domain: Arc<Node> = Arc::new(scalars.resolved_node(&domain)?);
    let outputs = outputs
        .iter()
        .map(|(name, expr)| Ok((name.clone(), scalars.resolved(expr)?)))
        .collect::<Result<Vec<_>>>()?;
    let plan = lowering.columns(&domain, &outputs)?;
    run.planned(displayable(plan.as_ref()).indent(false).to_string());
    if let (Some(target), Kind::Frame | Kind::Series) = (target, &frame.kind) {
        let written = output::plan(target.clone(), run, plan.clone(), limit, &context).await;
        run.control.memory.spill(spilled(&plan));
        return Ok(Finished::Written(written?));
    }
    let mut schema = plan.schema();
    let counted = Counted::answer(lowering.sources.any_in_memory(), rung.is_last(), limit, &context);
    let started = Instant::now();
    let batches = if matches!(frame.kind, Kind::Frame | Kind::Series | Kind::Dummies(_)) {
        schema = plain_schema(&schema);
        collect_plain(plan, &schema, lowering.threads, (run, &counted), &context).await?
    } else {
        collect(plan, (run, &counted), &context).await?
    };
    run.control.check()?;
    run.control.stage(Stage {
        name: "collect".to_owned(),
        rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
        seconds: started.elapsed().as_secs_f64(),
        details: "everything above, and the answer's rows in order".to_owned(),
    });
    let answer = match &frame.kind {
        Kind::Wide(wide) => spread_out(wide.clone(), run, schema, batches, &context).await?,
        Kind::Dummies(dummies) => {
            let reservation = MemoryConsumer::new("flags").register(context.memory_pool());
            reservation
                .try_grow(2 * batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>())?;
            let (dummies, control) = (dummies.clone(), run.control.clone());
            let (index, labels) = (frame.index_names(), frame.labels());
            blocking(move || dummies::answer(&dummies, index, &labels, &schema, &batches, &control)).await?
        }
        _ => Answer::new(frame, schema, batches)?,
    };
    let Some(target) = target else { return Ok(Finished::Table(answer)) };
    let (schema, batches) = (answer.schema(), answer.batches()?);
    Ok(Finished::Written(output::batches(target.clone(), run, schema, batches, limit, &context).await?))
}

/// The answer of a table that is spread out.
async fn spread_out(
    wide: Box<Wide>,
    run: &Run,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    context: &Arc<TaskContext>,
) -> Result<Answer> {
    let control = run.control.clone();
    let reservation = MemoryConsumer::new("wide table").register(context.memory_pool());
    reservation.try_grow(2 * batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>())?;
    blocking(move || wide::answer(&wide, spread(&schema, &batches, &wide, &control)?)).await
}

/// Runs one grouping that the question reads several times, and puts its rows in its place; none if there is no such
/// grouping. The rows are accounted for as long as the reservation is there.
async fn shared(
    question: &Question,
    lowering: &mut Lowering,
    run: &Run,
    context: &Arc<TaskContext>,
) -> Result<Option<(Question, MemoryReservation)>> {
    let Some(node) = question.common() else { return Ok(None) };
    let columns = all_columns(&node);
    let plan = lowering.columns(&node, &columns)?;
    let schema = plan.schema();
    let fields: Arc<[Field]> = node.fields().into();
    if Source::fields_of(&schema)? != *fields {
        return Ok(None);
    }
    let batches = collect(plan, (run, &Counted::not()), context).await?;
    let reservation =
        MemoryConsumer::new("a grouping that is read several times").register(context.memory_pool());
    reservation.try_grow(batches.iter().map(RecordBatch::get_array_memory_size).sum())?;
    let source = Source::Memory(Arc::new(MemorySource::new(vec![(schema, batches)])?));
    let (source, sources) = Sources::only(source, None);
    lowering.sources.unite(&sources);
    run.control.note("ran once a grouping that the question reads several times");
    Ok(Some((question.with(&node, &Arc::new(Node::Scan { source, fields }))?, reservation)))
}

/// The columns of a node as they are.
fn all_columns(node: &Node) -> Vec<(Arc<str>, Expr)> {
    let fields = node.fields().into_iter();
    fields.map(|field| (field.name.clone(), Expr::Column(field.name, field.dtype))).collect()
}

/// Scalars of a small table, each as a column.
fn cell_outputs(cells: &Cells) -> Vec<(Arc<str>, Expr)> {
    let present = cells.cells.iter().flatten().enumerate();
    present.filter_map(|(number, cell)| Some((format!("cell_{number}").into(), cell.clone()?))).collect()
}
