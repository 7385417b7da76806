//! Columns written here are what `parquet`'s own writer makes of them, to its reader and in its statistics.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, Date32Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;
use crate::io::sink::pack::Codec;

fn properties(codec: Codec) -> WriterProperties {
    let compression = match codec {
        Codec::Snappy => Compression::SNAPPY,
        Codec::Zstd => Compression::ZSTD(Default::default()),
        Codec::Gzip => Compression::GZIP(Default::default()),
        Codec::Lz4 => Compression::LZ4_RAW,
        _ => Compression::UNCOMPRESSED,
    };
    WriterProperties::builder().set_compression(compression).build()
}

/// A file of one column, written here; a row group of each lot.
fn ours(field: &Field, lots: &[Vec<ArrayRef>], codec: Codec, repeats: bool) -> Bytes {
    let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone()]));
    let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties(codec))).unwrap();
    let (mut file, _) = writer.into_serialized_writer().unwrap();
    let mut packer = Packer::new(codec).unwrap().unwrap();
    for lot in lots {
        let descriptor = file.schema_descr().column(0);
        let mut own = column(field.data_type(), descriptor, file.properties().clone(), repeats).unwrap();
        lot.iter().for_each(|array| own.write(array, &mut packer).unwrap());
        let mut group = file.next_row_group().unwrap();
        own.close(&mut packer).unwrap().append(&mut group).unwrap();
        group.close().unwrap();
    }
    file.into_inner().unwrap().into()
}

