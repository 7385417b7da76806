//! What is decoded here is what `parquet`'s own reader decodes, whatever the writer chose and whichever rows are asked for.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;

use super::hybrid::Hybrid;
use super::{Block, Column, takes};
use crate::io::ranged::Ranged;

type Row = (i16, String, bool);

/// A column of every kind that is decoded here.
fn columns(rows: &[Row], gaps: bool) -> Vec<ArrayRef> {
    let there = |row: &Row| !gaps || row.2;
    let some = |row: &Row| there(row).then_some(i64::from(row.0));
    let text = |row: &Row| there(row).then(|| row.1.clone());
    vec![
        Arc::new(rows.iter().map(some).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as i32)).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as u64)).collect::<UInt64Array>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as u32)).collect::<UInt32Array>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as f64 / 3.0)).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as f32 / 3.0)).collect::<Float32Array>()),
        Arc::new(rows.iter().map(some).collect::<TimestampMicrosecondArray>()),
        Arc::new(rows.iter().map(|row| some(row).map(|value| value as i32)).collect::<Date32Array>()),
        Arc::new(rows.iter().map(text).collect::<StringViewArray>()),
        Arc::new(rows.iter().map(|row| text(row).map(String::into_bytes)).collect::<BinaryViewArray>()),
    ]
}

fn written(columns: &[ArrayRef], nullable: bool, properties: WriterProperties) -> (Bytes, ParquetMetaData) {
    let field = |(number, column): (usize, &ArrayRef)| {
        Field::new(number.to_string(), column.data_type().clone(), nullable)
    };
    let schema = Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(schema.clone(), columns.to_vec()).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = Bytes::from(bytes);
    let footer = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
    (bytes, footer)
}

fn open(bytes: &Bytes, footer: &ParquetMetaData, number: usize, arrow: &DataType) -> Column {
    let ranged = Ranged::fetched(bytes.len() as u64, vec![(0, bytes.clone())]);
    let chunk = footer.row_group(0).column(number);
    assert!(takes(chunk, arrow), "{arrow}");
    Column::new(Arc::new(ranged), chunk, arrow).unwrap()
}

