//! Files of blocks: a batch each, behind its length.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;

use super::block::{Layout, with_scratch};
use crate::engine::join::output::held;
use crate::error::{Code, Error, Result};

/// Bytes of a block's length.
const LENGTH: usize = size_of::<u64>();

/// Batches of more bytes are several blocks.
const MOST: usize = 1 << 30;

/// A file that is being written.
pub struct Writing {
    file: Arc<dyn SpillFile>,
    open: File,
    layout: Arc<Layout>,
    bytes: u64,
    /// What cannot be spilled if it fails.
    what: &'static str,
}

impl Writing {
    /// A file for batches like this one, which is not written yet.
    pub fn begin(disk: &Arc<DiskManager>, what: &'static str, like: &RecordBatch) -> Result<Self> {
        let file = disk.create_tmp_file(what)?;
        let open = File::options().write(true).open(path(&file)?).map_err(|error| failed(what, &error))?;
        Ok(Self { file, open, layout: Arc::new(Layout::of(like)?), bytes: 0, what })
    }

    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows > 1 && batch.get_array_memory_size() > MOST && held(batch) > MOST {
            self.add(&batch.slice(0, rows / 2))?;
            return self.add(&batch.slice(rows / 2, rows - rows / 2));
        }
        with_scratch(|scratch| {
            scratch.block.extend_from_slice(&[0; LENGTH]);
            self.layout.put(batch, scratch)?;
            let length = (scratch.block.len() - LENGTH) as u64;
            scratch.block[..LENGTH].copy_from_slice(&length.to_le_bytes());
            self.write(&scratch.block)
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.open.write_all(bytes).map_err(|error| failed(self.what, &error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub fn finish(mut self) -> Result<Written> {
        // No block is empty: that is the end.
        self.write(&[0; LENGTH])?;
        Ok(Written { file: self.file, bytes: self.bytes, layout: self.layout, what: self.what })
    }
}

/// A file that is complete.
pub struct Written {
    file: Arc<dyn SpillFile>,
    /// How long it is.
    pub bytes: u64,
    layout: Arc<Layout>,
    what: &'static str,
}

impl Written {
    /// Its batches, in order. The file goes with the reader.
    pub fn read(self) -> Result<Reading> {
        let Self { file, layout, what, bytes } = self;
        let mut open = File::open(path(&file)?).map_err(|error| unreadable(what, &error))?;
        let mut length = [0; LENGTH];
        open.read_exact(&mut length).map_err(|error| unreadable(what, &error))?;
        Ok(Reading { _file: file, open, next: u64::from_le_bytes(length), most: bytes, layout, what })
    }
}

pub struct Reading {
    _file: Arc<dyn SpillFile>,
    open: File,
    /// How long the next block is; 0 at the end.
    next: u64,
    /// No block is as long.
    most: u64,
    layout: Arc<Layout>,
    what: &'static str,
}

impl Reading {
    /// The next batch. The length of the block behind it is read with it.
    fn block(&mut self) -> Result<RecordBatch> {
        let length = usize::try_from(self.next).ok().filter(|_| self.next < self.most);
        self.next = 0;
        let length = length.ok_or_else(super::block::Input::damaged)?;
        with_scratch(|scratch| {
            scratch.block.resize(length + LENGTH, 0);
            self.open.read_exact(&mut scratch.block).map_err(|error| unreadable(self.what, &error))?;
            let (block, next) = scratch.block.split_at(length);
            let mut bytes = [0; LENGTH];
            bytes.copy_from_slice(next);
            self.next = u64::from_le_bytes(bytes);
            self.layout.take(block)
        })
    }
}

impl Iterator for Reading {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next > 0).then(|| self.block())
    }
}

fn path(file: &Arc<dyn SpillFile>) -> Result<&std::path::Path> {
    file.path().ok_or_else(|| Error::internal("the disk manager gave a file that is not on this machine"))
}

fn unreadable(what: &str, error: &std::io::Error) -> Error {
    Error::internal(format!("{what} in `spill_dir` cannot be read back: {error}"))
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::new(
        Code::OutOfMemory,
        format!("{what} that do not fit the memory limit cannot be spilled: {error}"),
    )
    .hint("Free space in `spill_dir`, name another directory, or give more memory with `memory_limit`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatchOptions, StringViewArray};
    use arrow::datatypes::{Int32Type, Schema};
    use datafusion::execution::disk_manager::DiskManagerBuilder;

    use super::*;

    /// A number that looks like chance.
    fn chance(n: i64) -> i64 {
        let n = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) as i64
    }

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        RecordBatch::try_from_iter(columns.into_iter().enumerate().map(|(n, c)| (n.to_string(), c))).unwrap()
    }

    fn kept(batches: &[RecordBatch]) -> (Vec<RecordBatch>, u64) {
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let mut writing = Writing::begin(&disk, "rows", &batches[0]).unwrap();
        batches.iter().for_each(|batch| writing.add(batch).unwrap());
        let written = writing.finish().unwrap();
        let bytes = written.bytes;
        (written.read().unwrap().map(Result::unwrap).collect(), bytes)
    }

    #[test]
    fn what_comes_back_is_what_went_and_only_what_shrinks_is_compressed() {
        let rows = 0..20_000;
        let texts = rows.clone().map(|n| (n % 7 > 0).then(|| format!("a text of some length {}", n % 90)));
        let like: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.clone())),
            Arc::new(texts.collect::<StringViewArray>()),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                rows.clone().map(|n| (n % 5 > 0).then(|| vec![Some(n as i32); n as usize % 3])),
            )),
        ];
        let unlike: Vec<ArrayRef> = vec![Arc::new(
            rows.map(|n| Some(f64::from_bits(chance(n) as u64 >> 2))).collect::<Float64Array>(),
        )];
        for (columns, shrinks) in [(like, true), (unlike, false)] {
            let whole = batch(columns);
            assert_eq!(Layout::of(&whole).unwrap().packs(), shrinks);
            let parts = [whole.slice(0, 9_000), whole.slice(9_000, 11_000)];
            let (found, bytes) = kept(&parts);
            assert_eq!(found, parts);
            assert_eq!(bytes < whole.get_array_memory_size() as u64 * 2 / 3, shrinks, "{bytes}");
        }
    }

    #[test]
    fn a_batch_without_columns_or_rows_is_no_reason_to_compress_or_fail() {
        let empty = batch(vec![Arc::new(Int64Array::from(Vec::<i64>::new()))]);
        assert_eq!(kept(std::slice::from_ref(&empty)).0, [empty]);
        let schema = Arc::new(Schema::empty());
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let rows = RecordBatch::try_new_with_options(schema, Vec::new(), &options).unwrap();
        assert_eq!(kept(std::slice::from_ref(&rows)).0, [rows]);
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let rows = batch(vec![Arc::new(Int64Array::from_iter_values(0..100))]);
        let mut writing = Writing::begin(&disk, "rows", &rows).unwrap();
        writing.add(&rows).unwrap();
        writing.add(&rows).unwrap();
        let written = writing.finish().unwrap();
        File::options()
            .write(true)
            .open(path(&written.file).unwrap())
            .unwrap()
            .set_len(written.bytes - 9)
            .unwrap();
        let found: Vec<_> = written.read().unwrap().collect();
        assert!(found.len() == 2 && found[0].is_ok() && found[1].is_err(), "{found:?}");
    }
}