fn theirs(field: &Field, lots: &[Vec<ArrayRef>], codec: Codec) -> Bytes {
    let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone()]));
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties(codec))).unwrap();
    for lot in lots {
        for array in lot {
            let array = cast(array, field.data_type()).unwrap();
            writer.write(&RecordBatch::try_new(schema.clone(), vec![array]).unwrap()).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn read(file: Bytes) -> (Vec<ArrayRef>, Arc<ParquetMetaData>) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let metadata = builder.metadata().clone();
    let arrays = builder.build().unwrap().map(|batch| batch.unwrap().column(0).clone());
    (arrays.collect(), metadata)
}

fn joined(arrays: &[ArrayRef]) -> ArrayRef {
    arrow::compute::concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
}

/// What both say of a column chunk.
fn said(chunk: &ColumnChunkMetaData) -> (Option<String>, i64) {
    (chunk.statistics().map(|statistics| format!("{statistics:?}")), chunk.num_values())
}

fn check(field: &Field, lots: &[Vec<ArrayRef>], codec: Codec, repeats: bool) -> Arc<ParquetMetaData> {
    let (found, own) = read(ours(field, lots, codec, repeats));
    let wanted: Vec<ArrayRef> =
        lots.iter().flatten().map(|array| cast(array, field.data_type()).unwrap()).collect();
    // Nothing to concatenate: no batch was written, or none of them has rows.
    if wanted.iter().all(|array| array.is_empty()) {
        assert!(found.iter().all(|array| array.is_empty()));
        return own;
    }
    assert_eq!(&joined(&found), &joined(&wanted));
    let (_, other) = read(theirs(field, lots, codec));
    for (own, other) in own.row_groups().iter().zip(other.row_groups()) {
        assert_eq!(said(own.column(0)), said(other.column(0)));
    }
    let (indexes, others) = (own.column_index().unwrap(), other.column_index().unwrap());
    for (own, other) in indexes.iter().zip(others) {
        // Pages of texts may be cut elsewhere: theirs know their size less exactly.
        if own[0].num_pages() == other[0].num_pages() {
            assert_eq!(own[0].null_counts(), other[0].null_counts());
            assert_eq!(own[0].get_boundary_order(), other[0].get_boundary_order());
        }
    }
    own
}

fn field(data_type: DataType, nullable: bool) -> Field {
    Field::new("a", data_type, nullable)
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Snappy, Codec::Zstd, Codec::Gzip, Codec::Lz4];

/// Numbers of few or many different values, some missing; in runs, which the format knows.
fn numbers() -> impl Strategy<Value = Vec<Vec<Vec<Option<i64>>>>> {
    let value = prop_oneof![
        3 => Just(None),
        4 => (-3_i64..3).prop_map(Some),
        2 => any::<i64>().prop_map(Some),
    ];
    let run = (value, prop_oneof![3 => 1_usize..4, 1 => 1_usize..900]);
    let batch = prop::collection::vec(run, 0..40).prop_map(|runs| {
        runs.into_iter().flat_map(|(value, rows)| std::iter::repeat_n(value, rows)).collect()
    });
    prop::collection::vec(prop::collection::vec(batch, 1..4), 1..3)
}

fn made(lots: &[Vec<Vec<Option<i64>>>], of: impl Fn(&[Option<i64>]) -> ArrayRef) -> Vec<Vec<ArrayRef>> {
    let lots = lots.iter().map(|lot| lot.iter().map(|batch| of(batch)).collect::<Vec<_>>());
    lots.filter(|lot| lot.iter().any(|array| !array.is_empty())).collect()
}

/// A text of any length for a number; those of large ones are long, so that bounds are cut.
fn text(value: i64) -> String {
    match value {
        -3..3 => ["", "a", "é", "a b", "z", "\u{10ffff}"][(value + 3) as usize].to_owned(),
        _ if value % 2 == 0 => format!("number {value}"),
        _ => format!(
            "{}{value}",
            ["é", "\u{7f}", "\u{7ff}", "\u{10ffff}"][value.rem_euclid(4) as usize].repeat(40)
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn columns_of_every_type_are_as_theirs(
        lots in numbers(),
        kind in 0_usize..15,
        codec in 0_usize..5,
        repeats in any::<bool>(),
    ) {
        type Of = fn(&[Option<i64>]) -> ArrayRef;
        let kinds: [(DataType, Of); 15] = [
            (DataType::Int64, |v| Arc::new(Int64Array::from(v.to_vec()))),
            (DataType::UInt64, |v| Arc::new(v.iter().map(|v| v.map(|v| v as u64)).collect::<UInt64Array>())),
            (DataType::Int32, |v| Arc::new(v.iter().map(|v| v.map(|v| v as i32)).collect::<Int32Array>())),
            (DataType::UInt32, |v| Arc::new(v.iter().map(|v| v.map(|v| v as u32)).collect::<UInt32Array>())),
            (DataType::Int16, |v| Arc::new(v.iter().map(|v| v.map(|v| v as i16)).collect::<Int16Array>())),
            (DataType::UInt8, |v| Arc::new(v.iter().map(|v| v.map(|v| v as u8)).collect::<UInt8Array>())),
            (DataType::Int8, |v| Arc::new(v.iter().map(|v| v.map(|v| v as i8)).collect::<Int8Array>())),
            // Bits as they come: with numbers that are none and both zeros.
            (DataType::Float64, |v| Arc::new(v.iter().map(|v| v.map(float)).collect::<Float64Array>())),
            (DataType::Float32, |v| Arc::new(v.iter().map(|v| v.map(|v| float(v) as f32)).collect::<Float32Array>())),
            (DataType::Date32, |v| Arc::new(v.iter().map(|v| v.map(|v| v as i32)).collect::<Date32Array>())),
            (
                DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
                |v| Arc::new(TimestampMicrosecondArray::from(v.to_vec()).with_timezone("UTC")),
            ),
            (DataType::Utf8, |v| Arc::new(v.iter().map(|v| v.map(text)).collect::<StringArray>())),
            (DataType::LargeUtf8, |v| Arc::new(v.iter().map(|v| v.map(text)).collect::<LargeStringArray>())),
            (DataType::LargeUtf8, |v| Arc::new(v.iter().map(|v| v.map(text)).collect::<StringViewArray>())),
            (DataType::Binary, |v| {
                let bytes: Vec<Option<Vec<u8>>> = v
                    .iter()
                    .map(|v| v.map(|v| [&v.to_be_bytes()[..], &[0xff; 70][..(v.rem_euclid(70)) as usize]].concat()))
                    .collect();
                Arc::new(bytes.iter().map(|bytes| bytes.as_deref()).collect::<BinaryArray>())
            }),
        ];
        let (data_type, of) = kinds[kind].clone();
        check(&field(data_type.clone(), true), &made(&lots, of), CODECS[codec], repeats);
        let there: Vec<Vec<Vec<Option<i64>>>> = lots
            .iter()
            .map(|lot| lot.iter().map(|batch| batch.iter().copied().filter(Option::is_some).collect()).collect())
            .collect();
        check(&field(data_type, false), &made(&there, of), CODECS[codec], repeats);
    }
}

fn float(value: i64) -> f64 {
    match value {
        -3 => f64::NAN,
        -2 => -0.0,
        -1 => 0.0,
        0 => f64::INFINITY,
        _ => f64::from_bits(value as u64),
    }
}

#[test]
fn pages_have_as_many_rows_as_theirs_and_say_what_is_in_them() {
    let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..70_000));
    for repeats in [true, false] {
        let metadata = check(&field(DataType::Int64, true), &[vec![rows.clone()]], Codec::Snappy, repeats);
        let index = &metadata.column_index().unwrap()[0][0];
        assert_eq!(index.num_pages(), 4);
        assert_eq!(format!("{:?}", index.get_boundary_order().unwrap()), "ASCENDING");
    }
}

#[test]
fn pages_of_codes_have_a_dictionary_though_no_row_has_a_value() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None; 5]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 5]));
    for (array, codec) in
        [numbers, texts].into_iter().flat_map(|array| CODECS.map(|codec| (array.clone(), codec)))
    {
        let metadata = check(&field(array.data_type().clone(), true), &[vec![array]], codec, true);
        let chunk = metadata.row_group(0).column(0);
        assert!(chunk.dictionary_page_offset().is_some_and(|at| at < chunk.data_page_offset()));
    }
}

