//! The directory that an engine spills to: locked while its process lives, and swept by the next one after a crash.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// How the names of all such directories begin.
const PREFIX: &str = "rlm-spill-";
/// The same before they are locked: nobody sweeps these.
const UNLOCKED: &str = ".rlm-spill-";
const LOCK: &str = "lock";

/// A directory of one engine, removed with it.
pub struct SpillDir {
    pub path: PathBuf,
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
        Ok(Self { path, _lock: lock })
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
}
