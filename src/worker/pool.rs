//! The workers of a client: threads that take calls of the runs, and the processes that they run them in.
//!
//! Taking a call may take its time, for the items may come from anywhere. So a thread owns no process: one that waits
//! for items leaves its process to others, and when it waits for long, its place too. A call that is there at once
//! begins in the thread that brings it (`here`).

mod here;
mod obtaining;
mod serving;
mod short;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub use here::Brought;
use short::Short;

use super::call::{Call, Function, Part, Said};
use super::host::{Going, Host};
use super::process::Launch;
use super::setup::Setup;
use super::thread::Here;
use super::watch::{Crash, End, StopCause, Stream};

/// How long a thread waits for a run's items until another may take its place.
const AWAY: Duration = Duration::from_millis(100);

/// How often a call that waits for a worker looks whether it is still wanted.
const SEAT: Duration = Duration::from_millis(10);

/// Stopped runs that are remembered.
const PURGED: usize = 16;

/// A call taken from a run, with the run's own number for it.
#[derive(Debug)]
pub struct Unit {
    pub id: u64,
    pub call: Call,
}

/// Whether a run has a call for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Now,
    /// A call waits for its time.
    At(Instant),
    /// Not before something ends.
    No,
    /// Never again.
    Over,
}

/// A run, as the pool sees it.
pub trait Work: Send + Sync {
    /// 0 is the lowest.
    fn priority(&self) -> u8;
    /// Whether `take` would find something; quick.
    fn ready(&self, now: Instant) -> Ready;
    /// The next call; may take its time, and may find nothing after all.
    fn take(&self) -> Option<Unit>;
    /// Results of a call that runs.
    fn part(&self, unit: u64, part: Part);
    /// A call goes to a worker now, which may have to load the function first.
    fn begun(&self, unit: u64);
    /// It has come to the first item of the call.
    fn reached(&self, unit: u64, now: Instant);
    /// Whether what runs is to stop.
    fn stop(&self, now: Instant) -> Option<StopCause>;
    /// Whether a call is to stop.
    fn overdue(&self, unit: u64, now: Instant) -> Option<StopCause>;
    fn wrote(&self, unit: u64, stream: Stream, text: &str);
    fn said(&self, unit: u64, said: Said);
    /// Bytes that a worker may hold while it runs the run's calls.
    fn memory_limit(&self) -> Option<u64>;
    /// The call is over; `item` is where the worker was.
    fn ended(&self, unit: u64, end: End, item: Option<u64>);
}

pub struct Pool {
    inner: Arc<Inner>,
}

/// When a worker has done enough and is replaced, between two calls, or goes.
#[derive(Debug, Clone, Copy)]
pub struct Wear {
    /// Items that it has run.
    pub items: Option<u64>,
    /// Bytes that it holds more than after its first call.
    pub growth: Option<u64>,
    /// How long one that nobody needs is kept.
    pub idle: Duration,
}

/// What somebody wants of workers before they are needed.
#[derive(Debug, Default)]
pub struct Wanted {
    pub count: usize,
    /// How long they are waited for, and may take to be ready.
    pub patience: Duration,
    /// Modules that they import.
    pub modules: Vec<String>,
    /// What they run first; None for what was said the last time.
    pub setup: Option<Function>,
}

/// Why there are no workers before they are needed.
#[derive(Debug)]
pub enum Unwarmed {
    /// The system has no thread for them.
    NoThread(std::io::Error),
    Died(Crash),
}

impl From<std::io::Error> for Unwarmed {
    fn from(error: std::io::Error) -> Self {
        Self::NoThread(error)
    }
}

struct Inner {
    launch: Launch,
    wear: Wear,
    /// How long a worker is started anew where something outside ends it before it is ready.
    starts: Duration,
    state: Mutex<State>,
    wake: Condvar,
    /// Numbers of calls.
    calls: AtomicU64,
    /// Which functions are known to be short.
    short: Mutex<Short>,
}

#[derive(Default)]
struct State {
    works: Vec<Entry>,
    limit: usize,
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    living: usize,
    next: u32,
    /// Threads that wait for a run's next call, and since when: its items may take their time.
    away: HashMap<u32, Instant>,
    /// Workers without a call; the one that had one last is the first to have another.
    hosts: Vec<Host>,
    /// Calls that are with workers.
    busy: usize,
    /// Calls that wait for one of these places.
    seeking: usize,
    /// Calls that go on, for threads to look after.
    handed: VecDeque<Attended>,
    /// Calls that threads run themselves which are none of these.
    here: HashMap<u64, Arc<dyn Here>>,
    /// When such a thread last took a worker.
    used: Option<Instant>,
    /// Workers that live and are ready or have a call.
    ready: usize,
    /// Workers that start without a call.
    starting: usize,
    /// How many workers are to live although there may be nothing to do.
    warming: usize,
    /// How many somebody asked for before they were needed: as many stay.
    kept: usize,
    /// What workers do first.
    setup: Arc<Setup>,
    /// How the last one ended that did not become ready.
    unable: Option<Crash>,
    /// Runs that were stopped: a worker that had their calls may still have threads of theirs.
    purged: VecDeque<String>,
    closed: bool,
}

struct Entry {
    work: Arc<dyn Work>,
    since: Instant,
    running: usize,
}

/// A call that runs, and all that whoever looks after it needs.
struct Attended {
    host: Host,
    work: Arc<dyn Work>,
    unit: Unit,
    going: Going,
}