#[test]
fn a_dictionary_that_grows_too_large_ends() {
    let many: ArrayRef = Arc::new(Int64Array::from_iter_values((0..400_000).map(|row| row * 7 % 300_000)));
    let metadata = check(&field(DataType::Int64, true), &[vec![many]], Codec::Snappy, true);
    let encodings: Vec<Encoding> = metadata.row_group(0).column(0).encodings().collect();
    assert!(encodings.contains(&Encoding::PLAIN) && encodings.contains(&Encoding::RLE_DICTIONARY));
    let texts = (0..60_000).map(|row| format!("a text that is of some length {}", row % 50_000));
    let texts: ArrayRef = Arc::new(texts.map(Some).collect::<StringArray>());
    let large: ArrayRef =
        Arc::new(StringArray::from_iter_values(["x".repeat(3 << 20), "y".to_owned(), "x".repeat(3 << 20)]));
    for repeats in [true, false] {
        check(&field(DataType::Utf8, true), &[vec![texts.clone(), large.clone()]], Codec::Zstd, repeats);
    }
}

#[test]
fn views_into_other_buffers_are_other_texts() {
    let batch = |from: usize, rows: usize| -> ArrayRef {
        let texts = (0..rows).map(|row| format!("a text of some length {}", from + row % 5));
        Arc::new(texts.map(Some).collect::<StringViewArray>())
    };
    // The same places in buffers that come and go.
    let lots: Vec<ArrayRef> = (0..50).map(|from| batch(from, 6_000)).collect();
    for repeats in [true, false] {
        check(&field(DataType::LargeUtf8, true), std::slice::from_ref(&lots), Codec::Lz4, repeats);
    }
    let bytes: ArrayRef =
        Arc::new(BinaryViewArray::from_iter_values((0..9_000).map(|row| vec![row as u8; 20])));
    check(&field(DataType::LargeBinary, false), &[vec![bytes]], Codec::None, true);
}

#[test]
fn texts_that_rarely_repeat_are_looked_up_by_what_they_are() {
    let texts = (0..30_000).map(|row| format!("a text of some length {}", row % 20_000));
    let texts: ArrayRef = Arc::new(texts.map(Some).collect::<StringViewArray>());
    check(&field(DataType::LargeUtf8, true), &[vec![texts.clone(), texts]], Codec::Snappy, true);
}
