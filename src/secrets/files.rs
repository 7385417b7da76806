//! Secrets in a directory, a file each: as Docker and Kubernetes mount them.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::provider::{Found, Provider, unavailable};
use super::value::{LONGEST, SecretValue};
use crate::error::{Code, Error, Result};

#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The file of a name; none for a name that would lead elsewhere.
    fn path(&self, name: &str) -> Option<PathBuf> {
        (!name.starts_with('.') && !name.contains(['/', '\0'])).then(|| self.directory.join(name))
    }
}

impl Provider for Files {
    fn describe(&self) -> String {
        format!("files in {}", self.directory.display())
    }

    fn get(&self, name: &str) -> Result<Option<Found>> {
        let Some(path) = self.path(name) else { return Ok(None) };
        let read = match read(&path) {
            Ok(read) => read,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(unavailable(name, &self.describe(), &error.to_string())),
        };
        Ok(Some(Found::at_hand(SecretValue::checked(name, without_line_end(read))?)))
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        let failed = |error: io::Error| {
            Error::new(Code::SourceUnreadable, format!("cannot list {}: {error}", self.describe()))
        };
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if missing(&error) => return Ok(Some(Vec::new())),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Links count: Kubernetes has nothing else.
            if !name.starts_with('.') && entry.path().is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(Some(names))
    }

    fn set(&self, name: &str, value: &SecretValue) -> Result<bool> {
        let Some(path) = self.path(name) else { return Ok(false) };
        if !self.directory.is_dir() {
            return Ok(false);
        }
        write(&path, value.reveal().as_bytes()).map_err(|error| {
            Error::new(
                Code::OutputFailed,
                format!("cannot write the secret `{name}` to {}: {error}", self.describe()),
            )
            .detail("secret", name)
        })?;
        Ok(true)
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    // One more than is taken, so that it is seen to be too long.
    file.take(LONGEST as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Editors end files with a line end, which is no part of a secret.
fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

/// Writes a file that only its owner may read, at once.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_secrets_and_nothing_outside_is() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("outside"), "outside").unwrap();
        let directory = home.path().join("secrets");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("plain"), "plain value\r\n").unwrap();
        fs::write(directory.join(".hidden"), "hidden").unwrap();
        std::os::unix::fs::symlink(directory.join("plain"), directory.join("linked")).unwrap();
        let files = Files::new(&directory);
        for name in ["plain", "linked"] {
            assert_eq!(files.get(name).unwrap().unwrap().value.reveal(), "plain value");
        }
        for name in ["none", "../outside", ".hidden", "..", "plain/x"] {
            assert!(files.get(name).unwrap().is_none(), "{name}");
        }
        assert_eq!(files.names().unwrap().unwrap(), ["linked", "plain"]);
        assert!(files.set("new", &SecretValue::new("new value")).unwrap());
        assert_eq!(files.get("new").unwrap().unwrap().value.reveal(), "new value");
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(directory.join("new")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!files.set("../outside", &SecretValue::new("new value")).unwrap());
        assert!(Files::new(home.path().join("none")).names().unwrap().unwrap().is_empty());
    }
}
