//! Results beyond what a run may hold go to disk: they lie in files without a name, and are read where they lie.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use memmap2::Mmap;
use parking_lot::Mutex;

use crate::error::{Code, Error, Result};
use crate::worker::Blob;

/// Bytes of a file; results that are larger have one of their own.
const WINDOW: usize = 64 << 20;

/// Where the results of a run lie.
#[derive(Debug)]
pub struct Overflow {
    folder: PathBuf,
    /// Bytes that may lie in memory.
    limit: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    memory: u64,
    disk: u64,
    window: Option<Window>,
}

/// A file that results are added to, and the whole of it as it will be.
#[derive(Debug)]
struct Window {
    file: File,
    map: Arc<Mmap>,
    used: usize,
}

impl Window {
    fn new(folder: &PathBuf, size: usize) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        file.set_len(size as u64)?;
        // SAFETY: the file has no name, so nobody else changes it, and it is never shortened; what is handed out of it
        // was written before and stays as it is.
        let map = Arc::new(unsafe { Mmap::map(&file)? });
        Ok(Self { file, map, used: 0 })
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<Blob> {
        self.file.write_all_at(bytes, self.used as u64)?;
        let range = self.used..self.used + bytes.len();
        self.used = range.end;
        Ok(Blob::Kept(self.map.clone(), range))
    }
}

impl Overflow {
    /// `limit` are bytes that may lie in memory.
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, held: Mutex::default() }
    }

    /// The same results, on disk if memory has no room for them.
    pub fn keep(&self, blobs: Vec<Blob>) -> Result<Vec<Blob>> {
        let bytes: usize = blobs.iter().map(Blob::len).sum();
        let mut held = self.held.lock();
        if held.memory + bytes as u64 <= self.limit {
            held.memory += bytes as u64;
            return Ok(blobs);
        }
        self.write(&mut held, &blobs, bytes).map_err(|error| {
            let (mib, folder) = (self.limit.div_ceil(1 << 20), self.folder.display());
            let message = format!(
                "the run's results take more than {mib} MiB, and the rest could not be written to `{folder}`: {error}"
            );
            Error::new(Code::OutOfMemory, message)
                .hint("Make room there, name another directory with `spill_dir`, or raise `memoryLimit`")
        })
    }

    fn write(&self, held: &mut Held, blobs: &[Blob], bytes: usize) -> io::Result<Vec<Blob>> {
        let window = match &mut held.window {
            Some(window) if window.used + bytes <= window.map.len() => window,
            full => full.insert(Window::new(&self.folder, bytes.max(WINDOW))?),
        };
        held.disk += bytes as u64;
        blobs.iter().map(|blob| window.add(blob.bytes())).collect()
    }

    /// Bytes that went to disk.
    pub fn on_disk(&self) -> u64 {
        self.held.lock().disk
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_kept_stays_as_it_is(sizes in prop::collection::vec(prop::collection::vec(0_usize..5_000, 0..4), 0..40), limit in 0_u64..50_000) {
            let overflow = Overflow::new(std::env::temp_dir(), limit);
            let (mut kept, mut total) = (Vec::new(), 0);
            for (number, sizes) in sizes.iter().enumerate() {
                let bytes: Vec<Vec<u8>> = sizes.iter().map(|size| vec![number as u8; *size]).collect();
                total += sizes.iter().sum::<usize>() as u64;
                let blobs = bytes.iter().map(|bytes| Blob::new(bytes).unwrap()).collect();
                kept.push((bytes, overflow.keep(blobs).unwrap()));
            }
            for (bytes, blobs) in kept {
                prop_assert_eq!(bytes.len(), blobs.len());
                for (bytes, blob) in bytes.iter().zip(&blobs) {
                    prop_assert_eq!(bytes.as_slice(), blob.bytes());
                }
            }
            prop_assert!(total - overflow.on_disk() <= limit);
        }
    }

    #[test]
    fn large_results_have_files_of_their_own_and_a_missing_folder_is_told() {
        let overflow = Overflow::new(std::env::temp_dir(), 10);
        for size in [WINDOW - 1, 5, WINDOW + 7, 3] {
            let kept = overflow.keep(vec![Blob::new(&vec![9; size]).unwrap()]).unwrap();
            assert!(kept[0].len() == size && kept[0].bytes().iter().all(|byte| *byte == 9));
        }
        let overflow = Overflow::new("/nowhere/at/all".into(), 10);
        let error = overflow.keep(vec![Blob::new(&[1; 11]).unwrap()]).unwrap_err();
        assert_eq!(error.code(), Code::OutOfMemory);
    }
}
