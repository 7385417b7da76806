//! Writes under a key: what a task is about to show, and that it did, as it lies in the key's file. So a task that comes
//! again does not write twice, and one that was cut short is told from one that is not known to have ended.

use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use regex::Regex;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::calls::checkpoint::{Fingerprint, Header, damaged, not_kept, same};
use super::engine::Engine;
use super::run::{Finished, Run};
use crate::error::{Code, Error, Result};
use crate::io::sink::remote::Sinks;
use crate::io::sink::target::{Asked, Target, Written, WrittenFile};
use crate::io::sink::witness::{Intent, Witness};
use crate::io::source::Sources;
use crate::plan::frame::Frame;
use crate::store::{Log, Place, RunFile};

#[derive(Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Record {
    Head(Header),
    /// What follows was to be shown.
    Intent(Intent),
    /// It was.
    Shown {
        files: Vec<WrittenFile>,
    },
}

/// What a key's file says of the write.
enum Known {
    Nothing,
    Intended(Intent),
    Shown(Vec<WrittenFile>),
}

/// What is to be done for a task with a key.
pub enum Keyed {
    /// It is done.
    Shown(Written),
    /// It is to be written there; nothing of an earlier attempt is left.
    Due(Box<Target>, Arc<Writes>),
}

/// The file of a key, locked until it is released.
pub struct Writes {
    key: String,
    log: Mutex<Option<Log>>,
}

impl Writes {
    fn open(place: &Place, key: &str, task: Fingerprint) -> Result<(Self, Known)> {
        let RunFile { mut log, found, .. } = place.run(key)?;
        let mut known = Known::Nothing;
        let mut entries = found.entries.into_iter();
        match entries.next() {
            None => {
                let head = Record::Head(Header { key: key.to_owned(), task, chunk_rows: None });
                kept(&mut log, &head).map_err(|error| not_kept(key, &error))?;
            }
            Some(first) => {
                match serde_json::from_value(first.head) {
                    Ok(Record::Head(header)) if header.key == key => same(key, &header.task, &task)?,
                    _ => return Err(damaged(key)),
                }
                for entry in entries {
                    known = match serde_json::from_value(entry.head).map_err(|_| damaged(key))? {
                        Record::Intent(intent) => Known::Intended(intent),
                        Record::Shown { files } => Known::Shown(files),
                        Record::Head(_) => return Err(damaged(key)),
                    };
                }
            }
        }
        Ok((Self { key: key.to_owned(), log: Mutex::new(Some(log)) }, known))
    }

    fn note(&self, record: &Record) -> Result<()> {
        let mut log = self.log.lock();
        // Who comes after the run has ended is too late.
        let log = log.as_mut().ok_or_else(crate::error::Error::cancelled)?;
        kept(log, record).map_err(|error| not_kept(&self.key, &error))
    }
}

fn kept(log: &mut Log, record: &Record) -> std::io::Result<()> {
    log.append(&serde_json::to_value(record)?, &[])?;
    log.sync()
}

impl Witness for Writes {
    fn intends(&self, intent: &Intent) -> Result<()> {
        self.note(&Record::Intent(intent.clone()))
    }

    fn shown(&self, files: &[WrittenFile]) {
        // If it cannot be kept, what was intended is: the next attempt looks whether it is there.
        let _ = self.note(&Record::Shown { files: files.to_vec() });
    }

    /// Lets the key go; whoever still writes for it shows nothing any more.
    fn release(&self) {
        *self.log.lock() = None;
    }
}

impl Engine {
    /// Where a task's answer is to be written, whatever is in the way.
    fn unchecked_target(&self, asked: &Asked) -> Result<Target> {
        let spool = || self.spill_dir();
        let sinks = self.io().ok().map(|io| Sinks { stores: &self.stores, io, spool: &spool });
        Ok(Target::unchecked(asked, sinks.as_ref())?.by(self.settings().threads))
    }

    /// A run that has nothing to do, as it was done before.
    pub fn done(&self, run: Arc<Run>, written: Written) -> Arc<Run> {
        run.finish(Ok(Finished::Written(written)));
        run
    }

    /// What a task with a key has to do; what an interrupted attempt of it left is brought to an end. Blocks.
    pub fn keyed(&self, asked: &Asked, key: &str, task: Fingerprint) -> Result<Keyed> {
        if asked.url.starts_with("memory:") {
            let why = "`idempotencyKey` is for what outlives the client, and `memory://` does not";
            return Err(Error::new(Code::InvalidTask, why)
                .hint("Leave the key out, or write to a disk or a store")
                .detail("path", "options.idempotencyKey"));
        }
        let mut target = self.unchecked_target(asked)?;
        let (writes, known) = Writes::open(&self.place(), key, task)?;
        let files = match known {
            Known::Shown(files) => Some(files),
            Known::Intended(intent) if target.finished(&intent)? => {
                writes.shown(&intent.files);
                Some(intent.files)
            }
            Known::Intended(_) | Known::Nothing => None,
        };
        if let Some(files) = files {
            return Ok(Keyed::Shown(Written { url: target.url, files, skipped: false }));
        }
        target.check()?;
        let writes = Arc::new(writes);
        target.witness = Some(writes.clone());
        Ok(Keyed::Due(Box::new(target), writes))
    }
}

/// What tells a plan from others: what it computes, and over what.
pub fn fingerprint(document: String, frame: &Frame, sources: &Sources) -> Result<Fingerprint> {
    static SCANNED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\bsource: (\d+)").ok());
    let identities = sources.identities()?;
    let text = format!("{frame:?}");
    // Sources have other numbers in every process.
    let named = |found: &regex::Captures<'_>| {
        let id = found.get(1).and_then(|id| id.as_str().parse().ok());
        let place = identities.iter().position(|(known, _)| Some(*known) == id);
        match place {
            Some(place) => format!("source: {}", identities[place].1),
            None => found[0].to_owned(),
        }
    };
    let code = match &*SCANNED {
        Some(scanned) => scanned.replace_all(&text, named).into_owned(),
        None => text,
    };
    let mut inputs: Vec<&str> = identities.iter().map(|(_, identity)| identity.as_str()).collect();
    inputs.sort_unstable();
    Ok(Fingerprint { document, code: hex(&code), input: hex(&inputs.join(" ")) })
}

fn hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