fn joined(parts: &[ArrayRef]) -> ArrayRef {
    concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn columns_are_what_was_written(
        rows in prop::collection::vec((-300i16..300, "[a-zäö]{0,16}", prop::bool::weighted(0.8)), 1..400),
        (gaps, nullable, dictionary, second) in any::<(bool, bool, bool, bool)>(),
        limit in prop::sample::select(vec![16usize, 400, 1 << 20]),
        per_page in 1usize..90,
        step in 1usize..150,
        asked in prop::collection::vec(any::<bool>(), 1..40),
        kind in 0u8..4,
    ) {
        let gaps = gaps && nullable;
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(dictionary)
            .set_dictionary_page_size_limit(limit)
            .set_data_page_row_count_limit(per_page)
            .set_write_batch_size(7)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_compression(if kind == 0 { Compression::SNAPPY } else { Compression::UNCOMPRESSED })
            .set_writer_version(if second { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
            .build();
        // What version 2 writes where there is no dictionary is left to others.
        prop_assume!(!second || dictionary && limit == 1 << 20);
        let columns = columns(&rows, gaps);
        let (bytes, footer) = written(&columns, nullable, properties);
        for (number, expected) in columns.iter().enumerate() {
            let mut column = open(&bytes, &footer, number, expected.data_type());
            let (mut parts, mut wanted, mut at) = (Vec::new(), Vec::new(), 0);
            while at < rows.len() {
                let length = step.min(rows.len() - at);
                let places: Vec<u32> =
                    (0..length as u32).filter(|place| asked[(at + *place as usize) % asked.len()]).collect();
                let block = match kind {
                    // Everything, what is asked for, nothing now and then, or picked afterwards.
                    0 => column.read(length, None).unwrap(),
                    1 => column.read(length, Some(&places)).unwrap(),
                    2 if at % 2 == 1 => { column.skip(length).unwrap(); at += length; continue }
                    2 => column.read(length, None).unwrap(),
                    _ => column.read(length, None).unwrap().picked(&places).unwrap(),
                };
                let places = if matches!(kind, 1 | 3) { places } else { (0..length as u32).collect() };
                prop_assert_eq!(block.rows(), places.len());
                wanted.extend(places.iter().map(|place| at as u32 + place));
                let coded = match &block {
                    Block::Codes(..) if *expected.data_type() == DataType::Utf8View => Some(block.clone().coded().unwrap()),
                    _ => None,
                };
                let decoded = block.decoded().unwrap();
                decoded.to_data().validate_full().unwrap();
                if let Some(coded) = coded {
                    coded.to_data().validate_full().unwrap();
                    prop_assert_eq!(&arrow::compute::cast(&coded, &DataType::Utf8View).unwrap(), &decoded);
                }
                parts.push(decoded);
                at += length;
            }
            let expected = take(expected, &UInt32Array::from(wanted), None).unwrap();
            if !parts.is_empty() {
                prop_assert_eq!(&joined(&parts), &expected);
            }
            prop_assert!(column.read(1, None).is_err());
        }
    }

    /// Bytes that were changed give an error or other values, never a panic; what is read is sound.
    #[test]
    fn damage_is_an_error_or_other_values(
        rows in prop::collection::vec((-9i16..9, "[a-c]{0,14}", prop::bool::weighted(0.8)), 1..60),
        dictionary in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        asked in prop::collection::vec(0u32..60, 0..9),
    ) {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(dictionary)
            .set_data_page_row_count_limit(11)
            .set_write_batch_size(7)
            .build();
        let columns = columns(&rows, true);
        let (bytes, footer) = written(&columns, true, properties);
        let end = footer.row_group(0).columns().iter().map(|chunk| chunk.byte_range()).map(|(start, length)| start + length).max().unwrap();
        let mut damaged = bytes.to_vec();
        for (place, byte) in changes {
            let place = place.index(end as usize);
            damaged[place] = byte;
        }
        let damaged = Bytes::from(damaged);
        let mut asked: Vec<u32> = asked.into_iter().filter(|place| (*place as usize) < rows.len()).collect();
        asked.sort_unstable();
        asked.dedup();
        for (number, column) in columns.iter().enumerate() {
            for places in [None, Some(asked.as_slice())] {
                // The pages' headers are read by `parquet`, which is guarded where it panics.
                let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let mut column = open(&damaged, &footer, number, column.data_type());
                    column.read(rows.len(), places).and_then(Block::decoded)
                }));
                if let Ok(Ok(read)) = read {
                    prop_assert_eq!(read.len(), places.map_or(rows.len(), <[u32]>::len));
                    read.to_data().validate_full().unwrap();
                }
            }
        }
    }

    /// Runs and packed groups of every width, read, passed over and picked.
    #[test]
    fn runs_are_read_in_pieces(
        width in 0u8..=32,
        runs in prop::collection::vec((any::<bool>(), 1usize..40, any::<u32>()), 1..8),
        steps in prop::collection::vec((0usize..30, 0u8..3), 1..30),
    ) {
        let mask = ((1_u64 << width) - 1) as u32;
        let (mut data, mut expected) = (Vec::new(), Vec::new());
        for (packed, length, seed) in runs {
            if packed {
                let groups = length.div_ceil(8);
                data.push((groups << 1 | 1) as u8);
                let values: Vec<u32> = (0..groups as u32 * 8).map(|number| seed.rotate_left(number).wrapping_mul(number | 1) & mask).collect();
                let mut bits = vec![0_u8; groups * usize::from(width)];
                for (number, value) in values.iter().enumerate() {
                    for bit in 0..usize::from(width) {
                        let place = number * usize::from(width) + bit;
                        bits[place / 8] |= ((value >> bit & 1) as u8) << (place % 8);
                    }
                }
                data.extend(bits);
                expected.extend(values);
            } else {
                data.push((length << 1) as u8);
                data.extend(&(seed & mask).to_le_bytes()[..usize::from(width).div_ceil(8)]);
                expected.extend(vec![seed & mask; length]);
            }
        }
        let mut hybrid = Hybrid::new(Bytes::from(data), width).unwrap();
        let mut at = 0;
        for (step, how) in steps {
            let step = step.min(expected.len() - at);
            let mut found = Vec::new();
            let here = &expected[at..at + step];
            match how {
                0 => {
                    hybrid.read(step, &mut found).unwrap();
                    prop_assert_eq!(&found, here);
                }
                1 => hybrid.skip(step).unwrap(),
                _ => {
                    let places: Vec<u32> = (0..step as u32).filter(|place| place % 5 == 1).map(|place| place + 3).collect();
                    hybrid.pick(step, &places, 3, &mut found).unwrap();
                    let picked: Vec<u32> = places.iter().map(|place| here[(*place - 3) as usize]).collect();
                    prop_assert_eq!(&found, &picked);
                }
            }
            at += step;
        }
    }
}
