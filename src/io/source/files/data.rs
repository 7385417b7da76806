//! The bytes of one file, read at any place: a local file, or a nameless copy of a remote or compressed one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::io::fetch::Object;
use crate::io::location::{FileRef, Place, unreadable};

/// Cheap to clone.
#[derive(Clone)]
pub struct Data {
    file: Arc<File>,
    pub size: u64,
    given_up: Arc<AtomicBool>,
}

/// Files that are being opened: if it is dropped before they are, nothing more is read of them, so that threads that
/// read them end.
#[derive(Default)]
pub struct Opening {
    given_up: Arc<AtomicBool>,
    done: bool,
}

impl Opening {
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.given_up.fetch_or(!self.done, Ordering::Relaxed);
    }
}

impl Data {
    /// A local file as it is; a remote one is fetched once.
    pub async fn of(file: &FileRef, spool: &Path, opening: &Opening) -> Result<Self> {
        let given_up = opening.given_up.clone();
        match &file.place {
            Place::Local(path) => {
                let opened = File::open(path).map_err(|error| unreadable(&file.name, &error))?;
                Ok(Self { file: Arc::new(opened), size: file.size, given_up })
            }
            Place::Remote(store, path) => {
                let mut bytes = Object { file, store: store.as_ref(), path }.whole().await?;
                let mut copy = nameless(spool).map_err(|error| unkept(&file.name, &error))?;
                while let Some(next) = bytes.next().await? {
                    copy.write_all(&next).map_err(|error| unkept(&file.name, &error))?;
                }
                Ok(Self { file: Arc::new(copy), size: file.size, given_up })
            }
        }
    }

    /// A file that was written here, and has no name.
    pub fn kept(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size, given_up: Arc::default() })
    }

    #[cfg(test)]
    pub fn from_file(file: File, opening: &Opening) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size, given_up: opening.given_up.clone() })
    }

    /// What `write` makes of it, as a file without a name.
    pub fn spooled(&self, spool: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let mut copy = nameless(spool)?;
        write(&mut copy)?;
        let size = copy.seek(SeekFrom::End(0))?;
        Ok(Self { file: Arc::new(copy), size, given_up: self.given_up.clone() })
    }

    fn check(&self) -> io::Result<()> {
        match self.given_up.load(Ordering::Relaxed) {
            true => Err(io::Error::other("its opening was given up")),
            false => Ok(()),
        }
    }

    pub fn bytes(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.check()?;
        let range = range.start.min(self.size)..range.end.min(self.size);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    /// Where the line after a place begins, if there is one.
    pub fn line_after(&self, place: u64) -> io::Result<Option<u64>> {
        let mut at = place;
        while at < self.size {
            let bytes = self.bytes(at..at + (64 << 10))?;
            if let Some(end) = memchr::memchr(b'\n', &bytes) {
                let next = at + end as u64 + 1;
                return Ok((next < self.size).then_some(next));
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }

    /// Reads from a place on, and counts what it has read.
    pub fn reader(&self, range: Range<u64>, read: &Arc<AtomicU64>) -> Cursor {
        Cursor { data: self.clone(), at: range.start, end: range.end.min(self.size), read: read.clone() }
    }

    pub fn whole(&self) -> Cursor {
        self.reader(0..self.size, &Arc::default())
    }
}

/// A file that is gone when it is closed, whatever ends the process.
fn nameless(spool: &Path) -> io::Result<File> {
    tempfile::tempfile_in(spool)
}

fn unkept(name: &str, error: &io::Error) -> Error {
    Error::new(Code::SourceUnreadable, format!("`{name}` cannot be kept in `spill_dir`: {error}"))
        .hint("Make room there, or give the client another `spill_dir`")
        .detail("file", name)
}

/// A place in the bytes of a file.
pub struct Cursor {
    data: Data,
    at: u64,
    end: u64,
    read: Arc<AtomicU64>,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.data.check()?;
        let wanted = buffer.len().min(self.end.saturating_sub(self.at) as usize);
        let got = self.data.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += got as u64;
        self.read.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at =
            at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the start"))?;
        Ok(self.at)
    }
}
