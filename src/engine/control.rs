//! What a run and the threads that work for it share: the wish to stop, and the count of what is done.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;

use super::memory::Memory;
use crate::error::{Code, Error, Result};

/// Why a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stop {
    Cancel = 1,
    Deadline = 2,
    /// A sibling failed: what is still at work for the run may give up.
    Abandon = 3,
}

/// How every chunk that was accepted ended, or that it has not yet.
///
/// `accepted == pending + succeeded + failed + dead_lettered + cancelled + skipped` at every moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Accounting {
    pub accepted: u64,
    pub pending: u64,
    pub succeeded: u64,
    pub failed: u64,
    /// Given up, and put aside to be run again some day.
    pub dead_lettered: u64,
    pub cancelled: u64,
    /// Not needed any more: `head` had enough rows.
    pub skipped: u64,
    /// Those of the ended that an earlier run with the same key had done.
    pub restored: u64,
}

/// One stage's figures, for `explain()`.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    pub name: String,
    pub rows: u64,
    pub seconds: f64,
    pub details: String,
}

/// How many plans a run has needed: of its answer, and of what is computed before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Planning {
    /// Those made for this run.
    pub made: u64,
    /// Those that were made for an earlier run of the client, and kept.
    pub kept: u64,
}

/// Facts of one scan, for `explain()`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ScanFacts {
    pub source: String,
    pub files: usize,
    /// Those left out by the values in their directories' names: of them no data are read.
    pub files_pruned: usize,
    /// Those of them of which not even the footer was read: their row groups are not among those below.
    pub files_unopened: usize,
    pub row_groups: usize,
    /// Those of files that were left out.
    pub row_groups_unopened: usize,
    /// Those of other files, left out by their statistics.
    pub row_groups_pruned: usize,
    pub columns_read: Vec<String>,
    pub columns_total: usize,
    pub predicate: Option<String>,
    pub chunk_rows: usize,
    pub chunks: u64,
    pub rows: u64,
}

pub struct Control {
    stop: AtomicU8,
    stopping: tokio::sync::Notify,
    /// What is to be done when somebody wants the run to stop.
    on_stop: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    settled: AtomicBool,
    /// What the run writes is being shown: too late to stop.
    showing: AtomicBool,
    pub started: Instant,
    /// When the run is to be over.
    pub deadline: OnceLock<Instant>,
    /// The threads for work that waits for other work.
    pub waiting: OnceLock<tokio::runtime::Handle>,
    accounting: Mutex<Accounting>,
    pub rows_read: AtomicU64,
    pub bytes_read: Arc<AtomicU64>,
    pub memory: Arc<Memory>,
    stages: Mutex<Vec<Stage>>,
    scans: Mutex<Vec<ScanFacts>>,
    notes: Mutex<Vec<String>>,
    grouping: Mutex<Option<&'static str>>,
    planning: Mutex<Planning>,
    /// What failed, where siblings were told to give up for it.
    cause: Mutex<Option<Error>>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            stop: AtomicU8::new(0),
            stopping: tokio::sync::Notify::new(),
            on_stop: Mutex::default(),
            settled: AtomicBool::new(false),
            showing: AtomicBool::new(false),
            started: Instant::now(),
            deadline: OnceLock::new(),
            waiting: OnceLock::new(),
            accounting: Mutex::default(),
            rows_read: AtomicU64::new(0),
            bytes_read: Arc::default(),
            memory: Arc::default(),
            stages: Mutex::default(),
            scans: Mutex::default(),
            notes: Mutex::default(),
            grouping: Mutex::default(),
            planning: Mutex::default(),
            cause: Mutex::default(),
        }
    }
}

