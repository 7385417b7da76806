//! The bytes of one file on their way to an object store, in parts; a small file is kept until it is shown.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions};
use tokio::task::{JoinError, JoinHandle};

use super::out::Output;
use super::remote::{Kept, Ready, SMALL, Shared, trouble};

/// Bytes of a part; stores take ten thousand of a file, so later parts are larger.
const PART: usize = 8 << 20;
const LATER: usize = 64 << 20;
const FEW: usize = 2_000;

/// Bytes of a file that is put as a whole when it is shown: from then on nothing can stop the write any more, so they are
/// few.
const WHOLE: usize = 1 << 20;

/// Parts that are under way while the next one is filled.
const FLYING: usize = 2;

/// An upload that the store was asked for.
pub type Opening = JoinHandle<object_store::Result<Box<dyn MultipartUpload>>>;

pub struct Upload {
    shared: Arc<Shared>,
    path: ObjectPath,
    /// Begun beside as soon as the file is too large to be put as a whole: nobody waits for the store's answer.
    opening: Option<Opening>,
    /// From the first part on.
    upload: Option<Box<dyn MultipartUpload>>,
    buffer: Vec<u8>,
    /// What is kept on disk of a file that was parked: the bytes before those of the buffer.
    parked: Option<(PathBuf, usize)>,
    flying: Vec<(usize, JoinHandle<object_store::Result<()>>)>,
    parts: usize,
    bytes: u64,
}

impl Upload {
    pub fn new(shared: Arc<Shared>, path: ObjectPath) -> Self {
        Self {
            shared,
            path,
            opening: None,
            upload: None,
            buffer: Vec::new(),
            parked: None,
            flying: Vec::new(),
            parts: 0,
            bytes: 0,
        }
    }

    fn part(&self) -> usize {
        if self.parts < FEW { PART } else { LATER }
    }

    /// Does work of requests here, unless the write is given up meanwhile.
    fn wait<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
        let mut stopped = self.shared.stopped.subscribe();
        self.shared.remote.io.block_on(async move {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => Err(io::Error::other("the write was given up")),
                done = work => done.map_err(|error| io::Error::other(trouble(&self.shared.target, &error))),
            }
        })
    }

    /// Waits until at most so many parts are under way.
    fn land(&mut self, most: usize) -> io::Result<()> {
        while self.flying.len() > most {
            let (_, part) = self.flying.remove(0);
            self.wait(async { part.await.unwrap_or_else(broken) })?;
        }
        Ok(())
    }

    /// Everything that is held, as one stretch.
    fn taken(&mut self) -> io::Result<Bytes> {
        let rest = std::mem::take(&mut self.buffer);
        let Some((path, size)) = self.parked.take() else { return Ok(rest.into()) };
        let mut all = Vec::with_capacity(size + rest.len());
        File::open(&path)?.read_to_end(&mut all)?;
        std::fs::remove_file(&path)?;
        all.extend_from_slice(&rest);
        Ok(all.into())
    }

    /// Asks the store for an upload, once.
    fn open(&mut self) {
        if self.upload.is_some() || self.opening.is_some() {
            return;
        }
        let (store, path) = (self.shared.remote.store.clone(), self.path.clone());
        let options =
            PutMultipartOptions { attributes: self.shared.attributes(), ..PutMultipartOptions::default() };
        let asked = async move { store.put_multipart_opts(&path, options).await };
        self.opening = Some(self.shared.remote.io.spawn(asked));
    }

    /// Waits for the store's answer.
    fn opened(&mut self) -> io::Result<()> {
        self.open();
        let Some(mut opening) = self.opening.take() else { return Ok(()) };
        let mut taken = false;
        let answer = self.wait(async {
            let answer = (&mut opening).await;
            taken = true;
            answer.unwrap_or_else(broken)
        });
        if !taken {
            // Nobody wants the answer any more. It may come all the same, or be there by now: an upload to give up.
            self.opening = Some(opening);
        }
        self.upload = Some(answer?);
        Ok(())
    }

    /// Sends what is held as the next part.
    fn send(&mut self) -> io::Result<()> {
        self.land(FLYING - 1)?;
        let bytes = self.taken()?;
        self.opened()?;
        let size = bytes.len();
        if let Some(upload) = &mut self.upload {
            let part = upload.put_part(bytes.into());
            self.flying.push((size, self.shared.remote.io.spawn(part)));
            self.parts += 1;
        }
        Ok(())
    }

    /// All of a file of which the store has nothing yet.
    fn keep(&mut self) -> io::Result<Kept> {
        if *self.shared.stopped.borrow() {
            return Err(io::Error::other("the write was given up"));
        }
        let size = self.waiting();
        let small = &self.shared.small;
        let fits = |held: usize| (held + size <= SMALL).then_some(held + size);
        if small.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok() {
            return Ok(Kept::Memory(self.taken()?));
        }
        self.put_aside()?;
        Ok(match self.parked.take() {
            Some((path, _)) => Kept::Disk(path),
            None => Kept::Memory(Bytes::new()),
        })
    }

    /// Writes what is in memory behind what is on disk.
    fn put_aside(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let (path, size) = match self.parked.take() {
            Some(parked) => parked,
            None => (self.spool()?, 0),
        };
        let mut file = File::options().create(true).append(true).open(&path)?;
        file.write_all(&self.buffer)?;
        self.parked = Some((path, size + self.buffer.len()));
        self.buffer = Vec::new();
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.buffer.len() + self.parked.as_ref().map_or(0, |(_, size)| *size)
    }

    fn spool(&self) -> io::Result<PathBuf> {
        let mut spool = self.shared.spool.lock();
        if spool.is_none() {
            let prefix = "rlm-upload-";
            *spool = Some(tempfile::Builder::new().prefix(prefix).tempdir_in(&self.shared.remote.spool)?);
        }
        let directory = spool.as_ref().map(tempfile::TempDir::path).unwrap_or(&self.shared.remote.spool);
        let number = self.shared.aside.fetch_add(1, Ordering::Relaxed);
        Ok(directory.join(number.to_string()))
    }
}

