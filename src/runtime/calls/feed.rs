//! Where a run's items come from: asked for more only when a worker is free, so nothing piles up.

use super::values::Segment;
use crate::error::Result;
use crate::worker::Blob;

/// Items that are carried together.
#[derive(Debug)]
pub struct Parcel {
    /// The number of its first item in the run.
    pub first: u64,
    pub count: u64,
    pub payload: Vec<Blob>,
    /// What else the worker has to know of it.
    pub more: serde_json::Value,
    /// What it is called in errors: "chunk 3 (rows 20,000 to 29,999)"; None for items.
    pub label: Option<String>,
}

/// What a feed has.
#[derive(Debug)]
pub enum Fed {
    Parcel(Parcel),
    /// Nothing before some of what runs has ended.
    Later,
    /// Nothing any more.
    Over,
}

pub trait Feed: Send {
    /// Up to `most` further items. May take its time.
    fn next(&mut self, most: u64) -> Result<Fed>;

    /// How many items are left, if that is known.
    fn left(&self) -> Option<u64> {
        None
    }

    /// Whether results make new items: `results` is called with all of them then.
    fn grows(&self) -> bool {
        false
    }

    /// Takes results; what it gives back is the run's.
    fn results(&mut self, segment: Segment) -> Result<Option<Segment>> {
        Ok(Some(segment))
    }
}

/// The feed of a single call.
pub struct Once(Option<Parcel>);

impl Once {
    pub fn new(payload: Vec<Blob>) -> Self {
        Self(Some(Parcel { first: 0, count: 1, payload, more: serde_json::Value::Null, label: None }))
    }
}

impl Feed for Once {
    fn next(&mut self, _: u64) -> Result<Fed> {
        Ok(self.0.take().map_or(Fed::Over, Fed::Parcel))
    }

    fn left(&self) -> Option<u64> {
        Some(self.0.is_some().into())
    }
}
