//! Byte access for the Parquet decoder: positioned reads of a local file, or ranges fetched beforehand.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes of one file, from wherever they are.
#[derive(Clone)]
pub enum Ranged {
    Local { file: Arc<File>, size: u64, read: Arc<AtomicU64> },
    Fetched { size: u64, parts: Arc<[(u64, Bytes)]> },
}

impl Ranged {
    /// Ranges that were fetched, each with the offset of its first byte.
    pub fn fetched(size: u64, mut parts: Vec<(u64, Bytes)>) -> Self {
        parts.sort_by_key(|(start, _)| *start);
        Ranged::Fetched { size, parts: parts.into() }
    }

    fn part(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Ranged::Local { file, size, read } => {
                if start.checked_add(length as u64).is_none_or(|end| end > *size) {
                    return Err(ParquetError::EOF(format!("bytes {start}+{length} of a file of {size}")));
                }
                let bytes = read_at(file, start, length)?;
                read.fetch_add(length as u64, Ordering::Relaxed);
                Ok(bytes.into())
            }
            Ranged::Fetched { .. } => {
                let (offset, bytes) = self.holding(start)?;
                let from = (start - offset) as usize;
                match from.checked_add(length) {
                    Some(to) if to <= bytes.len() => Ok(bytes.slice(from..to)),
                    _ => Err(ParquetError::EOF(format!("bytes {start}+{length} run past a column chunk"))),
                }
            }
        }
    }

    fn holding(&self, start: u64) -> ParquetResult<(u64, &Bytes)> {
        let Ranged::Fetched { parts, .. } = self else {
            return Err(ParquetError::General("no fetched ranges".to_owned()));
        };
        let position = parts.partition_point(|(offset, _)| *offset <= start);
        let found = position.checked_sub(1).and_then(|position| parts.get(position));
        match found {
            Some((offset, bytes)) if start <= offset + bytes.len() as u64 => Ok((*offset, bytes)),
            _ => Err(ParquetError::EOF(format!(
                "byte {start} lies outside the column chunks of the row group"
            ))),
        }
    }
}

/// Reads into memory that nobody filled with zeros before: pages are large and there are many.
fn read_at(file: &File, start: u64, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let left = length - bytes.len();
        let spare = rustix::buffer::spare_capacity(&mut bytes);
        let from = start + (length - left) as u64;
        match rustix::io::pread(file, spare, from) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        match self {
            Ranged::Local { size, .. } | Ranged::Fetched { size, .. } => *size,
        }
    }
}

impl ChunkReader for Ranged {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        match self {
            Ranged::Local { file, size, read } => {
                let cursor = Cursor { file: file.clone(), at: start, end: *size, read: read.clone() };
                Ok(Box::new(BufReader::with_capacity(16 * 1024, cursor)))
            }
            Ranged::Fetched { .. } => {
                let (offset, bytes) = self.holding(start)?;
                let rest: Range<usize> = (start - offset) as usize..bytes.len();
                Ok(Box::new(bytes::Buf::reader(bytes.slice(rest))))
            }
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.part(start, length)
    }
}

/// A position of its own in a shared file: threads do not move each other's.
struct Cursor {
    file: Arc<File>,
    at: u64,
    end: u64,
    read: Arc<AtomicU64>,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let length = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += length as u64;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
