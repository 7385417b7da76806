//! Rows of a scan that are made by the thread that writes them: nothing is handed over, and rows are written while they are
//! in the processor's cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::MemoryReservation;

use super::answer::handed_out;
use crate::engine::control::Control;
use crate::engine::group::exec::blocking;
use crate::engine::scan_exec::{Pull, Pulled};
use crate::error::{Error, Result};
use crate::io::sink::bytes_of;
use crate::io::sink::part::{Lane, Part};

/// Batches that wait where rows are made beside.
const AHEAD: usize = 2;

/// What the lanes of one write know of one another.
pub(super) struct Lanes {
    /// Those that have rows left.
    left: AtomicUsize,
    threads: usize,
    given_up: AtomicBool,
}

impl Lanes {
    pub(super) fn new(lanes: usize, threads: usize) -> Self {
        Self { left: AtomicUsize::new(lanes), threads, given_up: AtomicBool::new(false) }
    }

    /// The next chunk of a lane, unless its rows are not wanted any more.
    fn next(&self, pull: &mut Pull) -> Result<Pulled> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Error::cancelled());
        }
        pull.pulled()
    }

    /// Whether a thread has nothing to do.
    fn are_few(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.threads
    }
}

/// Of a lane that nobody waits for any more: one of the others failed, or the run is over.
struct GivenUp {
    lanes: Arc<Lanes>,
    done: bool,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if !self.done {
            self.lanes.given_up.store(true, Ordering::Relaxed);
        }
    }
}

/// One lane, on a thread of its own. While as many lanes go on as there are threads, each makes and writes its rows by
/// turns; after that, the rows of those that are left are made beside.
pub(super) async fn pulled(
    writer: Box<dyn Lane>,
    pull: Pull,
    schema: SchemaRef,
    control: Arc<Control>,
    waiting: MemoryReservation,
    lanes: Arc<Lanes>,
) -> Result<Vec<Part>> {
    let mut abandoned = GivenUp { lanes: lanes.clone(), done: false };
    let mut work = Work { writer, schema, control, waiting, lanes };
    let parts = blocking(move || {
        let done = work.write_all(pull);
        work.lanes.left.fetch_sub(1, Ordering::Relaxed);
        done?;
        work.writer.finish(false)
    })
    .await?;
    abandoned.done = true;
    Ok(parts)
}

struct Work {
    writer: Box<dyn Lane>,
    schema: SchemaRef,
    control: Arc<Control>,
    waiting: MemoryReservation,
    lanes: Arc<Lanes>,
}

impl Work {
    fn write_all(&mut self, mut pull: Pull) -> Result<()> {
        let mut alone = false;
        loop {
            if !alone && self.lanes.are_few() {
                if self.write_beside(&mut pull)? {
                    return Ok(());
                }
                // There is no thread to be had.
                alone = true;
            }
            match self.lanes.next(&mut pull)? {
                Pulled::Rows(batch) => {
                    self.waiting.resize(bytes_of(&batch));
                    self.write(&batch)?;
                    self.waiting.resize(0);
                }
                Pulled::Nothing => {}
                Pulled::End => return Ok(()),
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.control.check()?;
        self.writer.write(&handed_out(batch, &self.schema)?)
    }

    /// Writes rows while a thread beside makes the next ones; whether there was one.
    fn write_beside(&mut self, pull: &mut Pull) -> Result<bool> {
        let (send, receive) = sync_channel(AHEAD);
        let (lanes, pool) = (self.lanes.clone(), self.waiting.new_empty());
        let making = move || -> Result<()> {
            loop {
                match lanes.next(pull)? {
                    Pulled::Rows(batch) => {
                        let counted = pool.new_empty();
                        counted.grow(bytes_of(&batch));
                        if send.send((batch, counted)).is_err() {
                            // The writer failed, and says why.
                            return Ok(());
                        }
                    }
                    Pulled::Nothing => {}
                    Pulled::End => return Ok(()),
                }
            }
        };
        std::thread::scope(|scope| {
            let beside = std::thread::Builder::new().name("rlm-compute".to_owned());
            let Ok(beside) = beside.spawn_scoped(scope, making) else { return Ok(false) };
            let wrote = receive.into_iter().try_for_each(|(batch, _counted)| self.write(&batch));
            let made = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            wrote.and(made).map(|()| true)
        })
    }
}
