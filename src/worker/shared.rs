//! Bytes on their way between processes: small ones inline, large ones in memory that both map.
//!
//! Shared memory is a file without a name: it goes when the last process that holds it does, whatever way that
//! process ends, so nothing can stay behind.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{Mmap, MmapMut};
#[cfg(target_os = "linux")]
use rustix::fs::SealFlags;

/// From here on bytes are shared, not sent: below, a copy through the socket costs less than a mapping.
pub const SHARED_FROM: usize = 256 * 1024;

/// Bytes that may lie in shared memory. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Blob {
    Inline(Arc<[u8]>),
    Shared(Arc<Shared>),
    /// Part of a file that was there before.
    Kept(Arc<Mmap>, Range<usize>),
}

#[derive(Debug)]
pub struct Shared {
    /// To pass it on; of what came from workers only some have one, for a run may keep very many of them.
    file: Option<OwnedFd>,
    /// Whether it is one of these.
    counted: bool,
    map: Mmap,
}

/// Handles that are kept of what came from workers, and how many are at most.
static KEPT: AtomicUsize = AtomicUsize::new(0);
const MOST_KEPT: usize = 128;

impl Shared {
    fn let_go(&mut self) {
        self.file = None;
        if std::mem::take(&mut self.counted) {
            KEPT.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Blob {
    /// Bytes, in shared memory where that is worth while.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        if bytes.len() < SHARED_FROM {
            return Ok(Self::Inline(bytes.into()));
        }
        Self::written(|file| file.write_all(bytes))
    }

    /// What `write` writes, in shared memory.
    pub fn written(write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let mut file = unnamed()?;
        write(&mut file)?;
        seal(&file);
        Self::mapped(file.into())
    }

    /// The whole of a file without a name, as another process sent it: mapped if nobody can change it any more, else
    /// copied.
    pub fn received(file: OwnedFd) -> io::Result<Self> {
        let file = File::from(file);
        let mut found = match is_sealed(&file) {
            true => Self::mapped(file.into())?,
            false => Self::written(|own| copy(&file, own))?,
        };
        if let Some(shared) = found.alone() {
            shared.counted = true;
            if KEPT.fetch_add(1, Ordering::Relaxed) >= MOST_KEPT {
                shared.let_go();
            }
        }
        Ok(found)
    }

    /// The same without a handle, for what is not passed on soon.
    pub fn stored(mut self) -> Self {
        if let Some(shared) = self.alone() {
            shared.let_go();
        }
        self
    }

    fn alone(&mut self) -> Option<&mut Shared> {
        match self {
            Self::Shared(shared) => Arc::get_mut(shared),
            Self::Inline(_) | Self::Kept(..) => None,
        }
    }

    /// The whole of a file without a name.
    pub fn mapped(file: OwnedFd) -> io::Result<Self> {
        let file = File::from(file);
        if file.metadata()?.len() == 0 {
            return Ok(Self::Inline(Arc::from([])));
        }
        // SAFETY: the file has no name. What was written here, and what came from a worker, is sealed: no process can
        // change or shorten it. The page that both sides write has a size that is sealed, and this mapping of it is only
        // there to be passed on. Where there are no seals, it is held by this process and a worker, whose package changes
        // nothing that it sent.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Shared(Arc::new(Shared { file: Some(file.into()), counted: false, map })))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(shared) => &shared.map,
            Self::Kept(map, range) => &map[range.clone()],
        }
    }

    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Inline(_) | Self::Kept(..) => None,
            Self::Shared(shared) => shared.file.as_ref().map(AsFd::as_fd),
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// A page that supervisor and worker both write: where the worker is, and whether it should stop.
#[derive(Debug)]
pub struct Page {
    file: OwnedFd,
    map: MmapMut,
}

/// Where the parts of the page lie; `worker/context.py` has the same numbers.
const CALL: usize = 0;
const ITEM: usize = 8;
const STOP: usize = 16;
const REACHED: usize = 24;
const PAGE: u64 = 4096;

/// The item of a worker that loads the function of its call; `worker/context.py` has the same number.
const LOADING: u64 = u64::MAX - 1;

impl Page {
    pub fn new() -> io::Result<Self> {
        let file = unnamed()?;
        file.set_len(PAGE)?;
        seal_size(&file);
        // SAFETY: it keeps its size; both sides read and write single words of it, and neither takes their values on
        // trust.
        let map = unsafe { MmapMut::map_mut(&file)? };
        Ok(Self { file: file.into(), map })
    }

    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.map[at..at + 8]);
        u64::from_le_bytes(bytes)
    }

    /// Whether the worker is in this call.
    pub fn has_taken(&self, call: u64) -> bool {
        self.word(CALL) == call
    }

    /// Whether it has read all that it needs for it, and come to its first item.
    pub fn has_reached_items(&self, call: u64) -> bool {
        self.word(REACHED) == call
    }

    /// The item that the worker was at, if it was in this call and had loaded its function: the first while it read them,
    /// and a number that none has while it packed several results.
    pub fn item_of(&self, call: u64) -> Option<u64> {
        self.has_taken(call).then(|| self.word(ITEM)).filter(|item| *item != LOADING)
    }

    /// Tells user code that asks for it that its call is to stop.
    pub fn ask_to_stop(&mut self, call: u64) {
        self.map[STOP..STOP + 8].copy_from_slice(&call.to_le_bytes());
    }
}

