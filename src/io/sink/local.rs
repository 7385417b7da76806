//! The local file system: a hidden directory beside the target, and one rename that shows it.
//!
//! A stage is locked while its process lives. One that is left and not locked is of a process that was killed,
//! and the next write to the same target removes it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use rustix::io::Errno;

use super::flush::Flusher;
use super::occupied::check;
use super::out::{LocalFile, Out};
use super::stage::{Go, Place, part_number};
use super::target::{Mode, Target};
use super::witness::{Noted, inode};
use crate::error::{Error, Result};

/// So many files are synced one by one. A thousand of a directory each took 0.06 s by one call for the file system, and
/// 0.12 s one by one in 16 threads.
const FEW: usize = 16;

const ENDING: &str = ".rlm-tmp";

/// A directory beside the target, removed with this.
pub struct Local {
    target: Target,
    path: PathBuf,
    root: PathBuf,
    lock: File,
    flusher: Arc<Flusher>,
}

impl Local {
    pub fn begin(target: Target, path: PathBuf, id: &str) -> Result<(Self, usize)> {
        check(&target, &path)?;
        let holder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !target.single {
            std::fs::create_dir_all(&holder).map_err(|error| target.failed(&error))?;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sweep(&holder, &name);
        let first = if target.mode == Mode::Append { next_part(&path) } else { 0 };
        let root = holder.join(format!(".{name}.{id}{ENDING}"));
        loop {
            let made = std::fs::create_dir(&root).and_then(|()| File::open(&root));
            let lock = made.map_err(|error| {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let error = target.failed(&error);
                if missing { error.hint("Make the directory that is to hold it") } else { error }
            })?;
            // Where locks are not known, nothing is ever taken for left behind.
            let _ = lock.lock();
            // Another write may have taken it for left behind before it was locked.
            if root.exists() {
                let flusher = Arc::default();
                return Ok((Self { target, path, root, lock, flusher }, first));
            }
        }
    }

    fn marker(&self, directory: &Path) -> io::Result<()> {
        if self.target.marker {
            File::create(directory.join("_SUCCESS"))?.sync_all()?;
        }
        Ok(())
    }

    /// Makes all that is staged outlast a power failure: each file and directory by itself, or whatever the file system
    /// has in one call.
    fn kept(&self, names: &[String]) -> io::Result<()> {
        self.flusher.end()?;
        if names.len() > FEW {
            return Ok(syncfs(&self.lock)?);
        }
        let mut within: Vec<PathBuf> = vec![self.root.clone()];
        for name in names {
            let path = self.root.join(name);
            File::open(&path)?.sync_all()?;
            within.extend(
                path.ancestors().skip(1).take_while(|path| *path != self.root).map(Path::to_path_buf),
            );
        }
        within.iter().try_for_each(|directory| synced(directory))
    }

    fn renamed(&self, from: &Path, to: &Path) -> Result<()> {
        place(from, to).map_err(|error| match error {
            Errno::EXIST | Errno::NOTEMPTY => self.target.occupied(),
            other => self.target.failed(&io::Error::from(other)),
        })
    }

    /// The directory that is there and the stage change places, in one step. The old data is under the stage's name then,
    /// and goes with it.
    fn exchanged(&self) -> Result<()> {
        let permissions = self.path.metadata().map(|there| there.permissions());
        permissions
            .and_then(|permissions| std::fs::set_permissions(&self.root, permissions))
            .map_err(|error| self.target.failed(&error))?;
        renameat_with(CWD, &self.root, CWD, &self.path, RenameFlags::EXCHANGE).map_err(|error| {
            let why = format!("the directory cannot be exchanged for the new one ({error})");
            self.target.failed(&why).hint(
                "This file system may not know how: write to a new directory, or remove the old one first",
            )
        })
    }

    /// Gives the files that are there a second name in the stage.
    fn linked(&self) -> Result<()> {
        let linked = |(name, from): (PathBuf, PathBuf)| {
            let to = self.root.join(name);
            if let Some(holder) = to.parent() {
                std::fs::create_dir_all(holder)?;
            }
            match std::fs::hard_link(from, to) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                done => done,
            }
        };
        files(&self.path).and_then(|files| files.into_iter().try_for_each(linked)).map_err(|error| {
            let why = format!("the files that are there cannot be linked ({error})");
            self.target
                .failed(&why)
                .hint("This file system may not know how: append without partitionBy and maxRowsPerFile")
        })
    }

