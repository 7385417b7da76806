//! What a run with a key has done, as it lies in the key's file: written as chunks finish, read when the task comes again.
//!
//! The first record says which task the key belongs to. Each further one holds what finished together; the last one, of
//! a run that has ended well, the items that were given up and, where a last call made the answer of all results, that.

use std::collections::BTreeMap;
use std::sync::Arc;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::feed::{PRINT, Parcel};
use super::ledger::Piece;
use super::values::Segment;
use crate::error::{Code, Error, Result};
use crate::store::{Entry, Log, Place, RunFile};
use crate::worker::Blob;

/// What tells a task from others, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The document, without what may change from one attempt to the next.
    pub document: String,
    /// The operation's code, and what it closes over.
    pub code: String,
    /// The source, or the value.
    pub input: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub key: String,
    pub task: Fingerprint,
    pub chunk_rows: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Record {
    Head(Header),
    Done { segments: Vec<Written> },
    End { count: u64, gone: Vec<Gone>, answer: Option<Vec<Written>> },
}

/// An item that was given up: its error, and whether it was put aside.
pub type Gone = (u64, Error, bool);

/// A segment without its bytes, which follow in the order of the segments: blobs, then prints.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    first: u64,
    count: u64,
    failed: Vec<u64>,
    piece: Option<Piece>,
    blobs: Vec<usize>,
    prints: usize,
    more: serde_json::Value,
}

/// Neighbouring items that are done.
#[derive(Debug)]
struct Span {
    from: u64,
    to: u64,
    /// Empty where items are told apart by the task alone.
    prints: Vec<u8>,
}

/// What an earlier run with the key has done.
#[derive(Debug, Default)]
pub struct Restored {
    /// In order, none overlapping another.
    spans: Vec<Span>,
    pub segments: Vec<Segment>,
    end: Option<End>,
}

/// What an earlier run that has ended well says at its end.
#[derive(Debug)]
struct End {
    count: u64,
    gone: BTreeMap<u64, (Error, bool)>,
    answer: Option<Vec<Segment>>,
}

/// What is to be asked of the feed next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// So many items at most, to be run.
    Run(u64),
    /// So many, which are done.
    Skip(u64),
    /// None is to follow.
    Over,
}

/// The file of a key, and what was in it.
#[derive(Debug)]
pub struct Checkpoint {
    pub key: String,
    pub log: Log,
    pub limit: u64,
    pub restored: Restored,
    /// Rows of a chunk, if an earlier run has chosen them.
    pub chunk_rows: Option<u64>,
}

impl Checkpoint {
    /// Opens the file of a key for a task. `chunk_rows` are those of a first run.
    pub fn open(place: &Place, key: &str, task: Fingerprint, chunk_rows: Option<u64>) -> Result<Self> {
        let RunFile { mut log, found, limit } = place.run(key)?;
        let mut entries = found.entries.into_iter();
        let Some(first) = entries.next() else {
            let header = Header { key: key.to_owned(), task, chunk_rows };
            let written = append(&mut log, &Record::Head(header), &[]).and_then(|()| log.sync());
            written.map_err(|error| not_kept(key, &error))?;
            let restored = Restored::default();
            return Ok(Self { key: key.to_owned(), log, limit, restored, chunk_rows });
        };
        let header = match serde_json::from_value(first.head) {
            Ok(Record::Head(header)) if header.key == key => header,
            _ => return Err(damaged(key)),
        };
        same(key, &header.task, &task)?;
        let bytes = found.bytes.ok_or_else(|| damaged(key))?;
        let restored = Restored::read(entries, &bytes).ok_or_else(|| damaged(key))?;
        Ok(Self { key: key.to_owned(), log, limit, restored, chunk_rows: header.chunk_rows })
    }
}

