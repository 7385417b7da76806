//! A source written whole to shared memory, for a recursive run: every call gets it, and none a copy.

use std::io;

use arrow::ipc::writer::StreamWriter;
use serde_json::json;

use super::rows::SourceFeed;
use crate::error::{Code, Error, Result};
use crate::worker::Blob;

/// All rows of a source, and what a worker has to know of them.
#[derive(Debug, Clone)]
pub struct Table {
    pub rows: Blob,
    pub facts: serde_json::Value,
}

impl Table {
    /// Reads the source; its rows may take up so many bytes. Blocks.
    pub fn read(mut source: SourceFeed, limit: u64) -> Result<Self> {
        let schema = source.schema();
        let (mut rows, mut bytes) = (0_usize, 0_u64);
        let mut fault = None;
        let failed = |error| io::Error::other(format!("{error}"));
        let written = Blob::written(|file| {
            let mut writer = StreamWriter::try_new_buffered(file, &schema).map_err(failed)?;
            loop {
                let chunk = match source.chunk() {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break,
                    Err(error) => {
                        fault = Some(error);
                        break;
                    }
                };
                rows += chunk.num_rows();
                bytes += chunk.get_array_memory_size() as u64;
                if bytes > limit {
                    fault = Some(too_large(limit));
                    break;
                }
                writer.write(&chunk).map_err(failed)?;
            }
            writer.finish().map_err(failed)
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
        let written = written.map_err(|error| {
            Error::new(Code::OutOfMemory, format!("there is no shared memory for the source: {error}"))
                .hint("Free memory, or make the source smaller")
        })?;
        Ok(Self { rows: written, facts: json!({ "first_row": 0, "rows": rows, "gaps": source.gaps() }) })
    }
}

fn too_large(limit: u64) -> Error {
    let message = format!(
        "the rows of the source take more than the run's {} MiB: a recursive task holds all of them in shared memory",
        limit.div_ceil(1 << 20)
    );
    Error::new(Code::OutOfMemory, message)
        .hint("Raise `memoryLimit`, or make it a parallel task, which takes the source chunk by chunk")
        .detail("limit_bytes", limit)
}
