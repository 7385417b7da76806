//! From what the user wrote as `source` to the list of files it means, in reading order.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::fetch::listed;
use super::look::look;
use super::memory_store::SCHEME as MEMORY;
use super::source::files::told;
use super::source::footers::Footers;
use super::source::hive::{self, Keys};
use super::source::parquet;
use super::store::{Stores, base, redacted};
use crate::error::{Code, Error, Result};
use crate::secrets::redact;

/// One file of a source.
#[derive(Clone)]
pub struct FileRef {
    /// What errors and `explain()` call it.
    pub name: Arc<str>,
    pub place: Place,
    pub size: u64,
    /// What the names of the directories below the source say of its rows.
    pub keys: Keys,
    /// Changes when the file does: its time, or its tag in the store.
    pub stamp: Arc<str>,
    /// Its tag in the store, if that has some.
    pub tag: Option<Arc<str>>,
}

#[derive(Clone)]
pub enum Place {
    Local(PathBuf),
    Remote(Arc<dyn ObjectStore>, ObjectPath),
}

/// The files that a path, glob, directory or URL stands for, sorted by name.
pub async fn resolve(source: &str, stores: &Stores, footers: &Footers) -> Result<Vec<FileRef>> {
    match address(source) {
        // One letter is a Windows drive.
        Ok(url) if url.scheme().len() > 1 && source.contains("://") => match url.scheme() {
            "file" => {
                let path = url.to_file_path().map_err(|()| {
                    Error::new(Code::InvalidTask, format!("`{source}` is not a URL of a local file"))
                        .hint("Write file:///absolute/path")
                })?;
                local(&path.to_string_lossy(), source)
            }
            _ => remote(&url, stores, footers).await,
        },
        // What looks like an address and is none is not repeated: it may hold a password.
        Err(error) if source.contains("://") => {
            Err(Error::new(Code::InvalidTask, format!("the source is not an address: {error}"))
                .hint("Write it as s3://bucket/path, with special characters in percent form")
                .detail("path", "input.source"))
        }
        _ => local(source, source),
    }
}

/// The address that the user wrote. Keys of object stores have no query and no fragment: what would begin one is a
/// character of the key there, or a question mark of a glob. A query of `name=value` is none, and stays one.
pub fn address(text: &str) -> Result<Url, url::ParseError> {
    let Some((scheme, rest)) = text.split_once("://") else { return Url::parse(text) };
    let lower = scheme.to_ascii_lowercase();
    if matches!(lower.as_str(), "http" | "https" | "file") {
        return Url::parse(text);
    }
    // As in fsspec: what stands where others have a bucket is the beginning of the key.
    let (scheme, rest) = match lower == MEMORY {
        true => (MEMORY, format!("/{}", rest.trim_start_matches('/'))),
        false => (scheme, rest.to_owned()),
    };
    let query = rest.split_once('?').map(|(_, query)| query.split('/').next().unwrap_or_default());
    if query.is_some_and(|query| query.contains('=')) {
        return Url::parse(&format!("{scheme}://{rest}"));
    }
    Url::parse(&format!("{scheme}://{}", rest.replace('?', "%3F").replace('#', "%23")))
}

