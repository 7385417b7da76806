//! A source on its way: it is opened by the engine's threads, and waited for by the one that asked.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::engine::Given;
use crate::error::{Code, Error, Result};
use crate::io::source::Source;

/// A source that is being opened. Dropping it gives up.
pub struct Opening {
    work: Option<JoinHandle<Result<Source>>>,
    io: tokio::runtime::Handle,
}

impl Opening {
    pub(super) fn new(work: JoinHandle<Result<Source>>, io: tokio::runtime::Handle) -> Self {
        Self { work: Some(work), io }
    }

    /// The source, if it is open within this time.
    pub fn wait(&mut self, time: Duration) -> Option<Result<Source>> {
        let Some(work) = &mut self.work else {
            return Some(Err(Error::internal("a source is opened once")));
        };
        let done = self.io.block_on(async { tokio::time::timeout(time, work).await });
        let outcome = match done {
            Err(_) => return None,
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) if error.is_panic() => {
                Err(Error::internal("the engine panicked while it opened the source"))
            }
            Ok(Err(_)) => Err(Error::cancelled()),
        };
        self.work = None;
        Some(outcome)
    }
}

/// Refuses options of an object store for what is in none.
pub(super) fn in_stores(given: &[Given]) -> Result<()> {
    let stored = |given: &Given| match given {
        Given::Path(path) => path.contains("://") && !path.starts_with("file:"),
        Given::Table(..) => false,
    };
    if given.iter().any(stored) {
        return Ok(());
    }
    Err(Error::new(Code::InvalidTask, "`storageOptions` is for object stores, and the source is in none")
        .hint("Leave it out, or give the address of an object: s3://bucket/path")
        .detail("path", "input.storageOptions"))
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}
