//! What went wrong with an item, in words: who failed, on what, at which attempt, and why.

use std::time::Duration;

use super::ledger::{Counts, Slice};
use crate::error::{Cause, Code, Error};
use crate::secrets::redact;
use crate::worker::{Blob, Crash, Crashed, Failure, Setback, Unwarmed};

/// Characters of an exception's text, and of the end of its traceback, that are kept. The worker sends more than that:
/// cutting a secret in two would leave a half that nothing knows.
const MESSAGE: usize = 4_000;
const TRACEBACK: usize = 20_000;

fn first(text: &str, most: usize) -> String {
    redact::text(text).chars().take(most).collect()
}

fn last(text: &str, most: usize) -> String {
    let text = redact::text(text);
    let spare = text.chars().count().saturating_sub(most);
    text.chars().skip(spare).collect()
}

/// What the items of a run are called.
fn subject(slice: &Slice, item: u64, single: bool) -> String {
    let part = slice.piece.map(|piece| format!(", values {} to {} of it", piece.from, piece.to - 1));
    let part = part.unwrap_or_default();
    match (&slice.parcel.label, single) {
        (Some(label), _) => format!(" on {label}{part}"),
        (None, true) => String::new(),
        (None, false) => format!(" on item {}{part}", slice.parcel.first + item),
    }
}

fn attempt(slice: &Slice) -> String {
    if slice.attempt > 1 { format!(" (attempt {})", slice.attempt) } else { String::new() }
}

fn details(error: Error, function: &str, slice: &Slice, item: u64) -> Error {
    let error = error
        .detail("operation", function)
        .detail("item", slice.parcel.first + item)
        .detail("attempt", slice.attempt);
    match &slice.parcel.label {
        Some(label) => error.detail("chunk", label.as_str()),
        None => error,
    }
}

/// User code raised.
pub fn raised(function: &str, slice: &Slice, failure: &Failure, blobs: &[Blob], single: bool) -> Error {
    let item = failure.item;
    let (who, on) = match failure.setup {
        true => (format!("the `setup` of `{function}`"), String::new()),
        false => (format!("`{function}`"), subject(slice, item, single)),
    };
    details(exception(&who, &format!("{on}{}", attempt(slice)), failure, blobs), function, slice, item)
}

/// What is told of an exception of user code.
fn exception(who: &str, on: &str, failure: &Failure, blobs: &[Blob]) -> Error {
    let (type_name, traceback) = (first(&failure.type_name, MESSAGE), last(&failure.traceback, TRACEBACK));
    let whole = first(&failure.message, MESSAGE);
    let said = match whole.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let message = format!("{who} raised {type_name}{on}{said}");
    let pickled = failure.blob.and_then(|place| blobs.get(place)).map(|blob| blob.bytes().into());
    let cause =
        Cause { type_name: type_name.clone(), message: whole.clone(), traceback: traceback.clone(), pickled };
    let code = failure.code.unwrap_or(Code::OperationFailed);
    let error = Error::new(code, message).detail("exception", type_name);
    error.detail("traceback", traceback).caused_by(Some(cause.into()))
}

/// The worker died.
pub fn crashed(function: &str, slice: &Slice, crash: &Crash, item: u64, single: bool) -> Error {
    if let Crashed::Starting(why) = crash.what {
        return details(unstarted(&format!("a worker for `{function}`"), crash, why), function, slice, item);
    }
    let message = format!(
        "the worker {} while it ran `{function}`{}{}",
        crash.how,
        subject(slice, item, single),
        attempt(slice)
    );
    let hint = match crash.signal {
        Some(9) => "Something outside ended it: often the system, when memory runs out",
        Some(_) => "The stack of the crash is in `details['stderr']`",
        None if crash.went_on() => {
            "The operation, or a library it uses, closed file handles that are not its own"
        }
        None => "The operation, or a library it uses, ended the process",
    };
    let error = Error::new(Code::WorkerCrashed, message).hint(hint);
    details(known(error, crash), function, slice, item)
}

/// A worker did not come to be ready.
pub fn unstarted(who: &str, crash: &Crash, why: Setback) -> Error {
    if let Some(raised) = &crash.raised {
        let setup = format!("`{}`, the `setup` of `client.warm()`,", raised.function);
        return exception(&setup, "", &raised.failure, &raised.blobs)
            .detail("operation", raised.function.as_str())
            .hint("No worker is ready before it returns. Try it in this process, then give it to `client.warm()` again");
    }
    // The last line of a traceback has the exception.
    let said =
        crash.stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).map(|line| first(line, 300));
    let said = said.map(|line| format!(": {line}")).unwrap_or_default();
    let message = format!("{who} {} before it was ready{said}", crash.how);
    let hint = match why {
        Setback::Unable => {
            "What it wrote says why (`details['stderr']`); it would not start the next time either"
        }
        Setback::Crashed => "What it wrote says why (`details['stderr']`)",
        Setback::Outside => {
            "Something outside ends workers while they start: often the system, when memory runs out. How long they are started again is the setting `worker_start_seconds`"
        }
    };
    known(Error::new(Code::WorkerCrashed, message).hint(hint), crash)
}

