//! Of a column chunk how many rows each page has, and between which values they lie.
//!
//! The file's page index says it, or the heads of the pages do. What is not there, or does not add up, is not made use of.

use std::sync::Arc;

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
    RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type as SchemaType};

use super::header::Head;
use super::thrift::Unread;
use crate::io::ranged::Ranged;

/// Bytes that are read for a head: first, and where these are too few.
const HEAD: [usize; 2] = [256, 16 << 10];

/// Pages of a chunk of which more would be looked at in vain.
const MOST: usize = 4096;

/// Each page as if it were a row group of this one column: then all that is known of row groups' statistics holds.
pub struct PageBounds {
    pub schema: SchemaDescPtr,
    pub pages: Vec<RowGroupMetaData>,
}

/// The pages of a chunk of `rows` rows, if they are known.
pub fn page_bounds(bytes: &Ranged, chunk: &ColumnChunkMetaData, rows: i64) -> Option<PageBounds> {
    let column = chunk.column_descr();
    // Where values repeat, they are not rows.
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return None;
    }
    let schema = SchemaType::group_type_builder("schema").with_fields(vec![column.self_type_ptr()]).build();
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema.ok()?)));
    let found = match indexed(bytes, chunk, &schema, rows) {
        Some(found) => found,
        None => heads(bytes, chunk)?,
    };
    let total = found.iter().try_fold(0_i64, |total, (rows, _)| total.checked_add(*rows));
    if total != Some(rows) {
        return None;
    }
    let page = |(rows, statistics): (i64, Option<Statistics>)| -> Option<RowGroupMetaData> {
        let column = ColumnChunkMetaData::builder(schema.column(0)).set_num_values(rows);
        let column = match statistics {
            Some(statistics) => column.set_statistics(statistics),
            None => column,
        };
        let group = RowGroupMetaData::builder(schema.clone()).set_num_rows(rows);
        group.add_column_metadata(column.build().ok()?).build().ok()
    };
    let pages = found.into_iter().map(page).collect::<Option<Vec<_>>>()?;
    Some(PageBounds { schema, pages })
}

type Found = Vec<(i64, Option<Statistics>)>;

/// By the page index.
fn indexed(bytes: &Ranged, chunk: &ColumnChunkMetaData, schema: &SchemaDescPtr, rows: i64) -> Option<Found> {
    chunk.column_index_offset()?;
    chunk.offset_index_offset()?;
    // A file of this one chunk: the indexes of all others are not read.
    let only = ColumnChunkMetaData::builder(schema.column(0))
        .set_column_index_offset(chunk.column_index_offset())
        .set_column_index_length(chunk.column_index_length())
        .set_offset_index_offset(chunk.offset_index_offset())
        .set_offset_index_length(chunk.offset_index_length())
        .build()
        .ok()?;
    let group = RowGroupMetaData::builder(schema.clone()).set_num_rows(rows);
    let group = group.add_column_metadata(only).build().ok()?;
    let file = FileMetaData::new(1, rows, None, None, schema.clone(), None);
    let mut reader = ParquetMetaDataReader::new_with_metadata(ParquetMetaData::new(file, vec![group]))
        .with_page_index_policy(PageIndexPolicy::Optional);
    reader.read_page_indexes_sized(bytes, bytes.len()).ok()?;
    let read = reader.finish().ok()?;
    let bounds = read.column_index()?.first()?.first()?;
    let places = read.offset_index()?.first()?.first()?.page_locations();
    if matches!(bounds, ColumnIndexMetaData::NONE) || bounds.num_pages() != places.len() as u64 {
        return None;
    }
    let ends = places.iter().skip(1).map(|place| place.first_row_index).chain([rows]);
    let pages = places.iter().zip(ends).enumerate().map(|(page, (place, end))| {
        let rows = end.checked_sub(place.first_row_index).filter(|rows| *rows >= 0)?;
        Some((rows, of_index(bounds, page)))
    });
    pages.collect()
}

fn of_index(bounds: &ColumnIndexMetaData, page: usize) -> Option<Statistics> {
    let missing = bounds.null_count(page).and_then(|count| u64::try_from(count).ok());
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| ByteArray::from(bytes.to_vec()));
    macro_rules! numbers {
        ($of:expr, $made:expr) => {
            $made($of.min_value(page).copied(), $of.max_value(page).copied(), None, missing, false)
        };
    }
    Some(match bounds {
        ColumnIndexMetaData::INT32(of) => numbers!(of, Statistics::int32),
        ColumnIndexMetaData::INT64(of) => numbers!(of, Statistics::int64),
        ColumnIndexMetaData::FLOAT(of) => numbers!(of, Statistics::float),
        ColumnIndexMetaData::DOUBLE(of) => numbers!(of, Statistics::double),
        ColumnIndexMetaData::BYTE_ARRAY(of) => {
            Statistics::byte_array(text(of.min_value(page)), text(of.max_value(page)), None, missing, false)
        }
        _ => return None,
    })
}

/// By the heads of the pages, one after the other.
fn heads(bytes: &Ranged, chunk: &ColumnChunkMetaData) -> Option<Found> {
    let (start, length) = chunk.byte_range();
    let (mut at, end) = (start, start.checked_add(length)?);
    let mut found = Vec::new();
    while at < end {
        let head = head(bytes, at, end)?;
        at = at.checked_add(head.length as u64)?.checked_add(head.page as u64)?;
        let Some(rows) = head.rows else { continue };
        // Without bounds in the first page there will be none in the others.
        if head.least.is_none() && head.greatest.is_none() && found.is_empty() || found.len() == MOST {
            return None;
        }
        found.push((i64::try_from(rows).ok()?, of_head(chunk.column_type(), &head)));
    }
    Some(found)
}

fn head(bytes: &Ranged, at: u64, end: u64) -> Option<Head> {
    let left = usize::try_from(end - at).ok()?;
    for length in HEAD {
        let start = bytes.get_bytes(at, length.min(left)).ok()?;
        match Head::read(&start) {
            Ok(head) => return Some(head),
            Err(Unread::Short) if length < left => {}
            Err(_) => return None,
        }
    }
    None
}

fn of_head(kind: Type, head: &Head) -> Option<Statistics> {
    fn number<const BYTES: usize, T>(bytes: Option<&Vec<u8>>, value: fn([u8; BYTES]) -> T) -> Option<T> {
        Some(value(bytes?.as_slice().try_into().ok()?))
    }
    let (least, greatest, missing) = (head.least.as_ref(), head.greatest.as_ref(), head.missing);
    macro_rules! numbers {
        ($made:expr, $value:expr) => {
            $made(number(least, $value), number(greatest, $value), None, missing, false)
        };
    }
    Some(match kind {
        Type::INT32 => numbers!(Statistics::int32, i32::from_le_bytes),
        Type::INT64 => numbers!(Statistics::int64, i64::from_le_bytes),
        Type::FLOAT => numbers!(Statistics::float, f32::from_le_bytes),
        Type::DOUBLE => numbers!(Statistics::double, f64::from_le_bytes),
        Type::BYTE_ARRAY => {
            let text = |bytes: Option<&Vec<u8>>| bytes.map(|bytes| ByteArray::from(bytes.clone()));
            Statistics::byte_array(text(least), text(greatest), None, missing, false)
        }
        _ => return None,
    })
}
