//! One execution of a task: its state, its progress and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Serialize;

use super::answer::Answer;
use super::calls::{Latency, Values};
use crate::engine::control::{Accounting, Control, Stop};
use crate::error::{Code, Error, Result};
use crate::io::sink;
use crate::secrets::redact;

/// A run's state; it never moves backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// Not known before the source was planned.
    pub chunks_total: Option<u64>,
    pub chunks_done: u64,
    pub rows_done: u64,
    pub bytes_read: u64,
    /// The most that operators held at one time.
    pub memory_peak: u64,
    /// Written to disk for want of memory.
    pub spilled_bytes: u64,
    pub elapsed_seconds: f64,
    pub stage: String,
    pub accounting: Accounting,
}

/// What a run came to.
pub enum Finished {
    /// A table, series or scalar.
    Table(Answer),
    /// What calls of user code returned.
    Values(Values),
    /// Files.
    Written(sink::target::Written),
}

/// Something that user code wrote.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Seconds since the run began.
    pub at: f64,
    /// `stdout`, `stderr`, `log` or `progress`.
    pub stream: &'static str,
    pub text: String,
}

pub struct Run {
    pub id: String,
    pub control: Arc<Control>,
    /// Of its items in workers.
    pub latency: Mutex<Latency>,
    inner: Mutex<Inner>,
    done: Condvar,
    over: tokio::sync::Notify,
}

struct Inner {
    state: State,
    outcome: Option<Result<Arc<Finished>>>,
    finished: Option<Instant>,
    plan: String,
    physical: String,
    callbacks: Vec<Box<dyn FnOnce() + Send>>,
    written: Vec<Written>,
    python: Option<Option<String>>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Run {
    pub(super) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("run-{}-{number}", std::process::id()),
            control: Arc::default(),
            latency: Mutex::default(),
            inner: Mutex::new(Inner {
                state: State::Queued,
                outcome: None,
                finished: None,
                plan: String::new(),
                physical: String::new(),
                callbacks: Vec::new(),
                written: Vec::new(),
                python: None,
            }),
            done: Condvar::new(),
            over: tokio::sync::Notify::new(),
        }
    }

    pub(super) fn begin(&self, plan: String) {
        let mut inner = self.inner.lock();
        inner.state = inner.state.max(State::Running);
        inner.plan = plan;
    }

    /// As `begin`, for a run of user code in workers; `why` says why it is not native.
    pub(super) fn begin_in_python(&self, plan: String, why: Option<String>) {
        self.begin(plan);
        self.inner.lock().python = Some(why);
    }

    /// Whether user code runs in workers; and why, where it might have been native.
    pub fn python(&self) -> Option<Option<String>> {
        self.inner.lock().python.clone()
    }

    pub(super) fn planned(&self, physical: String) {
        self.inner.lock().physical = physical;
    }

    /// Gives the run its end; the first one stays.
    pub(super) fn finish(&self, outcome: Result<Finished>) {
        let mut inner = self.inner.lock();
        if inner.outcome.is_some() {
            return;
        }
        self.control.settle(outcome.as_ref().err().map(Error::code));
        inner.state = match &outcome {
            Ok(_) => State::Succeeded,
            Err(error) if error.code() == Code::Cancelled => State::Cancelled,
            Err(_) => State::Failed,
        };
        inner.finished = Some(Instant::now());
        inner.outcome =
            Some(outcome.map(Arc::new).map_err(|error| redact::error(error).detail("run", self.id.as_str())));
        let callbacks = std::mem::take(&mut inner.callbacks);
        drop(inner);
        self.done.notify_all();
        self.over.notify_one();
        for callback in callbacks {
            callback();
        }
        // Threads that read ahead for an answer that needs no more, or that failed, give up.
        self.control.stop(Stop::Abandon);
    }

    /// Resolves, for one who waits, when the run is done.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }

    pub fn state(&self) -> State {
        self.inner.lock().state
    }

    pub fn is_done(&self) -> bool {
        self.inner.lock().outcome.is_some()
    }

    pub fn cancel(&self) {
        self.control.stop(Stop::Cancel);
    }

    /// True if the run is done within this time.
    pub fn wait(&self, time: Duration) -> bool {
        let mut inner = self.inner.lock();
        let deadline = Instant::now() + time;
        while inner.outcome.is_none() {
            if self.done.wait_until(&mut inner, deadline).timed_out() {
                return inner.outcome.is_some();
            }
        }
        true
    }

    /// Calls back once when the run is done, from the thread that finished it; at once if it is done already.
    pub fn when_done(&self, callback: impl FnOnce() + Send + 'static) {
        let mut inner = self.inner.lock();
        if inner.outcome.is_none() {
            inner.callbacks.push(Box::new(callback));
            return;
        }
        drop(inner);
        callback();
    }

    /// The answer or the error of a run that is done.
    pub fn outcome(&self) -> Result<Arc<Finished>> {
        match &self.inner.lock().outcome {
            Some(outcome) => outcome.clone(),
            None => Err(Error::internal("the answer of a run that is not done")),
        }
    }

    pub(super) fn wrote(&self, stream: &'static str, text: &str) {
        let at = self.control.started.elapsed().as_secs_f64();
        let mut inner = self.inner.lock();
        match inner.written.last_mut() {
            // What one call writes in pieces stays together.
            Some(last) if last.stream == stream && matches!(stream, "stdout" | "stderr") => {
                last.text.push_str(text)
            }
            _ => inner.written.push(Written { at, stream, text: text.to_owned() }),
        }
    }

    /// What user code wrote, in order.
    pub fn written(&self) -> Vec<Written> {
        self.inner.lock().written.clone()
    }

    pub fn elapsed(&self) -> Duration {
        let finished = self.inner.lock().finished;
        finished.unwrap_or_else(Instant::now).duration_since(self.control.started)
    }

    pub fn progress(&self) -> Progress {
        let accounting = self.control.accounting();
        Progress {
            chunks_total: (accounting.accepted > 0 || self.is_done()).then_some(accounting.accepted),
            chunks_done: accounting.accepted - accounting.pending,
            rows_done: self.control.rows_read.load(Ordering::Relaxed),
            bytes_read: self.control.bytes_read.load(Ordering::Relaxed),
            memory_peak: self.control.memory.peak(),
            spilled_bytes: self.control.memory.spilled(),
            elapsed_seconds: self.elapsed().as_secs_f64(),
            stage: self.control.stages().last().map_or("scan", |stage| stage.name.as_str()).to_owned(),
            accounting,
        }
    }

    /// The plan as traced, and as run.
    pub fn plans(&self) -> (String, String) {
        let inner = self.inner.lock();
        (inner.plan.clone(), inner.physical.clone())
    }
}

