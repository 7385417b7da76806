//! Where the bytes of one file go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::flush::{Flusher, STEP};

/// The bytes of a file that nobody sees yet.
pub trait Output: Write + Send {
    /// Lets go of what there are few of, such as handles, until it is written to again.
    fn park(&mut self) -> io::Result<()>;

    /// Bytes of memory that it holds.
    fn held(&self) -> usize;

    /// Returns how many bytes there are, when all of them are where they are kept until the files are shown.
    fn close(self: Box<Self>) -> io::Result<u64>;
}

pub type Out = Box<dyn Output>;

const BUFFER: usize = 64 << 10;

/// A file of the local file system. Its handle is closed while it is parked.
pub struct LocalFile {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
    /// Of which so many are on their way to the disk.
    flushed: u64,
    flusher: Arc<Flusher>,
}

impl LocalFile {
    pub fn create(path: PathBuf, flusher: Arc<Flusher>) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self { path, file: Some(BufWriter::with_capacity(BUFFER, file)), bytes: 0, flushed: 0, flusher })
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.file.is_none() {
            let file = File::options().append(true).open(&self.path)?;
            self.file = Some(BufWriter::with_capacity(BUFFER, file));
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("a file that was closed"))
    }
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file()?.write(bytes)?;
        self.bytes += written as u64;
        if self.bytes - self.flushed >= STEP
            && let Some(file) = &self.file
        {
            self.flusher.flush(file.get_ref());
            self.flushed = self.bytes;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Output for LocalFile {
    fn park(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(file) => file.into_inner().map(drop).map_err(io::IntoInnerError::into_error),
            None => Ok(()),
        }
    }

    fn held(&self) -> usize {
        if self.file.is_some() { BUFFER } else { 0 }
    }

    fn close(mut self: Box<Self>) -> io::Result<u64> {
        let file = self.file()?;
        file.flush()?;
        Ok(self.bytes)
    }
}
