//! The local file system: a hidden directory beside the target, one rename that shows it, and what may be in the way.
//!
//! A stage is locked while its process lives. One that is left and not locked is of a process that was killed,
//! and the next write to the same target removes it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use rustix::io::Errno;

use super::format;
use super::out::{LocalFile, Out};
use super::stage::{Place, part_number};
use super::target::{Mode, Target, failed};
use crate::error::{Error, Result};

/// So many files are synced one by one.
const FEW: usize = 16;

const ENDING: &str = ".rlm-tmp";

/// What Spark and others put beside the data of a directory.
const BESIDE: [&str; 3] = ["_SUCCESS", "_metadata", "_common_metadata"];

/// A directory beside the target, removed with this.
pub struct Local {
    target: Target,
    root: PathBuf,
    lock: File,
}

impl Local {
    pub fn begin(target: Target, id: &str) -> Result<(Self, usize)> {
        check(&target)?;
        let holder = target.path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !target.single {
            std::fs::create_dir_all(&holder).map_err(|error| failed(&target.path, &error))?;
        }
        let name =
            target.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sweep(&holder, &name);
        let first = if target.mode == Mode::Append { next_part(&target.path) } else { 0 };
        let root = holder.join(format!(".{name}.{id}{ENDING}"));
        loop {
            let made = std::fs::create_dir(&root).and_then(|()| File::open(&root));
            let lock = made.map_err(|error| {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let error = failed(&target.path, &error);
                if missing { error.hint("Make the directory that is to hold it") } else { error }
            })?;
            // Where locks are not known, nothing is ever taken for left behind.
            let _ = lock.lock();
            // Another write may have taken it for left behind before it was locked.
            if root.exists() {
                return Ok((Self { target, root, lock }, first));
            }
        }
    }

    fn marker(&self, directory: &Path) -> io::Result<()> {
        if self.target.marker {
            File::create(directory.join("_SUCCESS"))?.sync_all()?;
        }
        Ok(())
    }

    /// Makes the files outlast a power failure: each by itself, or all that the file system has in one call.
    fn kept(&self, names: &[String]) -> io::Result<()> {
        if names.len() > FEW {
            return Ok(syncfs(&self.lock)?);
        }
        names.iter().try_for_each(|name| File::open(self.root.join(name))?.sync_all())
    }

    fn problem(&self, error: &dyn std::fmt::Display) -> Error {
        failed(&self.target.path, error)
    }

    fn renamed(&self, from: &Path, to: &Path) -> Result<()> {
        place(from, to).map_err(|error| match error {
            Errno::EXIST | Errno::NOTEMPTY => self.target.occupied(),
            other => self.problem(&io::Error::from(other)),
        })
    }

    /// The directory that is there and the stage change places, in one step.
    fn exchanged(&self) -> Result<()> {
        let target = &self.target;
        let permissions = target.path.metadata().map(|there| there.permissions());
        permissions
            .and_then(|permissions| std::fs::set_permissions(&self.root, permissions))
            .and_then(|()| synced(&self.root))
            .map_err(|error| self.problem(&error))?;
        renameat_with(CWD, &self.root, CWD, &target.path, RenameFlags::EXCHANGE).map_err(|error| {
            self.problem(&format!("the directory cannot be exchanged for the new one ({error})")).hint(
                "This file system may not know how: write to a new directory, or remove the old one first",
            )
        })
    }

    /// Adds files of several names in one step: the old files get a second name in the stage, and it takes the place of
    /// the directory.
    fn appended(&self) -> Result<()> {
        let target = &self.target;
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
        let all = |of: &Path| files(of).and_then(|files| files.into_iter().try_for_each(linked));
        all(&target.path).map_err(|error| {
            self.problem(&format!("the files that are there cannot be linked ({error})"))
                .hint("This file system may not know how: append without partitionBy and maxRowsPerFile")
        })?;
        self.marker(&self.root).map_err(|error| self.problem(&error))?;
        self.exchanged()?;
        // What another writer has added since the files were linked is in the old directory alone.
        for (name, from) in files(&self.root).map_err(|error| self.problem(&error))? {
            let to = target.path.join(name);
            if !to.exists() {
                if let Some(holder) = to.parent() {
                    std::fs::create_dir_all(holder).map_err(|error| self.problem(&error))?;
                }
                self.renamed(&from, &to)?;
            }
        }
        Ok(())
    }
}

impl Place for Local {
    fn create(&self, name: &str) -> io::Result<Out> {
        let path = self.root.join(name);
        if let Some(holder) = path.parent() {
            std::fs::create_dir_all(holder)?;
        }
        Ok(Box::new(LocalFile::create(path)?))
    }

    fn shown(&self, name: &str) -> String {
        let path = if self.target.single { self.target.path.clone() } else { self.target.path.join(name) };
        path.display().to_string()
    }

