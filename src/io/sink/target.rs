//! What a task asks to be written where, checked before any work.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::format::{self, Format, How};
use super::occupied;
use super::pack::Codec;
use super::remote::{Remote, Sinks};
use super::witness::Witness;
use crate::error::{Code, Error, Result};
use crate::io::location::address;
use crate::io::store::redacted;
use crate::secrets::urls;

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
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub partition_by: Vec<String>,
    pub mode: Mode,
    #[serde(default)]
    pub compression: Option<String>,
    #[serde(default)]
    pub max_rows_per_file: Option<u64>,
    #[serde(default)]
    pub success_marker: bool,
}

/// Where an answer goes, and how.
#[derive(Clone)]
pub struct Target {
    /// As the user wrote it.
    pub url: String,
    pub home: Home,
    /// As errors and the list of files have it: a path, or an address without credentials.
    pub shown: String,
    /// One file; else a directory of part files.
    pub single: bool,
    pub mode: Mode,
    pub format: &'static dyn Format,
    pub how: How,
    /// Columns that become directories.
    pub partition_by: Vec<String>,
    pub max_rows: Option<u64>,
    pub marker: bool,
    /// Who is to know what is shown, of a task that must not write twice.
    pub witness: Option<Arc<dyn Witness>>,
}

/// Where a target is.
#[derive(Clone)]
pub enum Home {
    Local(PathBuf),
    Remote(Remote),
}

