//! How a source is opened: from what was given to files, and from these to a source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;

use super::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::io::braces;
use crate::io::location::FileRef;
use crate::io::source::declared::Declared;
use crate::io::source::files::Room;
use crate::io::source::files::spool::Spool;
use crate::io::source::options::{PATH, ReadOptions};
use crate::io::source::{FilesSource, MemorySource, ParquetSource, Source, files};
use crate::io::store::Stores;
use crate::secrets::{Given as Setting, urls};

/// Files that are asked for at the same time.
const FILES_AT_ONCE: usize = 32;

/// Of values that are known when a file is opened so great a part of the memory limit is kept until they are read.
const KEPT: u64 = 8;

/// What a source is made of.
pub enum Given {
    Path(String),
    Table(arrow::datatypes::SchemaRef, Vec<arrow::array::RecordBatch>),
    /// Tables that came one after the other: the only thing that is given.
    Stream(Box<Spool>),
}

impl Engine {
    /// Finds and opens what a source stands for: lists, and reads footers, as long as `timeout` allows. `options` go
    /// before those of the client. `lazily`: files below directories by value may be left for later; `soon`: what is
    /// opened is read once, and right after.
    pub fn open(
        self: &Arc<Self>,
        given: Vec<Given>,
        format: Option<String>,
        stores: BTreeMap<String, Setting>,
        options: ReadOptions,
        timeout: Option<Duration>,
        (lazily, soon): (bool, bool),
    ) -> Result<Opening> {
        let io = self.io()?;
        if !stores.is_empty() {
            in_stores(&given)?;
        }
        if given.iter().all(|given| matches!(given, Given::Table(..))) {
            // Nothing is waited for: handing it to another thread would take longer than the work.
            let opened =
                self.opened(given, format.as_deref(), &self.stores, options, (lazily, soon)).now_or_never();
            let opened = opened.unwrap_or_else(|| Err(Error::internal("tables in memory were waited for")));
            return Ok(Opening { opened: Some(opened), work: None, io });
        }
        let engine = self.clone();
        let work = async move {
            let own = (!stores.is_empty()).then(|| engine.stores.with(stores));
            let stores = own.as_ref().unwrap_or(&engine.stores);
            in_time(timeout, engine.opened(given, format.as_deref(), stores, options, (lazily, soon))).await
        };
        Ok(Opening::new(io.spawn(work), io))
    }

    async fn opened(
        &self,
        given: Vec<Given>,
        format: Option<&str>,
        stores: &Stores,
        options: ReadOptions,
        (lazily, soon): (bool, bool),
    ) -> Result<Source> {
        let mut paths = Vec::new();
        let mut tables = Vec::new();
        for source in given {
            match source {
                Given::Stream(_) if !options.is_empty() => {
                    return Err(Error::new(
                        Code::InvalidTask,
                        "read options are for files, and the source is Arrow data",
                    )
                    .hint("Leave them out")
                    .detail("path", PATH));
                }
                Given::Stream(spool) => {
                    let threads = self.settings().threads;
                    let finished = tokio::task::spawn_blocking(move || spool.finish(threads)).await;
                    let opened =
                        finished.map_err(|_| Error::internal("the opening of a stream was aborted"))?;
                    return opened?.sound();
                }
                Given::Path(path) => paths.push(path),
                Given::Table(schema, batches) => tables.push((schema, batches)),
            }
        }
        match (paths.is_empty(), tables.is_empty()) {
            (true, true) => Err(Error::new(Code::InvalidTask, "the source is an empty list")
                .hint("Name at least one file or table")
                .detail("path", "input.source")),
            (true, false) if !options.is_empty() => {
                Err(Error::new(Code::InvalidTask, "read options are for files, and the source is Arrow data")
                    .hint("Leave them out")
                    .detail("path", PATH))
            }
            (true, false) => Source::Memory(Arc::new(MemorySource::new(tables)?)).sound(),
            (false, true) => {
                let mut files = Vec::new();
                for some in paths.chunks(FILES_AT_ONCE) {
                    files.extend(self.found(some, stores).await?);
                    tokio::task::yield_now().await;
                }
                self.of_files(files, format, &Arc::new(options), (lazily, soon)).await
            }
            (false, false) => {
                Err(Error::new(Code::InvalidTask, "the source mixes files and tables in memory")
                    .hint("Give a list of paths, or a list of tables")
                    .detail("path", "input.source"))
            }
        }
    }

    /// Opens these files of a source that is pending, or all of them.
    pub fn look_at(
        self: &Arc<Self>,
        source: Arc<ParquetSource>,
        needed: Option<BTreeSet<usize>>,
        timeout: Option<Duration>,
    ) -> Result<Opening> {
        let io = self.io()?;
        let engine = self.clone();
        let work = async move {
            let looked = source.looked_at(needed.as_ref(), &engine.footers);
            in_time(timeout, async { Source::Parquet(Arc::new(looked.await?)).sound() }).await
        };
        Ok(Opening::new(io.spawn(work), io))
    }

