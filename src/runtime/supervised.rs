//! The work of a native run: until it is done, or had its time after a wish to stop.

use std::time::Duration;

use super::run::Run;
use crate::engine::control::Stop;
use crate::error::{Error, Result};

/// How long a run that is to stop may take to end by itself. Our own threads look at the wish at every chunk;
/// operators that do not know of it, such as a sort that merges, are dropped then.
const GRACE: Duration = Duration::from_millis(40);

/// Runs `work` until it is done, or until it had its time to react to a wish to stop.
pub(super) async fn supervised<T>(
    run: &Run,
    timeout: Option<Duration>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome,
        () = deadline => run.control.stop(Stop::Deadline),
        () = run.control.wish_to_stop() => {}
    }
    match tokio::time::timeout(GRACE, &mut work).await {
        // What is seen already is not called stopped.
        Ok(Ok(done)) if run.control.shows() => Ok(done),
        Err(_) if run.control.shows() => work.await,
        Ok(Ok(_)) | Err(_) => Err(run.control.check().err().unwrap_or_else(Error::cancelled)),
        Ok(Err(error)) => Err(error),
    }
}
