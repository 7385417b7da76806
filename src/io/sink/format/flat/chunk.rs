//! A column chunk in the making: its pages, where they begin, and what is said of their values.

use std::io::Write;

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Encoding, EncodingMask, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::super::Fault;
use super::packer::Packer;

/// Rows of a page, at most; the same as `parquet` has by default, so that indexes of pages are as fine.
pub const PAGE_ROWS: usize = 20_000;
/// Bytes of a page after which it is ended.
pub const PAGE_BYTES: usize = 1 << 20;

/// The least and the greatest value of a page as the format stores them; none where all are missing or not comparable.
pub type Bounds = Option<(Vec<u8>, Vec<u8>)>;

pub struct Pages {
    column: ColumnDescPtr,
    properties: WriterPropertiesPtr,
    out: TrackedWrite<Vec<u8>>,
    index: ColumnIndexBuilder,
    /// Of each page its rows, and from where to where it is.
    places: Vec<(i64, u64, i32)>,
    unpacked: i64,
    rows: u64,
    nulls: u64,
    encodings: Vec<PageEncodingStats>,
    /// So far the bounds of each page are not below those before, not above.
    ascending: bool,
    descending: bool,
}

/// A column chunk that is complete, but for its place in a file.
pub struct Chunk {
    bytes: Bytes,
    close: ColumnCloseResult,
}

impl Chunk {
    pub fn append<W: Write + Send>(self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<(), Fault> {
        Ok(group.append_column(&self.bytes, self.close)?)
    }
}

impl Pages {
    pub fn new(column: ColumnDescPtr, properties: WriterPropertiesPtr) -> Self {
        Self {
            index: ColumnIndexBuilder::new(column.physical_type()),
            column,
            properties,
            out: TrackedWrite::new(Vec::new()),
            places: Vec::new(),
            unpacked: 0,
            rows: 0,
            nulls: 0,
            encodings: Vec::new(),
            ascending: true,
            descending: true,
        }
    }

    /// Whether rows may have no value.
    pub fn is_nullable(&self) -> bool {
        self.column.max_def_level() > 0
    }

    pub fn held(&self) -> usize {
        self.out.inner().capacity() + self.places.len() * size_of::<(i64, u64, i32)>()
    }

    /// Adds a page: its bytes before compression. `order` are the bounds of the page compared with those before.
    pub fn add(
        &mut self,
        bytes: Vec<u8>,
        encoding: Encoding,
        (rows, nulls): (usize, usize),
        bounds: Bounds,
        (ascends, descends): (bool, bool),
        packer: &mut Packer,
    ) -> Result<(), Fault> {
        let unpacked = bytes.len();
        let page = Page::DataPage {
            buf: packer.pack(bytes)?.into(),
            num_values: u32::try_from(rows)?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written =
            SerializedPageWriter::new(&mut self.out).write_page(CompressedPage::new(page, unpacked))?;
        self.places.push((rows as i64, written.offset, i32::try_from(written.compressed_size)?));
        self.unpacked += written.uncompressed_size as i64;
        self.rows += rows as u64;
        self.nulls += nulls as u64;
        match (bounds, rows == nulls) {
            (_, true) => self.index.append(true, Vec::new(), Vec::new(), nulls as i64),
            (Some((least, most)), _) if self.index.valid() => {
                self.index.append(false, least, most, nulls as i64);
                self.ascending &= ascends;
                self.descending &= descends;
            }
            (Some(_), _) => {}
            (None, _) => self.index.to_invalid(),
        }
        match self.encodings.last_mut().filter(|last| last.encoding == encoding) {
            Some(last) => last.count += 1,
            None => {
                self.encodings.push(PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count: 1 })
            }
        }
        Ok(())
    }

    /// Ends the chunk. A dictionary goes before the pages: its values in the plain encoding, and how many they are.
    pub fn close(
        mut self,
        dictionary: Option<(Vec<u8>, usize)>,
        statistics: impl FnOnce(u64) -> Statistics,
        packer: &mut Packer,
    ) -> Result<Chunk, Fault> {
        let mut out = TrackedWrite::new(Vec::new());
        let mut mask = vec![Encoding::RLE];
        mask.extend(self.encodings.iter().map(|pages| pages.encoding));
        let mut dictionary_at = None;
        if let Some((bytes, values)) = dictionary {
            let unpacked = bytes.len();
            let page = Page::DictionaryPage {
                buf: packer.pack(bytes)?.into(),
                num_values: u32::try_from(values)?,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let written =
                SerializedPageWriter::new(&mut out).write_page(CompressedPage::new(page, unpacked))?;
            self.unpacked += written.uncompressed_size as i64;
            self.encodings.insert(
                0,
                PageEncodingStats {
                    page_type: PageType::DICTIONARY_PAGE,
                    encoding: Encoding::PLAIN,
                    count: 1,
                },
            );
            mask.push(Encoding::PLAIN);
            dictionary_at = Some(0);
        }
        let before = out.bytes_written();
        let mut bytes = out.into_inner()?;
        let pages = self.out.into_inner()?;
        if bytes.is_empty() {
            bytes = pages;
        } else {
            bytes.extend_from_slice(&pages);
        }
        let mut offsets = OffsetIndexBuilder::new();
        for (rows, offset, size) in self.places {
            offsets.append_row_count(rows);
            offsets.append_offset_and_size(offset as i64 + before as i64, size);
        }
        self.index.set_boundary_order(match (self.ascending, self.descending) {
            (true, _) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (false, false) => BoundaryOrder::UNORDERED,
        });
        let metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.properties.compression(self.column.path()))
            .set_encodings_mask(EncodingMask::new_from_encodings(mask.iter()))
            .set_page_encoding_stats(self.encodings)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.unpacked)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(before as i64)
            .set_dictionary_page_offset(dictionary_at)
            .set_statistics(statistics(self.nulls))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index: if self.index.valid() { Some(self.index.build()?) } else { None },
            offset_index: Some(offsets.build()),
        };
        Ok(Chunk { bytes: bytes.into(), close })
    }
}

/// Which rows of the page in work have a value.
#[derive(Default)]
pub struct Rows {
    count: usize,
    missing: usize,
    /// A bit for each row; empty while no value is missing.
    valid: Vec<u64>,
}

impl Rows {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Rows that all have a value, or for each whether it has.
    pub fn add(&mut self, rows: usize, valid: Option<impl Iterator<Item = bool>>) {
        let Some(valid) = valid else {
            let from = self.count;
            self.count += rows;
            if !self.valid.is_empty() {
                self.valid.resize(self.count.div_ceil(64), 0);
                (from..self.count).for_each(|at| self.valid[at / 64] |= 1 << (at % 64));
            }
            return;
        };
        if self.valid.is_empty() {
            self.valid = vec![u64::MAX; self.count / 64];
            if !self.count.is_multiple_of(64) {
                self.valid.push((1 << (self.count % 64)) - 1);
            }
        }
        let from = self.count;
        self.count += rows;
        self.valid.resize(self.count.div_ceil(64), 0);
        for (at, valid) in (from..self.count).zip(valid) {
            self.valid[at / 64] |= u64::from(valid) << (at % 64);
            self.missing += usize::from(!valid);
        }
    }

    /// Begins the bytes of a page by its levels, and the rows of the next one.
    pub fn page(&mut self, is_nullable: bool, room: usize) -> Vec<u8> {
        let mut page = Vec::with_capacity(room + if is_nullable { 16 + self.valid.len() * 9 } else { 0 });
        if is_nullable {
            super::hybrid::levels(&self.valid, self.count, &mut page);
        }
        *self = Self::default();
        page
    }
}