/// A task that was not done is an error of the store's.
fn broken<T>(error: JoinError) -> object_store::Result<T> {
    Err(object_store::Error::Generic { store: "upload", source: Box::new(error) })
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part().saturating_sub(self.waiting()).max(1);
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.bytes += taken as u64;
        if self.waiting() > WHOLE {
            self.open();
        }
        if self.waiting() >= self.part() {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Upload {
    fn park(&mut self) -> io::Result<()> {
        self.land(0)?;
        self.put_aside()
    }

    fn held(&self) -> usize {
        self.buffer.capacity() + self.flying.iter().map(|(size, _)| size).sum::<usize>()
    }

    fn close(mut self: Box<Self>) -> io::Result<u64> {
        if self.parts == 0 && self.waiting() <= WHOLE {
            let kept = self.keep()?;
            self.shared.ready.lock().push(Ready { path: self.path.clone(), bytes: self.bytes, kept });
            return Ok(self.bytes);
        }
        if self.waiting() > 0 || self.parts == 0 {
            self.send()?;
        }
        self.land(0)?;
        Ok(self.bytes)
    }
}

impl Drop for Upload {
    /// It is completed or aborted with the others.
    fn drop(&mut self) {
        for (_, part) in self.flying.drain(..) {
            part.abort();
        }
        let opening = self.opening.take().map(Kept::Opening);
        if let Some(kept) = self.upload.take().map(Kept::Uploaded).or(opening) {
            self.shared.ready.lock().push(Ready { path: self.path.clone(), bytes: self.bytes, kept });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::remote::{Sinks, Uploads};
    use super::super::target::{Asked, Home, Mode, Target};
    use super::*;
    use crate::io::store::Stores;

    #[test]
    fn an_upload_that_began_as_its_write_was_given_up_is_not_forgotten() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let stores = Stores::new(Default::default(), Default::default());
        let sinks = Sinks { stores: &stores, io: io.handle().clone(), spool: &|| Ok(std::env::temp_dir()) };
        let asked = Asked {
            url: "memory:///out.parquet".to_owned(),
            format: None,
            partition_by: Vec::new(),
            mode: Mode::Error,
            compression: None,
            max_rows_per_file: None,
            success_marker: false,
        };
        let target = Target::new(&asked, Some(&sinks)).unwrap();
        let Home::Remote(remote) = target.home.clone() else { unreachable!() };
        let path = remote.path.clone();
        let (uploads, _) = Uploads::begin(target, remote, "id").unwrap();
        let mut upload = Upload::new(uploads.shared.clone(), path);
        upload.open();
        while !upload.opening.as_ref().unwrap().is_finished() {
            std::thread::yield_now();
        }
        uploads.shared.stopped.send_replace(true);
        assert!(upload.opened().is_err());
        drop(upload);
        // What waits here is aborted in the end.
        let ready = uploads.shared.ready.lock();
        assert!(matches!(ready.as_slice(), [Ready { kept: Kept::Opening(_), .. }]));
    }
}
