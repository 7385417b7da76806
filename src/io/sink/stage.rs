//! Where an answer is written before it can be seen: a hidden directory beside its target, and the step that shows it.
//!
//! A stage is locked while its process lives. One that is left and not locked is of a process that was killed,
//! and the next write to the same target removes it.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::target::{Mode, Target, WrittenFile, failed};
use crate::error::Result;

const ENDING: &str = ".rlm-tmp";

/// A directory beside the target, removed when nothing uses it any more.
pub struct Stage {
    pub target: Target,
    /// In the names of its files: no other write has it.
    pub id: String,
    root: PathBuf,
    _lock: File,
    /// The number of the first part file.
    first: usize,
}

impl Stage {
    /// Removes what killed processes left of writes to this target, and makes a stage of its own.
    pub fn begin(target: Target) -> Result<Self> {
        target.check()?;
        let holder = target.path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !target.single {
            std::fs::create_dir_all(&holder).map_err(|error| failed(&target.path, &error))?;
        }
        let name =
            target.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sweep(&holder, &name);
        let first = if target.mode == Mode::Append { next_part(&target.path) } else { 0 };
        loop {
            let id = unique();
            let root = holder.join(format!(".{name}.{id}{ENDING}"));
            let made = std::fs::create_dir(&root).and_then(|()| File::open(&root));
            let lock = made.map_err(|error| {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                let error = failed(&target.path, &error);
                if missing { error.hint("Make the directory that is to hold it") } else { error }
            })?;
            // Where locks are not known, nothing is ever taken for left behind.
            let _ = lock.lock();
            // Another write may have taken it for left behind before it was locked.
            if root.exists() {
                return Ok(Self { target, id, root, _lock: lock, first });
            }
        }
    }

    /// The path of a part file in the stage. By name, parts are in the order of their numbers.
    pub fn part(&self, partition: usize, number: usize) -> PathBuf {
        let partition = self.first + partition;
        self.root.join(match self.target.max_rows {
            None => format!("part-{partition:05}-{}.parquet", self.id),
            Some(_) => format!("part-{partition:05}-{}-{number:06}.parquet", self.id),
        })
    }

    /// Where a part will be seen.
    pub fn shown(&self, part: &Path) -> PathBuf {
        match part.file_name() {
            Some(name) if !self.target.single => self.target.path.join(name),
            _ => self.target.path.clone(),
        }
    }

    /// Makes the files of the stage the target's, in one step that a reader sees as a whole or not at all.
    pub fn commit(&self, parts: &[PathBuf]) -> Result<()> {
        let target = &self.target;
        let problem = |error: &dyn std::fmt::Display| failed(&target.path, error);
        let renamed = |from: &Path, to: &Path| {
            place(from, to).map_err(|error| match error {
                Errno::EXIST | Errno::NOTEMPTY => target.occupied(),
                other => problem(&std::io::Error::from(other)),
            })
        };
        match (target.single, target.mode, parts) {
            (true, Mode::Overwrite, [part]) => {
                if let Ok(there) = target.path.metadata() {
                    std::fs::set_permissions(part, there.permissions()).map_err(|error| problem(&error))?;
                }
                std::fs::rename(part, &target.path).map_err(|error| problem(&error))?;
            }
            (true, _, [part]) => renamed(part, &target.path)?,
            (false, Mode::Append, [part]) if target.exists() => {
                renamed(part, &self.shown(part))?;
                if target.marker {
                    File::create(target.path.join("_SUCCESS")).map_err(|error| problem(&error))?;
                }
                synced(&target.path).map_err(|error| problem(&error))?;
            }
            (false, mode, _) => {
                if target.marker {
                    File::create(self.root.join("_SUCCESS")).map_err(|error| problem(&error))?;
                }
                synced(&self.root).map_err(|error| problem(&error))?;
                if mode == Mode::Overwrite && target.exists() {
                    // What came there since the run began is not lost either.
                    target.check()?;
                    if let Ok(there) = target.path.metadata() {
                        std::fs::set_permissions(&self.root, there.permissions())
                            .map_err(|error| problem(&error))?;
                    }
                    // The old data is under the stage's name then, and goes with it.
                    renameat_with(CWD, &self.root, CWD, &target.path, RenameFlags::EXCHANGE).map_err(
                        |error| {
                            problem(&format!("the directory cannot be exchanged for the new one ({error})"))
                                .hint("This file system may not know how: write to a new directory, or remove the old one first")
                        },
                    )?;
                } else {
                    renamed(&self.root, &target.path)?;
                }
            }
            (true, ..) => return Err(crate::error::Error::internal("one file that is not one part")),
        }
        if let Some(holder) = target.path.parent() {
            // The data is there already: whether its name outlasts a power failure is all that is open.
            let _ = synced(holder);
        }
        Ok(())
    }

    /// Sizes and final names of parts that are done.
    pub fn file(&self, part: &Path, rows: u64) -> Result<WrittenFile> {
        let bytes = part.metadata().map_err(|error| failed(part, &error))?.len();
        Ok(WrittenFile { path: self.shown(part).display().to_string(), rows, bytes })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn synced(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Renames where nothing is yet.
fn place(from: &Path, to: &Path) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that do not know the flag, such as NFS.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.symlink_metadata().is_ok() {
                return Err(Errno::EXIST);
            }
            renameat_with(CWD, from, CWD, to, RenameFlags::empty())
        }
        done => done,
    }
}

/// Removes stages of this target whose processes are gone.
fn sweep(holder: &Path, name: &str) {
    let beginning = format!(".{name}.");
    let Ok(entries) = std::fs::read_dir(holder) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let id = found.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix(ENDING));
        if id.is_none_or(|id| id.len() != 16 || !id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            continue;
        }
        let path = entry.path();
        if let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// The number after those of the parts that are there, so that appended rows come after the others.
fn next_part(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let numbers = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_prefix("part-")?.split('-').next()?.parse::<usize>().ok()
    });
    numbers.max().map_or(0, |last| last + 1)
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(NEXT.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(std::process::id());
    if let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        hasher.write_u128(now.as_nanos());
    }
    format!("{:016x}", hasher.finish())
}