/// There are no workers before they are needed.
pub fn unwarmed(why: Unwarmed) -> Error {
    match why {
        Unwarmed::NoThread(error) => Error::new(Code::OutOfMemory, format!("cannot start workers: {error}")),
        Unwarmed::Died(crash) => match crash.what {
            Crashed::Starting(why) => unstarted("a worker", &crash, why),
            Crashed::Calling => known(Error::internal(format!("a worker {}", crash.how)), &crash),
        },
    }
}

/// What is known of the end of a worker, for programs.
fn known(error: Error, crash: &Crash) -> Error {
    let error = match crash.stderr.as_str() {
        "" => error,
        text => error.detail("stderr", text),
    };
    match crash.signal {
        Some(signal) => error.detail("signal", signal),
        None => error,
    }
}

/// The deadline passed.
pub fn late(function: &str, counts: &Counts) -> Error {
    let done = match counts.accepted {
        0 | 1 => String::new(),
        accepted => format!(", after {} of the {accepted} items it had taken", counts.succeeded),
    };
    let message = format!("`{function}` was stopped: the run's deadline (`timeoutMs`) passed{done}");
    Error::new(Code::Timeout, message)
        .hint("Allow more time, or find out what takes it with `current_task().report(...)`")
}

/// The item took longer than it may, and its worker was ended.
pub fn overdue(function: &str, slice: &Slice, item: u64, limit: Duration, single: bool) -> Error {
    let message = format!(
        "`{function}`{}{} took longer than the {} ms that it may (`chunkTimeoutMs`); it was stopped",
        subject(slice, item, single),
        attempt(slice),
        limit.as_millis()
    );
    let error = Error::new(Code::Timeout, message)
        .hint("Allow more time, give it less to do, or add `retries` if it may go better another time")
        .detail("limit_ms", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    details(error, function, slice, item)
}

/// A worker did not come to an item, for it loaded the function.
pub fn unloaded(function: &str, limit: Duration) -> Error {
    let message = format!(
        "`{function}` could not be loaded in a worker within {} s, before its first item; it was stopped",
        limit.as_secs()
    );
    Error::new(Code::Timeout, message)
        .hint("See what its module, its `setup` and what it refers to do when they are imported, called or read; a `chunkTimeoutMs` that is longer holds for this too")
        .detail("operation", function)
        .detail("limit_ms", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
}

/// A worker did not come to the items of a call, for it read them, or made ready for them.
pub fn unread(function: &str, slice: &Slice, item: u64, limit: Duration, single: bool) -> Error {
    let message = format!(
        "`{function}`{}{} was not begun within {} s in a worker, which ran its `setup` or read what it is called with; it was stopped",
        subject(slice, item, single),
        attempt(slice),
        limit.as_secs()
    );
    let error = Error::new(Code::Timeout, message)
        .hint("See what the `setup` does, and the values when they are read (`__setstate__`, imports of their modules); a `chunkTimeoutMs` that is longer holds for this too")
        .detail("limit_ms", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    details(error, function, slice, item)
}

/// The worker held more than it may, and was ended.
pub fn too_large(function: &str, slice: &Slice, item: u64, held: u64, limit: u64, single: bool) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let message = format!(
        "a worker held {} MiB while it ran `{function}`{}{}, and it may hold {} MiB; it was stopped",
        mib(held),
        subject(slice, item, single),
        attempt(slice),
        mib(limit)
    );
    let error = Error::new(Code::OutOfMemory, message)
        .hint("Give the operation smaller pieces (`chunkSize`), or raise `memoryLimit`")
        .detail("held_bytes", held)
        .detail("limit_bytes", limit);
    details(error, function, slice, item)
}

/// What is said beside an error of threads that went on when they were to stop.
pub fn abandoned(error: Error, threads: usize) -> Error {
    if threads == 0 || error.details().contains_key("abandoned_threads") {
        return error;
    }
    let whose = if threads == 1 { "a thread of its goes on" } else { "threads of its go on" };
    let message = format!(
        "{} (but {whose}, {threads} in all: an exception ends Python code in a thread, and nothing ends code that does not come back from C or catches everything)",
        error.sentence()
    );
    let hint = "Let the operation come back now and then and look at `current_task().cancelled`, or use processes: `worker_kind=\"processes\"`";
    Error::new(error.code(), message).hint(hint).detail("abandoned_threads", threads).caused_by(error.cause())
}
