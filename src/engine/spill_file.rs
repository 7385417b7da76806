//! Batches on disk for want of memory, in Arrow's stream format: written one after the other, and read so.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;

use crate::error::{Code, Error, Result};

/// Bytes of each buffer by which it is decided whether a file is compressed.
const SAMPLE: usize = 16 << 10;

/// It is if so many parts of ten are left of them, or fewer.
const PAYS: usize = 7;

/// A file that is being written.
pub struct Writing {
    file: Arc<dyn SpillFile>,
    writer: StreamWriter<BufWriter<File>>,
    /// What cannot be spilled if it fails.
    what: &'static str,
}

impl Writing {
    /// A file for batches like this one, which is not written yet.
    pub fn begin(disk: &Arc<DiskManager>, what: &'static str, like: &RecordBatch) -> Result<Self> {
        let file = disk.create_tmp_file(what)?;
        let open = File::options().write(true).open(path(&file)?).map_err(|error| failed(what, &error))?;
        let compression = compresses(like).then_some(CompressionType::LZ4_FRAME);
        let options = IpcWriteOptions::default().try_with_compression(compression)?;
        let writer = StreamWriter::try_new_with_options(BufWriter::new(open), &like.schema(), options)?;
        Ok(Self { file, writer, what })
    }

    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(|error| told(self.what, error))
    }

    pub fn finish(mut self) -> Result<Written> {
        let what = self.what;
        self.writer.finish().map_err(|error| told(what, error))?;
        let open = self.writer.into_inner().map_err(|error| told(what, error))?;
        let open = open.into_inner().map_err(|error| failed(what, error.error()))?;
        let bytes = open.metadata().map_err(|error| failed(what, &error))?.len();
        Ok(Written { file: self.file, bytes, what })
    }
}

/// A file that is complete.
pub struct Written {
    file: Arc<dyn SpillFile>,
    /// How long it is.
    pub bytes: u64,
    what: &'static str,
}

impl Written {
    /// Its batches, in order; `ahead` bytes are read at once where a buffer's own are not. The file goes with the reader.
    pub fn read(self, ahead: usize) -> Result<Reading> {
        let open = File::open(path(&self.file)?).map_err(|error| failed(self.what, &error))?;
        let reader = StreamReader::try_new(BufReader::with_capacity(ahead, open), None)?;
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
        self.reader.next().map(|batch| Ok(batch?))
    }
}

/// Whether a file of such batches is much smaller when it is compressed: judged by the beginnings of its buffers.
fn compresses(batch: &RecordBatch) -> bool {
    let (mut before, mut after) = (0, 0);
    let mut buffers = Vec::new();
    batch.columns().iter().for_each(|column| collect(&column.to_data(), &mut buffers));
    for (buffer, weight) in buffers {
        let packed = lz4_flex::block::compress(&buffer).len();
        before += weight;
        after += packed.min(buffer.len()) * weight / buffer.len().max(1);
    }
    after * 10 <= before * PAYS
}

/// The beginnings of all buffers of an array, and how many bytes each has.
fn collect(data: &ArrayData, to: &mut Vec<(Vec<u8>, usize)>) {
    for buffer in data.buffers().iter().filter(|buffer| !buffer.is_empty()) {
        to.push((buffer[..SAMPLE.min(buffer.len())].to_vec(), buffer.len()));
    }
    data.child_data().iter().for_each(|child| collect(child, to));
}

fn path(file: &Arc<dyn SpillFile>) -> Result<&std::path::Path> {
    file.path().ok_or_else(|| Error::internal("the disk manager gave a file that is not on this machine"))
}

fn told(what: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => failed(what, &error),
        other => other.into(),
    }
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

    use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::Int32Type;
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
        (written.read(4096).unwrap().map(Result::unwrap).collect(), bytes)
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
            assert_eq!(compresses(&whole), shrinks);
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
    }
}