pub fn same(key: &str, kept: &Fingerprint, given: &Fingerprint) -> Result<()> {
    let parts = [
        ("the operation's code, or what it closes over,", &kept.code, &given.code),
        ("the document", &kept.document, &given.document),
        ("the input", &kept.input, &given.input),
    ];
    let differing: Vec<&str> =
        parts.into_iter().filter(|(_, kept, given)| kept != given).map(|(name, ..)| name).collect();
    let Some(first) = differing.first() else { return Ok(()) };
    Err(refused(key, format!("the key \"{key}\" belongs to another task: {first} is not the same"))
        .detail("differs", differing.clone()))
}

fn refused(key: &str, message: String) -> Error {
    Error::new(Code::InvalidTask, message)
        .hint("Use another `idempotencyKey` for another task, or `client.forget(key)` to begin anew")
        .detail("path", "options.idempotencyKey")
        .detail("key", key)
}

pub fn damaged(key: &str) -> Error {
    let message = format!("what is kept of the key \"{key}\" cannot be understood");
    Error::new(Code::OutputFailed, message)
        .hint("It was written by another version, or changed; `client.forget(key)` removes it")
        .detail("key", key)
}

/// What a run has done could not be written.
pub fn not_kept(key: &str, error: &std::io::Error) -> Error {
    let message = format!("what the run with the key \"{key}\" has done could not be kept: {error}");
    Error::new(Code::OutputFailed, message)
        .hint("Make room in the directory of the setting `state_dir`, and submit the task again: it goes on where it was")
        .detail("key", key)
}

fn append(log: &mut Log, record: &Record, body: &[&[u8]]) -> std::io::Result<()> {
    log.append(&serde_json::to_value(record)?, body)
}

/// The segments without their bytes, and the bytes.
fn taken_apart(segments: &[Segment]) -> (Vec<Written>, Vec<&[u8]>) {
    let mut body = Vec::new();
    let mut written = Vec::with_capacity(segments.len());
    for segment in segments {
        written.push(Written {
            first: segment.first,
            count: segment.count,
            failed: segment.failed.clone(),
            piece: segment.piece,
            blobs: segment.blobs.iter().map(Blob::len).collect(),
            prints: segment.prints.len(),
            more: segment.more.clone(),
        });
        body.extend(segment.blobs.iter().map(Blob::bytes));
        body.push(&segment.prints);
    }
    (written, body)
}

/// Keeps what finished together.
pub fn keep(log: &mut Log, segments: &[Segment]) -> std::io::Result<()> {
    let (written, body) = taken_apart(segments);
    append(log, &Record::Done { segments: written }, &body)
}

/// Keeps the end of a run that has ended well.
pub fn keep_end(
    log: &mut Log,
    count: u64,
    gone: Vec<Gone>,
    answer: Option<&[Segment]>,
) -> std::io::Result<()> {
    let (written, body) = answer.map(taken_apart).unzip();
    append(log, &Record::End { count, gone, answer: written }, &body.unwrap_or_default())
}

impl Restored {
    fn read(entries: impl Iterator<Item = Entry>, bytes: &Arc<Mmap>) -> Option<Self> {
        let mut restored = Self::default();
        for entry in entries {
            match serde_json::from_value(entry.head).ok()? {
                Record::Head(_) => return None,
                Record::Done { segments } => {
                    for segment in put_together(segments, bytes, entry.body)? {
                        restored.segments.push(segment);
                    }
                }
                Record::End { count, gone, answer } => {
                    let answer = match answer {
                        Some(answer) => Some(put_together(answer, bytes, entry.body)?),
                        None => None,
                    };
                    let gone = gone.into_iter().map(|(item, error, aside)| (item, (error, aside))).collect();
                    restored.end = Some(End { count, gone, answer });
                }
            }
        }
        restored.index();
        Some(restored)
    }

    fn index(&mut self) {
        let mut spans = Vec::new();
        for segment in &self.segments {
            let prints = |from: u64, to: u64| {
                let place = |item: u64| (item - segment.first) as usize * PRINT;
                segment.prints.get(place(from)..place(to)).unwrap_or_default().to_vec()
            };
            let end = segment.first + segment.count;
            let mut from = segment.first;
            for gone in segment.failed.iter().copied().chain([end]) {
                if from < gone {
                    spans.push(Span { from, to: gone, prints: prints(from, gone) });
                }
                from = gone + 1;
            }
        }
        let gone = self.end.iter().flat_map(|end| end.gone.keys());
        spans.extend(gone.map(|item| Span { from: *item, to: item + 1, prints: Vec::new() }));
        spans.sort_by_key(|span| span.from);
        // Parts of one item come in several segments.
        spans.dedup_by(|later, earlier| later.from == earlier.from && later.to == earlier.to);
        self.spans = spans;
    }

