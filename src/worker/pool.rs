//! The workers of a client: threads that take calls of the runs, and the processes that they run them in.
//!
//! Taking a call may take its time, for the items may come from anywhere. So a thread owns no process: one that waits
//! for items leaves its process to others, and when it waits for long, its place too.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::call::{Call, Part, Said};
use super::host::{End, Host, StopCause, Stream, Watch};
use super::process::Launch;
use super::queue::{self, Waiting};

/// How long a worker that nobody needs is kept.
const IDLE: Duration = Duration::from_secs(60);

/// How long a thread waits for a run's items until another may take its place.
const AWAY: Duration = Duration::from_millis(100);

/// How often a call that waits for a worker looks whether it is still wanted.
const SEAT: Duration = Duration::from_millis(10);

/// How often a worker is started anew if it is ended by a signal before it is ready.
const STARTS: u32 = 12;

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
    /// Whether what runs is to stop.
    fn stop(&self, now: Instant) -> Option<StopCause>;
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

struct Inner {
    launch: Launch,
    state: Mutex<State>,
    wake: Condvar,
    /// Numbers of calls.
    calls: AtomicU64,
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
    /// Workers that live and are ready or have a call.
    ready: usize,
    /// Workers that start without a call.
    starting: usize,
    /// How many workers are to live although there may be nothing to do.
    warming: usize,
    /// Runs that were stopped: a worker that had their calls may still have threads of theirs.
    purged: VecDeque<String>,
    closed: bool,
}

struct Entry {
    work: Arc<dyn Work>,
    since: Instant,
    running: usize,
}

/// What a thread does next.
enum Next {
    Serve(Arc<dyn Work>),
    /// Starts a worker without a call.
    Warm,
}

