//! A file of records that only grows, each with a checksum; whoever writes it holds its lock.
//!
//! A record is: length of its head (u32), length of its body (u64), checksum of both lengths, head and body (u32), the
//! head (JSON), the body. Little endian. A record that is cut short or does not meet its checksum, and all after it,
//! were being written when their writer ended: they are cut off when the file is opened again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{Deref, Range};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use serde_json::Value;

/// What the file begins with: the kind and version of its form.
const MAGIC: &[u8; 8] = b"rlmlog1\n";

/// The fixed part of a record.
const FIXED: usize = 16;

/// A record that was found in a file.
#[derive(Debug, Clone)]
pub struct Entry {
    pub head: Value,
    /// Where its body lies in the file.
    pub body: Range<usize>,
}

/// What was in a file when it was opened.
#[derive(Debug)]
pub struct Found<B = Mmap> {
    pub entries: Vec<Entry>,
    /// The file as it was; none if it was empty.
    pub bytes: Option<Arc<B>>,
    /// Bytes at the end that made no whole record.
    pub torn: u64,
}

impl<B> Default for Found<B> {
    fn default() -> Self {
        Self { entries: Vec::new(), bytes: None, torn: 0 }
    }
}

/// A file that is open for writing, under its lock.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    end: u64,
}

impl Log {
    /// Opens or makes the file and takes its lock; none if somebody else has it.
    pub fn open(path: &Path) -> io::Result<Option<(Self, Found)>> {
        loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had the lock may have removed the file meanwhile.
            let same = path.metadata().is_ok_and(|named| {
                file.metadata().is_ok_and(|opened| (named.dev(), named.ino()) == (opened.dev(), opened.ino()))
            });
            if same {
                return Self::read(file, path).map(Some);
            }
        }
    }

    fn read(mut file: File, path: &Path) -> io::Result<(Self, Found)> {
        // SAFETY: only the holder of the file's lock changes it, which is taken. Nothing before the end of the last whole
        // record is changed or cut off any more: not here, where what is torn is cut off behind it, and not by a later
        // holder. What lies behind it is not read once the records were found.
        let found = records(&file, |file| unsafe { Mmap::map(file) })?;
        let whole = found.entries.last().map_or(MAGIC.len(), |last| last.body.end) as u64;
        if found.bytes.as_ref().is_none_or(|bytes| bytes.len() < MAGIC.len()) {
            file.set_len(0)?;
            file.write_all(MAGIC)?;
            // Its name is on the disk before anything relies on what is in it.
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
        } else if found.torn > 0 {
            file.set_len(whole)?;
        }
        file.seek(SeekFrom::Start(whole))?;
        Ok((Self { file, path: path.to_owned(), end: whole }, found))
    }

    /// Adds a record; one that cannot be written whole leaves the file as it was.
    pub fn append(&mut self, head: &Value, body: &[&[u8]]) -> io::Result<()> {
        let head = serde_json::to_vec(head)?;
        let head_length = u32::try_from(head.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let body_length: usize = body.iter().map(|part| part.len()).sum();
        let mut start = Vec::with_capacity(FIXED + head.len());
        start.extend_from_slice(&head_length.to_le_bytes());
        start.extend_from_slice(&(body_length as u64).to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&start);
        sum.update(&head);
        body.iter().for_each(|part| sum.update(part));
        start.extend_from_slice(&sum.finalize().to_le_bytes());
        start.extend_from_slice(&head);
        let mut parts = std::iter::once(start.as_slice()).chain(body.iter().copied());
        match parts.try_for_each(|part| self.file.write_all(part)) {
            Ok(()) => {
                self.end += (FIXED + head.len() + body_length) as u64;
                Ok(())
            }
            Err(error) => {
                let _ = self.file.set_len(self.end);
                let _ = self.file.seek(SeekFrom::Start(self.end));
                Err(error)
            }
        }
    }

    /// What was added is on the disk when this returns.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Notes that the file was used now.
    pub fn touch(&self) {
        let _ = self.file.set_modified(std::time::SystemTime::now());
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn is_empty(&self) -> bool {
        self.end <= MAGIC.len() as u64
    }

    /// Takes the file away, with the lock on it.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Closing is not enough: a mapping of the file keeps it open, and so does a process that is being started.
        let _ = self.file.unlock();
    }
}

