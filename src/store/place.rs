//! The directory of what outlives the process: a file for each key, and the rule by which files go.
//!
//! A file that nobody has used for `days` is removed, and when all of them together are larger than `limit`, those
//! that were not used for longest. A file whose lock somebody holds stays.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::log::{Found, Log};
use crate::error::{Code, Error, Result};
use crate::secrets::redact;

/// Names of files are no longer than this, whatever a key is.
const LONGEST: usize = 80;

#[derive(Debug, Clone)]
pub struct Place {
    root: PathBuf,
    days: u64,
    /// Bytes of all files together.
    limit: u64,
}

/// The file of a key, open and locked.
#[derive(Debug)]
pub struct RunFile {
    pub log: Log,
    pub found: Found,
    /// Bytes that it may grow to.
    pub limit: u64,
}

impl Place {
    pub fn new(root: PathBuf, days: u64, limit: u64) -> Self {
        Self { root, days, limit }
    }

    /// The file of a run's key. An error where another run has it.
    pub fn run(&self, key: &str) -> Result<RunFile> {
        let folder = self.folder("runs")?;
        self.clean();
        if redact::text(key) != key {
            return Err(Error::new(
                Code::InvalidTask,
                "the `idempotencyKey` holds the value of a secret, and names a file",
            )
            .hint("Make the key of something that may be seen")
            .detail("path", "options.idempotencyKey"));
        }
        let path = folder.join(file_name(key));
        let opened = Log::open(&path).map_err(|error| self.unusable(&path, &error))?;
        let Some((log, found)) = opened else { return Err(held(key)) };
        log.touch();
        Ok(RunFile { log, found, limit: self.limit })
    }

    /// Removes what is kept of a key; whether there was something.
    pub fn forget(&self, key: &str) -> Result<bool> {
        let path = self.root.join("runs").join(file_name(key));
        if !path.exists() {
            return Ok(false);
        }
        let opened = Log::open(&path).map_err(|error| self.unusable(&path, &error))?;
        let Some((log, found)) = opened else { return Err(held(key)) };
        log.remove().map_err(|error| self.unusable(&path, &error))?;
        Ok(!found.entries.is_empty())
    }

    /// A folder of the directory, which only this user may look into.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        use std::os::unix::fs::DirBuilderExt;
        let path = self.root.join(name);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| self.unusable(&path, &error))?;
        Ok(path)
    }

    /// Removes what is too old, or too much.
    pub fn clean(&self) {
        let folders = ["runs", "dead"].map(|folder| std::fs::read_dir(self.root.join(folder)));
        let mut files: Vec<(SystemTime, u64, PathBuf)> = folders
            .into_iter()
            .flatten()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let told = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
                Some((told.modified().ok()?, told.len(), entry.path()))
            })
            .collect();
        files.sort();
        let oldest = SystemTime::now().checked_sub(Duration::from_secs(self.days * 24 * 3600));
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (used, size, path) in files {
            if oldest.is_some_and(|oldest| used < oldest) || total > self.limit {
                // Nobody may be at it.
                if File::open(&path)
                    .is_ok_and(|file| file.try_lock().is_ok() && std::fs::remove_file(&path).is_ok())
                {
                    total -= size;
                }
            }
        }
    }

    /// Bytes of all files together.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub fn unusable(&self, path: &Path, error: &io::Error) -> Error {
        let message = format!("`{}` cannot be used to keep what a run has done: {error}", path.display());
        Error::new(Code::OutputFailed, message)
            .hint("Make room there or name another directory with the setting `state_dir`")
            .detail("path", path.to_string_lossy().into_owned())
    }
}

fn held(key: &str) -> Error {
    let message = format!("another run has the key \"{key}\" now, and a key has one run at a time");
    Error::new(Code::InvalidTask, message)
        .hint("Wait until that run is done, or use another `idempotencyKey`")
        .detail("path", "options.idempotencyKey")
        .detail("key", key)
}

/// A name that can be read where the key allows it, and that no other key has.
fn file_name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if !key.is_empty() && key.len() <= LONGEST && key.chars().all(plain) {
        return format!("{key}.log");
    }
    let readable: String = key.chars().map(|c| if plain(c) { c } else { '_' }).take(LONGEST / 2).collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{readable}.{hex}.log")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::store::log::look;

    #[test]
    fn keys_have_files_of_their_own() {
        let keys = ["a", "A", "a/b", "a_b", "../a", "", "ä", &"x".repeat(500), &"x".repeat(501)];
        let names: std::collections::HashSet<_> = keys.iter().map(|key| file_name(key)).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|name| name.len() < 128 && !name.contains('/')));
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_what_is_held_stays() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("deep").join("down");
        let place = Place::new(root.clone(), 7, 1 << 20);
        for key in ["old", "first", "second", "held"] {
            let mut file = place.run(key).unwrap();
            file.log.append(&json!({}), &[&[1; 1200]]).unwrap();
        }
        let path = |key: &str| root.join("runs").join(file_name(key));
        let ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        let age = |key: &str, days| {
            File::options().write(true).open(path(key)).unwrap().set_modified(ago(days)).unwrap()
        };
        let held = place.run("held").unwrap();
        for (key, days) in [("old", 8), ("first", 2), ("second", 1), ("held", 9)] {
            age(key, days);
        }
        let place = Place::new(root.clone(), 7, 3000);
        drop(place.run("new").unwrap());
        let left: Vec<bool> =
            ["old", "first", "second", "held"].iter().map(|key| path(key).exists()).collect();
        assert_eq!(left, [false, false, true, true]);
        drop(held);
        assert!(place.forget("second").unwrap() && !place.forget("second").unwrap());
        assert_eq!(look(&path("new")).unwrap().entries.len(), 0);
    }
}