impl Home {
    /// The last part of the name that the user gave.
    fn name(&self, url: &str) -> Option<String> {
        match self {
            Self::Remote(remote) => remote.path.filename().map(str::to_owned),
            // A link may lead to a file of another name; what counts is what was said.
            Self::Local(path) => {
                let said = url.trim_end_matches('/').rsplit('/').next().filter(|_| !url.contains("://"));
                let named = |name: &&str| !matches!(*name, "" | "." | ".." | "~");
                let of_path = || path.file_name().map(|name| name.to_string_lossy().into_owned());
                said.filter(named).map(str::to_owned).or_else(of_path)
            }
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    pub url: String,
    pub files: Vec<WrittenFile>,
    /// Whether nothing was done because something was there already (mode `ignore`).
    pub skipped: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WrittenFile {
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
}

/// Endings of files that are not written: no such name is meant to be a directory.
const OTHERS: [&str; 10] =
    [".txt", ".orc", ".xlsx", ".xls", ".pickle", ".pkl", ".h5", ".hdf5", ".html", ".xml"];

fn invalid(path: &'static str, message: String, hint: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidTask, message).hint(hint).detail("path", path)
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {} ({:?})", self.shown, self.format.title(), self.mode)
    }
}

impl Target {
    pub fn new(asked: &Asked, stores: Option<&Sinks<'_>>) -> Result<Self> {
        let target = Self::unchecked(asked, stores)?;
        target.check()?;
        Ok(target)
    }

    /// The same, whatever is in the way.
    pub fn unchecked(asked: &Asked, stores: Option<&Sinks<'_>>) -> Result<Self> {
        let (home, shown) = home(&asked.url, stores)?;
        let Some(name) = home.name(&asked.url) else {
            return Err(invalid(
                "output.url",
                format!("output.url is `{}`, which has no name of its own", asked.url),
                "Give the path of a file (out.parquet) or of a directory",
            ));
        };
        let kind = Kind::of(asked, &name)?;
        if kind.single {
            only_for_directories(asked)?;
        }
        let target = Self {
            url: asked.url.clone(),
            home,
            shown,
            single: kind.single,
            mode: asked.mode,
            format: kind.format,
            how: kind.how,
            partition_by: asked.partition_by.clone(),
            max_rows: asked.max_rows_per_file,
            marker: asked.success_marker,
            witness: None,
        };
        Ok(target)
    }

    /// Refuses what is in the way on this machine.
    pub fn check(&self) -> Result<()> {
        match &self.home {
            Home::Local(path) => occupied::check(self, path),
            Home::Remote(_) => Ok(()),
        }
    }

    /// The same, written by so many threads where one file, or one after the other, takes all rows.
    pub fn by(mut self, threads: usize) -> Self {
        let threads = if self.partition_by.is_empty() { threads } else { 1 };
        self.how.threads = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
        self
    }

    /// Mode `ignore`, and something is there. Blocks.
    pub fn skips(&self) -> Result<bool> {
        if self.mode != Mode::Ignore {
            return Ok(false);
        }
        match &self.home {
            Home::Local(path) => Ok(path.symlink_metadata().is_ok()),
            Home::Remote(remote) => remote.exists(self),
        }
    }

    /// The error of a target that could not be written.
    pub fn failed(&self, why: &dyn std::fmt::Display) -> Error {
        failed(&self.shown, why)
    }

    pub fn occupied(&self) -> Error {
        self.failed(&"it exists already")
            .hint("Say mode \"overwrite\", \"append\" or \"ignore\", or write elsewhere")
    }

    /// What the names of part files end in.
    pub fn ending(&self) -> String {
        let packed = if self.format.is_text() { self.how.codec.ending() } else { "" };
        format!("{}{packed}", self.how.ending)
    }
}

/// What the name, `format` and `compression` say together.
struct Kind {
    single: bool,
    format: &'static dyn Format,
    how: How,
}

impl Kind {
    fn of(asked: &Asked, name: &str) -> Result<Self> {
        let directory = asked.url.ends_with('/');
        let said = match asked.format.as_deref() {
            None => None,
            Some(said) => Some(format::named(said).ok_or_else(|| {
                let known: Vec<_> = format::FORMATS.iter().map(|format| format.name()).collect();
                let hint = format!("Known are {}", known.join(", "));
                invalid("output.format", format!("there is no format `{said}` to write"), hint)
            })?),
        };
        let lower = name.to_ascii_lowercase();
        let told = format::told(name);
        if let (Some(said), Some(told), false) = (said, &told, directory)
            && said.name() != told.format.name()
        {
            return Err(invalid(
                "output.format",
                format!(
                    "output.format is {}, and `{name}` is the name of a {} file",
                    said.name(),
                    told.format.title()
                ),
                "Leave one of them away, or add a / for a directory of that name",
            ));
        }
        let (stem, packed) = Codec::told(&lower);
        let plain_text = said.is_some_and(|said| said.is_text()) && stem.ends_with(".txt");
        if told.is_none()
            && !plain_text
            && !directory
            && let Some(ending) = OTHERS.iter().find(|ending| lower.ends_with(**ending))
        {
            return Err(invalid(
                "output.url",
                format!("output.url ends in {ending}, which is no format that is written"),
                "Name it .parquet, .csv, .jsonl, .arrow or .avro, or add a / for a directory of that name",
            )
            .detail("unsupported", "output.format"));
        }
        let single = !directory && (told.is_some() || plain_text);
        let parquet = format::FORMATS[0];
        let format = said.or(told.as_ref().map(|told| told.format)).unwrap_or(parquet);
        let of_name = told.as_ref().filter(|told| told.format.name() == format.name());
        let ending = of_name.map_or(format.endings()[0], |told| told.ending);
        let in_name = of_name.and_then(|told| told.codec).or(packed.filter(|_| plain_text));
        let codec = match asked.compression.as_deref() {
            None => in_name.unwrap_or(format.codecs()[0]),
            Some(name) => {
                let found = Codec::named(name).filter(|codec| format.codecs().contains(codec));
                found.ok_or_else(|| {
                    let known: Vec<_> = format.codecs().iter().map(|codec| codec.name()).collect();
                    invalid(
                        "output.compression",
                        format!("{} is not compressed by {name}", format.title()),
                        format!("Known are {}", known.join(", ")),
                    )
                })?
            }
        };
        if single && format.is_text() && codec != in_name.unwrap_or(Codec::None) {
            return Err(invalid(
                "output.compression",
                format!("output.compression is {}, and the name `{name}` says otherwise", codec.name()),
                format!("Name it {}{}, as readers know it by its name", bare(name, in_name), codec.ending()),
            ));
        }
        Ok(Self { single, format, how: How { codec, ending, threads: NonZero::<usize>::MIN } })
    }
}

/// A name without what says how it is compressed.
fn bare(name: &str, codec: Option<Codec>) -> &str {
    match (codec, name.rfind('.')) {
        (Some(_), Some(dot)) => &name[..dot],
        _ => name,
    }
}

fn only_for_directories(asked: &Asked) -> Result<()> {
    let wrong = [
        (asked.mode == Mode::Append, "output.mode", "\"append\" adds files to a directory"),
        (asked.max_rows_per_file.is_some(), "output.maxRowsPerFile", "splits a directory into files"),
        (asked.success_marker, "output.successMarker", "marks a directory"),
        (!asked.partition_by.is_empty(), "output.partitionBy", "makes directories"),
    ];
    match wrong.into_iter().find(|(given, ..)| *given) {
        None => Ok(()),
        Some((_, key, why)) => Err(invalid(
            key,
            format!("{key}: {why}, and output.url is one file: its name ends as one does"),
            "Leave the ending away, or add a / for a directory of that name",
        )),
    }
}

fn failed(shown: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(Code::OutputFailed, format!("cannot write `{shown}`: {why}")).detail("file", shown)
}

/// A path, and what is to be made of it.
fn local(url: &str) -> PathBuf {
    match url.strip_prefix("~/").zip(std::env::var_os("HOME")) {
        Some((rest, home)) => Path::new(&home).join(rest),
        None => PathBuf::from(url),
    }
}

/// A link stays one: what it leads to is written.
fn followed(path: PathBuf) -> Result<PathBuf> {
    let shown = path.display().to_string();
    if path.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
        return std::fs::canonicalize(&path).map_err(|error| {
            failed(&shown, &format!("it is a link that leads nowhere ({error})")).hint("Remove the link")
        });
    }
    std::path::absolute(&path).map_err(|error| failed(&shown, &error))
}

/// Where the target of an address is; of a store that is not opened yet nothing is asked.
fn home(url: &str, stores: Option<&Sinks<'_>>) -> Result<(Home, String)> {
    if !url.contains("://") {
        let path = followed(local(url))?;
        let shown = path.display().to_string();
        return Ok((Home::Local(path), shown));
    }
    let parsed = address(url).map_err(|error| {
        invalid(
            "output.url",
            format!("output.url is not an address: {error}"),
            "Write it as s3://bucket/path",
        )
    })?;
    if parsed.scheme() == "file" {
        let path = parsed.to_file_path().map_err(|()| {
            invalid(
                "output.url",
                format!("`{url}` is not the address of a local file"),
                "Write file:///absolute/path",
            )
        })?;
        let path = followed(path)?;
        let shown = path.display().to_string();
        return Ok((Home::Local(path), shown));
    }
    urls::add_credentials(url);
    let shown = redacted(&parsed);
    if parsed.query().is_some() {
        let message = format!("`{shown}` has a query, and the names of objects have none");
        return Err(invalid("output.url", message, "Pass what it says as storage_options of the client"));
    }
    if matches!(parsed.scheme(), "http" | "https") {
        let message = format!("cannot write to `{shown}`: web servers are read alone");
        return Err(invalid(
            "output.url",
            message,
            "Write to a local path or to s3://, gs://, az:// or memory://",
        ));
    }
    let Some(stores) = stores else {
        let message = format!("cannot write to `{shown}` from here: the client of this result is gone");
        return Err(invalid("output.url", message, "Keep the client open while its results are written"));
    };
    let remote = Remote::new(&parsed, stores)?;
    Ok((Home::Remote(remote), shown.trim_end_matches('/').to_owned()))
}
