//! One client's engine: its threads, its stores, its memory, and the runs it has started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::calls::{CallRun, CallSpec, Feed, Gathered, JointSpec, Joints, joint, keeper};
use super::execute;
use super::keeping::Keeping;
use super::learnt::Learnt;
use super::output;
use super::places::{Places, at_work};
use super::run::{Finished, Finisher, Run};
use super::spill::{SpillPlace, sweep};
use super::supervised::supervised;
use super::threads::{BLOCKING, Threads};
use super::totals::Totals;
use crate::config::Settings;
use crate::engine::control::Stop;
use crate::engine::plans::Plans;
use crate::engine::shared_pool::ClientMemory;
use crate::error::{Code, Error, Result};
use crate::io::memory_store::MemoryStore;
use crate::io::sink::remote::Sinks;
use crate::io::sink::target::{Asked, Target};
use crate::io::sink::witness::Witness;
use crate::io::source::Sources;
use crate::io::source::footers::Footers;
use crate::io::store::Stores;
use crate::memory::{give_back_freed_pages, keep_freed_pages};
use crate::plan::frame::Frame;
use crate::secrets::{Given as Setting, Secrets, urls};
use crate::worker::{Brought, Launch, Pool};

/// How long closing waits for threads that are in the middle of something.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// How often the pool is looked after while a run of calls goes on.
const TEND: Duration = Duration::from_millis(100);

/// How long after its last run an engine keeps the memory for the next one.
const IDLE: Duration = Duration::from_secs(10);

pub struct Engine {
    settings: Settings,
    secrets: Arc<Secrets>,
    pub(super) stores: Stores,
    pub(super) footers: Footers,
    pub(super) threads: Arc<Threads>,
    /// For native runs.
    pub(super) places: Places,
    runs: Mutex<Vec<Arc<Run>>>,
    /// Of the runs that are not in this list any more.
    totals: Mutex<Totals>,
    closed: Arc<AtomicBool>,
    /// How many runs have ended.
    ended: AtomicU64,
    pub(super) memory: Arc<ClientMemory>,
    /// Where what does not fit memory goes, from the first use on.
    pub(super) spill: Arc<SpillPlace>,
    pub(super) learnt: Learnt,
    pub(crate) plans: Arc<Plans>,
    /// Worker processes, from their first use on.
    pool: Mutex<Option<Arc<Pool>>>,
    /// What runs that share batches have joined.
    joints: Joints,
}

/// What a run may be told beyond its plan.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// Rows of a chunk; the engine's own choice if not given.
    pub chunk_rows: Option<u64>,
    pub timeout: Option<Duration>,
    pub threads: Option<usize>,
    pub memory_limit: Option<u64>,
    /// 0 is the lowest: which of the runs that wait for a place goes first.
    pub priority: u8,
    /// Where the answer is written instead of kept.
    pub output: Option<Target>,
    /// What is kept of that beyond the run.
    pub writes: Option<Arc<dyn Witness>>,
}

impl Engine {
    pub fn new(
        settings: Settings,
        storage_options: BTreeMap<String, Setting>,
        secrets: Arc<Secrets>,
    ) -> Result<Self> {
        Self::with_threads(settings, storage_options, secrets, BLOCKING)
    }

    /// The same with so many threads for work that blocks.
    pub(super) fn with_threads(
        settings: Settings,
        storage_options: BTreeMap<String, Setting>,
        secrets: Arc<Secrets>,
        blocking: usize,
    ) -> Result<Self> {
        keep_freed_pages();
        urls::add_environment();
        if !settings.spill_dir.is_dir() {
            let shown = settings.spill_dir.display();
            return Err(Error::new(
                Code::InvalidTask,
                format!("`spill_dir` is `{shown}`, which is no directory"),
            )
            .hint("Make it, or leave `spill_dir` out: then it is the system's directory for temporary files")
            .detail("path", "spill_dir"));
        }
        sweep(&settings.spill_dir);
        let threads = Arc::new(Threads::start(&settings, blocking)?);
        let places = Places::new(at_work(settings.threads));
        let memory = Arc::new(ClientMemory::new(settings.memory_limit));
        let spill = Arc::new(SpillPlace::new(settings.spill_dir.clone()));
        Ok(Self {
            settings,
            stores: Stores::new(storage_options, secrets.clone())
                .keeping(Arc::new(MemoryStore::new(memory.clone()))),
            footers: Footers::default(),
            secrets,
            threads,
            places,
            runs: Mutex::default(),
            totals: Mutex::default(),
            closed: Arc::default(),
            ended: AtomicU64::new(0),
            memory,
            spill,
            learnt: Learnt::default(),
            plans: Arc::default(),
            pool: Mutex::default(),
            joints: Joints::default(),
        })
    }

