//! What may be in the way of a write: what is not replaced, and what is not added to.

use std::path::Path;

use super::format;
use super::target::{Mode, Target};
use crate::error::Result;

/// What Spark and others put beside the data of a directory.
const BESIDE: [&str; 3] = ["_SUCCESS", "_metadata", "_common_metadata"];

/// Refuses what is in the way of what is asked.
pub fn check(target: &Target, path: &Path) -> Result<()> {
    let Ok(there) = path.metadata() else { return Ok(()) };
    match target.mode {
        Mode::Ignore => return Ok(()),
        Mode::Error => return Err(target.occupied()),
        Mode::Overwrite | Mode::Append => {}
    }
    if target.single {
        if !there.is_file() {
            return Err(target
                .failed(&"it is not a regular file, and is not replaced by one")
                .hint("Pass the path of a file, or add a / for a directory of that name"));
        }
        return Ok(());
    }
    if !there.is_dir() {
        return Err(target
            .failed(&"it is a file, and a directory of files was to be written there")
            .hint("Remove it, or name one file: out.parquet"));
    }
    let mut pending = vec![(path.to_path_buf(), Vec::new())];
    while let Some((directory, keys)) = pending.pop() {
        for entry in std::fs::read_dir(&directory).map_err(|error| target.failed(&error))? {
            let entry = entry.map_err(|error| target.failed(&error))?;
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
        return Err(target
            .failed(&"it holds a Delta, Iceberg or Hudi table, whose log would not know of the files")
            .hint("Write to another directory"));
    }
    if is_directory && let Some((key, _)) = name.split_once('=') {
        return Ok(Some(key.to_owned()));
    }
    let told = format::told(name).filter(|_| !is_directory && !name.starts_with(['.', '_']));
    let beside = !is_directory && (BESIDE.contains(&name) || name.starts_with('.') && name.ends_with(".crc"));
    if target.mode == Mode::Overwrite && told.is_none() && !beside {
        return Err(target.failed(&format!("`{name}` in it is no data file, and would be lost"))
            .hint("Only a directory of data files is overwritten: remove what else is in it, or write elsewhere")
            .detail("entry", name));
    }
    if target.mode == Mode::Append
        && let Some(told) = told
    {
        if told.format.name() != target.format.name() {
            let (there, new) = (told.format.title(), target.format.title());
            return Err(target.failed(&format!("`{name}` in it is {there}, and {new} was to be added"),
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
            return Err(target
                .failed(&why)
                .hint("Say the same partitionBy as the files that are there have")
                .detail("entry", name));
        }
    }
    Ok(None)
}
