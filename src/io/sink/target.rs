//! What a task asks to be written where, checked before any work.

use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use serde::{Deserialize, Serialize};
use url::Url;

use super::compression_named;
use crate::error::{Code, Error, Result};
use crate::io::store::redacted;

/// What happens to what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    Error,
    Overwrite,
    Append,
    Ignore,
}

/// The `output` of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    pub url: String,
    pub mode: Mode,
    pub compression: Option<String>,
    pub max_rows_per_file: Option<u64>,
    pub success_marker: bool,
}

/// Where an answer goes, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// As the user wrote it.
    pub url: String,
    pub path: PathBuf,
    /// One file; else a directory of part files.
    pub single: bool,
    pub mode: Mode,
    pub compression: Compression,
    pub max_rows: Option<u64>,
    pub marker: bool,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    pub url: String,
    pub files: Vec<WrittenFile>,
    /// Whether nothing was done because something was there already (mode `ignore`).
    pub skipped: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct WrittenFile {
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
}

const ENDINGS: [&str; 3] = [".parquet", ".parq", ".pq"];
/// Of formats that are not written: a name with such an ending is not meant to be a directory of Parquet files.
const OTHERS: [&str; 11] =
    [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".arrow", ".feather", ".ipc", ".avro", ".orc"];
/// What Spark and others put beside the data of a directory.
const BESIDE: [&str; 3] = ["_SUCCESS", "_metadata", "_common_metadata"];

fn invalid(path: &'static str, message: String, hint: &'static str) -> Error {
    Error::new(Code::InvalidTask, message).hint(hint).detail("path", path)
}

impl Target {
    pub fn new(asked: &Asked) -> Result<Self> {
        let path = local_path(&asked.url)?;
        let directory = asked.url.ends_with('/');
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
        let Some(name) = name else {
            return Err(invalid(
                "output.url",
                format!("output.url is `{}`, which has no name of its own", asked.url),
                "Give the path of a file (out.parquet) or of a directory",
            ));
        };
        if !directory && let Some(ending) = OTHERS.iter().find(|ending| name.ends_with(**ending)) {
            return Err(invalid(
                "output.url",
                format!("output.url ends in {ending}, and this version writes Parquet alone"),
                "Name it .parquet, or add a / for a directory of Parquet files",
            )
            .detail("unsupported", "output.format"));
        }
        let single = !directory && ENDINGS.iter().any(|ending| name.ends_with(ending));
        if single {
            let wrong = [
                (asked.mode == Mode::Append, "output.mode", "\"append\" adds files to a directory"),
                (asked.max_rows_per_file.is_some(), "output.maxRowsPerFile", "splits a directory into files"),
                (asked.success_marker, "output.successMarker", "marks a directory"),
            ];
            if let Some((_, key, why)) = wrong.into_iter().find(|(given, ..)| *given) {
                return Err(invalid(
                    key,
                    format!("{key}: {why}, and output.url is one file: its name ends as one does"),
                    "Leave the ending away, or add a / for a directory of that name",
                ));
            }
        }
        if asked.mode == Mode::Append && asked.max_rows_per_file.is_some() {
            return Err(invalid(
                "output.maxRowsPerFile",
                "output.maxRowsPerFile is not for mode \"append\", which adds one file in one step"
                    .to_owned(),
                "Leave it out, or write to a new directory",
            ));
        }
        // A link stays one: what it leads to is written.
        let path = if path.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
            std::fs::canonicalize(&path).map_err(|error| {
                failed(&path, &format!("it is a link that leads nowhere ({error})")).hint("Remove the link")
            })?
        } else {
            std::path::absolute(&path).map_err(|error| failed(&path, &error))?
        };
        let target = Self {
            url: asked.url.clone(),
            path,
            single,
            mode: asked.mode,
            compression: compression_named(asked.compression.as_deref().unwrap_or("zstd"))?,
            max_rows: asked.max_rows_per_file,
            marker: asked.success_marker,
        };
        target.check()?;
        Ok(target)
    }

    pub fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Mode `ignore`, and something is there.
    pub fn skips(&self) -> bool {
        self.mode == Mode::Ignore && self.exists()
    }

    /// Refuses what is in the way of what is asked.
    pub fn check(&self) -> Result<()> {
        let Ok(there) = self.path.metadata() else { return Ok(()) };
        match self.mode {
            Mode::Ignore => return Ok(()),
            Mode::Error => return Err(self.occupied()),
            Mode::Overwrite | Mode::Append => {}
        }
        if self.single {
            if !there.is_file() {
                return Err(failed(&self.path, &"it is not a regular file, and is not replaced by one")
                    .hint("Pass the path of a file, or add a / for a directory of that name"));
            }
            return Ok(());
        }
        if !there.is_dir() {
            return Err(failed(
                &self.path,
                &"it is a file, and a directory of files was to be written there",
            )
            .hint("Remove it, or name one file: out.parquet"));
        }
        for entry in std::fs::read_dir(&self.path).map_err(|error| failed(&self.path, &error))? {
            let entry = entry.map_err(|error| failed(&self.path, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && matches!(name.as_str(), "_delta_log" | "metadata" | ".hoodie") {
                return Err(failed(
                    &self.path,
                    &"it holds a Delta, Iceberg or Hudi table, whose log would not know of the files",
                )
                .hint("Write to another directory"));
            }
            let lower = name.to_ascii_lowercase();
            let ours = !is_directory
                && (ENDINGS.iter().any(|ending| lower.ends_with(ending))
                    || BESIDE.contains(&name.as_str())
                    || name.starts_with('.') && name.ends_with(".crc"));
            if self.mode == Mode::Overwrite && !ours {
                return Err(failed(
                    &self.path,
                    &format!("`{name}` in it is no Parquet file, and would be lost"),
                )
                .hint("Only a directory of Parquet files is overwritten: remove what else is in it, or write elsewhere")
                .detail("entry", name));
            }
        }
        Ok(())
    }

    pub fn occupied(&self) -> Error {
        failed(&self.path, &"it exists already")
            .hint("Say mode \"overwrite\", \"append\" or \"ignore\", or write elsewhere")
    }
}

/// The error of something that could not be written.
pub fn failed(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let shown = path.display().to_string();
    Error::new(Code::OutputFailed, format!("cannot write `{shown}`: {why}")).detail("file", shown)
}

fn local_path(url: &str) -> Result<PathBuf> {
    if !url.contains("://") {
        return Ok(match url.strip_prefix("~/").zip(std::env::var_os("HOME")) {
            Some((rest, home)) => Path::new(&home).join(rest),
            None => PathBuf::from(url),
        });
    }
    let parsed = Url::parse(url).map_err(|error| {
        invalid("output.url", format!("output.url is not an address: {error}"), "Write it as file:///path")
    })?;
    if parsed.scheme() != "file" {
        let message = format!("cannot write to `{}`: this version writes local files", redacted(&parsed));
        return Err(invalid("output.url", message, "Write to a local path and copy it to the store")
            .detail("unsupported", "write to an object store"));
    }
    parsed.to_file_path().map_err(|()| {
        invalid(
            "output.url",
            format!("`{url}` is not the address of a local file"),
            "Write file:///absolute/path",
        )
    })
}