impl Pool {
    pub fn new(launch: Launch, limit: usize) -> Self {
        let state = State { limit, ..State::default() };
        let inner =
            Inner { launch, state: Mutex::new(state), wake: Condvar::new(), calls: AtomicU64::new(1) };
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
    pub fn warm(&self, count: usize, patience: Duration) -> std::io::Result<usize> {
        let deadline = Instant::now().checked_add(patience);
        let mut state = self.inner.state.lock();
        let before = state.hosts.len();
        // What died while nobody needed it.
        state.hosts.retain_mut(Host::alive);
        state.ready -= before - state.hosts.len();
        state.warming = count.min(state.limit);
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
        Ok(state.ready)
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

impl Inner {
    /// One more thread, if there is room and more to do than there are threads that wait.
    fn staff(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let now = Instant::now();
        let due = state.works.iter().filter(|entry| entry.work.ready(now) == Ready::Now).count();
        if state.idle < due && state.present(now) < state.limit && !state.closed {
            match self.spawn(state) {
                Err(error) if state.living == 0 => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        state.next += 1;
        let (inner, number) = (self.clone(), state.next);
        let thread = std::thread::Builder::new()
            .name(format!("rlm-worker-{number}"))
            .spawn(move || inner.serve(number))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.living += 1;
        Ok(())
    }

    /// The life of a thread that serves.
    fn serve(self: Arc<Self>, number: u32) {
        while let Some(next) = self.next() {
            let Next::Serve(work) = next else {
                self.warm_one();
                continue;
            };
            // There may be more to do than this one: another thread may begin meanwhile.
            {
                let mut state = self.state.lock();
                state.away.insert(number, Instant::now());
                let _ = self.staff(&mut state);
            }
            let unit = work.take();
            self.state.lock().away.remove(&number);
            if let Some(unit) = unit {
                self.run(&*work, &unit);
            }
            self.let_go(&work);
        }
        // With the last threads the last workers go.
        loop {
            let mut state = self.state.lock();
            if state.hosts.len() <= state.living {
                return;
            }
            let host = state.hosts.pop();
            state.ready -= 1;
            drop(state);
            drop(host);
        }
    }

    fn warm_one(&self) {
        let started = self.start(&Alone(self));
        let mut state = self.state.lock();
        state.starting -= 1;
        state.busy -= 1;
        match started {
            Ok(host) => {
                state.ready += 1;
                self.put_back(state, host);
            }
            Err(_) => {
                state.warming = 0;
                drop(state);
            }
        }
        self.wake.notify_all();
    }

    /// A worker that is ready. One that somebody ended while it started is no sign that none can be.
    fn start(&self, watch: &dyn Watch) -> Result<Host, End> {
        let mut tries = 1;
        loop {
            match Host::start(&self.launch, watch) {
                Err(End::Died(crash)) if crash.signal.is_some() && tries < STARTS => tries += 1,
                started => return started,
            }
        }
    }

    /// The room for a call, and a worker if one waits; None if the call is not wanted any more.
    fn seat(&self, work: &dyn Work) -> Result<Option<Host>, StopCause> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(StopCause::Cancelled);
            }
            if state.busy < state.limit {
                state.busy += 1;
                return Ok(state.hosts.pop());
            }
            if let Some(cause) = work.stop(Instant::now()) {
                return Err(cause);
            }
            self.wake.wait_for(&mut state, SEAT);
        }
    }

    /// A worker after its call.
    fn put_back(&self, mut state: parking_lot::MutexGuard<'_, State>, host: Host) {
        if state.closed || state.purged.iter().any(|run| host.has_run(run)) {
            state.ready -= 1;
            drop(state);
            drop(host);
        } else {
            state.hosts.push(host);
        }
    }

    fn run(&self, work: &dyn Work, unit: &Unit) {
        let found = match self.seat(work) {
            Ok(found) => found,
            Err(cause) => return work.ended(unit.id, End::Stopped(cause), None),
        };
        let watch = Watching { pool: self, work, unit: unit.id };
        let mut living = found;
        if living.as_mut().is_some_and(|host| !host.alive()) {
            living = None;
            self.state.lock().ready -= 1;
        }
        let started = match living {
            Some(host) => Ok(host),
            None => self.start(&watch).inspect(|_| self.state.lock().ready += 1),
        };
        let (end, item) = match started {
            Ok(mut host) => {
                let end = host.run(&unit.call, &watch);
                let item = host.item_of(unit.call.head.call);
                if matches!(end, End::Done) {
                    let mut state = self.state.lock();
                    state.busy -= 1;
                    self.put_back(state, host);
                } else {
                    drop(host);
                    let mut state = self.state.lock();
                    state.busy -= 1;
                    state.ready -= 1;
                }
                (end, item)
            }
            Err(end) => {
                self.state.lock().busy -= 1;
                (end, None)
            }
        };
        work.ended(unit.id, end, item);
    }

    /// What to do next; None ends the thread.
    fn next(&self) -> Option<Next> {
        let mut state = self.state.lock();
        let idle_until = Instant::now() + IDLE;
        loop {
            let now = Instant::now();
            if state.closed || state.present(now) > state.limit {
                break;
            }
            state.works.retain(|entry| entry.running > 0 || entry.work.ready(now) != Ready::Over);
            let mut waiting = Vec::new();
            let mut places = Vec::new();
            let mut wake_at = idle_until;
            for (place, entry) in state.works.iter().enumerate() {
                match entry.work.ready(now) {
                    Ready::Now => {
                        waiting.push(Waiting { priority: entry.work.priority(), since: entry.since });
                        places.push(place);
                    }
                    Ready::At(time) => wake_at = wake_at.min(time),
                    Ready::No | Ready::Over => {}
                }
            }
            if let Some(chosen) = queue::choose(&waiting, now) {
                let entry = &mut state.works[places[chosen]];
                entry.since = now;
                entry.running += 1;
                return Some(Next::Serve(entry.work.clone()));
            }
            if state.ready + state.starting < state.warming && state.busy < state.limit {
                state.starting += 1;
                state.busy += 1;
                return Some(Next::Warm);
            }
            if now >= idle_until {
                break;
            }
            state.idle += 1;
            self.wake.wait_until(&mut state, wake_at);
            state.idle -= 1;
        }
        state.living -= 1;
        None
    }

    fn let_go(&self, work: &Arc<dyn Work>) {
        let mut state = self.state.lock();
        if let Some(entry) = state.works.iter_mut().find(|entry| Arc::ptr_eq(&entry.work, work)) {
            entry.running -= 1;
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

/// A call's watch: its run, but a pool that closes stops it as well.
struct Watching<'a> {
    pool: &'a Inner,
    work: &'a dyn Work,
    unit: u64,
}

impl Watch for Watching<'_> {
    fn part(&self, part: Part) {
        self.work.part(self.unit, part);
    }

    fn stop(&self, now: Instant) -> Option<StopCause> {
        self.work.stop(now).or_else(|| self.pool.state.lock().closed.then_some(StopCause::Cancelled))
    }

    fn wrote(&self, stream: Stream, text: &str) {
        self.work.wrote(self.unit, stream, text);
    }

    fn said(&self, said: Said) {
        self.work.said(self.unit, said);
    }

    fn memory_limit(&self) -> Option<u64> {
        self.work.memory_limit()
    }
}

/// The watch over a worker that starts without a call.
struct Alone<'a>(&'a Inner);

impl Watch for Alone<'_> {
    fn part(&self, _: Part) {}

    fn stop(&self, _: Instant) -> Option<StopCause> {
        self.0.state.lock().closed.then_some(StopCause::Cancelled)
    }

    fn wrote(&self, _: Stream, _: &str) {}

    fn said(&self, _: Said) {}

    fn memory_limit(&self) -> Option<u64> {
        None
    }
}
