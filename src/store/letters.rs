//! Items that were put aside after their last attempt: a file for each run, with all that it takes to run them again.
//!
//! Records are: the run, with its packed function as body; a parcel, with its blobs; a letter, which names an item of a
//! parcel; and letters that are gone, because they were run again or thrown away. A file without letters is removed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::{Entry, Log, look};
use super::place::Place;
use crate::error::{Code, Error, Result};

const FOLDER: &str = "dead";

/// The run of letters, and how its items are called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sender {
    pub run: String,
    pub operation: String,
    /// How workers read the payload.
    pub kind: String,
    /// What was made of the user's function, for who wants to put another in its place.
    pub made: String,
    /// Names of the secrets that the function may read.
    pub secrets: Vec<String>,
}

/// One item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Letter {
    /// Its number in the run.
    pub item: u64,
    /// The first item of its parcel, and its place there.
    pub parcel: u64,
    pub index: u64,
    pub label: Option<String>,
    pub more: Value,
    pub error: Error,
    pub attempts: u32,
    /// Seconds since 1970 at the first attempt and at the last failure.
    pub began: f64,
    pub failed: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Record {
    Run(Sender),
    Parcel { first: u64, blobs: Vec<usize> },
    Letter(Letter),
    Gone { items: Vec<u64> },
}

/// The file of a run that puts items aside; made with the first of them.
#[derive(Debug)]
pub struct Outbox {
    place: Place,
    sender: Sender,
    function: Vec<u8>,
    log: Option<Log>,
    parcels: std::collections::HashSet<u64>,
}

impl Outbox {
    pub fn new(place: Place, sender: Sender, function: &[u8]) -> Self {
        Self { place, sender, function: function.to_vec(), log: None, parcels: Default::default() }
    }

    /// Puts an item aside; `payload` are the blobs of its parcel.
    pub fn put(&mut self, letter: Letter, payload: &[&[u8]]) -> Result<()> {
        let log = match &mut self.log {
            Some(log) => log,
            None => {
                let log = opened(&self.place, &self.place.folder(FOLDER)?.join(new_name()))?;
                let log = self.log.insert(log);
                write(&self.place, log, &Record::Run(self.sender.clone()), &[&self.function])?;
                log
            }
        };
        if self.parcels.insert(letter.parcel) {
            let blobs = payload.iter().map(|blob| blob.len()).collect();
            write(&self.place, log, &Record::Parcel { first: letter.parcel, blobs }, payload)?;
        }
        write(&self.place, log, &Record::Letter(letter), &[])
    }

    /// What was put aside is on the disk when this returns.
    pub fn sync(&self) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        log.sync().map_err(|error| self.place.unusable(log.path(), &error))
    }

    pub fn len(&self) -> u64 {
        self.log.as_ref().map_or(0, Log::len)
    }

    pub fn is_empty(&self) -> bool {
        self.log.is_none()
    }

    /// Bytes that it may take.
    pub fn limit(&self) -> u64 {
        self.place.limit()
    }
}

fn write(place: &Place, log: &mut Log, record: &Record, body: &[&[u8]]) -> Result<()> {
    let head = serde_json::to_value(record)
        .map_err(|error| Error::internal(format!("a dead letter cannot be written: {error}")))?;
    log.append(&head, body).map_err(|error| place.unusable(log.path(), &error))
}

fn opened(place: &Place, path: &Path) -> Result<Log> {
    match Log::open(path).map_err(|error| place.unusable(path, &error))? {
        Some((log, _)) => Ok(log),
        None => Err(Error::new(Code::InvalidTask, "the run of these dead letters is still going on")
            .hint("Wait until it is done")),
    }
}

/// A name that no other run has, and that comes after those of earlier ones.
fn new_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:012x}-{}-{number}.log", now.as_millis(), std::process::id())
}

/// A letter that was found, and where its parts lie.
#[derive(Debug)]
pub struct FoundLetter {
    /// Names it among all.
    pub id: String,
    pub sender: Arc<Sender>,
    pub letter: Letter,
    bytes: Arc<Vec<u8>>,
    function: Range<usize>,
    payload: Vec<Range<usize>>,
}

impl FoundLetter {
    /// The packed function.
    pub fn function(&self) -> &[u8] {
        &self.bytes[self.function.clone()]
    }

    /// The blobs of its parcel.
    pub fn payload(&self) -> impl Iterator<Item = &[u8]> {
        self.payload.iter().map(|range| &self.bytes[range.clone()])
    }
}

/// All letters of a directory, in the order in which their runs began.
pub fn letters(place: &Place) -> Result<Vec<FoundLetter>> {
    let mut all = Vec::new();
    for path in files(place)? {
        let found = look(&path).map_err(|error| place.unusable(&path, &error))?;
        if let Some(bytes) = found.bytes {
            all.extend(read(&name_of(&path), found.entries, &bytes));
        }
    }
    Ok(all)
}

