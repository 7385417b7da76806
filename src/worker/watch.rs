//! Who looks after a call while it runs, and how it can end.

use std::sync::Arc;
use std::time::Instant;

use super::call::{Part, Said};
use super::setup::Unready;
use super::starting::Setback;

/// Why a call was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// The run is not wanted any more.
    Cancelled,
    Deadline,
    /// One item took longer than it may.
    Overdue,
    /// The worker held more than it may: so many bytes.
    Memory(u64),
}

/// A worker that died, and what is known of why.
#[derive(Debug, Clone)]
pub struct Crash {
    pub what: Crashed,
    /// In words, to follow "the worker".
    pub how: String,
    /// The item it was at.
    pub item: Option<u64>,
    /// The end of what it wrote to its error output.
    pub stderr: String,
    pub signal: Option<i32>,
    /// What its setup raised.
    pub raised: Option<Arc<Unready>>,
}

/// How a worker is gone that lived when it could not be talked to any more. What its code did after that is not known.
pub const CLOSED: &str = "closed its channel";

impl Crash {
    /// Whether its code may have gone on to other items than the one that is to blame.
    pub fn went_on(&self) -> bool {
        self.how == CLOSED
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crashed {
    /// It never came to a call, for this reason.
    Starting(Setback),
    Calling,
}

/// How a call ended.
#[derive(Debug)]
pub enum End {
    Done,
    Stopped(StopCause),
    Died(Crash),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// Who looks after a call.
pub trait Watch {
    /// Results, as soon as the worker sends them.
    fn part(&self, part: Part);
    /// The call has come to its first item.
    fn reached(&self, _: Instant) {}
    /// Whether the call is to stop, and why.
    fn stop(&self, now: Instant) -> Option<StopCause>;
    /// What the call wrote.
    fn wrote(&self, stream: Stream, text: &str);
    /// A record of logging, or of progress.
    fn said(&self, said: Said);
    /// Bytes that the worker may hold.
    fn memory_limit(&self) -> Option<u64>;
}
