//! A run's rows on their way to files: partitions flow to their writers and are never held as a whole.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::answer::{handed_out, plain_schema};
use super::pulled::{Lanes, pulled};
use super::run::Run;
use crate::engine::control::{Control, Stage as Told};
use crate::engine::group::exec::{blocking, blocking_on_others};
use crate::engine::ordered::in_order;
use crate::engine::scan_exec::{Pull, ScanExec};
use crate::engine::shared_pool::{ClientMemory, RunPool};
use crate::error::{Error, Result};
use crate::io::sink::gather::Gathering;
use crate::io::sink::part::{Lane, Part, Room};
use crate::io::sink::stage::Stage;
use crate::io::sink::target::{Home, Mode, Target, Written};
use crate::io::sink::{bytes_of, columns, lane};

type Rows = BoxStream<'static, Result<RecordBatch>>;

/// Where the rows of a lane come from.
enum Feed {
    Rows(Rows),
    /// A scan and nothing else: whoever writes its rows makes them.
    Scan(Box<Pull>),
}

/// Bytes that a writer may hold of a row group, at least and at most.
const BUDGET: (usize, usize) = (1 << 20, 64 << 20);

/// Bytes of rows that wait for their directory, at most.
const LOT: usize = 512 << 20;

/// How often it is looked whether writers have stopped.
const TURN: Duration = Duration::from_millis(1);

/// Whether there is nothing to do, as something is there already.
pub(super) async fn skips(target: &Target) -> Result<bool> {
    let target = target.clone();
    blocking(move || target.skips()).await
}

/// What mode `ignore` answers where something is there.
pub(super) fn skipped(target: &Target) -> Written {
    Written { url: target.url.clone(), files: Vec::new(), skipped: true }
}

/// Writes the rows of a plan: to a new directory one file for each partition, side by side; else one after the other.
pub(super) async fn plan(
    target: Target,
    run: &Run,
    plan: Arc<dyn ExecutionPlan>,
    limit: usize,
    context: &Arc<TaskContext>,
) -> Result<Written> {
    // Lines are made of views as well as of any other text. What waits for its directory is copied in any case.
    let views = target.format.is_text() || target.format.takes_views() && target.partition_by.is_empty();
    let schema = if views { plan.schema() } else { plain_schema(&plan.schema()) };
    let lanes = if target.single || target.mode == Mode::Append && target.partition_by.is_empty() {
        vec![Feed::Rows(in_order(plan, context.clone()).map_err(Error::from).boxed())]
    } else {
        let partitions = plan.properties().partitioning.partition_count();
        // An upload waits for its store: meanwhile rows are made.
        let scan = plan.downcast_ref::<ScanExec>().filter(|_| matches!(target.home, Home::Local(_)));
        let lanes = (0..partitions).map(|partition| {
            if let Some(pull) = scan.and_then(|scan| scan.pull(partition, context)) {
                return Ok(Feed::Scan(Box::new(pull)));
            }
            Ok(Feed::Rows(plan.execute(partition, context.clone())?.map_err(Error::from).boxed()))
        });
        lanes.collect::<Result<_>>()?
    };
    // Several lanes are a thread each.
    let threads = if lanes.len() == 1 { context.session_config().target_partitions() } else { 1 };
    write(target.by(threads), run, schema, lanes, limit, context).await
}

/// Writes an answer that was put together in memory.
pub(super) async fn batches(
    target: Target,
    run: &Run,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    limit: usize,
    context: &Arc<TaskContext>,
) -> Result<Written> {
    let rows = stream::iter(batches).map(Ok).boxed();
    write(target, run, schema, vec![Feed::Rows(rows)], limit, context).await
}

/// What one writer alone may hold, and what counts it.
pub(super) fn alone(target: &Target, limit: usize, client: &Arc<ClientMemory>) -> (Box<dyn Room>, usize) {
    let own = Arc::new(GreedyMemoryPool::new(limit));
    let pool: Arc<dyn MemoryPool> = Arc::new(RunPool::new(own, client.clone()));
    let room = MemoryConsumer::new("writing").register(&pool);
    (Box::new(Reserved(room)), budget(target, limit, 1))
}

/// Bytes that each of some lanes may hold. Rows that wait for their directory are a lane's only memory, and the more the
/// better.
fn budget(target: &Target, limit: usize, lanes: usize) -> usize {
    let (share, most) = if target.partition_by.is_empty() { (8, BUDGET.1) } else { (3, LOT) };
    (limit / (share * lanes.max(1))).clamp(BUDGET.0, most)
}

/// A share of the run's memory.
struct Reserved(MemoryReservation);

impl Room for Reserved {
    fn resize(&mut self, bytes: usize) -> bool {
        self.0.try_resize(bytes).is_ok()
    }

    fn insist(&mut self, bytes: usize) {
        self.0.resize(bytes);
    }
}