fn files(place: &Place) -> Result<Vec<PathBuf>> {
    let folder = place.folder(FOLDER)?;
    let entries = std::fs::read_dir(&folder).map_err(|error| place.unusable(&folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(file: &str, entries: Vec<Entry>, bytes: &Arc<Vec<u8>>) -> Vec<FoundLetter> {
    let mut sender: Option<(Arc<Sender>, Range<usize>)> = None;
    let mut parcels: BTreeMap<u64, Vec<Range<usize>>> = BTreeMap::new();
    let mut found: BTreeMap<u64, FoundLetter> = BTreeMap::new();
    for entry in entries {
        match serde_json::from_value(entry.head) {
            Ok(Record::Run(told)) => sender = Some((Arc::new(told), entry.body)),
            Ok(Record::Parcel { first, blobs }) => {
                let mut at = entry.body.start;
                let ranges = blobs.into_iter().map(|length| {
                    let range = at..at.saturating_add(length).min(entry.body.end);
                    at = range.end;
                    range
                });
                parcels.insert(first, ranges.collect());
            }
            Ok(Record::Letter(letter)) => {
                let (Some((sender, function)), Some(payload)) = (&sender, parcels.get(&letter.parcel)) else {
                    continue;
                };
                let id = format!("{file}.{}", letter.item);
                let (sender, function, payload) = (sender.clone(), function.clone(), payload.clone());
                let item = letter.item;
                found.insert(
                    item,
                    FoundLetter { id, sender, letter, bytes: bytes.clone(), function, payload },
                );
            }
            Ok(Record::Gone { items }) => items.iter().for_each(|item| {
                found.remove(item);
            }),
            // Of another version.
            Err(_) => {}
        }
    }
    found.into_values().collect()
}

/// Removes letters; how many there were.
pub fn discard(place: &Place, ids: &[String]) -> Result<usize> {
    let mut gone = 0;
    for path in files(place)? {
        let name = name_of(&path);
        let of_file = |id: &String| id.rsplit_once('.').filter(|(file, _)| *file == name)?.1.parse().ok();
        let asked: Vec<u64> = ids.iter().filter_map(of_file).collect();
        if asked.is_empty() {
            continue;
        }
        let mut log = opened(place, &path)?;
        let found = look(&path).map_err(|error| place.unusable(&path, &error))?;
        let Some(bytes) = found.bytes else { continue };
        let left = read(&name, found.entries, &bytes);
        let items: Vec<u64> =
            left.iter().map(|found| found.letter.item).filter(|item| asked.contains(item)).collect();
        gone += items.len();
        if items.len() == left.len() {
            log.remove().map_err(|error| place.unusable(&path, &error))?;
        } else {
            write(place, &mut log, &Record::Gone { items }, &[])?;
            log.sync().map_err(|error| place.unusable(&path, &error))?;
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn letter(item: u64, parcel: u64) -> Letter {
        Letter {
            item,
            parcel,
            index: item - parcel,
            label: None,
            more: Value::Null,
            error: Error::new(Code::OperationFailed, "on purpose").detail("item", item),
            attempts: 3,
            began: 1.0,
            failed: 2.0,
        }
    }

    #[test]
    fn what_is_put_aside_is_found_until_it_is_discarded() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path().join("state"), 7, 1 << 20);
        let sender = |run: &str| {
            let (run, operation) = (run.to_owned(), "work".to_owned());
            Sender { run, operation, kind: "items".to_owned(), made: "items".to_owned(), secrets: Vec::new() }
        };
        let mut one = Outbox::new(place.clone(), sender("a"), b"function");
        let mut other = Outbox::new(place.clone(), sender("b"), b"other");
        assert!(one.sync().is_ok() && one.is_empty());
        for (item, parcel) in [(3, 2), (2, 2), (9, 8)] {
            one.put(letter(item, parcel), &[format!("parcel {parcel}").as_bytes(), b"more"]).unwrap();
        }
        other.put(letter(0, 0), &[]).unwrap();
        let held = discard(&place, &[letters(&place).unwrap()[0].id.clone()]);
        assert!(held.unwrap_err().sentence().contains("still going on"));
        one.sync().unwrap();
        other.sync().unwrap();
        drop((one, other));

        let found = letters(&place).unwrap();
        let told: Vec<_> = found.iter().map(|found| (found.sender.run.as_str(), found.letter.item)).collect();
        assert_eq!(told, [("a", 2), ("a", 3), ("a", 9), ("b", 0)]);
        assert_eq!(found[2].payload().collect::<Vec<_>>(), [b"parcel 8".as_slice(), b"more"]);
        assert_eq!((found[0].function(), found[3].function()), (b"function".as_slice(), b"other".as_slice()));
        assert_eq!(found[1].letter.error.details()["item"], 3);

        let ids = |places: &[usize]| places.iter().map(|at| found[*at].id.clone()).collect::<Vec<_>>();
        assert_eq!(discard(&place, &ids(&[1, 3])).unwrap(), 2);
        assert_eq!(discard(&place, &ids(&[1, 3])).unwrap(), 0);
        assert_eq!(letters(&place).unwrap().len(), 2);
        assert_eq!(discard(&place, &ids(&[0, 2])).unwrap(), 2);
        assert_eq!(files(&place).unwrap().len(), 0);
    }
}
