//! The watch of what a worker says and writes while it has no call.

use std::time::Instant;

use super::call::{Part, Said};
use super::watch::{StopCause, Stream, Watch};

/// The watch of what belongs to no call.
pub struct Nobody;

impl Watch for Nobody {
    fn part(&self, _: Part) {}

    fn stop(&self, _: Instant) -> Option<StopCause> {
        None
    }

    fn wrote(&self, _: Stream, _: &str) {}

    fn said(&self, _: Said) {}

    fn memory_limit(&self) -> Option<u64> {
        None
    }
}
