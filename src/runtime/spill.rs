//! The directory that an engine spills to: made when it is first needed, locked while its process lives, and swept by
//! the next one after a crash.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::error::Result as DataFusionResult;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::{SpillFile, TempFileFactory};
use parking_lot::Mutex;

use crate::error::{Code, Error, Result};

/// How the names of all such directories begin.
const PREFIX: &str = "rlm-spill-";
/// The same before they are locked: nobody sweeps these.
const UNLOCKED: &str = ".rlm-spill-";
const LOCK: &str = "lock";

/// Where the runs of an engine spill to. Nothing is on disk before the first of them does.
pub struct SpillPlace {
    parent: PathBuf,
    made: Mutex<Made>,
}

enum Made {
    NotYet,
    Here(SpillDir),
    /// The engine is closed.
    Gone,
}

impl SpillPlace {
    pub fn new(parent: PathBuf) -> Self {
        Self { parent, made: Mutex::new(Made::NotYet) }
    }

    /// The directory.
    pub fn path(&self) -> Result<PathBuf> {
        self.with(|made| Ok(made.path.clone()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut SpillDir) -> Result<T>) -> Result<T> {
        let mut made = self.made.lock();
        if let Made::NotYet = &*made {
            *made = Made::Here(SpillDir::make(&self.parent)?);
        }
        match &mut *made {
            Made::Here(made) => work(made),
            _ => Err(Error::new(Code::InvalidTask, "this client is closed").hint("Make a new RLMClient")),
        }
    }

    /// Removes the directory; no other is made.
    pub fn close(&self) {
        *self.made.lock() = Made::Gone;
    }

    /// Leaves the directory to the parent of a forked process.
    pub fn forget(&self) {
        if let Some(mut made) = self.made.try_lock() {
            std::mem::forget(std::mem::replace(&mut *made, Made::Gone));
        }
    }
}

impl TempFileFactory for SpillPlace {
    fn create_temp_file(&self, description: &str) -> DataFusionResult<Arc<dyn SpillFile>> {
        let disk = self.with(SpillDir::disk)?;
        disk.create_tmp_file(description)
    }
}

/// A directory of one engine, removed with it.
pub struct SpillDir {
    pub path: PathBuf,
    /// It names the files.
    disk: Option<Arc<DiskManager>>,
    _lock: File,
}

impl SpillDir {
    pub fn make(parent: &Path) -> Result<Self> {
        // Processes of other containers may have the same number.
        let chance = RandomState::new().build_hasher().finish();
        let name = format!("{}-{chance:016x}", std::process::id());
        let (hidden, path) =
            (parent.join(format!("{UNLOCKED}{name}")), parent.join(format!("{PREFIX}{name}")));
        let made = || -> std::io::Result<File> {
            fs::create_dir(&hidden)?;
            let lock = File::create(hidden.join(LOCK))?;
            lock.lock()?;
            fs::rename(&hidden, &path)?;
            Ok(lock)
        };
        let lock = made().map_err(|error| {
            let shown = parent.display();
            Error::new(
                Code::OutOfMemory,
                format!("no directory to spill to can be made in `{shown}`: {error}"),
            )
            .hint("Free space there, or name another directory with `spill_dir`")
        })?;
        Ok(Self { path, disk: None, _lock: lock })
    }

    fn disk(&mut self) -> Result<Arc<DiskManager>> {
        if let Some(disk) = &self.disk {
            return Ok(disk.clone());
        }
        let mode = DiskManagerMode::Directories(vec![self.path.clone()]);
        let disk = Arc::new(DiskManagerBuilder::default().with_mode(mode).build()?);
        Ok(self.disk.insert(disk).clone())
    }
}

impl Drop for SpillDir {
    fn drop(&mut self) {
        // What cannot be removed now is swept by a later client.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes left that were killed. What cannot be removed stays for the next time.
pub fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || path.is_symlink() {
            continue;
        }
        let abandoned = match File::open(path.join(LOCK)) {
            Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        };
        if abandoned {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_dead_process_left_is_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let live = SpillDir::make(parent.path()).unwrap();
        let dead = parent.path().join("rlm-spill-1-0");
        let other = parent.path().join("mine");
        for directory in [&dead, &other] {
            fs::create_dir(directory).unwrap();
            File::create(directory.join(LOCK)).unwrap();
            File::create(directory.join("data")).unwrap();
        }
        sweep(parent.path());
        assert!(live.path.is_dir() && other.is_dir() && !dead.exists());
        let path = live.path.clone();
        drop(live);
        assert!(!path.exists());
    }

    #[test]
    fn nothing_is_on_disk_before_the_first_file_and_after_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let entries = || fs::read_dir(parent.path()).unwrap().count();
        let place = SpillPlace::new(parent.path().to_owned());
        assert_eq!(entries(), 0);
        let (one, two) = (place.create_temp_file("a").unwrap(), place.create_temp_file("b").unwrap());
        let below = |file: &Arc<dyn SpillFile>| file.path().unwrap().parent().unwrap().to_owned();
        assert!(below(&one).starts_with(place.path().unwrap()));
        assert_eq!(below(&one), below(&two));
        assert_eq!(entries(), 1, "one directory for all files");
        place.close();
        assert_eq!(entries(), 0);
        assert!(place.create_temp_file("c").is_err() && place.path().is_err());
        assert_eq!(entries(), 0);
    }
}