    /// The directory of this engine below `spill_dir`.
    pub fn spill_dir(&self) -> Result<PathBuf> {
        self.spill.path()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What a run may hold, if it is asked for as much.
    pub fn limit(&self, asked: Option<u64>) -> Result<u64> {
        let all = self.settings.memory_limit;
        match asked {
            Some(asked) if asked > all => Err(Error::new(
                Code::InvalidTask,
                format!("`options.memoryLimit` is {asked} bytes, and the client's `memory_limit` {all}"),
            )
            .hint("Ask for less, or give the client more: RLMClient(memory_limit=...)")
            .detail("path", "options.memoryLimit")),
            asked => Ok(asked.unwrap_or(all)),
        }
    }

    /// The objects of `memory://`.
    pub fn objects(&self) -> &Arc<MemoryStore> {
        self.stores.memory()
    }

    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    pub fn io(&self) -> Result<tokio::runtime::Handle> {
        self.threads.io()
    }

    /// Where a task's answer is to be written.
    pub fn target(&self, asked: &Asked) -> Result<Target> {
        let spool = || self.spill_dir();
        let sinks = self.io().ok().map(|io| Sinks { stores: &self.stores, io, spool: &spool });
        Ok(Target::new(asked, sinks.as_ref())?.by(self.settings.threads))
    }

    /// A place for results that are to be written when all of them are there. Blocks.
    pub fn gathered(&self, target: Target, limit: u64) -> Result<Gathered> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (room, budget) = output::alone(&target, limit, &self.memory);
        Gathered::new(target, budget, room, &self.spill_dir()?)
    }

    /// A run that has nothing to do, as something is there already.
    pub fn skipped(&self, run: Arc<Run>, target: &Target) -> Arc<Run> {
        run.finish(Ok(Finished::Written(output::skipped(target))));
        run
    }

    /// What says whether this engine still is.
    pub fn closed(&self) -> Arc<AtomicBool> {
        self.closed.clone()
    }

