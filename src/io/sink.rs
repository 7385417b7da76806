//! Writing answers: Parquet to local files, visible only when they are complete.

pub mod part;
pub mod stage;
pub mod target;

use std::fs::File;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::{Code, Error, Result};

/// Writes batches to `path` under a temporary name beside it, then renames.
pub fn write_parquet(
    path: &str,
    schema: SchemaRef,
    batches: &[RecordBatch],
    compression: &str,
    mode: &str,
) -> Result<()> {
    let compression = compression_named(compression)?;
    let overwrite = match mode {
        "error" => false,
        "overwrite" => true,
        other => {
            return Err(Error::new(Code::InvalidTask, format!("there is no mode `{other}` of writing"))
                .hint("Known are error (do not touch what is there) and overwrite"));
        }
    };
    if path.contains("://") {
        return Err(Error::new(Code::InvalidTask, format!("cannot write to `{path}`: only local paths yet"))
            .hint("Write to a local path and copy it")
            .detail("unsupported", "write to an object store"));
    }
    let there = std::fs::symlink_metadata(path);
    if there.is_ok() && !overwrite {
        return Err(Error::new(Code::OutputFailed, format!("`{path}` exists already"))
            .hint("Pass mode=\"overwrite\", or another path")
            .detail("file", path));
    }
    // A link stays one: what it leads to is replaced.
    let target = match &there {
        Ok(there) if there.is_symlink() => std::fs::canonicalize(path).map_err(|error| {
            Error::new(Code::OutputFailed, format!("`{path}` is a link that leads nowhere: {error}"))
                .hint("Remove the link, or pass another path")
                .detail("file", path)
        })?,
        _ => PathBuf::from(path),
    };
    let replaced = target.metadata().ok();
    if let Some(replaced) = &replaced
        && !replaced.is_file()
    {
        let what = if replaced.is_dir() { "a directory" } else { "not a regular file" };
        return Err(Error::new(Code::OutputFailed, format!("`{path}` is {what}, which is not replaced"))
            .hint("Pass the path of a file")
            .detail("file", path));
    }
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Code::OutputFailed, format!("cannot write `{path}`: {error}")).detail("file", path)
    };
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> Result<()> {
        let file = File::create(&temporary).map_err(|error| failed(&error))?;
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer =
            ArrowWriter::try_new(&file, schema, Some(properties)).map_err(|error| failed(&error))?;
        for batch in batches {
            writer.write(batch).map_err(|error| failed(&error))?;
        }
        writer.close().map_err(|error| failed(&error))?;
        file.sync_all().map_err(|error| failed(&error))?;
        if let Some(replaced) = &replaced {
            file.set_permissions(replaced.permissions()).map_err(|error| failed(&error))?;
        }
        std::fs::rename(&temporary, &target).map_err(|error| failed(&error))
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn compression_named(name: &str) -> Result<Compression> {
    Ok(match name {
        "zstd" => Compression::ZSTD(ZstdLevel::default()),
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(GzipLevel::default()),
        "brotli" => Compression::BROTLI(BrotliLevel::default()),
        "lz4" => Compression::LZ4_RAW,
        "none" | "uncompressed" => Compression::UNCOMPRESSED,
        other => {
            return Err(Error::new(Code::InvalidTask, format!("there is no compression `{other}`"))
                .hint("Known are zstd, snappy, gzip, brotli, lz4 and none"));
        }
    })
}
