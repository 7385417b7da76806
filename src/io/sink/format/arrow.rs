//! Arrow IPC: files, and streams where the name says so.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::{Encoder, Fault, Format, How, within};
use crate::io::sink::out::Out;
use crate::io::sink::pack::Codec;
use crate::io::sink::sample::Ahead;

pub struct Arrow;

/// About what the place of a batch takes; it is kept to the end of the file.
const PLACE: usize = 64;

impl Format for Arrow {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn title(&self) -> &'static str {
        "Arrow IPC"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".arrow", ".arrows", ".feather", ".ipc"]
    }

    fn codecs(&self) -> &'static [Codec] {
        &[Codec::None, Codec::Lz4, Codec::Zstd]
    }

    /// Batches of a file share one dictionary, which is not known before the last one: values are stored instead.
    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str> {
        match data_type {
            DataType::Dictionary(_, values) => self.stored(values),
            other => within(other, &|inner| self.stored(inner)),
        }
    }

    fn open(&self, out: Out, schema: SchemaRef, how: How, _: Ahead<'_>) -> Result<Box<dyn Encoder>, Fault> {
        let compression = match how.codec {
            Codec::None => None,
            Codec::Lz4 => Some(CompressionType::LZ4_FRAME),
            Codec::Zstd => Some(CompressionType::ZSTD),
            other => return Err(format!("Arrow IPC is not compressed by {}", other.name()).into()),
        };
        let options = IpcWriteOptions::default().try_with_compression(compression)?;
        Ok(if how.ending == ".arrows" {
            Box::new(Stream(StreamWriter::try_new_with_options(out, &schema, options)?))
        } else {
            Box::new(File { writer: FileWriter::try_new_with_options(out, &schema, options)?, batches: 0 })
        })
    }
}

struct File {
    writer: FileWriter<Out>,
    batches: usize,
}

impl Encoder for File {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        self.batches += 1;
        Ok(self.writer.write(batch)?)
    }

    fn held(&self) -> usize {
        self.batches * PLACE + self.writer.get_ref().held()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn park(&mut self) -> Result<(), Fault> {
        Ok(self.writer.get_mut().park()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Out, Fault> {
        self.writer.finish()?;
        Ok(self.writer.into_inner()?)
    }
}

struct Stream(StreamWriter<Out>);

impl Encoder for Stream {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        Ok(self.0.write(batch)?)
    }

    fn held(&self) -> usize {
        self.0.get_ref().held()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn park(&mut self) -> Result<(), Fault> {
        Ok(self.0.get_mut().park()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Out, Fault> {
        self.0.finish()?;
        Ok(self.0.into_inner()?)
    }
}