impl Control {
    /// Asks everything that works for the run to stop; the first reason stays.
    pub fn stop(&self, reason: Stop) {
        let _ = self.stop.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |stop| {
            let first = stop == 0 || stop == Stop::Abandon as u8 && reason != Stop::Abandon;
            first.then_some(reason as u8)
        });
        if reason != Stop::Abandon {
            self.stopping.notify_one();
            let wanted = self.on_stop.lock().take();
            if let Some(wanted) = wanted {
                wanted();
            }
        }
    }

    /// Calls back once when somebody wants the run to stop, in whatever thread wants it; at once if that is so already.
    pub fn when_stopped(&self, call: impl FnOnce() + Send + 'static) {
        *self.on_stop.lock() = Some(Box::new(call));
        if matches!(self.reason(), Some(Stop::Cancel | Stop::Deadline)) {
            let wanted = self.on_stop.lock().take();
            if let Some(wanted) = wanted {
                wanted();
            }
        }
    }

    /// Tells everything that works for the run to give up, as this failed.
    pub fn abandon(&self, error: &Error) {
        if error.code() != Code::Cancelled {
            self.cause.lock().get_or_insert_with(|| error.clone());
        }
        self.stop(Stop::Abandon);
    }

    /// What an error is told as: whoever gave up for another one's sake says that it was cancelled, and may be heard first.
    pub fn cause_of(&self, error: Error) -> Error {
        match self.reason() {
            Some(Stop::Abandon) if error.code() == Code::Cancelled => {
                self.cause.lock().take().unwrap_or(error)
            }
            _ => error,
        }
    }

    /// Resolves when somebody wants the run to stop.
    pub async fn wish_to_stop(&self) {
        self.stopping.notified().await;
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// Why the run is to stop, if it is.
    pub fn reason(&self) -> Option<Stop> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Stop::Cancel),
            2 => Some(Stop::Deadline),
            _ => Some(Stop::Abandon),
        }
    }

    /// To be called when nothing is left to do but to show what was written: from then on the run is not stopped any
    /// more. The time until which that is to be done.
    pub fn show(&self) -> Result<Option<Instant>> {
        self.showing.store(true, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        self.check_clock().inspect_err(|_| self.showing.store(false, Ordering::SeqCst))?;
        Ok(self.deadline.get().copied())
    }

    /// Whether what was written is seen already, or will be at once.
    pub fn shows(&self) -> bool {
        std::sync::atomic::fence(Ordering::SeqCst);
        self.showing.load(Ordering::SeqCst)
    }

    /// To be called at least every few milliseconds of work.
    pub fn check(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            0 => Ok(()),
            1 | 3 => Err(Error::cancelled()),
            _ => Err(Error::new(Code::Timeout, "the run was stopped: its deadline (`timeoutMs`) passed")
                .hint("Allow more time, or read less: fewer columns, a filter, fewer files")),
        }
    }

    /// As `check`, for work that may keep every thread: whoever watches the clock may then have none.
    pub fn check_clock(&self) -> Result<()> {
        if self.deadline.get().is_some_and(|deadline| Instant::now() >= *deadline) {
            self.stop(Stop::Deadline);
        }
        self.check()
    }

    pub fn accept(&self, chunks: u64) {
        let mut accounting = self.accounting.lock();
        accounting.accepted += chunks;
        accounting.pending += chunks;
    }

    pub fn succeed(&self, chunks: u64, rows: u64) {
        let mut accounting = self.accounting.lock();
        // A straggler of a run that is settled has been counted already; its rows are no progress any more.
        if !self.settled.load(Ordering::Relaxed) {
            self.rows_read.fetch_add(rows, Ordering::Relaxed);
            let chunks = chunks.min(accounting.pending);
            accounting.pending -= chunks;
            accounting.succeeded += chunks;
        }
    }

    /// Gives every chunk that is still pending its end.
    pub fn settle(&self, outcome: Option<Code>) {
        let mut accounting = self.accounting.lock();
        self.settled.store(true, Ordering::Relaxed);
        let pending = std::mem::take(&mut accounting.pending);
        match outcome {
            None => accounting.skipped += pending,
            Some(Code::Cancelled | Code::Timeout) => accounting.cancelled += pending,
            Some(_) => {
                // One chunk met the error; the others were not tried any more.
                let failed = pending.min(1);
                accounting.failed += failed;
                accounting.cancelled += pending - failed;
            }
        }
    }

    /// Forgets the chunks of an attempt that is made again in another way.
    pub fn restart(&self) {
        let abandoned = Stop::Abandon as u8;
        let _ = self.stop.compare_exchange(abandoned, 0, Ordering::Relaxed, Ordering::Relaxed);
        *self.cause.lock() = None;
        let mut accounting = self.accounting.lock();
        *accounting = Accounting::default();
        self.rows_read.store(0, Ordering::Relaxed);
        drop(accounting);
        self.scans.lock().clear();
        self.stages.lock().clear();
    }

    /// Sets the count of a run that keeps its own books.
    pub fn account(&self, counted: Accounting) {
        let mut accounting = self.accounting.lock();
        if !self.settled.load(Ordering::Relaxed) {
            *accounting = counted;
        }
    }

    pub fn accounting(&self) -> Accounting {
        *self.accounting.lock()
    }

    pub fn stage(&self, stage: Stage) {
        self.stages.lock().push(stage);
    }

    pub fn stages(&self) -> Vec<Stage> {
        self.stages.lock().clone()
    }

    pub fn scan(&self, facts: ScanFacts) {
        self.scans.lock().push(facts);
    }

    pub fn scans(&self) -> Vec<ScanFacts> {
        self.scans.lock().clone()
    }

    pub fn note(&self, note: impl Into<String>) {
        self.notes.lock().push(note.into());
    }

    /// A plan was made.
    pub fn made_plan(&self) {
        self.planning.lock().made += 1;
    }

    /// A plan was there.
    pub fn kept_plan(&self) {
        self.planning.lock().kept += 1;
    }

    pub fn planning(&self) -> Planning {
        *self.planning.lock()
    }

    /// The operator that grouped rows; the last one counts.
    pub fn grouped_by(&self, operator: &'static str) {
        *self.grouping.lock() = Some(operator);
    }

    pub fn grouping(&self) -> Option<&'static str> {
        *self.grouping.lock()
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straggler_of_a_settled_run_changes_no_figure() {
        let control = Control::default();
        control.accept(3);
        control.succeed(1, 10);
        control.settle(Some(Code::Cancelled));
        let settled = control.accounting();
        assert_eq!((settled.succeeded, settled.cancelled), (1, 2));
        control.succeed(1, 10);
        assert_eq!(control.accounting(), settled);
        assert_eq!(control.rows_read.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn what_failed_is_told_and_not_that_others_gave_up_for_it() {
        let control = Control::default();
        let lacked = Error::new(Code::OutOfMemory, "no room");
        control.abandon(&lacked);
        control.abandon(&Error::cancelled());
        assert_eq!(control.cause_of(Error::cancelled()).code(), Code::OutOfMemory);
        control.restart();
        assert!(!control.stopped());
        assert_eq!(control.cause_of(Error::cancelled()).code(), Code::Cancelled);
        control.abandon(&lacked);
        control.stop(Stop::Cancel);
        assert_eq!(control.cause_of(Error::cancelled()).code(), Code::Cancelled, "who cancels is heard");
    }
}