fn has_magic(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Spark, Hive and editors leave files that are not data; their names begin so.
fn hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// As files; but a key of a partition may begin with an underscore.
fn hidden_directory(name: &str) -> bool {
    name.starts_with('.') || name.starts_with('_') && !name.contains('=')
}

fn is_data(name: &str) -> bool {
    told(name).is_some()
}

fn not_found(name: &str) -> Error {
    Error::new(Code::SourceNotFound, format!("the source `{name}` does not exist"))
        .hint("Check the spelling; relative paths start at the current directory")
        .detail("source", name)
}

fn local(path: &str, name: &str) -> Result<Vec<FileRef>> {
    let path = match path.strip_prefix("~/").zip(std::env::var_os("HOME")) {
        Some((rest, home)) => FsPath::new(&home).join(rest),
        None => PathBuf::from(path),
    };
    if path.is_dir() {
        return local_directory(&path, name);
    }
    match path.try_exists() {
        Ok(true) => return Ok(vec![local_file(path)?]),
        Ok(false) => {}
        Err(error) => return Err(unreadable(name, &error)),
    }
    let text = path.to_string_lossy();
    if !has_magic(&text) {
        return Err(not_found(name));
    }
    let matches = glob::glob(&text).map_err(|error| {
        Error::new(Code::InvalidTask, format!("`{name}` is not a glob: {error}"))
            .detail("path", "input.source")
    })?;
    let mut files = Vec::new();
    for found in matches {
        let found = found.map_err(|error| unreadable(&error.path().to_string_lossy(), error.error()))?;
        let file_name = found.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if found.is_dir() {
            files.extend(local_directory(&found, name)?);
        } else if !hidden(&file_name) {
            files.push(local_file(found)?);
        }
    }
    if files.is_empty() {
        return Err(Error::new(Code::SourceNotFound, format!("no file matches `{name}`"))
            .hint("Check the pattern; `*` stays within one directory, `**/` goes through all below")
            .detail("source", name));
    }
    sorted(files)
}

fn local_file(path: PathBuf) -> Result<FileRef> {
    let name: Arc<str> = path.to_string_lossy().into();
    refuse_format(&name)?;
    let metadata = path.metadata().map_err(|error| unreadable(&name, &error))?;
    if !metadata.is_file() {
        return Err(Error::new(Code::SourceUnreadable, format!("`{name}` is not a regular file"))
            .hint("Files are read at several places at once: a pipe or device cannot be a source")
            .detail("file", &*name));
    }
    let time = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let stamp = time.map_or_else(String::new, |time| time.as_nanos().to_string()).into();
    let (size, place, keys) = (metadata.len(), Place::Local(path), Keys::default());
    Ok(FileRef { name, size, place, stamp, tag: None, keys })
}

fn local_directory(root: &FsPath, name: &str) -> Result<Vec<FileRef>> {
    let mut files = Vec::new();
    let mut others = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        let shown = directory.to_string_lossy().into_owned();
        let entries = std::fs::read_dir(&directory).map_err(|error| unreadable(&shown, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| unreadable(&shown, &error))?.path();
            let file_name =
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let holder = directory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            refuse_table(&holder, &file_name, name)?;
            if path.is_dir() {
                if !hidden_directory(&file_name) {
                    pending.push(path);
                }
                continue;
            }
            if hidden(&file_name) {
                continue;
            }
            if is_data(&file_name) {
                let below = directory.strip_prefix(root).unwrap_or(&directory);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                let mut file = local_file(path)?;
                file.keys = hive::keys(parts.iter().map(|part| &**part), &file.name)?;
                files.push(file);
            } else {
                others.push(file_name);
            }
        }
    }
    non_empty(files, others, name)
}