/// The records of a file that nobody is asked for. Copied: who has its lock may cut off what is torn meanwhile, and a
/// mapping would end this process there.
pub fn look(path: &Path) -> io::Result<Found<Vec<u8>>> {
    records(&File::open(path)?, |mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

fn records<B: Deref<Target = [u8]>>(
    file: &File,
    read: impl FnOnce(&File) -> io::Result<B>,
) -> io::Result<Found<B>> {
    if file.metadata()?.len() == 0 {
        return Ok(Found::default());
    }
    let bytes = Arc::new(read(file)?);
    let mut entries = Vec::new();
    let mut at = MAGIC.len();
    if bytes.len() >= at && !bytes.starts_with(MAGIC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no file of ours, or of another version",
        ));
    }
    while let Some(entry) = record(&bytes, at) {
        at = entry.body.end;
        entries.push(entry);
    }
    let torn = bytes.len().saturating_sub(at) as u64;
    Ok(Found { entries, bytes: Some(bytes), torn })
}

/// The record that begins here, if it is whole.
fn record(bytes: &[u8], at: usize) -> Option<Entry> {
    let fixed = bytes.get(at..at.checked_add(FIXED)?)?;
    let head_length = u32::from_le_bytes(fixed[..4].try_into().ok()?) as usize;
    let body_length = usize::try_from(u64::from_le_bytes(fixed[4..12].try_into().ok()?)).ok()?;
    let told = u32::from_le_bytes(fixed[12..].try_into().ok()?);
    let head_end = (at + FIXED).checked_add(head_length)?;
    let body_end = head_end.checked_add(body_length)?;
    let rest = bytes.get(at + FIXED..body_end)?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&fixed[..12]);
    sum.update(rest);
    if sum.finalize() != told {
        return None;
    }
    let head = serde_json::from_slice(&bytes[at + FIXED..head_end]).ok()?;
    Some(Entry { head, body: head_end..body_end })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn heads(found: &Found) -> Vec<u64> {
        found.entries.iter().map(|entry| entry.head["n"].as_u64().unwrap()).collect()
    }

    proptest! {
        /// A file that is cut anywhere has the whole records before the cut, and goes on from there.
        #[test]
        fn what_is_torn_is_cut_off(sizes in prop::collection::vec(0_usize..400, 0..8), cut in 0_usize..4000, flip: bool) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a");
            let mut ends = vec![MAGIC.len() as u64];
            let (mut log, _) = Log::open(&path).unwrap().unwrap();
            for (number, size) in sizes.iter().enumerate() {
                log.append(&json!({ "n": number }), &[&vec![7; *size], b"end"]).unwrap();
                ends.push(log.len());
            }
            log.sync().unwrap();
            drop(log);
            let cut = (cut as u64).min(*ends.last().unwrap());
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            if flip && cut < *ends.last().unwrap() && cut >= ends[0] {
                // A byte that was not written while later ones were.
                use std::os::unix::fs::FileExt;
                let was = std::fs::read(&path).unwrap()[cut as usize];
                file.write_all_at(&[was ^ 0x55], cut).unwrap();
            } else {
                file.set_len(cut).unwrap();
            }
            drop(file);
            let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            let (mut log, found) = Log::open(&path).unwrap().unwrap();
            prop_assert_eq!(heads(&found), (0..whole as u64).collect::<Vec<_>>());
            log.append(&json!({ "n": 99 }), &[b"more"]).unwrap();
            drop(log);
            let (_, found) = Log::open(&path).unwrap().unwrap();
            prop_assert_eq!(found.torn, 0);
            let last = found.entries.last().unwrap();
            prop_assert_eq!(&found.bytes.unwrap()[last.body.clone()], b"more");
        }
    }

    #[test]
    fn a_file_has_one_writer_and_a_removed_one_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let (log, _) = Log::open(&path).unwrap().unwrap();
        assert!(Log::open(&path).unwrap().is_none());
        log.remove().unwrap();
        let (log, found) = Log::open(&path).unwrap().unwrap();
        assert!(found.entries.is_empty() && log.is_empty());
    }

    #[test]
    fn what_was_looked_at_stays_where_its_file_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let (mut log, _) = Log::open(&path).unwrap().unwrap();
        log.append(&json!({ "n": 0 }), &[&vec![7; 1 << 20]]).unwrap();
        let found = look(&path).unwrap();
        // A mapping has no bytes behind the end of its file: who reads there is ended.
        log.file.set_len(0).unwrap();
        let bytes = found.bytes.unwrap();
        assert!(bytes[found.entries[0].body.clone()].iter().all(|byte| *byte == 7));
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "somebody's notes").unwrap();
        assert!(Log::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's notes");
    }
}