    /// What another writer has added since the files were linked is in the old directory alone.
    fn caught_up(&self) -> Result<()> {
        let problem = |error: io::Error| self.target.failed(&error);
        for (name, from) in files(&self.root).map_err(problem)? {
            let to = self.path.join(name);
            if !to.exists() {
                if let Some(holder) = to.parent() {
                    std::fs::create_dir_all(holder).map_err(problem)?;
                }
                self.renamed(&from, &to)?;
            }
        }
        Ok(())
    }

    /// One file for another, or where there is none.
    fn replaced(&self, name: &str, go: Go<'_>) -> Result<()> {
        let problem = |error: io::Error| self.target.failed(&error);
        let part = self.root.join(name);
        self.flusher.end().and_then(|()| File::open(&part)?.sync_all()).map_err(problem)?;
        if self.target.mode != Mode::Overwrite {
            go()?;
            return self.renamed(&part, &self.path);
        }
        if let Ok(there) = self.path.metadata() {
            std::fs::set_permissions(&part, there.permissions()).map_err(problem)?;
        }
        go()?;
        std::fs::rename(part, &self.path).map_err(problem)
    }
}

impl Place for Local {
    fn create(&self, name: &str) -> io::Result<Out> {
        let path = self.root.join(name);
        if let Some(holder) = path.parent() {
            std::fs::create_dir_all(holder)?;
        }
        Ok(Box::new(LocalFile::create(path, self.flusher.clone())?))
    }

    fn shown(&self, name: &str) -> String {
        let path = if self.target.single { self.path.clone() } else { self.path.join(name) };
        path.display().to_string()
    }

    fn noted(&self, names: &[String]) -> Result<Noted> {
        let (true, [name]) = (self.target.single, names) else { return Ok(Noted::default()) };
        let staged = self.root.join(name).metadata().map_err(|error| self.target.failed(&error))?;
        Ok(Noted { inode: Some(inode(&staged)), ..Noted::default() })
    }

    /// One step that a reader sees as a whole or not at all.
    fn commit(&self, names: &[String], go: Go<'_>) -> Result<()> {
        let target = &self.target;
        let problem = |error: io::Error| target.failed(&error);
        let there = self.path.exists();
        match (target.single, target.mode, names) {
            (true, _, [name]) => self.replaced(name, go)?,
            (true, ..) => return Err(Error::internal("one file that is not one part")),
            (false, Mode::Append, [name]) if there && !name.contains('/') => {
                self.kept(names).map_err(problem)?;
                go()?;
                self.renamed(&self.root.join(name), &self.path.join(name))?;
                self.marker(&self.path).and_then(|()| synced(&self.path)).map_err(problem)?;
            }
            (false, mode, _) => {
                let append = there && mode == Mode::Append;
                if append {
                    self.linked()?;
                }
                self.marker(&self.root).and_then(|()| self.kept(names)).map_err(problem)?;
                if there && mode == Mode::Overwrite {
                    // What came there since the run began is not lost either.
                    check(target, &self.path)?;
                }
                go()?;
                if append || there && mode == Mode::Overwrite {
                    self.exchanged()?;
                } else {
                    self.renamed(&self.root, &self.path)?;
                }
                if append {
                    self.caught_up()?;
                }
            }
        }
        if let Some(holder) = self.path.parent() {
            // The data is there already: whether its name outlasts a power failure is all that is open.
            let _ = synced(holder);
        }
        Ok(())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn synced(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// All files below a directory: their names from there, and their paths.
fn files(directory: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(within) = pending.pop() {
        for entry in std::fs::read_dir(directory.join(&within))? {
            let entry = entry?;
            let name = within.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                pending.push(name);
            } else {
                found.push((name, entry.path()));
            }
        }
    }
    Ok(found)
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
    let Ok(found) = files(directory) else { return 0 };
    let numbers = found.iter().filter_map(|(name, _)| part_number(&name.file_name()?.to_string_lossy()));
    numbers.max().map_or(0, |last| last + 1)
}