    /// Opens the files of a table with a log.
    pub fn open_log(
        self: &Arc<Self>,
        paths: Vec<String>,
        declared: Declared,
        stores: BTreeMap<String, Setting>,
        timeout: Option<Duration>,
    ) -> Result<Opening> {
        let io = self.io()?;
        let engine = self.clone();
        let work = async move {
            let own = (!stores.is_empty()).then(|| engine.stores.with(stores));
            let stores = own.as_ref().unwrap_or(&engine.stores);
            in_time(timeout, engine.of_log(&paths, declared, stores)).await
        };
        Ok(Opening::new(io.spawn(work), io))
    }

    /// The files of a table with a log.
    async fn of_log(&self, paths: &[String], declared: Declared, stores: &Stores) -> Result<Source> {
        let mut files: Vec<FileRef> = Vec::with_capacity(paths.len());
        for some in paths.chunks(FILES_AT_ONCE) {
            files.extend(self.found(some, stores).await?);
        }
        declared.source(files, &self.footers).await?.sound()
    }

    /// The files that some paths stand for, asked for side by side.
    async fn found(&self, paths: &[String], stores: &Stores) -> Result<Vec<FileRef>> {
        paths.iter().for_each(|path| urls::add_credentials(path));
        let found: Vec<_> = paths.iter().map(|path| braces::found(path, stores, &self.footers)).collect();
        Ok(futures::future::try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// Files of one format: the one that is said, or that their names tell; else Parquet.
    async fn of_files(
        &self,
        files: Vec<FileRef>,
        format: Option<&str>,
        options: &Arc<ReadOptions>,
        (lazily, soon): (bool, bool),
    ) -> Result<Source> {
        let told = |file: &FileRef| match format {
            Some(format) => files::said(&file.name, format),
            None => files::told(&file.name).map_or_else(|| files::said(&file.name, "parquet"), Ok),
        };
        let told = files.iter().map(told).collect::<Result<Vec<_>>>()?;
        let other = told.iter().position(|one| one.title() != told[0].title());
        if let Some(other) = other {
            return Err(Error::new(
                Code::InvalidTask,
                format!(
                    "the source mixes formats: `{}` is {}, `{}` is {}",
                    files[0].name,
                    told[0].title(),
                    files[other].name,
                    told[other].title()
                ),
            )
            .hint("Give the files of one format, e.g. with a glob, or say `format`")
            .detail("path", "input.source"));
        }
        if told.iter().all(|told| told.format.is_none()) {
            options.suit("Parquet", &[])?;
            let only = options.columns.as_deref();
            let opened = match lazily && !files.is_empty() {
                true => ParquetSource::first_look(files, &self.footers, only).await?,
                false => ParquetSource::open(files, &self.footers, only).await?,
            };
            return Source::Parquet(Arc::new(opened)).sound();
        }
        let files = files.into_iter().zip(told).collect();
        let settings = self.settings();
        let room = soon.then(|| {
            let bytes = usize::try_from(settings.memory_limit / KEPT).unwrap_or(usize::MAX);
            Room::new(self.memory.clone(), bytes)
        });
        let opened = FilesSource::open(files, &settings.spill_dir, settings.threads, options, room).await?;
        Source::Files(Arc::new(opened)).sound()
    }
}

/// A source that is being opened. Dropping it gives up.
pub struct Opening {
    /// What needed no work.
    opened: Option<Result<Source>>,
    work: Option<JoinHandle<Result<Source>>>,
    io: tokio::runtime::Handle,
}

impl Opening {
    pub(super) fn new(work: JoinHandle<Result<Source>>, io: tokio::runtime::Handle) -> Self {
        Self { opened: None, work: Some(work), io }
    }

    /// The source, if it is open within this time.
    pub fn wait(&mut self, time: Duration) -> Option<Result<Source>> {
        if let Some(opened) = self.opened.take() {
            return Some(opened);
        }
        let Some(work) = &mut self.work else {
            return Some(Err(Error::internal("a source is opened once")));
        };
        let done = self.io.block_on(async { tokio::time::timeout(time, work).await });
        let outcome = match done {
            Err(_) => return None,
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) if error.is_panic() => {
                Err(Error::internal("the engine panicked while it opened the source"))
            }
            Ok(Err(_)) => Err(Error::cancelled()),
        };
        self.work = None;
        Some(outcome)
    }
}

/// What is opened within a time.
async fn in_time(timeout: Option<Duration>, opened: impl Future<Output = Result<Source>>) -> Result<Source> {
    let Some(timeout) = timeout else { return opened.await };
    tokio::time::timeout(timeout, opened).await.unwrap_or_else(|_| {
        Err(Error::new(Code::Timeout, "the deadline (`timeoutMs`) passed while the source was opened")
            .hint("Allow more time, or check that the store answers"))
    })
}

/// Refuses options of an object store for what is in none.
fn in_stores(given: &[Given]) -> Result<()> {
    let stored = |given: &Given| match given {
        Given::Path(path) => {
            path.contains("://") && !path.starts_with("file:") && !path.starts_with("memory:")
        }
        Given::Table(..) | Given::Stream(_) => false,
    };
    if given.iter().any(stored) {
        return Ok(());
    }
    Err(Error::new(Code::InvalidTask, "`storageOptions` is for object stores, and the source is in none")
        .hint("Leave it out, or give the address of an object: s3://bucket/path")
        .detail("path", "input.storageOptions"))
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}