#[cfg(target_os = "linux")]
fn unnamed() -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(File::from(memfd_create(c"rlm", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?))
}

/// What is in the file stays as it is. A system that refuses leaves it to those who hold it.
#[cfg(target_os = "linux")]
fn seal(file: &File) {
    let _ = rustix::fs::fcntl_add_seals(file, whole() | SealFlags::GROW | SealFlags::SEAL);
}

/// It is written further, and keeps its size.
#[cfg(target_os = "linux")]
fn seal_size(file: &File) {
    let _ = rustix::fs::fcntl_add_seals(file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL);
}

#[cfg(target_os = "linux")]
fn is_sealed(file: &File) -> bool {
    rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(whole()))
}

/// What a mapping needs.
#[cfg(target_os = "linux")]
fn whole() -> SealFlags {
    SealFlags::SHRINK | SealFlags::WRITE
}

#[cfg(not(target_os = "linux"))]
fn seal(_: &File) {}

#[cfg(not(target_os = "linux"))]
fn seal_size(_: &File) {}

#[cfg(not(target_os = "linux"))]
fn is_sealed(_: &File) -> bool {
    true
}

/// As many bytes as a file has now, wherever who sent it reads or writes.
fn copy(from: &File, to: &mut File) -> io::Result<()> {
    let mut left = from.metadata()?.len();
    let mut at = 0;
    let mut piece = vec![0; 1 << 16];
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let came = from.read_at(&mut piece[..most], at)?;
        if came == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&piece[..came])?;
        (at, left) = (at + came as u64, left - came as u64);
    }
    Ok(())
}

/// Where there is no such call, a file whose name is taken away at once.
#[cfg(not(target_os = "linux"))]
fn unnamed() -> io::Result<File> {
    let nonce = std::time::SystemTime::now().elapsed().map_or(0, |time| time.as_nanos());
    let path = std::env::temp_dir().join(format!("rlm-{}-{nonce}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_come_back_whether_they_are_shared_or_not() {
        for size in [0, 1, SHARED_FROM - 1, SHARED_FROM, 3 * SHARED_FROM] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let blob = Blob::new(&bytes).unwrap();
            assert_eq!(blob.bytes(), bytes);
            assert_eq!(blob.file().is_some(), size >= SHARED_FROM);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_came_does_not_change_under_its_reader() {
        let given = vec![7_u8; SHARED_FROM];
        let sender = unnamed().unwrap();
        sender.write_all_at(&given, 0).unwrap();
        let open = Blob::received(sender.try_clone().unwrap().into()).unwrap();
        sender.write_all_at(&[9; 100], 0).unwrap();
        // Who reads behind the end of a mapped file is ended.
        sender.set_len(0).unwrap();
        assert_eq!(open.bytes(), given);

        let sealed = Blob::new(&given).unwrap();
        let sender = File::from(sealed.file().unwrap().try_clone_to_owned().unwrap());
        let found = Blob::received(sender.try_clone().unwrap().into()).unwrap();
        assert!(sender.set_len(0).is_err() && sender.write_all_at(&[9; 100], 0).is_err());
        assert_eq!(found.bytes(), given);
        // The same file, not a copy of it.
        let about = |file: File| std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
        let passed_on = File::from(found.file().unwrap().try_clone_to_owned().unwrap());
        assert_eq!(about(passed_on), about(sender));
        assert!(File::from(Page::new().unwrap().file).set_len(0).is_err());
    }

    #[test]
    fn a_page_tells_the_item_of_its_call_only() {
        let mut page = Page::new().unwrap();
        assert_eq!(page.item_of(7), None);
        page.map[..8].copy_from_slice(&7_u64.to_le_bytes());
        page.map[8..16].copy_from_slice(&3_u64.to_le_bytes());
        assert_eq!(page.item_of(7), Some(3));
        assert_eq!(page.item_of(8), None);
    }

    #[test]
    fn a_worker_that_loads_its_function_is_at_no_item() {
        let mut page = Page::new().unwrap();
        assert!(!page.has_taken(7) && !page.has_reached_items(7));
        page.map[..8].copy_from_slice(&7_u64.to_le_bytes());
        page.map[8..16].copy_from_slice(&LOADING.to_le_bytes());
        assert!(page.has_taken(7) && !page.has_reached_items(7));
        assert_eq!(page.item_of(7), None);
        page.map[8..16].copy_from_slice(&0_u64.to_le_bytes());
        page.map[24..32].copy_from_slice(&7_u64.to_le_bytes());
        assert!(page.has_reached_items(7) && !page.has_reached_items(8));
        assert_eq!(page.item_of(7), Some(0));
    }
}
