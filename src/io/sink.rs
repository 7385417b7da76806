//! Writing answers: Parquet to a local file, visible only when it is complete.

use std::fs::File;
use std::path::Path;

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
    overwrite: bool,
) -> Result<()> {
    let compression = compression_named(compression)?;
    if path.contains("://") {
        return Err(Error::new(Code::InvalidTask, format!("cannot write to `{path}`: only local files yet"))
            .hint("Write locally and copy it")
            .detail("unsupported", "write to an object store"));
    }
    let target = Path::new(path);
    if target.is_dir() || target.exists() && !overwrite {
        return Err(Error::new(Code::OutputFailed, format!("`{path}` exists already"))
            .hint("Pass mode=\"overwrite\", or another path")
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
        std::fs::rename(&temporary, target).map_err(|error| failed(&error))
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
