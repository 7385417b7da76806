//! The outcome of a run of calls: results as the workers pickled them, in the order of their items.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::worker::Blob;

/// Results of neighbouring items.
#[derive(Debug)]
pub struct Segment {
    /// The number of its first item in the run.
    pub first: u64,
    pub count: u64,
    /// Which of them failed, and have no result.
    pub failed: Vec<u64>,
    pub blobs: Vec<Blob>,
    /// What the worker says of the results.
    pub more: serde_json::Value,
}

/// Everything that a run's calls returned.
#[derive(Debug, Default)]
pub struct Values {
    /// By their first item.
    pub segments: Vec<Segment>,
    /// The errors of items that failed for good, where the run went on.
    pub failures: BTreeMap<u64, Error>,
}
