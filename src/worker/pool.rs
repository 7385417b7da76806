//! The workers of a client: a thread for each, which lives as long as its process, and takes calls of the runs.

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
    fn take(&self, worker: u32) -> Option<Unit>;
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
    /// Workers that are to be started although there is nothing to do.
    warming: usize,
    warm: usize,
    closed: bool,
}

struct Entry {
    work: Arc<dyn Work>,
    since: Instant,
    running: usize,
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
        state.works.push(Entry { work, since: Instant::now(), running: 0 });
        self.inner.staff(&mut state)?;
        drop(state);
        self.inner.wake.notify_one();
        Ok(())
    }

    /// To be called when a run has something ready that it had not before.
    pub fn nudge(&self) {
        let mut state = self.inner.state.lock();
        // A thread that cannot be started now is not missed: another one takes the call later.
        let _ = self.inner.staff(&mut state);
        drop(state);
        self.inner.wake.notify_all();
    }

    /// Sees to it that as many workers live, and returns when they are ready or the time is over.
    pub fn warm(&self, count: usize, patience: Duration) -> std::io::Result<usize> {
        let deadline = Instant::now() + patience;
        let mut state = self.inner.state.lock();
        state.warming = count.min(state.limit);
        let wanted = state.warming;
        while state.living < wanted {
            self.inner.spawn(&mut state)?;
        }
        self.inner.wake.notify_all();
        while state.warm < wanted && !state.closed {
            if self.inner.wake.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.warming = 0;
        Ok(state.warm)
    }

    /// Ends all workers. Their runs have been told to stop before.
    pub fn close(&self, patience: Duration) {
        let threads = {
            let mut state = self.inner.state.lock();
            state.closed = true;
            std::mem::take(&mut state.threads)
        };
        self.inner.wake.notify_all();
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
        if state.idle < due && state.living < state.limit && !state.closed {
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

    /// The life of a worker's thread.
    fn serve(self: Arc<Self>, number: u32) {
        let mut host: Option<Host> = None;
        let mut warm = false;
        while let Some(next) = self.next(warm) {
            let Some(work) = next else {
                let started = Host::start(&self.launch, &Alone(&self));
                warm = self.tell_warm(warm, started.is_ok());
                host = started.ok();
                continue;
            };
            // There may be more to do than this one: another thread may begin meanwhile.
            {
                let mut state = self.state.lock();
                let _ = self.staff(&mut state);
            }
            if let Some(unit) = work.take(number) {
                self.run(&mut host, &*work, &unit);
            }
            warm = self.tell_warm(warm, host.is_some());
            self.let_go(&work);
        }
        self.tell_warm(warm, false);
        drop(host);
    }

    fn tell_warm(&self, was: bool, is: bool) -> bool {
        if was != is {
            let mut state = self.state.lock();
            state.warm = if is { state.warm + 1 } else { state.warm - 1 };
            drop(state);
            self.wake.notify_all();
        }
        is
    }

    fn run(&self, host: &mut Option<Host>, work: &dyn Work, unit: &Unit) {
        let watch = Watching { pool: self, work, unit: unit.id };
        if host.as_mut().is_some_and(|host| !host.alive()) {
            *host = None;
        }
        let living = match host {
            Some(living) => living,
            None => match Host::start(&self.launch, &watch) {
                Ok(started) => host.insert(started),
                Err(end) => return work.ended(unit.id, end, None),
            },
        };
        let end = living.run(&unit.call, &watch);
        let item = living.item_of(unit.call.head.call);
        if !matches!(end, End::Done) {
            *host = None;
        }
        work.ended(unit.id, end, item);
    }

    /// The next run to serve; a run of none is a worker to be warmed. None at all ends the thread.
    fn next(&self, warm: bool) -> Option<Option<Arc<dyn Work>>> {
        let mut state = self.state.lock();
        let idle_until = Instant::now() + IDLE;
        loop {
            let now = Instant::now();
            if state.closed {
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
                return Some(Some(entry.work.clone()));
            }
            if !warm && state.warm < state.warming {
                return Some(None);
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