async fn remote(url: &Url, stores: &Stores, footers: &Footers) -> Result<Vec<FileRef>> {
    let store = stores.for_url(url)?;
    let base = base(url);
    let path = percent_decoded(url.path());
    let path = path.trim_start_matches('/');
    let name = redacted(url);
    let file = |meta: object_store::ObjectMeta| FileRef {
        name: format!("{base}/{}", meta.location).into(),
        size: meta.size,
        tag: meta.e_tag.as_deref().map(Arc::from),
        stamp: match meta.e_tag {
            // Tags of memory are counted from 0 in every process.
            Some(tag) if url.scheme() == MEMORY => {
                format!("{tag} of {}", meta.last_modified.timestamp_micros()).into()
            }
            Some(tag) => tag.into(),
            None => meta.last_modified.to_rfc3339().into(),
        },
        place: Place::Remote(store.clone(), meta.location),
        keys: Keys::default(),
    };

    if url.password().is_some() && !url.scheme().starts_with("http") {
        return Err(Error::new(
            Code::InvalidTask,
            format!(
                "the source `{name}` was given with credentials in its address, which are not used there"
            ),
        )
        .hint("Pass them as storage_options of the client, or in the environment")
        .detail("path", "input.source"));
    }
    if url.query().is_some() {
        return Err(Error::new(
            Code::InvalidTask,
            format!("the source `{name}` has a query, which this version does not send"),
        )
        .hint("Use a plain address, or the store's own scheme with storage_options")
        .detail("path", "input.source"));
    }
    if url.scheme().starts_with("http") {
        let location = object_path(path, &name)?;
        let meta = store.head(&location).await.map_err(|error| store_error(&name, &error))?;
        return Ok(vec![file(meta)]);
    }
    let mut pattern = if has_magic(path) {
        let pattern = glob::Pattern::new(path.trim_end_matches('/')).map_err(|error| {
            Error::new(Code::InvalidTask, format!("`{name}` is not a glob: {error}"))
                .detail("path", "input.source")
        })?;
        Some(pattern)
    } else {
        None
    };
    // A star is hardly ever part of a name; brackets and question marks may be, as on a disk.
    if !path.contains('*') && !path.is_empty() && !path.ends_with('/') {
        // A single object is asked for first; a prefix or a pattern has none of exactly its name.
        let location = object_path(path, &name)?;
        let tails = matches!(url.scheme(), "s3" | "s3a" | "gs" | "gcs")
            && told(path).is_some_and(|told| told.is_parquet());
        let with_tail = tails && !footers.knows(&store, &location);
        if let Some(found) = look(store.as_ref(), &location, &name, with_tail).await? {
            refuse_format(&name)?;
            let file = file(found.meta);
            if let Some(tail) = &found.tail {
                parquet::keep_footer(&file, tail, footers);
            }
            return Ok(vec![file]);
        }
    }
    if pattern.is_some() && !path.contains('*') {
        // As on a disk, a directory of exactly that name goes first.
        let prefix = object_path(path.trim_end_matches('/'), &name)?;
        let first = store.list(Some(&prefix)).try_next().await;
        if first.map_err(|error| store_error(&name, &error))?.is_some() {
            pattern = None;
        }
    }
    let fixed = match &pattern {
        Some(_) => path.split('/').take_while(|part| !has_magic(part)).collect::<Vec<_>>().join("/"),
        None => path.trim_end_matches('/').to_owned(),
    };
    let prefix = object_path(&fixed, &name)?;
    let listed = listed(store.as_ref(), &prefix).await.map_err(|error| store_error(&name, &error))?;
    let mut files = Vec::new();
    let mut others = Vec::new();
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    for meta in listed {
        let location = meta.location.to_string();
        let below = location.strip_prefix(fixed.as_str()).unwrap_or(&location).trim_start_matches('/');
        let mut parts: Vec<&str> = below.split('/').collect();
        let file_name = parts.pop().unwrap_or_default();
        let holders = parts.iter().zip(parts.iter().skip(1).copied().chain([file_name]));
        for (holder, inner) in [("", parts.first().copied().unwrap_or_default())]
            .into_iter()
            .chain(holders.map(|(a, b)| (*a, b)))
        {
            refuse_table(holder, inner, &name)?;
        }
        if hidden(file_name)
            || parts.iter().any(|part| hidden_directory(part))
            || meta.size == 0 && !is_data(file_name)
        {
            continue;
        }
        match &pattern {
            Some(pattern) => {
                // As on a disk, a pattern may name the files or the directories that hold them.
                let matches = pattern.matches_with(&location, options);
                let holder = location.rsplit_once('/').map_or("", |(holder, _)| holder);
                if matches || is_data(file_name) && pattern.matches_with(holder, options) {
                    files.push(file(meta));
                }
            }
            None => {
                if is_data(file_name) {
                    let mut file = file(meta.clone());
                    file.keys = hive::keys(parts.iter().copied(), &file.name)?;
                    files.push(file);
                } else {
                    others.push(file_name.to_owned());
                }
            }
        }
    }
    non_empty(files, others, &name)
}

pub fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn object_path(path: &str, name: &str) -> Result<ObjectPath> {
    ObjectPath::parse(path).map_err(|error| {
        Error::new(Code::InvalidTask, format!("`{name}` is not a path in an object store: {error}"))
            .detail("path", "input.source")
    })
}

/// Formats that are told by a file's name, and are not read.
const OTHERS: [(&str, &str); 5] =
    [(".orc", "an ORC"), (".xlsx", "an Excel"), (".xls", "an Excel"), (".zip", "a ZIP"), (".tar", "a tar")];

fn refuse_format(name: &str) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    match OTHERS.iter().find(|(ending, _)| lower.ends_with(ending)) {
        None => Ok(()),
        Some((_, format)) => Err(Error::new(
            Code::InvalidTask,
            format!("`{name}` is {format} file, which this version does not read"),
        )
        .hint(match *format {
            "an ORC" => "Give what `pyarrow.orc.ORCFile(path).read()` returns as the source, or its stripes one by one",
            _ => "Convert or unpack it, or read it with pandas, Polars or pyarrow and give that as the source",
        })
        .detail("path", "input.source")
        .detail("unsupported", *format)),
    }
}

/// Tables whose log says which files belong to them: reading all files would read removed rows as well.
fn refuse_table(holder: &str, name: &str, source: &str) -> Result<()> {
    let format = match name {
        "_delta_log" => "Delta Lake",
        ".hoodie" => "Hudi",
        other if holder == "metadata" && other.ends_with(".metadata.json") => "Iceberg",
        _ => return Ok(()),
    };
    Err(Error::new(
        Code::InvalidTask,
        format!("the source `{source}` is a {format} table, which this version cannot read"),
    )
    .hint("Its log says which of the files are valid: give `deltalake.DeltaTable(path)`, or a table of `pyiceberg`, as the source")
    .detail("path", "input.source")
    .detail("unsupported", format))
}