    /// Starts a run.
    pub fn submit(self: &Arc<Self>, frame: Frame, sources: Sources, options: RunOptions) -> Result<Arc<Run>> {
        let compute = self.threads.compute()?;
        sources.check()?;
        let limit = usize::try_from(self.limit(options.memory_limit)?).unwrap_or(usize::MAX);
        let limit = limit.min(self.memory.beside_kept());
        let run = Arc::new(Run::new());
        let _ = run.control.waiting.set(self.threads.waiting()?);
        self.list(&run);
        let place = self.places.ask(options.priority);
        let (engine, running, idle) = (self.clone(), run.clone(), Arc::downgrade(self));
        let finisher = Finisher(run.clone());
        compute.spawn(async move {
            let finisher = finisher;
            let timeout = options.timeout;
            if let Some(deadline) = timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
                let _ = running.control.deadline.set(deadline);
            }
            let writes = options.writes.clone();
            let work = async {
                let _place = place.granted().await?;
                execute::execute(engine, &running, frame, sources, options, limit).await
            };
            let outcome = supervised(&running, timeout, work).await;
            if let Some(writes) = writes {
                writes.release();
            }
            running.finish(outcome);
            drop((running, finisher));
            let Some(ended) = idle.upgrade().map(|engine| engine.ended.fetch_add(1, Ordering::Relaxed) + 1)
            else {
                return;
            };
            tokio::time::sleep(IDLE).await;
            if idle.upgrade().is_some_and(|engine| engine.is_idle_since(ended)) {
                give_back_freed_pages();
            }
        });
        Ok(run)
    }

    /// The worker processes of this engine; the first call says how they are started.
    pub fn pool(&self, launch: impl FnOnce() -> Launch) -> Result<Arc<Pool>> {
        self.threads.compute()?;
        let made = || Arc::new(Pool::new(launch(), self.settings.workers, self.wear(), self.starts()));
        Ok(self.pool.lock().get_or_insert_with(made).clone())
    }

    /// A run that is to be started.
    pub fn prepared(&self) -> Arc<Run> {
        Arc::new(Run::new())
    }

    /// Starts a run of calls, which goes on from its checkpoint, if it has one; `why` says why it is not native.
    #[allow(clippy::too_many_arguments)]
    pub fn submit_calls(
        self: &Arc<Self>,
        run: Arc<Run>,
        pool: &Arc<Pool>,
        spec: CallSpec,
        feed: Box<dyn Feed>,
        keeping: Keeping,
        timeout: Option<Duration>,
        why: Option<String>,
    ) -> Result<Arc<Run>> {
        self.enlist(&run, timeout)?;
        run.begin_in_python(format!("{} of `{}`", spec.kind, spec.function.name), why);
        let (kept, keeper) = keeper::of(keeping.checkpoint, keeping.outbox).unzip();
        // What is kept has its end elsewhere.
        let here = spec.here.filter(|_| keeper.is_none());
        let (function, timed) = (spec.function.clone(), spec.is_timed());
        let calls = Arc::new(CallRun::new(run.clone(), pool, spec, feed, kept));
        let watching = Arc::downgrade(&calls);
        let finisher = Finisher(run.clone());
        if let Some(keeper) = keeper {
            let started = keeper.start(run.clone(), watching.clone());
            started.map_err(|error| {
                Error::new(
                    Code::OutOfMemory,
                    format!("cannot start the thread that keeps what a run does: {error}"),
                )
                .hint("Raise the limit of threads, or leave `idempotencyKey` out")
            })?;
        }
        let over = match here {
            Some(time) => pool.add_here(Brought {
                function: &function.id,
                whole: !time.is_zero() && timeout.is_none() && !timed,
                work: calls,
                until: Instant::now() + time,
                cancel: &|| run.cancel(),
            }),
            None => pool.add(calls).map(|()| false),
        };
        if over.map_err(|error| no_thread(&error))? {
            if matches!(run.control.reason(), Some(Stop::Cancel | Stop::Deadline)) {
                pool.purge(&run.id);
            }
            return Ok(run);
        }
        self.watch(finisher, pool, move || {
            if let Some(calls) = watching.upgrade() {
                calls.give_up_writing();
                calls.wind_down();
            }
        })?;
        Ok(run)
    }

    /// Starts a run whose inputs share batches with those of others.
    pub fn submit_joined(
        &self,
        pool: &Arc<Pool>,
        spec: JointSpec,
        entry: joint::Entry,
        timeout: Option<Duration>,
    ) -> Result<Arc<Run>> {
        let run = entry.finisher.0.clone();
        self.enlist(&run, timeout)?;
        run.begin_in_python(format!("batches of `{}`, shared with other runs", spec.function.name), None);
        let compute = self.threads.compute()?;
        let (joint, member) = self.joints.join(pool, spec, entry).map_err(|error| no_thread(&error))?;
        if run.control.deadline.get().is_some() {
            self.watch(Finisher(run.clone()), pool, move || joint.leave(member))?;
        } else {
            // Nobody has to look at a clock. Who stops it may hold what leaving takes.
            let joint = Arc::downgrade(&joint);
            run.control.when_stopped(move || {
                compute.spawn(async move {
                    if let Some(joint) = joint.upgrade() {
                        joint.leave(member);
                    }
                });
            });
        }
        Ok(run)
    }

    /// A run of calls that starts: closing waits for it, and its time begins.
    fn enlist(&self, run: &Arc<Run>, timeout: Option<Duration>) -> Result<()> {
        self.threads.compute()?;
        self.list(run);
        if let Some(deadline) = timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
            let _ = run.control.deadline.set(deadline);
        }
        Ok(())
    }

    /// Looks after a run of calls until it is over; one that is to stop is wound down.
    fn watch(
        &self,
        finisher: Finisher,
        pool: &Arc<Pool>,
        wind_down: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let compute = self.threads.compute()?;
        let (watched, served) = (finisher.0.clone(), Arc::downgrade(pool));
        compute.spawn(async move {
            let until = watched.control.deadline.get().copied();
            let deadline = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            // It ends the run if the threads are stopped before the run is over.
            let _finisher = finisher;
            tokio::pin!(deadline);
            loop {
                tokio::select! {
                    () = &mut deadline => watched.control.stop(Stop::Deadline),
                    () = watched.control.wish_to_stop() => {}
                    () = watched.over() => return,
                    () = tokio::time::sleep(TEND) => {
                        if let Some(pool) = served.upgrade() {
                            pool.tend();
                        }
                        continue;
                    }
                }
                break;
            }
            wind_down();
            if let Some(pool) = served.upgrade() {
                pool.purge(&watched.id);
            }
            watched.over().await;
        });
        Ok(())
    }

    /// A run that starts: closing waits for it.
    fn list(&self, run: &Arc<Run>) {
        let mut runs = self.runs.lock();
        let mut totals = self.totals.lock();
        runs.extract_if(.., |run| run.is_done()).for_each(|run| totals.add(&run));
        runs.push(run.clone());
    }

    /// What its runs have come to.
    pub fn metrics(&self) -> serde_json::Value {
        let runs = self.runs.lock();
        let mut totals = self.totals.lock().clone();
        runs.iter().for_each(|run| totals.add(run));
        totals.to_json()
    }

    /// No run has ended since so many had, and none is running.
    fn is_idle_since(&self, ended: u64) -> bool {
        self.ended.load(Ordering::Relaxed) == ended && self.runs.lock().iter().all(|run| run.is_done())
    }

    /// Cancels what runs and stops the threads. A second call does nothing.
    pub fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        let runs = std::mem::take(&mut *self.runs.lock());
        for run in &runs {
            run.cancel();
        }
        if let Some(pool) = &*self.pool.lock() {
            pool.interrupt_here();
        }
        let closing = Arc::new(Closing {
            runs,
            pool: self.pool.lock().take(),
            threads: self.threads.clone(),
            memory: self.stores.memory().clone(),
            plans: self.plans.clone(),
            spill: self.spill.clone(),
        });
        if Handle::try_current().is_err() {
            return closing.end(true);
        }
        // Whoever let go of it last is one of the threads to be stopped, and cannot wait for itself.
        let rest = closing.clone();
        let beside = std::thread::Builder::new().name("rlm-closing".to_owned());
        if beside.spawn(move || rest.end(true)).is_err() {
            closing.end(false);
        }
    }

    /// Lets go of threads that are not there: in a forked child only the calling thread lives on.
    pub fn forget(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(mut pool) = self.pool.try_lock() {
            std::mem::forget(pool.take());
        }
        self.spill.forget();
        self.threads.forget();
    }
}

/// What closing has to end.
struct Closing {
    runs: Vec<Arc<Run>>,
    pool: Option<Arc<Pool>>,
    threads: Arc<Threads>,
    memory: Arc<MemoryStore>,
    plans: Arc<Plans>,
    spill: Arc<SpillPlace>,
}

impl Closing {
    fn end(&self, waits: bool) {
        let patience = if waits { PATIENCE } else { Duration::ZERO };
        let deadline = Instant::now() + patience;
        for run in &self.runs {
            run.wait(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(pool) = &self.pool {
            pool.close(patience);
        }
        match waits {
            true => self.threads.stop(PATIENCE),
            false => self.threads.let_go(),
        }
        self.memory.clear();
        self.plans.clear();
        self.spill.close();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn no_thread(error: &std::io::Error) -> Error {
    Error::new(Code::OutOfMemory, format!("cannot start a thread for a worker: {error}"))
        .hint("Raise the limit of threads, or lower `workers`")
}
