//! The outcome of a run of calls: results as the workers pickled them, in the order of their items.

use std::collections::BTreeMap;

use super::ledger::Piece;
use crate::error::Error;
use crate::worker::Blob;

/// Results of neighbouring items.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The number of its first item in the run.
    pub first: u64,
    pub count: u64,
    /// Which of them failed, and have no result.
    pub failed: Vec<u64>,
    /// Of an item that was run in parts: of which part this is the result.
    pub piece: Option<Piece>,
    pub blobs: Vec<Blob>,
    /// What the worker says of the results.
    pub more: serde_json::Value,
    /// What tells the items from others, where that is known: so many bytes for each.
    pub prints: Vec<u8>,
}

impl Segment {
    /// Results of items none of which failed.
    pub fn of(first: u64, count: u64, blobs: Vec<Blob>) -> Self {
        let more = serde_json::Value::Null;
        Self { first, count, failed: Vec::new(), piece: None, blobs, more, prints: Vec::new() }
    }
}

/// Everything that a run's calls returned.
#[derive(Debug, Default)]
pub struct Values {
    /// By their first item.
    pub segments: Vec<Segment>,
    /// The errors of items that failed for good, where the run went on.
    pub failures: BTreeMap<u64, Error>,
}