/// What a thread does next.
enum Next {
    Serve(Arc<dyn Work>),
    /// Looks after a call that another thread began.
    Attend(Box<Attended>),
    /// Starts a worker without a call.
    Warm,
}

impl Pool {
    pub fn new(launch: Launch, limit: usize, wear: Wear, starts: Duration) -> Self {
        let state = Mutex::new(State { limit, ..State::default() });
        let inner = Inner {
            launch,
            wear,
            starts,
            state,
            wake: Condvar::new(),
            calls: AtomicU64::new(1),
            short: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A number for a call.
    pub fn number(&self) -> u64 {
        self.inner.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a run; its calls are run until it is over.
    pub fn add(&self, work: Arc<dyn Work>) -> std::io::Result<()> {
        let mut state = self.inner.state.lock();
        if state.closed {
            return Err(std::io::Error::other("the client is closed"));
        }
        state.works.push(Entry { work, since: Instant::now(), running: 0 });
        self.inner.staff(&mut state)?;
        drop(state);
        self.inner.wake.notify_all();
        Ok(())
    }

    /// To be called when a run has something ready that it had not before.
    pub fn nudge(&self) {
        self.tend();
        self.inner.wake.notify_all();
    }

    /// To be called now and then while there are runs: threads that do not come back from a run's items are replaced.
    pub fn tend(&self) {
        let mut state = self.inner.state.lock();
        // A thread that cannot be started now is not missed: another one takes the call later.
        let _ = self.inner.staff(&mut state);
    }

    /// Ends the workers that had calls of a run that was stopped: at once where they have nothing to do, else after
    /// their call. Threads and children that the run's code left in them end with them.
    pub fn purge(&self, run: &str) {
        let gone: Vec<Host> = {
            let mut state = self.inner.state.lock();
            state.purged.push_back(run.to_owned());
            let old = state.purged.len().saturating_sub(PURGED);
            state.purged.drain(..old);
            let (gone, kept) =
                std::mem::take(&mut state.hosts).into_iter().partition(|host| host.has_run(run));
            state.hosts = kept;
            state.ready -= gone.len();
            gone
        };
        drop(gone);
    }

    /// Sees to it that as many workers live, and returns how many do when they are ready or the time is over.
    ///
    /// A setup that raises is not kept.
    pub fn warm(&self, wanted: Wanted) -> Result<usize, Unwarmed> {
        let deadline = Instant::now().checked_add(wanted.patience);
        let (before, setup) = self.set_up(wanted.modules, wanted.setup, wanted.patience);
        let warmed = self.warm_until(wanted.count, deadline);
        if warmed.is_err() {
            let mut state = self.inner.state.lock();
            if Arc::ptr_eq(&state.setup, &setup) {
                state.setup = before;
            }
        }
        warmed
    }

    /// From now on workers do this first; what they did until now, and what they do. Those that did something else and
    /// have no call end.
    fn set_up(
        &self,
        modules: Vec<String>,
        function: Option<Function>,
        patience: Duration,
    ) -> (Arc<Setup>, Arc<Setup>) {
        let mut state = self.inner.state.lock();
        let before = state.setup.clone();
        let setup = match function {
            Some(function) => Setup { modules, function: Some(Arc::new(function)), patience },
            None => Setup { modules, ..Setup::clone(&before) },
        };
        state.setup = Arc::new(setup);
        let (setup, hosts) = (state.setup.clone(), std::mem::take(&mut state.hosts));
        // Some may have died while nobody needed them.
        let (kept, gone): (Vec<_>, Vec<_>) = hosts
            .into_iter()
            .map(|mut host| (host.alive() && host.is_set_up(&setup), host))
            .partition(|(stays, _)| *stays);
        state.hosts = kept.into_iter().map(|(_, host)| host).collect();
        state.ready -= gone.len();
        drop(state);
        drop(gone);
        (before, setup)
    }

    fn warm_until(&self, count: usize, deadline: Option<Instant>) -> Result<usize, Unwarmed> {
        let mut state = self.inner.state.lock();
        state.warming = count.min(state.limit);
        state.unable = None;
        let wanted = state.warming;
        while state.living < wanted {
            self.inner.spawn(&mut state)?;
        }
        self.inner.wake.notify_all();
        while state.ready < wanted && state.warming > 0 && !state.closed {
            let waited = match deadline {
                Some(deadline) => self.inner.wake.wait_until(&mut state, deadline).timed_out(),
                None => {
                    self.inner.wake.wait(&mut state);
                    false
                }
            };
            if waited {
                break;
            }
        }
        state.warming = 0;
        match state.unable.take().filter(|_| state.ready < wanted) {
            Some(crash) => Err(Unwarmed::Died(crash)),
            None => {
                state.kept = state.kept.max(wanted);
                Ok(state.ready)
            }
        }
    }

    /// Ends all workers. Their runs have been told to stop before.
    pub fn close(&self, patience: Duration) {
        let (threads, hosts) = {
            let mut state = self.inner.state.lock();
            state.closed = true;
            state.ready -= state.hosts.len();
            (std::mem::take(&mut state.threads), std::mem::take(&mut state.hosts))
        };
        self.inner.wake.notify_all();
        drop(hosts);
        let deadline = Instant::now() + patience;
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl State {
    /// Threads that live, without those that have been away for long.
    fn present(&self, now: Instant) -> usize {
        let away = self.away.values().filter(|since| now.duration_since(**since) >= AWAY).count();
        self.living - away
    }
}
