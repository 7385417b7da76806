//! The feed of a source: its rows in chunks, in their order, written to shared memory for the workers.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use serde_json::json;

use super::feed::{Fed, Feed, Parcel};
use crate::engine::control::Control;
use crate::engine::morsels::{MorselQueue, MorselReaders};
use crate::engine::scan::{MorselReader, Scan, morsels};
use crate::engine::scan_cost::Cost;
use crate::error::{Code, Error, Result};
use crate::io::source::Source;
use crate::runtime::answer::{handed_out, plain_schema};
use crate::worker::Blob;

/// Rows of a chunk that the task leaves to the engine: enough to be worth a call, few enough to share.
const FEWEST: u64 = 16_384;
const MOST: u64 = 1 << 20;

/// Rows of a chunk where the task leaves them to the engine.
pub fn auto(source: &Source, workers: u64) -> u64 {
    (source.rows() / (4 * workers.max(1))).clamp(FEWEST, MOST)
}

pub struct SourceFeed {
    readers: MorselReaders,
    current: Option<MorselReader>,
    chunks: u64,
    handed: u64,
    row: u64,
    gaps: serde_json::Value,
    schema: SchemaRef,
}

impl SourceFeed {
    pub fn new(
        source: Source,
        chunk_rows: Option<u64>,
        workers: u64,
        control: Arc<Control>,
        io: tokio::runtime::Handle,
    ) -> Self {
        let chunk_rows = chunk_rows.unwrap_or_else(|| auto(&source, workers));
        let chunk_rows = usize::try_from(chunk_rows).unwrap_or(usize::MAX).max(1);
        let gaps = source.gaps().into();
        let scan = Arc::new(Scan {
            // Pieces are for threads that share a row group; here one reads.
            morsels: morsels(&source, |_, _| true, 1),
            columns: (0..source.columns().len()).collect(),
            early: None,
            stages: None,
            only_asked: Vec::new(),
            keys: Vec::new(),
            dictionaries: Vec::new(),
            row_numbers: false,
            chunk_rows,
            cost: Cost::default(),
            // They go on with offsets.
            texts_as_they_are: true,
            control,
            io,
            source,
        });
        let (chunks, schema) = (scan.chunks(), plain_schema(&scan.schema()));
        let queue = Arc::new(MorselQueue::new(scan.clone(), 0..scan.morsels.len()));
        Self { readers: MorselReaders::new(queue), current: None, chunks, handed: 0, row: 0, gaps, schema }
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// The columns of its chunks, as workers get them.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Columns whose type has to have room for missing values in every chunk.
    pub fn gaps(&self) -> &serde_json::Value {
        &self.gaps
    }

    /// The next chunk; None at the end.
    pub fn chunk(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(reader) = &mut self.current
                && let Some(chunk) = reader.next_chunk()?
            {
                return handed_out(&chunk, &self.schema).map(Some);
            }
            self.current = self.readers.next_reader()?;
            if self.current.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Feed for SourceFeed {
    fn next(&mut self, _: u64) -> Result<Fed> {
        let Some(chunk) = self.chunk()? else { return Ok(Fed::Over) };
        let rows = chunk.num_rows() as u64;
        let (number, first_row) = (self.handed, self.row);
        self.handed += 1;
        self.row += rows;
        let written = Blob::written(|file| {
            let failed = |error| io::Error::other(format!("{error}"));
            let mut writer = StreamWriter::try_new_buffered(file, &chunk.schema()).map_err(failed)?;
            writer.write(&chunk).map_err(failed)?;
            writer.finish().map_err(failed)
        });
        let blob = written.map_err(|error| {
            Error::new(Code::OutOfMemory, format!("there is no shared memory for a chunk: {error}"))
                .hint("Free memory, or lower `chunkSize`")
        })?;
        let last = first_row + rows.saturating_sub(1);
        Ok(Fed::Parcel(Parcel {
            first: number,
            count: 1,
            payload: vec![blob],
            more: json!({ "first_row": first_row, "rows": rows, "gaps": self.gaps }),
            label: Some(format!("chunk {number} (rows {first_row} to {last})")),
            units: rows,
            prints: Vec::new(),
        }))
    }

    /// Whole morsels that are done are not read.
    fn skip(&mut self, most: u64) -> Result<Fed> {
        let passed = if self.current.is_none() { self.readers.pass_over(most) } else { 0 };
        if passed == 0 {
            return match self.chunk()? {
                None => Ok(Fed::Over),
                Some(chunk) => {
                    self.row += chunk.num_rows() as u64;
                    self.handed += 1;
                    Ok(Fed::Parcel(Parcel::of(self.handed - 1, 1, Vec::new())))
                }
            };
        }
        let first = self.handed;
        self.handed += passed;
        self.row = self.readers.row();
        Ok(Fed::Parcel(Parcel::of(first, passed, Vec::new())))
    }

    fn left(&self) -> Option<u64> {
        Some(self.chunks.saturating_sub(self.handed))
    }
}