/// Sees to it that a run ends, also when its work panics or is dropped with the threads that did it.
pub struct Finisher(pub(super) Arc<Run>);

impl Finisher {
    pub fn of(run: Arc<Run>) -> Self {
        Self(run)
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        self.0.finish(Err(if std::thread::panicking() {
            Error::internal("the engine panicked while it executed the run")
                .hint("Set RLM_BACKTRACE=1 to see where, and please report it")
        } else {
            Error::cancelled()
        }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn work_that_is_dropped_or_panics_ends_its_run() {
        let dropped = Arc::new(Run::new());
        dropped.control.accept(3);
        drop(Finisher(dropped.clone()));
        assert!(dropped.wait(Duration::ZERO));
        assert_eq!(dropped.state(), State::Cancelled);
        assert_eq!(dropped.control.accounting().cancelled, 3);

        let panicked = Arc::new(Run::new());
        let finisher = Finisher(panicked.clone());
        let thread = std::thread::spawn(move || {
            let _finisher = finisher;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert_eq!(panicked.outcome().err().unwrap().code(), Code::Internal);
    }

    #[test]
    fn callbacks_come_once_also_when_they_are_late() {
        let run = Arc::new(Run::new());
        let calls = Arc::new(AtomicU64::new(0));
        let count = || {
            let calls = calls.clone();
            move || {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        run.when_done(count());
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        drop(Finisher(run.clone()));
        run.when_done(count());
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}
