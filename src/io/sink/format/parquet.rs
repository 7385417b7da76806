//! Parquet files: their compressions, and row groups that are held until they are written.

use arrow::datatypes::{DataType, IntervalUnit, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::columns::Columns;
use super::{Encoder, Fault, Format, How, within};
use crate::io::sink::out::Out;
use crate::io::sink::pack::Codec;
use crate::io::sink::part::ROW_GROUP;
use crate::io::sink::sample::Ahead;

pub struct Parquet;

/// About what the description of a column in a row group takes, with its indexes; it is kept to the end of the file.
pub const DESCRIBED: usize = 1 << 10;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn title(&self) -> &'static str {
        "Parquet"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".parquet", ".parq", ".pq"]
    }

    fn codecs(&self) -> &'static [Codec] {
        &[Codec::Zstd, Codec::Snappy, Codec::Gzip, Codec::Brotli, Codec::Lz4, Codec::None]
    }

    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str> {
        match data_type {
            DataType::Struct(fields) if fields.is_empty() => Err("has no structs without fields"),
            DataType::Union(..) => Err("has no unions"),
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Err("has no intervals of months and nanoseconds")
            }
            DataType::RunEndEncoded(_, values) => self.stored(values.data_type()),
            // Old readers know no views.
            DataType::Utf8View => Ok(DataType::LargeUtf8),
            DataType::BinaryView => Ok(DataType::LargeBinary),
            // It knows no seconds: they would be bare integers for everybody else.
            DataType::Timestamp(TimeUnit::Second, zone) => {
                Ok(DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))
            }
            DataType::ListView(_) | DataType::LargeListView(_) => Err("has no views of lists"),
            other => within(other, &|inner| self.stored(inner)),
        }
    }

    fn takes_views(&self) -> bool {
        true
    }

    fn open(
        &self,
        out: Out,
        schema: SchemaRef,
        how: How,
        ahead: Ahead<'_>,
    ) -> Result<Box<dyn Encoder>, Fault> {
        let compression = match how.codec {
            Codec::Zstd => Compression::ZSTD(ZstdLevel::default()),
            Codec::Snappy => Compression::SNAPPY,
            Codec::Gzip => Compression::GZIP(GzipLevel::default()),
            Codec::Brotli => Compression::BROTLI(BrotliLevel::default()),
            Codec::Lz4 => Compression::LZ4_RAW,
            Codec::None => Compression::UNCOMPRESSED,
            other => return Err(format!("Parquet is not compressed by {}", other.name()).into()),
        };
        let repeats: Vec<bool> = (0..schema.fields().len()).map(|place| ahead.repeats(place)).collect();
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP));
        for (repeats, field) in repeats.iter().zip(schema.fields()) {
            if !repeats {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties.build()))?;
        Ok(Box::new(Columns::new(writer, schema, repeats, how.codec, how.threads)?))
    }
}
