//! Avro object container files.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::format::AvroOcfFormat;
use arrow_avro::writer::{Writer, WriterBuilder};
use parking_lot::Mutex;

use super::{Encoder, Fault, Format, How, within};
use crate::io::sink::bytes_of;
use crate::io::sink::out::Out;
use crate::io::sink::pack::Codec;
use crate::io::sink::sample::Ahead;

pub struct Avro;

/// Rows of a block; smaller batches are put together first.
const BLOCK: usize = 16 << 10;

impl Format for Avro {
    fn name(&self) -> &'static str {
        "avro"
    }

    fn title(&self) -> &'static str {
        "Avro"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".avro"]
    }

    fn codecs(&self) -> &'static [Codec] {
        // Every reader has deflate.
        &[Codec::Deflate, Codec::Snappy, Codec::Zstd, Codec::Bzip2, Codec::Xz, Codec::None]
    }

    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str> {
        match data_type {
            DataType::Dictionary(_, values) => self.stored(values),
            // Its instants are of no zone.
            DataType::Timestamp(unit, Some(_)) => Ok(DataType::Timestamp(*unit, Some("+00:00".into()))),
            DataType::UInt64 => Err("has no unsigned integers of 64 bits"),
            DataType::Float16 => Ok(DataType::Float32),
            DataType::Duration(_) => Err("has no durations that others read"),
            DataType::Date64 => Ok(DataType::Date32),
            DataType::Time32(TimeUnit::Second) => Ok(DataType::Time32(TimeUnit::Millisecond)),
            DataType::Time64(TimeUnit::Nanosecond) => Err("has times of a microsecond at best"),
            DataType::Interval(_) => Err("has no intervals that others read"),
            DataType::Union(..) => Err("has no unions as Arrow has them"),
            DataType::Decimal256(..) => Err("has decimals of 38 digits at most here"),
            DataType::RunEndEncoded(_, values) => self.stored(values.data_type()),
            DataType::FixedSizeList(field, _) => {
                let field = field.as_ref().clone();
                let item = self.stored(field.data_type())?;
                Ok(DataType::List(field.with_data_type(item).into()))
            }
            DataType::ListView(_) | DataType::LargeListView(_) => Err("is not written from views of lists"),
            other => within(other, &|inner| self.stored(inner)),
        }
    }

    fn misnamed(&self, name: &str) -> Option<&'static str> {
        let mut letters = name.bytes();
        let sound = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
        (!sound).then_some("names in Avro have letters, digits and _ alone, and do not begin with a digit")
    }

    fn open(&self, out: Out, schema: SchemaRef, how: How, _: Ahead<'_>) -> Result<Box<dyn Encoder>, Fault> {
        let codec = match how.codec {
            Codec::None => None,
            Codec::Deflate => Some(CompressionCodec::Deflate),
            Codec::Snappy => Some(CompressionCodec::Snappy),
            Codec::Zstd => Some(CompressionCodec::ZStandard),
            Codec::Bzip2 => Some(CompressionCodec::Bzip2),
            Codec::Xz => Some(CompressionCodec::Xz),
            other => return Err(format!("Avro is not compressed by {}", other.name()).into()),
        };
        let builder = WriterBuilder::new(schema.as_ref().clone()).with_compression(codec);
        let out = Shared(Arc::new(Mutex::new(out)));
        let writer = builder.build(out.clone())?;
        Ok(Box::new(File { writer, out, pending: Vec::new(), rows: 0, bytes: 0 }))
    }
}

/// The writer does not show what it writes to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Out>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

struct File {
    writer: Writer<Shared, AvroOcfFormat>,
    out: Shared,
    /// Rows of the next block.
    pending: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl File {
    fn block(&mut self) -> Result<(), Fault> {
        let Some(first) = self.pending.first() else { return Ok(()) };
        let block = arrow::compute::concat_batches(&first.schema(), &self.pending)?;
        self.pending.clear();
        (self.rows, self.bytes) = (0, 0);
        Ok(self.writer.write(&block)?)
    }
}

impl Encoder for File {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let next = rest.slice(0, rest.num_rows().min(BLOCK - self.rows));
            rest = rest.slice(next.num_rows(), rest.num_rows() - next.num_rows());
            self.rows += next.num_rows();
            self.bytes += bytes_of(&next);
            self.pending.push(next);
            if self.rows == BLOCK {
                self.block()?;
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.bytes + self.out.0.lock().held()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.block()
    }

    fn park(&mut self) -> Result<(), Fault> {
        self.block()?;
        Ok(self.out.0.lock().park()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Out, Fault> {
        self.block()?;
        let Self { mut writer, out, .. } = *self;
        writer.finish()?;
        drop(writer);
        Ok(Arc::into_inner(out.0).ok_or("the file is still being written")?.into_inner())
    }
}
