//! The rows of one partition on their way to Parquet files of a stage.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::stage::Stage;
use super::target::{WrittenFile, failed};
use crate::error::{Error, Result};

pub struct PartWriter {
    stage: Arc<Stage>,
    schema: SchemaRef,
    partition: usize,
    /// Bytes of a row group that are held before it is written.
    budget: usize,
    open: Option<Open>,
    parts: Vec<(PathBuf, WrittenFile)>,
}

struct Open {
    path: PathBuf,
    file: File,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl PartWriter {
    pub fn new(stage: Arc<Stage>, schema: SchemaRef, partition: usize, budget: usize) -> Self {
        Self { stage, schema, partition, budget, open: None, parts: Vec::new() }
    }

    fn problem(&self, error: &dyn std::fmt::Display) -> Error {
        failed(&self.stage.target.path, error).hint(
            "What was there is as it was. Check the room on the disk and the permissions, and run it again",
        )
    }

    /// Writes rows; starts a further file where one has all it may have.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.begin()?,
            };
            let room = self.stage.target.max_rows.map_or(u64::MAX, |most| most - open.rows);
            let rows = usize::try_from(room).unwrap_or(usize::MAX).min(rest.num_rows());
            open.writer.write(&rest.slice(0, rows)).map_err(|error| self.problem(&error))?;
            open.rows += rows as u64;
            rest = rest.slice(rows, rest.num_rows() - rows);
            if open.writer.memory_size() > self.budget {
                open.writer.flush().map_err(|error| self.problem(&error))?;
            }
            if Some(open.rows) == self.stage.target.max_rows {
                self.end(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    /// Ends the last file. `even_empty`: a file without rows is better than none.
    pub fn finish(mut self, even_empty: bool) -> Result<Vec<(PathBuf, WrittenFile)>> {
        if let Some(open) = self.open.take() {
            self.end(open)?;
        } else if even_empty && self.parts.is_empty() {
            let open = self.begin()?;
            self.end(open)?;
        }
        Ok(self.parts)
    }

    fn begin(&self) -> Result<Open> {
        let path = self.stage.part(self.partition, self.parts.len());
        let file = File::create_new(&path).map_err(|error| self.problem(&error))?;
        let properties = WriterProperties::builder().set_compression(self.stage.target.compression).build();
        let kept = file.try_clone().map_err(|error| self.problem(&error))?;
        let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties))
            .map_err(|error| self.problem(&error))?;
        Ok(Open { path, file: kept, writer, rows: 0 })
    }

    fn end(&mut self, open: Open) -> Result<()> {
        let Open { path, file, writer, rows } = open;
        writer.close().map_err(|error| self.problem(&error))?;
        file.sync_all().map_err(|error| self.problem(&error))?;
        let written = self.stage.file(&path, rows)?;
        self.parts.push((path, written));
        Ok(())
    }
}
