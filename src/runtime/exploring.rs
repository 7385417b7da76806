//! Single rows of a source, for those who look at it: no run, but with the engine's threads, deadline and stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::opening::Opening;
use crate::engine::control::{Control, Stop};
use crate::engine::sample;
use crate::error::{Code, Error, Result};
use crate::io::source::files::spool::Spool;
use crate::io::source::{MemorySource, Source};

/// Of the memory limit a stream may keep so large a share, up to a bound, before it is written down.
const STREAM_SHARE: usize = 8;
const STREAM_MOST: usize = 256 << 20;

impl Engine {
    /// What takes the tables of a stream.
    pub fn spool(&self) -> Spool {
        let limit = usize::try_from(self.settings().memory_limit).unwrap_or(usize::MAX);
        Spool::new(&self.settings().spill_dir, (limit / STREAM_SHARE).min(STREAM_MOST))
    }

    /// Reads the rows with these numbers, which rise; the last column is their label, counted by start and step.
    pub fn rows_at(
        &self,
        source: Source,
        columns: Vec<usize>,
        rows: Vec<u64>,
        labels: (i64, i64),
        timeout: Option<Duration>,
        control: &Arc<Control>,
    ) -> Result<Opening> {
        let io = self.io()?;
        if let Some(deadline) = timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
            let _ = control.deadline.set(deadline);
        }
        let (chunk, threads) = (self.settings().batch_rows, self.settings().threads);
        let stopping = StopsWith(control.clone());
        let control = control.clone();
        let work = async move {
            let _stopping = stopping;
            let reading = sample::rows_at(source, columns, rows, labels, chunk, threads, control);
            let read = match timeout {
                None => reading.await,
                Some(timeout) => tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| {
                    Err(Error::new(Code::Timeout, "the time was over before the rows were read")
                        .hint("Allow more time, or ask for fewer rows or columns"))
                }),
            };
            Ok(Source::Memory(Arc::new(MemorySource::new(vec![read?])?)))
        };
        Ok(Opening::new(io.spawn(work), io))
    }
}

/// Threads that still read stop when nobody waits for them.
struct StopsWith(Arc<Control>);

impl Drop for StopsWith {
    fn drop(&mut self) {
        self.0.stop(Stop::Abandon);
    }
}
