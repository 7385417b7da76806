//! Object stores: a large file is a multipart upload, which nobody sees before it is completed; a small one is kept here
//! as a whole. When the last part of the last file is there, the uploads are completed and the small files are put.
//!
//! That is one request for each file, so a directory of several files does not appear in one step. Old files that are
//! overwritten go when the new ones are complete; a `_SUCCESS` marker is written last.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::occupied::judged;
use super::out::Out;
use super::stage::{Go, Place, part_number};
use super::target::{Mode, Target};
use super::upload::{Opening, Upload};
use super::witness::{Noted, WRITE};
use crate::error::{Code, Error, Result};
use crate::io::fetch::listed;
use crate::io::location::{percent_decoded, store_error};
use crate::io::store::{self, Stores};

/// How long it is waited for that what was not completed in time is removed.
const CLEANING: Duration = Duration::from_secs(1);

/// Requests at a time when files are shown or given up.
const REQUESTS: usize = 64;

/// Bytes of small files that are in memory until they are shown; more are on disk.
pub const SMALL: usize = 16 << 20;

/// What it takes to write to object stores.
pub struct Sinks<'a> {
    pub stores: &'a Stores,
    /// Where requests are made.
    pub io: Handle,
    /// Makes the directory where less than a part of a file is kept while others are written.
    pub spool: &'a dyn Fn() -> Result<PathBuf>,
}

/// A place in an object store.
#[derive(Clone)]
pub struct Remote {
    pub store: Arc<dyn ObjectStore>,
    pub path: ObjectPath,
    /// The address of the bucket.
    base: String,
    pub io: Handle,
    pub spool: PathBuf,
}

impl Remote {
    pub fn new(url: &Url, sinks: &Sinks<'_>) -> Result<Self> {
        let store = sinks.stores.for_url(url)?;
        let base = store::base(url);
        let path = ObjectPath::parse(percent_decoded(url.path())).map_err(|error| {
            Error::new(Code::InvalidTask, format!("output.url cannot be the name of an object: {error}"))
                .hint("Write it as s3://bucket/path")
                .detail("path", "output.url")
        })?;
        if url.password().is_some() && !url.scheme().starts_with("abfs") {
            return Err(Error::new(
                Code::InvalidTask,
                "output.url has credentials in it, which are not used there",
            )
            .hint("Pass them as storage_options of the client, or in the environment")
            .detail("path", "output.url"));
        }
        Ok(Self { store, path, base, io: sinks.io.clone(), spool: (sinks.spool)()? })
    }

    /// The names of the objects that are there; of one file itself.
    pub async fn found(&self, target: &Target) -> Result<Vec<ObjectPath>> {
        Ok(self.objects(target).await?.into_iter().map(|object| object.location).collect())
    }

    /// The same, with their sizes and tags.
    async fn objects(&self, target: &Target) -> Result<Vec<ObjectMeta>> {
        if target.single {
            return match self.store.head(&self.path).await {
                Ok(meta) => Ok(vec![meta]),
                Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
                Err(error) => Err(trouble(target, &error)),
            };
        }
        let found = listed(self.store.as_ref(), &self.path).await;
        let mut found = found.map_err(|error| trouble(target, &error))?;
        found.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(found)
    }

    /// Whether something is there. Blocks.
    pub fn exists(&self, target: &Target) -> Result<bool> {
        self.io.block_on(async { Ok(!self.found(target).await?.is_empty()) })
    }

