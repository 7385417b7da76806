//! Sorted pieces on disk: written a block of rows at a time, and read so.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::disk_manager::DiskManager;

use crate::engine::owned_exec::compacted;
use crate::engine::spill_file::{self, Reading, Written};
use crate::error::{Error, Result};

/// A piece that is complete.
pub struct Piece {
    written: Written,
    pub rows: usize,
    /// What its rows take in memory, all of them together.
    pub bytes: usize,
    /// How long the file is.
    pub on_disk: u64,
    /// What its largest block takes in memory.
    pub block: usize,
    /// Its first row and its last one.
    pub ends: [RecordBatch; 2],
}

/// A piece that is being written.
pub struct Writing {
    disk: Arc<DiskManager>,
    /// From the first block on.
    writing: Option<spill_file::Writing>,
    rows: usize,
    bytes: usize,
    block: usize,
    ends: Option<[RecordBatch; 2]>,
}

impl Writing {
    pub fn begin(disk: &Arc<DiskManager>) -> Self {
        Self { disk: disk.clone(), writing: None, rows: 0, bytes: 0, block: 0, ends: None }
    }

    /// `keys` are the bytes that the block's keys take.
    pub fn add(&mut self, block: &RecordBatch, keys: usize) -> Result<()> {
        if block.num_rows() == 0 {
            return Ok(());
        }
        let last = block.slice(block.num_rows() - 1, 1);
        match &mut self.ends {
            Some([_, end]) => *end = last,
            none => *none = Some([compacted(&block.slice(0, 1))?, last]),
        }
        self.rows += block.num_rows();
        let bytes = block.get_array_memory_size();
        self.bytes += bytes;
        self.block = self.block.max(bytes + keys);
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => none.insert(spill_file::Writing::begin(&self.disk, "rows of a sort", block)?),
        };
        writing.add(block)
    }

    pub fn finish(self) -> Result<Piece> {
        let (Some(writing), Some([first, last])) = (self.writing, self.ends) else {
            return Err(Error::internal("a sorted piece without rows"));
        };
        let ends = [first, compacted(&last)?];
        let written = writing.finish()?;
        let on_disk = written.bytes;
        Ok(Piece { written, rows: self.rows, bytes: self.bytes, on_disk, block: self.block, ends })
    }
}

impl Piece {
    /// Its blocks, in order. The file goes with the reader.
    pub fn read(self) -> Result<Reading> {
        self.written.read()
    }
}
