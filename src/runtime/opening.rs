//! A source on its way: it is opened by the engine's threads, and waited for by the one that asked.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::error::{Error, Result};
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

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}