    /// The name of an object from the target on.
    pub fn within<'a>(&self, object: &'a ObjectPath) -> &'a str {
        object.as_ref().strip_prefix(self.path.as_ref()).unwrap_or_default().trim_start_matches('/')
    }

    /// Deletes objects; one that is gone already is as good.
    pub async fn remove(&self, objects: Vec<ObjectPath>) -> object_store::Result<()> {
        let objects = stream::iter(objects.into_iter().map(Ok)).boxed();
        let gone: object_store::Result<Vec<_>> = self.store.delete_stream(objects).try_collect().await;
        match gone {
            Err(error) if !matches!(error, object_store::Error::NotFound { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// What is left to do when all new files can be seen: the old ones go, and it is marked that all is there.
    pub async fn conclude(&self, target: &Target, old: Vec<ObjectPath>) -> Result<()> {
        if target.mode == Mode::Overwrite && !target.single {
            self.remove(old).await.map_err(|error| {
                trouble(target, &error)
                    .hint("The new files are all there; remove the old ones beside them, or write it again")
            })?;
        }
        if target.marker {
            let marker = self.path.clone().join("_SUCCESS");
            let put = self.store.put(&marker, PutPayload::new()).await;
            put.map_err(|error| trouble(target, &error))?;
        }
        Ok(())
    }

    /// What is there; refused where it is in the way.
    async fn checked(&self, target: &Target) -> Result<Vec<ObjectMeta>> {
        let found = self.objects(target).await?;
        if target.mode == Mode::Ignore || found.is_empty() {
            return Ok(found);
        }
        if target.mode == Mode::Error {
            return Err(target.occupied());
        }
        if target.single {
            return Ok(found);
        }
        for object in &found {
            let mut keys = Vec::new();
            let mut parts = self.within(&object.location).split('/').peekable();
            while let Some(part) = parts.next() {
                let is_directory = parts.peek().is_some();
                // Names in a store are in their own percent form.
                match judged(target, part, is_directory, &keys)? {
                    Some(key) => keys.push(key),
                    None if is_directory && target.mode == Mode::Append => break,
                    None => {}
                }
            }
        }
        Ok(found)
    }
}

/// The error of a request.
pub fn trouble(target: &Target, error: &object_store::Error) -> crate::error::Error {
    // A secret that the store needs, and that could not be read.
    if let Some(ours) = crate::error::Error::within(error) {
        return ours.clone();
    }
    let told = store_error(&target.shown, error);
    let why = told.sentence().split_once("`: ").map_or("the store failed", |(_, why)| why).to_owned();
    let failed = target.failed(&why);
    match told.advice() {
        Some(advice) => failed.hint(advice.to_owned()),
        None => failed,
    }
}

/// A file that is all there, and that nobody sees.
pub struct Ready {
    pub path: ObjectPath,
    pub bytes: u64,
    pub kept: Kept,
}

/// Where it is.
pub enum Kept {
    /// With the store.
    Uploaded(Box<dyn MultipartUpload>),
    /// With the store, if it gives the upload that it was asked for; only of files that are given up.
    Opening(Opening),
    /// Here, as it is small.
    Memory(Bytes),
    Disk(PathBuf),
}

impl Ready {
    /// The one request after which it can be seen.
    async fn show(&mut self, shared: &Shared) -> object_store::Result<()> {
        let bytes = match &mut self.kept {
            Kept::Uploaded(upload) => return upload.complete().await.map(drop),
            Kept::Opening(_) => {
                let source = "a file was given up before its upload began".into();
                return Err(object_store::Error::Generic { store: "upload", source });
            }
            Kept::Memory(bytes) => bytes.clone(),
            Kept::Disk(path) => {
                let size = u32::try_from(self.bytes >> 10).unwrap_or(u32::MAX);
                let _held = shared.room.acquire_many(size).await;
                let unread =
                    |error| object_store::Error::Generic { store: "upload", source: Box::new(error) };
                // It is small: it is read at once.
                let bytes = std::fs::read(path).map_err(unread)?;
                return shared.put(&self.path, bytes.into()).await;
            }
        };
        shared.put(&self.path, bytes).await
    }

    /// One that cannot be reached any more is for the bucket's own rule to clean up.
    async fn abort(&mut self) {
        match &mut self.kept {
            Kept::Uploaded(upload) => drop(upload.abort().await),
            Kept::Opening(opening) => {
                if let Ok(Ok(mut upload)) = opening.await {
                    drop(upload.abort().await);
                }
            }
            Kept::Memory(_) | Kept::Disk(_) => {}
        }
    }

    /// Whether its object is there, and is not the one that was there before.
    async fn is_there(&self, store: &dyn ObjectStore, before: &[ObjectMeta]) -> bool {
        let Ok(found) = store.head(&self.path).await else { return false };
        let old = before.iter().find(|object| object.location == self.path);
        let new = old.is_none_or(|old| {
            old.e_tag.is_some() && old.e_tag != found.e_tag || old.last_modified != found.last_modified
        });
        new && found.size == self.bytes
    }
}

/// What the uploads of one write share.
pub struct Shared {
    pub target: Target,
    pub remote: Remote,
    pub id: String,
    /// Files that are complete but for the word, or given up: what the store has of those is aborted at the end.
    pub ready: Mutex<Vec<Ready>>,
    /// Bytes of those that are in memory, and how many are on disk.
    pub small: AtomicUsize,
    pub aside: AtomicUsize,
    /// KiB of files on disk that may be in memory at a time.
    room: Semaphore,
    pub stopped: watch::Sender<bool>,
    /// The directory for what is less than a part, from its first use on.
    pub spool: Mutex<Option<tempfile::TempDir>>,
}

impl Shared {
    /// What objects are told beside their content: of a single one its name does not say which write made it.
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        if self.target.single && self.target.witness.is_some() {
            attributes.insert(Attribute::Metadata(WRITE.into()), self.id.clone().into());
        }
        attributes
    }

    async fn put(&self, path: &ObjectPath, bytes: Bytes) -> object_store::Result<()> {
        let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
        self.remote.store.put_opts(path, bytes.into(), options).await.map(drop)
    }
}

/// The uploads of one write.
pub struct Uploads {
    pub(super) shared: Arc<Shared>,
}

impl Uploads {
    pub fn begin(target: Target, remote: Remote, id: &str) -> Result<(Self, usize)> {
        let found = remote.io.block_on(remote.checked(&target))?;
        let numbers = found.iter().filter_map(|object| part_number(object.location.filename()?));
        let first = if target.mode == Mode::Append { numbers.max().map_or(0, |last| last + 1) } else { 0 };
        let shared = Shared {
            target,
            remote,
            id: id.to_owned(),
            ready: Mutex::default(),
            small: AtomicUsize::new(0),
            aside: AtomicUsize::new(0),
            room: Semaphore::new(SMALL >> 10),
            stopped: watch::Sender::new(false),
            spool: Mutex::default(),
        };
        Ok((Self { shared: Arc::new(shared) }, first))
    }

    /// The object of a file. Names of directories are in percent form already.
    fn key(&self, name: &str) -> Result<ObjectPath, object_store::path::Error> {
        let Shared { target, remote, .. } = &*self.shared;
        if target.single {
            Ok(remote.path.clone())
        } else {
            ObjectPath::parse(format!("{}/{name}", remote.path))
        }
    }

    /// Completes all uploads; what is not done in time is given up.
    async fn completed(&self, names: &[String], until: Option<Instant>) -> Result<()> {
        let Shared { target, remote, .. } = &*self.shared;
        let failed = |error: object_store::Error| trouble(target, &error);
        let clock = Clock(until);
        let there =
            clock.within(remote.checked(target)).await.ok_or_else(|| late(target, 0, names.len()))??;
        let old: Vec<_> = there.iter().map(|object| object.location.clone()).collect();
        let there = &there;
        let marker = remote.path.clone().join("_SUCCESS");
        if !target.single && old.contains(&marker) && (target.marker || target.mode == Mode::Overwrite) {
            // It would say of a half-written directory that all is there.
            let gone = clock.within(remote.store.delete(&marker)).await;
            gone.ok_or_else(|| late(target, 0, names.len()))?.map_err(failed)?;
        }
        let ready = std::mem::take(&mut *self.shared.ready.lock());
        let outcomes: Vec<_> = stream::iter(ready)
            .map(|mut ready| async move {
                let completed = async {
                    match ready.show(&self.shared).await {
                        // The answer may have been lost after the store had done it, and asking again finds no upload.
                        Err(_) if ready.is_there(&remote.store, there).await => Ok(()),
                        outcome => outcome,
                    }
                };
                let outcome = clock.within(completed).await;
                (ready, outcome)
            })
            .buffer_unordered(REQUESTS)
            .collect()
            .await;
        let (mut done, mut failure, mut unknown) = (Vec::new(), None, Vec::new());
        for (ready, outcome) in outcomes {
            match outcome {
                Some(Ok(())) => done.push(ready.path),
                Some(Err(error)) => {
                    failure = Some(error);
                    self.shared.ready.lock().push(ready);
                }
                None => unknown.push(ready),
            }
        }
        if !unknown.is_empty() {
            let error = late(target, done.len(), names.len());
            self.given_up(done, unknown).await;
            return Err(error);
        }
        if let Some(error) = failure {
            // Of a directory that is not complete nothing is to be seen; one file is the old one still.
            let done: Vec<_> = done.into_iter().map(Ok).collect();
            let done = if target.single { Vec::new() } else { done };
            let gone = remote.store.delete_stream(stream::iter(done).boxed());
            let left = gone.filter(|gone| futures::future::ready(gone.is_err())).count().await;
            let error = failed(error);
            return Err(if left == 0 { error } else { error.detail("left", left) });
        }
        let new: HashSet<ObjectPath> = names.iter().filter_map(|name| self.key(name).ok()).collect();
        let old = old.into_iter().filter(|object| !new.contains(object) && *object != marker);
        let concluded = clock.within(remote.conclude(target, old.collect())).await;
        concluded.unwrap_or_else(|| {
            Err(Error::new(
                Code::Timeout,
                format!(
                    "the deadline (`timeoutMs`) passed while `{}` was written: its new files are all there, and what is left to do is not",
                    target.shown
                ),
            )
            .hint("Old files may lie beside the new ones, and `_SUCCESS` is not there: write it again")
            .detail("file", target.shown.as_str()))
        })
    }

    /// What the store did not answer in time is aborted, and what it did of a directory is removed. A store that is slow
    /// in this as well is not waited for: it goes on beside, as long as the client lives. The names are this write's alone.
    async fn given_up(&self, done: Vec<ObjectPath>, unknown: Vec<Ready>) {
        let (single, remote) = (self.shared.target.single, self.shared.remote.clone());
        let paths: Vec<_> = unknown.iter().map(|ready| ready.path.clone()).chain(done).collect();
        let clean = async move {
            stream::iter(unknown)
                .for_each_concurrent(REQUESTS, |mut ready| async move { ready.abort().await })
                .await;
            if !single {
                let _ = remote.remove(paths).await;
            }
        };
        let cleaned = self.shared.remote.io.spawn(clean);
        let _ = tokio::time::timeout(CLEANING, cleaned).await;
    }
}

/// When the showing of files has to be over.
#[derive(Clone, Copy)]
struct Clock(Option<Instant>);

impl Clock {
    /// What comes of work, if it is done in time.
    async fn within<T>(self, work: impl Future<Output = T>) -> Option<T> {
        match self.0 {
            None => Some(work.await),
            Some(until) => tokio::time::timeout_at(until.into(), work).await.ok(),
        }
    }
}

/// The error of files of which the store did not say in time that they can be seen.
fn late(target: &Target, done: usize, all: usize) -> Error {
    let what = match (target.single, done) {
        (true, _) | (false, 0) => "before the store said that it is complete".to_owned(),
        (false, done) => {
            format!("when the store had said of {done} of its {all} files that they are complete")
        }
    };
    Error::new(
        Code::Timeout,
        format!("the deadline (`timeoutMs`) passed while `{}` was written, {what}", target.shown),
    )
    .hint("The store may have done it all the same: look there, or write it again with mode \"overwrite\"")
    .detail("file", target.shown.as_str())
}

impl Place for Uploads {
    fn create(&self, name: &str) -> io::Result<Out> {
        Ok(Box::new(Upload::new(self.shared.clone(), self.key(name).map_err(io::Error::other)?)))
    }

    fn shown(&self, name: &str) -> String {
        let Shared { target, remote, .. } = &*self.shared;
        let (slash, name) = if target.single { ("", "") } else { ("/", name) };
        format!("{}/{}{slash}{name}", remote.base, remote.path)
    }

    fn commit(&self, names: &[String], go: Go<'_>) -> Result<()> {
        let until = go()?;
        self.shared.remote.io.block_on(self.completed(names, until))
    }

    fn noted(&self, _: &[String]) -> Result<Noted> {
        let Shared { target, remote, .. } = &*self.shared;
        if target.single || target.mode != Mode::Overwrite {
            return Ok(Noted::default());
        }
        let there = remote.io.block_on(remote.found(target))?;
        let replaces = there.iter().map(|object| remote.within(object).to_owned()).collect();
        Ok(Noted { replaces, ..Noted::default() })
    }

    fn stop(&self) {
        self.shared.stopped.send_replace(true);
    }
}

impl Drop for Shared {
    /// What was not completed is given up, so that the store does not keep parts that nobody sees.
    fn drop(&mut self) {
        let mut given_up = std::mem::take(&mut *self.ready.lock());
        given_up.retain(|ready| matches!(ready.kept, Kept::Uploaded(_) | Kept::Opening(_)));
        if given_up.is_empty() {
            return;
        }
        let aborted = stream::iter(given_up)
            .for_each_concurrent(REQUESTS, |mut ready| async move { ready.abort().await });
        self.remote.io.spawn(aborted);
    }
}