fn non_empty(files: Vec<FileRef>, mut others: Vec<String>, name: &str) -> Result<Vec<FileRef>> {
    if !files.is_empty() {
        return sorted(files);
    }
    others.sort();
    others.iter().try_for_each(|other| refuse_format(&format!("{}/{other}", name.trim_end_matches('/'))))?;
    let error = Error::new(Code::SourceNotFound, format!("the source `{name}` holds no files of data"));
    others.truncate(3);
    let error = match others.as_slice() {
        [] => error.hint("Check the path; names of data end in .parquet, .csv, .jsonl, .arrow or .avro"),
        some => error.hint(format!(
            "It holds {}; names end in .parquet, .csv, .jsonl, .arrow or .avro (a glob takes any ending)",
            some.join(", ")
        )),
    };
    Err(error.detail("source", name))
}

fn sorted(mut files: Vec<FileRef>) -> Result<Vec<FileRef>> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// A local file or directory that exists and could not be read.
pub fn unreadable(name: &str, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let (code, hint) = match error.kind() {
        NotFound => {
            (Code::SourceNotFound, "Check the spelling, and whether something removes files meanwhile")
        }
        PermissionDenied => {
            (Code::SourceUnreadable, "Give this process the right to read it, or leave it out")
        }
        _ => (Code::SourceUnreadable, "Check the disk and the file, or leave it out"),
    };
    Error::new(code, format!("cannot read `{name}`: {error}")).hint(hint).detail("file", name)
}

/// What a store answered, with the object's name and without anything secret.
pub fn store_error(name: &str, error: &object_store::Error) -> Error {
    use object_store::Error as E;
    // A secret that the store needs, and that could not be read.
    if let Some(ours) = Error::within(error) {
        return ours.clone();
    }
    let (code, what, hint) = match error {
        E::NotFound { .. } => (Code::SourceNotFound, "it does not exist", "Check bucket and key"),
        other if let Some(code) = expired(other) => {
            let what = format!("the credentials have expired or are not valid ({code})");
            return Error::new(Code::SourceUnreadable, format!("cannot read `{name}`: {what}"))
                .hint("Renew them; with `storage_options` by secret name they are asked for again at each request")
                .detail("file", name);
        }
        other if matches!(other, E::PermissionDenied { .. }) || answered(other, 403) => {
            (Code::SourceUnreadable, "the store refuses access", "Check that these credentials may read it")
        }
        other if matches!(other, E::Unauthenticated { .. }) || answered(other, 401) => (
            Code::SourceUnreadable,
            "the store does not accept the credentials",
            "Check the AWS_* variables or storage_options",
        ),
        other if other.to_string().contains("NoSuchBucket") => (
            Code::SourceNotFound,
            "the bucket does not exist",
            "Check the bucket, the region and the endpoint",
        ),
        other => {
            // Transport errors name the request's address, never a header; the query may hold a signature.
            let text = redact::owned(root_cause(other));
            // What follows is the body of the answer, of any length and origin.
            let text = text.split(['?', '<', '\n']).next().unwrap_or_default();
            let text = text.trim_end_matches([' ', ':']).to_owned();
            return Error::new(Code::SourceUnreadable, format!("cannot read `{name}`: {text}"))
                .hint("Check the endpoint, the region and the network")
                .detail("file", name);
        }
    };
    Error::new(code, format!("cannot read `{name}`: {what}")).hint(hint).detail("file", name)
}

/// What a store calls credentials that it does not take (any more), in the body of its answer.
pub(super) fn expired(error: &object_store::Error) -> Option<&'static str> {
    use object_store::Error as E;
    if !matches!(error, E::PermissionDenied { .. } | E::Unauthenticated { .. } | E::Generic { .. }) {
        return None;
    }
    let text = root_cause(error);
    let codes = ["ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"];
    codes.into_iter().find(|code| text.contains(code))
}

/// Whether a store answered with this status, where the error does not say so itself: that of a listing.
pub(super) fn answered(error: &object_store::Error, status: u16) -> bool {
    matches!(error, object_store::Error::Generic { .. })
        && root_cause(error).starts_with(&format!("Server returned non-2xx status code: {status} "))
}

pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