async fn write(
    target: Target,
    run: &Run,
    schema: SchemaRef,
    mut lanes: Vec<Feed>,
    limit: usize,
    context: &Arc<TaskContext>,
) -> Result<Written> {
    let stored = columns(&target, &schema)?;
    let started = Instant::now();
    let (url, far) = (target.url.clone(), matches!(target.home, Home::Remote(_)));
    let begun = blocking(move || Stage::begin(target));
    let stage = Arc::new(match far {
        false => begun.await?,
        true => {
            // The first rows of all lanes are on their way while the store says what is at the target.
            let first = futures::future::join_all(lanes.iter_mut().map(|lane| async move {
                if let Feed::Rows(rows) = lane {
                    let mut begun = Box::pin(std::mem::replace(rows, stream::empty().boxed()).peekable());
                    begun.as_mut().peek().await;
                    *rows = begun.boxed();
                }
            }));
            futures::future::join(begun, first).await.0?
        }
    });
    let _abandoned = Abandoned(Arc::downgrade(&stage));
    let pool = context.memory_pool().clone();
    let budget = budget(&stage.target, limit, lanes.len());
    let gathering = Arc::new(Gathering::new(lanes.len(), context.session_config().target_partitions()));
    let going = Arc::new(Lanes::new(lanes.len(), context.session_config().target_partitions()));
    let lanes = lanes.into_iter().enumerate().map(|(number, feed)| -> Result<_> {
        let room = MemoryConsumer::new("writing").register(&pool);
        let room = Box::new(Reserved(room));
        let writer = lane(stage.clone(), stored.clone(), number, budget, room, &gathering)?;
        let waiting = MemoryConsumer::new("rows to be written").register(&pool);
        let (schema, control, going) = (schema.clone(), run.control.clone(), going.clone());
        Ok(match feed {
            Feed::Rows(rows) => FutureExt::boxed(rows_of(writer, rows, schema, control, waiting)),
            Feed::Scan(pull) => FutureExt::boxed(pulled(writer, *pull, schema, control, waiting, going)),
        })
    });
    let lanes = lanes.collect::<Result<Vec<_>>>()?;
    let joined = futures::future::try_join_all(lanes).await;
    let parts: Vec<Part> = match joined {
        Ok(parts) => parts.into_iter().flatten().collect(),
        Err(error) => {
            given_up(stage).await?;
            return Err(error);
        }
    };
    let control = run.control.clone();
    let files = blocking(move || {
        let mut parts = parts;
        if parts.is_empty() {
            let room = MemoryConsumer::new("writing").register(&pool);
            let alone = Arc::new(Gathering::new(1, 1));
            let writer = lane(stage.clone(), stored, 0, budget, Box::new(Reserved(room)), &alone)?;
            parts = writer.finish(true)?;
        }
        control.check_clock()?;
        stage.commit(parts, &|| control.show())
    })
    .await?;
    let written = Written { url, files, skipped: false };
    run.control.stage(Told {
        name: "write".to_owned(),
        rows: written.files.iter().map(|file| file.rows).sum(),
        seconds: started.elapsed().as_secs_f64(),
        details: format!(
            "everything above, and {} bytes in {} files of {}",
            written.files.iter().map(|file| file.bytes).sum::<u64>(),
            written.files.len(),
            written.url
        ),
    });
    Ok(written)
}

/// Tells writers to give up when nobody waits for them any more.
struct Abandoned(Weak<Stage>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(stage) = self.0.upgrade() {
            stage.place.stop();
        }
    }
}

/// Waits for writers that are in the middle of a batch, and removes what they wrote.
async fn given_up(stage: Arc<Stage>) -> Result<()> {
    stage.place.stop();
    while Arc::strong_count(&stage) > 1 {
        tokio::time::sleep(TURN).await;
    }
    blocking(move || {
        drop(stage);
        Ok(())
    })
    .await
}

/// One writer and its rows, in their order. It writes on one thread from first to last, while the next rows are made: memory
/// that threads have freed is theirs for a while, and many threads would have much of it.
async fn rows_of(
    mut writer: Box<dyn Lane>,
    mut rows: Rows,
    schema: SchemaRef,
    control: Arc<Control>,
    waiting: MemoryReservation,
) -> Result<Vec<Part>> {
    let (send, mut receive) = mpsc::channel::<Option<(RecordBatch, MemoryReservation)>>(1);
    let of = control.clone();
    let writing = blocking_on_others(&of, move || {
        while let Some(next) = receive.blocking_recv() {
            control.check()?;
            let Some((batch, _counted)) = next else { return writer.finish(false) };
            writer.write(&handed_out(&batch, &schema)?)?;
        }
        // The rows ended before their end.
        Err(Error::cancelled())
    });
    let feeding = async {
        while let Some(batch) = rows.try_next().await? {
            let counted = waiting.new_empty();
            counted.grow(bytes_of(&batch));
            if send.send(Some((batch, counted))).await.is_err() {
                break;
            }
        }
        let _ = send.send(None).await;
        Ok(())
    };
    let ((), parts) = futures::future::try_join(feeding, writing).await?;
    Ok(parts)
}