    /// How many items are done.
    pub fn count(&self) -> u64 {
        self.spans.iter().map(|span| span.to - span.from).sum()
    }

    /// The answer that a last call made of all results, if it is there.
    pub fn answer(&mut self) -> Option<Vec<Segment>> {
        self.end.as_mut()?.answer.take()
    }

    /// Whether the earlier run has ended well.
    pub fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The span that holds an item, else the next one.
    fn from(&self, item: u64) -> Option<&Span> {
        self.spans.get(self.spans.partition_point(|span| span.to <= item))
    }

    /// What to ask of the feed, whose next item is this one.
    pub fn next(&self, item: u64) -> Next {
        match (self.from(item), &self.end) {
            (Some(span), _) if span.from <= item => Next::Skip(span.to - item),
            (Some(span), _) => Next::Run(span.from - item),
            (None, Some(_)) => Next::Over,
            (None, None) => Next::Run(u64::MAX),
        }
    }

    /// The items of a parcel are done; those of them that were given up. An error where they are not the same items.
    pub fn check(&self, key: &str, parcel: &Parcel) -> Result<Vec<Gone>> {
        let Some(span) = self.from(parcel.first) else {
            return Err(Error::internal("items that are not done"));
        };
        let place = (parcel.first - span.from) as usize * PRINT;
        let kept = span.prints.get(place..).unwrap_or_default();
        for (at, (kept, given)) in kept.chunks(PRINT).zip(parcel.prints.chunks(PRINT)).enumerate() {
            if kept != given {
                let item = parcel.first + at as u64;
                let message =
                    format!("the key \"{key}\" belongs to another task: item {item} is not the same");
                return Err(refused(key, message).detail("item", item));
            }
        }
        let range = parcel.first..parcel.first + parcel.count;
        let gone = self.end.iter().flat_map(|end| end.gone.range(range.clone()));
        Ok(gone.map(|(item, (error, aside))| (*item, error.clone(), *aside)).collect())
    }

    /// The items are over. An error where there are fewer than there were.
    pub fn check_end(&self, key: &str, items: u64) -> Result<()> {
        let kept = self.end.as_ref().map_or(self.spans.last().map_or(0, |span| span.to), |end| end.count);
        if items >= kept {
            return Ok(());
        }
        Err(refused(
            key,
            format!(
                "the key \"{key}\" belongs to another task: it had {kept} items or more, and this one has {items}"
            ),
        ))
    }

    /// An item came although the earlier run had no more.
    pub fn too_many(&self, key: &str) -> Error {
        let kept = self.end.as_ref().map_or(0, |end| end.count);
        refused(
            key,
            format!("the key \"{key}\" belongs to another task: it had {kept} items, and this one has more"),
        )
    }
}

fn put_together(
    written: Vec<Written>,
    bytes: &Arc<Mmap>,
    body: std::ops::Range<usize>,
) -> Option<Vec<Segment>> {
    let mut at = body.start;
    let mut next = |length: usize| {
        let range = at..at.checked_add(length).filter(|end| *end <= body.end)?;
        at = range.end;
        Some(range)
    };
    let mut segments = Vec::with_capacity(written.len());
    for segment in written {
        let mut blobs = Vec::with_capacity(segment.blobs.len());
        for length in segment.blobs {
            blobs.push(Blob::Kept(bytes.clone(), next(length)?));
        }
        let prints = bytes[next(segment.prints)?].to_vec();
        segments.push(Segment {
            first: segment.first,
            count: segment.count,
            failed: segment.failed,
            piece: segment.piece,
            blobs,
            more: segment.more,
            prints,
        });
    }
    Some(segments)
}
