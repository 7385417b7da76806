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
    /// Into how many parts its item can be cut, where there is just one: rows, or values of a batch.
    pub units: u64,
    /// What tells each item from others, one after the other; empty where nobody asks.
    pub prints: Vec<u8>,
}

/// Bytes by which an item is told from others.
pub const PRINT: usize = 16;

impl Parcel {
    /// Items that cannot be cut.
    pub fn of(first: u64, count: u64, payload: Vec<Blob>) -> Self {
        let more = serde_json::Value::Null;
        Self { first, count, payload, more, label: None, units: 1, prints: Vec::new() }
    }

    /// The prints of some of the items.
    pub fn prints_of(&self, from: u64, to: u64) -> Vec<u8> {
        let place = |item: u64| usize::try_from(item).map_or(usize::MAX, |item| item.saturating_mul(PRINT));
        self.prints.get(place(from)..place(to)).unwrap_or_default().to_vec()
    }
}

/// What a feed has.
#[derive(Debug)]
pub enum Fed {
    Parcel(Parcel),
    /// These, and nothing after them.
    Last(Parcel),
    /// Nothing before some of what runs has ended.
    Later,
    /// Nothing any more.
    Over,
}

pub trait Feed: Send {
    /// Called once before the first item is asked for, if the feed has something to do before. May take its time.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Up to `most` further items. May take its time.
    fn next(&mut self, most: u64) -> Result<Fed>;

    /// As `next`, but only of what kind the items are is of interest: their results are there already.
    fn skip(&mut self, most: u64) -> Result<Fed> {
        self.next(most)
    }

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
        Self(Some(Parcel::of(0, 1, payload)))
    }
}

impl Feed for Once {
    fn next(&mut self, _: u64) -> Result<Fed> {
        Ok(self.0.take().map_or(Fed::Over, Fed::Last))
    }

    fn left(&self) -> Option<u64> {
        Some(self.0.is_some().into())
    }
}