    /// One step that a reader sees as a whole or not at all.
    fn commit(&self, names: &[String]) -> Result<()> {
        let target = &self.target;
        let problem = |error: io::Error| self.problem(&error);
        self.kept(names).map_err(problem)?;
        match (target.single, target.mode, names) {
            (true, Mode::Overwrite, [name]) => {
                let part = self.root.join(name);
                if let Ok(there) = target.path.metadata() {
                    std::fs::set_permissions(&part, there.permissions()).map_err(problem)?;
                }
                std::fs::rename(part, &target.path).map_err(problem)?;
            }
            (true, _, [name]) => self.renamed(&self.root.join(name), &target.path)?,
            (true, ..) => return Err(Error::internal("one file that is not one part")),
            (false, Mode::Append, [name]) if target.exists() && !name.contains('/') => {
                self.renamed(&self.root.join(name), &target.path.join(name))?;
                self.marker(&target.path).and_then(|()| synced(&target.path)).map_err(problem)?;
            }
            (false, Mode::Append, []) if target.exists() => self.marker(&target.path).map_err(problem)?,
            (false, Mode::Append, _) if target.exists() => self.appended()?,
            (false, mode, _) => {
                self.marker(&self.root).and_then(|()| synced(&self.root)).map_err(problem)?;
                if mode == Mode::Overwrite && target.exists() {
                    // What came there since the run began is not lost either. The old data is under the stage's name
                    // then, and goes with it.
                    check(target)?;
                    self.exchanged()?;
                } else {
                    self.renamed(&self.root, &target.path)?;
                }
            }
        }
        if let Some(holder) = target.path.parent() {
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

/// Makes the names in a directory, and in those below it, outlast a power failure.
fn synced(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name().to_string_lossy().contains('=') {
            synced(&entry.path())?;
        }
    }
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

/// Refuses what is in the way of what is asked.
pub fn check(target: &Target) -> Result<()> {
    let Ok(there) = target.path.metadata() else { return Ok(()) };
    match target.mode {
        Mode::Ignore => return Ok(()),
        Mode::Error => return Err(target.occupied()),
        Mode::Overwrite | Mode::Append => {}
    }
    if target.single {
        if !there.is_file() {
            return Err(failed(&target.path, &"it is not a regular file, and is not replaced by one")
                .hint("Pass the path of a file, or add a / for a directory of that name"));
        }
        return Ok(());
    }
    if !there.is_dir() {
        return Err(failed(&target.path, &"it is a file, and a directory of files was to be written there")
            .hint("Remove it, or name one file: out.parquet"));
    }
    let mut pending = vec![(target.path.clone(), Vec::new())];
    while let Some((directory, keys)) = pending.pop() {
        for entry in std::fs::read_dir(&directory).map_err(|error| failed(&directory, &error))? {
            let entry = entry.map_err(|error| failed(&directory, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let Some(key) = judged(target, &name, is_directory, &keys)? {
                let keys = keys.iter().cloned().chain([key]).collect();
                pending.push((entry.path(), keys));
            }
        }
    }
    Ok(())
}

/// What an entry of a directory that is overwritten or appended to means; for a directory that is looked into, its key.
/// `keys` are those of the directories that it is in.
pub fn judged(target: &Target, name: &str, is_directory: bool, keys: &[String]) -> Result<Option<String>> {
    if is_directory && matches!(name, "_delta_log" | "metadata" | ".hoodie") {
        return Err(failed(
            &target.path,
            &"it holds a Delta, Iceberg or Hudi table, whose log would not know of the files",
        )
        .hint("Write to another directory"));
    }
    if is_directory && let Some((key, _)) = name.split_once('=') {
        return Ok(Some(key.to_owned()));
    }
    let told = format::told(name).filter(|_| !is_directory && !name.starts_with(['.', '_']));
    let beside = !is_directory && (BESIDE.contains(&name) || name.starts_with('.') && name.ends_with(".crc"));
    if target.mode == Mode::Overwrite && told.is_none() && !beside {
        return Err(failed(&target.path, &format!("`{name}` in it is no data file, and would be lost"))
            .hint("Only a directory of data files is overwritten: remove what else is in it, or write elsewhere")
            .detail("entry", name));
    }
    if target.mode == Mode::Append
        && let Some(told) = told
    {
        if told.format.name() != target.format.name() {
            let (there, new) = (told.format.title(), target.format.title());
            return Err(failed(
                &target.path,
                &format!("`{name}` in it is {there}, and {new} was to be added"),
            )
            .hint("Readers take a directory to be of one format: write to another one, or overwrite this one")
            .detail("entry", name));
        }
        if *keys != target.partition_by {
            let list = |keys: &[String]| match keys {
                [] => "not partitioned".to_owned(),
                keys => format!("partitioned by {}", keys.join(", ")),
            };
            let why = format!(
                "`{name}` in it is {}, and the rows to be added are {}",
                list(keys),
                list(&target.partition_by)
            );
            return Err(failed(&target.path, &why)
                .hint("Say the same partitionBy as the files that are there have")
                .detail("entry", name));
        }
    }
    Ok(None)
}
