//! Calls that begin in the thread that brings them, where a worker waits: nobody has to be woken to pass them on. Where
//! threads are the workers, a call that is known to be short runs in that thread altogether.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::serving::Watching;
use super::{Attended, Entry, Inner, Pool, Ready, Work};
use crate::worker::call::Said;
use crate::worker::host::Host;
use crate::worker::output::Outputs;
use crate::worker::queue;
use crate::worker::thread::{Left, TELLS, Threads};
use crate::worker::watch::{Crash, Crashed, End, StopCause, Stream, Watch};

/// A run whose first call may begin in the thread that brings it.
pub struct Brought<'a> {
    pub work: Arc<dyn Work>,
    /// The id of the function that it calls.
    pub function: &'a str,
    /// Whether the thread may run the call itself: it waits for its end anyway, and no clock may end it before.
    pub whole: bool,
    /// How long the thread looks after the call at most.
    pub until: Instant,
    /// Has the run stop, if whoever brings it does not want it any more.
    pub cancel: &'a dyn Fn(),
}

impl Pool {
    /// Takes a run, as `add` does. Where a worker waits and no other run has a call for it, the first call begins in this
    /// thread, which looks after it until this time at most; beyond, the pool does. Returns whether the run is over.
    ///
    /// The run's `take` has to be quick, and its calls small enough for a socket to take them in.
    pub fn add_here(&self, brought: Brought<'_>) -> io::Result<bool> {
        let Brought { work, function, whole, until, cancel } = brought;
        let threads = self.inner.launch.threads.as_deref();
        if let Some(threads) = threads.filter(|_| whole)
            && self.inner.short.lock().is(function)
            // Threads that bring calls have not been set up.
            && self.inner.state.lock().setup.function.is_none()
        {
            let begun = Instant::now();
            if self.inner.call_here(threads, &work, cancel) {
                self.inner.short.lock().learn(function, begun.elapsed());
            }
            if work.ready(Instant::now()) == Ready::Over {
                return Ok(true);
            }
        } else if let Some(host) = self.inner.claim() {
            let begun = Instant::now();
            match work.take() {
                Some(unit) => {
                    let going = self.inner.begin(host, &work, unit);
                    let going = going.and_then(|attended| self.inner.attend(attended, Some(until)));
                    if threads.is_some() {
                        self.inner.short.lock().learn(function, begun.elapsed());
                    }
                    if let Some(attended) = going {
                        self.inner.hand_over(attended);
                        return Ok(false);
                    }
                }
                None => self.inner.give_back(host),
            }
            if work.ready(Instant::now()) == Ready::Over {
                return Ok(true);
            }
        }
        self.add(work).map(|()| false)
    }

    /// Tells calls that run in the threads which brought them to end. Their runs are to stop already.
    pub fn interrupt_here(&self) {
        let found: Vec<_> =
            self.inner.state.lock().here.iter().map(|(number, here)| (*number, here.clone())).collect();
        if found.is_empty() {
            return;
        }
        let inner = self.inner.clone();
        let telling = std::thread::Builder::new().name("rlm-interrupt".to_owned()).spawn(move || {
            for wait in TELLS {
                std::thread::sleep(Duration::from_millis(wait));
                for (number, here) in &found {
                    if inner.state.lock().here.contains_key(number) {
                        here.interrupt();
                    }
                }
            }
        });
        // Without a thread for it they end by themselves.
        drop(telling);
    }
}

impl Inner {
    /// A worker that waits, and a place for its call.
    fn claim(&self) -> Option<Host> {
        let now = Instant::now();
        let mut dead = Vec::new();
        let mut state = self.state.lock();
        let due = state.works.iter().any(|entry| entry.work.ready(now) == Ready::Now);
        let found = loop {
            if state.closed || !queue::at_once(due, state.hosts.len(), state.busy, state.limit) {
                break None;
            }
            let Some(mut host) = state.hosts.pop() else { break None };
            if host.alive() {
                state.busy += 1;
                state.used = Some(now);
                break Some(host);
            }
            state.ready -= 1;
            dead.push(host);
        };
        drop(state);
        // What died while nobody needed it.
        drop(dead);
        found
    }

    /// Runs the first call of a run in this thread; false if there is no place for it.
    fn call_here(&self, threads: &dyn Threads, work: &Arc<dyn Work>, cancel: &dyn Fn()) -> bool {
        if !self.claim_place() {
            return false;
        }
        let taken = threads.here().and_then(|here| Some((here, work.take()?)));
        let Some((here, unit)) = taken else {
            self.leave(&mut self.state.lock());
            return false;
        };
        let number = unit.call.head.call;
        self.state.lock().here.insert(number, here.clone());
        work.begun(unit.id);
        let watch = Watching { pool: self, work: &**work, unit: unit.id };
        let mut outputs = Outputs::default();
        let mut say = |said| match said {
            Said::Part(part) => {
                finish(&mut outputs, &watch);
                watch.part(part);
            }
            Said::Wrote { stream, text } => {
                let stream = if stream == "stderr" { Stream::Err } else { Stream::Out };
                wrote(&watch, stream, &outputs.feed(stream, text.as_bytes()));
            }
            said => watch.said(said),
        };
        let stop = |watch: &Watching<'_>| watch.stop(Instant::now()).unwrap_or(StopCause::Cancelled);
        // Who stops it now finds it among those that are told.
        let end = match watch.stop(Instant::now()) {
            Some(cause) => End::Stopped(cause),
            None => match here.call(&unit.call, &mut say) {
                Left::Over => End::Done,
                Left::Stopped => End::Stopped(stop(&watch)),
                Left::Interrupted => {
                    cancel();
                    End::Stopped(stop(&watch))
                }
                Left::Lost(how) => {
                    let (what, stderr) = (Crashed::Calling, outputs.stderr());
                    End::Died(Crash { what, how, item: None, stderr, signal: None, raised: None })
                }
            },
        };
        let mut state = self.state.lock();
        state.here.remove(&number);
        self.leave(&mut state);
        drop(state);
        work.ended(unit.id, end, None);
        true
    }

    /// A place for a call that needs no worker.
    fn claim_place(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock();
        let due = state.works.iter().any(|entry| entry.work.ready(now) == Ready::Now);
        if state.closed || !queue::at_once(due, 1, state.busy, state.limit) {
            return false;
        }
        state.busy += 1;
        true
    }

    fn give_back(&self, host: Host) {
        let mut state = self.state.lock();
        self.leave(&mut state);
        self.put_back(state, host, false);
    }

    /// Leaves a call that goes on to a thread of the pool.
    fn hand_over(self: &Arc<Self>, attended: Attended) {
        let work = attended.work.clone();
        let mut state = self.state.lock();
        state.works.push(Entry { work: work.clone(), since: Instant::now(), running: 1 });
        let waited_for = state.idle <= state.handed.len();
        if state.closed || waited_for && self.spawn(&mut state).is_err() {
            // There is no thread to be had.
            drop(state);
            self.attend(attended, None);
            self.let_go(&work);
            return;
        }
        state.handed.push_back(attended);
        drop(state);
        self.wake.notify_all();
    }
}

fn wrote(watch: &dyn Watch, stream: Stream, text: &str) {
    if !text.is_empty() {
        watch.wrote(stream, text);
    }
}

/// Passes on what waited for something to follow.
fn finish(outputs: &mut Outputs, watch: &dyn Watch) {
    for stream in [Stream::Out, Stream::Err] {
        wrote(watch, stream, &outputs.finish(stream));
    }
}
