//! Sorted pieces on disk, in Arrow's stream format: written a block of rows at a time, and read so.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;

use crate::error::{Code, Error, Result};

/// Bytes that are read at once where a block's own are not.
const READ: usize = 4 << 10;

/// A piece that is complete.
pub struct Piece {
    file: Arc<dyn SpillFile>,
    pub rows: usize,
    /// How long the file is.
    pub bytes: usize,
    /// What its largest block takes in memory.
    pub block: usize,
}

/// A piece that is being written.
pub struct Writing {
    file: Arc<dyn SpillFile>,
    writer: StreamWriter<BufWriter<File>>,
    rows: usize,
    block: usize,
}

impl Writing {
    pub fn begin(disk: &Arc<DiskManager>, schema: &SchemaRef) -> Result<Self> {
        let file = disk.create_tmp_file("sort")?;
        let open = File::options().write(true).open(path(&file)?).map_err(failed)?;
        let writer = StreamWriter::try_new(BufWriter::new(open), schema)?;
        Ok(Self { file, writer, rows: 0, block: 0 })
    }

    /// `keys` are the bytes that the block's keys take.
    pub fn add(&mut self, block: &RecordBatch, keys: usize) -> Result<()> {
        self.rows += block.num_rows();
        self.block = self.block.max(block.get_array_memory_size() + keys);
        self.writer.write(block).map_err(|error| match error {
            arrow::error::ArrowError::IoError(_, error) => failed(error),
            other => other.into(),
        })
    }

    pub fn finish(mut self) -> Result<Piece> {
        self.writer.finish()?;
        let open = self.writer.into_inner()?.into_inner().map_err(|error| failed(error.into_error()))?;
        let bytes = open.metadata().map_err(failed)?.len();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Piece { file: self.file, rows: self.rows, bytes, block: self.block })
    }
}

impl Piece {
    /// Its blocks, in order. The file goes with the reader.
    pub fn read(self) -> Result<Reading> {
        let open = File::open(path(&self.file)?).map_err(failed)?;
        let reader = StreamReader::try_new(BufReader::with_capacity(READ, open), None)?;
        Ok(Reading { _file: self.file, reader })
    }
}

pub struct Reading {
    _file: Arc<dyn SpillFile>,
    reader: StreamReader<BufReader<File>>,
}

impl Iterator for Reading {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next().map(|block| Ok(block?))
    }
}

fn path(file: &Arc<dyn SpillFile>) -> Result<&std::path::Path> {
    file.path().ok_or_else(|| Error::internal("the disk manager gave a file that is not on this machine"))
}

fn failed(error: std::io::Error) -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("rows that are sorted and do not fit the memory limit cannot be spilled: {error}"),
    )
    .hint("Free space in `spill_dir`, name another directory, or give more memory with `memory_limit`")
}
