//! A thread that writes what a run is to outlive: finished chunks of a run with a key, and items that are put aside.
//!
//! Whatever waits is written together and brought to the disk once. The run's end goes through here as well, so that
//! all is written when somebody hears of it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use super::checkpoint::{self, Checkpoint, Gone, Restored};
use super::gathered::{Gathered, conclude};
use super::values::{Segment, Values};
use super::work::CallRun;
use crate::error::{Code, Error, Result};
use crate::runtime::run::Run;
use crate::store::Log;
use crate::store::letters::{Letter, Outbox};
use crate::worker::Blob;

/// What is to be kept.
pub enum Job {
    /// Items that are done, in the order in which they ended.
    Done(Vec<Segment>),
    /// An item that is put aside, with the bytes of its parcel.
    Aside(Box<Letter>, Vec<Blob>),
    End(Box<Ending>),
}

/// How a run ended.
pub struct Ending {
    pub outcome: Result<Values>,
    /// How many items there were.
    pub count: u64,
    pub gone: Vec<Gone>,
    /// Whether the answer was made of all results by a last call.
    pub made: bool,
    /// Whether all of it was kept by an earlier run.
    pub kept: bool,
    /// Where results are that are to be written.
    pub gathered: Option<Arc<Gathered>>,
}

/// The file of a key.
struct Book {
    key: String,
    log: Log,
    limit: u64,
}

/// What the thread owns.
struct Keeper {
    run: Arc<Run>,
    calls: Weak<CallRun>,
    book: Option<Book>,
    outbox: Option<Outbox>,
    failed: Option<Error>,
}

/// A keeper that is not started yet.
pub struct Unstarted {
    jobs: Receiver<Job>,
    book: Option<Book>,
    outbox: Option<Outbox>,
}

/// What a run finds of an earlier one, and where it tells of what it does.
pub struct Kept {
    pub key: Option<String>,
    pub restored: Option<Restored>,
    pub jobs: Sender<Job>,
}

/// What a run and its keeper need, if anything of it is to be kept.
pub fn of(checkpoint: Option<Checkpoint>, outbox: Option<Outbox>) -> Option<(Kept, Unstarted)> {
    if checkpoint.is_none() && outbox.is_none() {
        return None;
    }
    let (jobs, told) = channel();
    let (mut key, mut restored, mut book) = (None, None, None);
    if let Some(found) = checkpoint {
        key = Some(found.key.clone());
        restored = Some(found.restored);
        book = Some(Book { key: found.key, log: found.log, limit: found.limit });
    }
    Some((Kept { key, restored, jobs }, Unstarted { jobs: told, book, outbox }))
}

impl Unstarted {
    /// Starts the thread. It ends with the run's end, or when nobody can tell it anything any more.
    pub fn start(self, run: Arc<Run>, calls: Weak<CallRun>) -> std::io::Result<()> {
        let Self { jobs, book, outbox } = self;
        let mut keeper = Keeper { run, calls, book, outbox, failed: None };
        std::thread::Builder::new().name("rlm-keeper".to_owned()).spawn(move || keeper.serve(&jobs))?;
        Ok(())
    }
}

impl Keeper {
    fn serve(&mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut ending = None;
            for job in std::iter::once(first).chain(jobs.try_iter()) {
                match job {
                    Job::Done(segments) => self.write(|book| {
                        // The parts of one item count together, or not at all.
                        let same = |one: &Segment, other: &Segment| one.first == other.first;
                        segments
                            .chunk_by(same)
                            .try_for_each(|together| checkpoint::keep(&mut book.log, together))
                    }),
                    Job::Aside(letter, payload) => self.put_aside(*letter, &payload),
                    Job::End(end) => ending = Some(end),
                }
            }
            self.write(|book| book.log.sync());
            if let Some(Err(error)) = self.outbox.as_ref().map(Outbox::sync) {
                self.broke(error);
            }
            if let Some(ending) = ending {
                return self.end(*ending);
            }
        }
    }

    fn broke(&mut self, error: Error) {
        self.failed.get_or_insert(error.clone());
        if let Some(calls) = self.calls.upgrade() {
            calls.broke(error);
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Book) -> std::io::Result<()>) {
        let Some(book) = self.book.as_mut().filter(|_| self.failed.is_none()) else { return };
        let error = match write(book) {
            Ok(()) if book.log.len() <= book.limit => return,
            Ok(()) => {
                let what = format!("what the run with the key \"{}\" has done", book.key);
                too_much(&what, book.log.len(), book.limit)
            }
            Err(error) => checkpoint::not_kept(&book.key, &error),
        };
        self.broke(error);
    }

    fn put_aside(&mut self, letter: Letter, payload: &[Blob]) {
        let Some(outbox) = self.outbox.as_mut().filter(|_| self.failed.is_none()) else { return };
        let bytes: Vec<&[u8]> = payload.iter().map(Blob::bytes).collect();
        let error = match outbox.put(letter, &bytes) {
            Ok(()) if outbox.len() <= outbox.limit() => return,
            Ok(()) => too_much("what the run has put aside", outbox.len(), outbox.limit()),
            Err(error) => error,
        };
        self.broke(error);
    }

    fn end(&mut self, ending: Ending) {
        let Ending { outcome, count, gone, made, kept, gathered } = ending;
        if let (Ok(values), false) = (&outcome, kept) {
            let answer = made.then_some(values.segments.as_slice());
            self.write(|book| {
                checkpoint::keep_end(&mut book.log, count, gone, answer)?;
                book.log.sync()
            });
        }
        // The files are free when somebody hears of the end.
        (self.book, self.outbox) = (None, None);
        let outcome = match self.failed.take() {
            Some(error) => outcome.and(Err(error)),
            None => outcome,
        };
        conclude(gathered.as_ref(), &self.run, outcome);
    }
}

fn too_much(what: &str, bytes: u64, limit: u64) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let message = format!("{what} takes {} MiB to keep, and {} MiB is the limit", mib(bytes), mib(limit));
    Error::new(Code::QuotaExceeded, message)
        .hint("Raise the setting `state_limit`, or keep less: results, and items that are put aside, count")
}
