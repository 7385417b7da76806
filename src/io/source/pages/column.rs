//! One flat column chunk of a row group, read stretch by stretch.

use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, BinaryViewArray, BooleanBufferBuilder, StringViewArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::{ConvertedType, Encoding, LogicalType, TimeUnit as ParquetUnit, Type};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::block::Block;
use super::dictionary::Dictionary;
use super::page::{Open, Values, Width};
use super::spread::Spread;
use super::texts::Texts;
use super::{Result, damaged, int96};
use crate::io::ranged::Ranged;

/// Whether a column chunk is flat, in encodings that are decoded here, and of this Arrow type without a conversion.
pub fn takes(chunk: &ColumnChunkMetaData, arrow: &DataType) -> bool {
    let known = |encoding| {
        #[allow(deprecated)]
        let packed = Encoding::BIT_PACKED;
        [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY, packed]
            .contains(&encoding)
    };
    let column = chunk.column_descr();
    column.max_rep_level() == 0
        && column.max_def_level() <= 1
        && chunk.encodings().all(known)
        && width(chunk, arrow).is_some()
}

fn width(chunk: &ColumnChunkMetaData, arrow: &DataType) -> Option<Width> {
    let column = chunk.column_descr();
    let converted = column.converted_type();
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => None,
        TimeUnit::Millisecond => Some(ParquetUnit::MILLIS),
        TimeUnit::Microsecond => Some(ParquetUnit::MICROS),
        TimeUnit::Nanosecond => Some(ParquetUnit::NANOS),
    };
    let plain = converted == ConvertedType::NONE;
    let is_integer = |bits: i8, signed: bool| match column.logical_type_ref() {
        Some(LogicalType::Integer(integer)) => integer.bit_width == bits && integer.is_signed == signed,
        None => signed && plain,
        _ => false,
    };
    let four = Some(Width::Four);
    let eight = Some(Width::Eight);
    match (chunk.column_type(), arrow, column.logical_type_ref()) {
        (Type::INT32, DataType::Int32, _) if is_integer(32, true) => four,
        (Type::INT32, DataType::UInt32, _) if is_integer(32, false) => four,
        (Type::INT32, DataType::Date32, Some(LogicalType::Date)) => four,
        (Type::FLOAT, DataType::Float32, None) if plain => four,
        (Type::INT64, DataType::Int64, _) if is_integer(64, true) => eight,
        (Type::INT64, DataType::UInt64, _) if is_integer(64, false) => eight,
        (Type::INT64, DataType::Timestamp(own, _), Some(LogicalType::Timestamp(said))) => {
            (unit(own) == Some(said.unit)).then_some(Width::Eight)
        }
        (Type::DOUBLE, DataType::Float64, None) if plain => eight,
        (Type::INT96, DataType::Timestamp(own, _), None) if plain => Some(Width::Twelve(*own)),
        (Type::BYTE_ARRAY, DataType::Utf8View, Some(LogicalType::String)) => {
            Some(Width::Any { are_texts: true })
        }
        (Type::BYTE_ARRAY, DataType::BinaryView, None) if plain => Some(Width::Any { are_texts: false }),
        _ => None,
    }
}

/// A dictionary of so many bytes in its file is read in any case: to come back for it takes as long.
const SMALL_DICTIONARY: i64 = 32 << 10;

pub struct Column {
    pages: SerializedPageReader<Ranged>,
    arrow: DataType,
    width: Width,
    nullable: bool,
    dictionary: Option<Arc<Dictionary>>,
    /// A reader that is still before the dictionary, which the other has passed over.
    before_dictionary: Option<SerializedPageReader<Ranged>>,
    page: Option<Open>,
    /// No page was passed yet.
    is_new: bool,
    /// About what a row costs.
    cost: f32,
}

impl Column {
    /// A column chunk that [`takes`] is true of.
    pub fn new(bytes: Arc<Ranged>, chunk: &ColumnChunkMetaData, arrow: &DataType) -> Result<Self> {
        let width = width(chunk, arrow).ok_or_else(|| damaged("a column of another type was expected"))?;
        let nullable = chunk.column_descr().max_def_level() > 0;
        let rows = usize::try_from(chunk.num_values()).unwrap_or(0);
        let pages = SerializedPageReader::new(bytes.clone(), chunk, rows, None)?;
        let size =
            chunk.dictionary_page_offset().map(|offset| chunk.data_page_offset().saturating_sub(offset));
        let before_dictionary = match size.is_some_and(|size| size > SMALL_DICTIONARY) {
            true => Some(SerializedPageReader::new(bytes, chunk, rows, None)?),
            false => None,
        };
        let cost = match width {
            _ if chunk.dictionary_page_offset().is_some() => 1.0,
            Width::Four | Width::Eight | Width::Twelve(_) => 1.5,
            Width::Any { .. } => 6.0,
        };
        Ok(Self {
            pages,
            arrow: arrow.clone(),
            width,
            nullable,
            dictionary: None,
            before_dictionary,
            page: None,
            is_new: true,
            cost,
        })
    }

    pub fn cost(&self) -> f32 {
        self.cost
    }

    /// Passes over rows.
    pub fn skip(&mut self, rows: usize) -> Result<()> {
        self.read(rows, Some(&[])).map(drop)
    }

    /// The next rows, or of those the ones at these places, which ascend.
    pub fn read(&mut self, rows: usize, places: Option<&[u32]>) -> Result<Block> {
        let mut made = Made { expected: places.map_or(rows, <[u32]>::len), ..Made::default() };
        let (mut passed, mut places) = (0, places);
        while passed < rows {
            let left = rows - passed;
            let step = match &self.page {
                Some(page) if page.row < page.rows => (page.rows - page.row).min(left),
                _ => {
                    self.page = None;
                    let Some(ahead) = self.next_page()? else {
                        return Err(damaged("a column has fewer rows than the footer promises"));
                    };
                    let unread =
                        |places: &[u32]| places.first().is_none_or(|first| *first as usize >= passed + ahead);
                    if ahead <= left && places.is_some_and(unread) {
                        self.pages.skip_next_page()?;
                        passed += ahead;
                        continue;
                    }
                    self.open()?;
                    continue;
                }
            };
            let here = places.map(|all| {
                let (here, later) =
                    all.split_at(all.partition_point(|place| (*place as usize) < passed + step));
                places = Some(later);
                here
            });
            self.part(step, here, passed as u32, &mut made)?;
            passed += step;
        }
        made.block(&self.arrow, self.dictionary.as_ref())
    }

    /// How many rows the next data page has. A dictionary that is not where it belongs is read on the way.
    fn next_page(&mut self) -> Result<Option<usize>> {
        loop {
            let Some(page) = self.pages.peek_next_page()? else { return Ok(None) };
            if !page.is_dict {
                self.is_new = false;
                let rows = page.num_rows.or(page.num_levels);
                return rows.map(Some).ok_or_else(|| damaged("a page does not say how many rows it has"));
            }
            if self.is_new && self.before_dictionary.is_some() {
                // Perhaps no page that is opened needs it.
                self.is_new = false;
                self.pages.skip_next_page()?;
                continue;
            }
            let page = self.pages.get_next_page()?;
            self.take_dictionary(page)?;
        }
    }

    fn take_dictionary(&mut self, page: Option<Page>) -> Result<()> {
        let Some(Page::DictionaryPage { buf, num_values, encoding, .. }) = page else {
            return Err(damaged("a dictionary is announced that is not there"));
        };
        if self.dictionary.is_some() || !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
            return Err(damaged("a column has two dictionaries, or one of an unknown encoding"));
        }
        let count = num_values as usize;
        let mut made = Made::default();
        match self.width {
            Width::Any { are_texts } => {
                // Every text is at least its length.
                if count > buf.len() / 4 {
                    return Err(damaged("a dictionary has too few values"));
                }
                let mut texts = Texts::new(buf, 0, are_texts);
                let buffer = made.buffer(&texts);
                texts.read(count, buffer, &mut made.views)?;
                made.rows = count;
            }
            _ => made.plain(&buf, self.width, count, None, 0)?,
        }
        self.dictionary = Some(Arc::new(Dictionary::new(made.array(&self.arrow)?)));
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        let Some(page) = self.pages.get_next_page()? else {
            return Err(damaged("a page is announced that is not there"));
        };
        let page = Open::new(page, self.nullable, self.width)?;
        if page.rows == 0 {
            return Ok(());
        }
        if matches!(page.values, Values::Codes(_)) && self.dictionary.is_none() {
            let Some(mut before) = self.before_dictionary.take() else {
                return Err(damaged("a column has no dictionary"));
            };
            self.take_dictionary(before.get_next_page()?)?;
        }
        self.page = Some(page);
        Ok(())
    }

    /// Rows of the open page, at these places counted from `base` on.
    fn part(&mut self, rows: usize, places: Option<&[u32]>, base: u32, made: &mut Made) -> Result<()> {
        let Some(page) = &mut self.page else { return Err(damaged("no page is open")) };
        let (valid, values) = page.next_valid(rows);
        page.row += rows;
        if let Some([]) = places {
            return made.read(page, self.width, values, places, base);
        }
        let codes = matches!(page.values, Values::Codes(_));
        made.begin(codes, &self.arrow, self.dictionary.as_ref())?;
        made.reserve(codes, self.width);
        let Some(valid) = valid else {
            let picked = places.map_or(rows, <[u32]>::len);
            made.read(page, self.width, rows, places, base)?;
            made.valid_rows(picked);
            return Ok(());
        };
        let spread = match places {
            None => Spread::all(valid),
            Some(places) => Spread::some(&valid, places, base),
        };
        let mut there = Made::default();
        there.read(page, self.width, values, spread.wanted(), 0)?;
        let buffers = made.add_buffers(&mut there);
        match self.width {
            _ if codes => spread.put(&there.codes, &mut made.codes),
            Width::Four => spread.put(&there.fours, &mut made.fours),
            Width::Eight | Width::Twelve(_) => spread.put(&there.eights, &mut made.eights),
            Width::Any { .. } => {
                there.views.iter_mut().for_each(|view| *view = moved(*view, buffers));
                spread.put(&there.views, &mut made.views);
            }
        }
        made.flags(spread.valid());
        Ok(())
    }
}

/// A long text's view into buffers that others lie before.
fn moved(view: u128, before: u32) -> u128 {
    const INLINE: u32 = 12;
    if view as u32 <= INLINE { view } else { view + (u128::from(before) << 64) }
}

/// Rows as far as they were read, in one of these forms.
#[derive(Default)]
struct Made {
    rows: usize,
    /// How many rows there will be, or 0.
    expected: usize,
    codes: Vec<u32>,
    fours: Vec<u32>,
    eights: Vec<u64>,
    views: Vec<u128>,
    buffers: Vec<Buffer>,
    valid: Option<BooleanBufferBuilder>,
    /// The rows are codes; unknown before the first.
    are_codes: Option<bool>,
    /// Rows of another form before these.
    before: Vec<ArrayRef>,
}

impl Made {
    /// Ends the rows of one form where those of another follow.
    fn begin(&mut self, codes: bool, arrow: &DataType, dictionary: Option<&Arc<Dictionary>>) -> Result<()> {
        if self.are_codes.is_some_and(|before| before != codes) && self.rows > 0 {
            let mut before = std::mem::take(&mut self.before);
            let block = std::mem::take(self).block(arrow, dictionary)?;
            before.push(block.decoded()?);
            self.before = before;
        }
        self.are_codes = Some(codes);
        Ok(())
    }

    /// Room for all rows at once, before the first of them.
    fn reserve(&mut self, codes: bool, width: Width) {
        let rows = std::mem::take(&mut self.expected);
        match width {
            _ if codes => self.codes.reserve(rows),
            Width::Four => self.fours.reserve(rows),
            Width::Eight | Width::Twelve(_) => self.eights.reserve(rows),
            Width::Any { .. } => self.views.reserve(rows),
        }
    }

    fn read(
        &mut self,
        page: &mut Open,
        width: Width,
        rows: usize,
        places: Option<&[u32]>,
        base: u32,
    ) -> Result<()> {
        match (&mut page.values, places) {
            (Values::Codes(codes), None) => codes.read(rows, &mut self.codes),
            (Values::Codes(codes), Some([])) => codes.skip(rows),
            (Values::Codes(codes), Some(places)) => codes.pick(rows, places, base, &mut self.codes),
            (Values::Plain(data, at), places) => {
                let rest = data.get(*at..).unwrap_or_default();
                self.plain(rest, width, rows, places, base)?;
                *at += rows * width.bytes();
                Ok(())
            }
            (Values::Texts(texts), Some([])) => texts.skip(rows),
            (Values::Texts(texts), places) => {
                let buffer = self.buffer(texts);
                match places {
                    None => texts.read(rows, buffer, &mut self.views),
                    Some(places) => texts.pick(rows, places, base, buffer, &mut self.views),
                }
            }
        }
    }

    /// Values of one width, one behind the other.
    fn plain(
        &mut self,
        data: &[u8],
        width: Width,
        rows: usize,
        places: Option<&[u32]>,
        base: u32,
    ) -> Result<()> {
        let cut = || damaged("a page has too few values");
        match width {
            Width::Four => {
                let (values, _) = data.get(..rows * 4).ok_or_else(cut)?.as_chunks::<4>();
                match places {
                    None => self.fours.extend(values.iter().map(|value| u32::from_le_bytes(*value))),
                    Some(places) => {
                        let value = |place: &u32| u32::from_le_bytes(values[(place - base) as usize]);
                        self.fours.extend(places.iter().map(value));
                    }
                }
            }
            Width::Twelve(unit) => {
                let (values, _) = data.get(..rows * 12).ok_or_else(cut)?.as_chunks::<12>();
                let picked = places.map_or(rows, <[u32]>::len);
                self.eights.reserve(picked);
                for number in 0..picked {
                    let value = places.map_or(number, |places| (places[number] - base) as usize);
                    self.eights.push(int96::ticks(&values[value], unit)?.cast_unsigned());
                }
            }
            _ => {
                let (values, _) = data.get(..rows * 8).ok_or_else(cut)?.as_chunks::<8>();
                match places {
                    None => self.eights.extend(values.iter().map(|value| u64::from_le_bytes(*value))),
                    Some(places) => {
                        let value = |place: &u32| u64::from_le_bytes(values[(place - base) as usize]);
                        self.eights.extend(places.iter().map(value));
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of a page's buffer.
    fn buffer(&mut self, texts: &Texts) -> u32 {
        let buffer = texts.buffer();
        let known = self.buffers.last().is_some_and(|last| last.as_ptr() == buffer.as_ptr());
        if !known {
            self.buffers.push(buffer);
        }
        self.buffers.len() as u32 - 1
    }

    /// Takes over the buffers of others, and says how many there were before.
    fn add_buffers(&mut self, others: &mut Made) -> u32 {
        let before = self.buffers.len() as u32;
        self.buffers.append(&mut others.buffers);
        before
    }

    /// Takes note of rows that have a value.
    fn valid_rows(&mut self, rows: usize) {
        if let Some(valid) = &mut self.valid {
            valid.append_n(rows, true);
        }
        self.rows += rows;
    }

    /// Takes note of which rows have a value.
    fn flags(&mut self, valid: &BooleanBuffer) {
        if valid.count_set_bits() == valid.len() {
            return self.valid_rows(valid.len());
        }
        let flags = self.valid.get_or_insert_with(|| {
            let mut flags = BooleanBufferBuilder::new(self.rows + valid.len());
            flags.append_n(self.rows, true);
            flags
        });
        flags.append_buffer(valid);
        self.rows += valid.len();
    }

    fn block(mut self, arrow: &DataType, dictionary: Option<&Arc<Dictionary>>) -> Result<Block> {
        let before = std::mem::take(&mut self.before);
        let block = match (self.are_codes, dictionary) {
            (Some(true), Some(dictionary)) => {
                let valid = self.valid.as_mut().map(BooleanBufferBuilder::finish);
                Block::Codes(dictionary.clone(), self.codes, valid)
            }
            _ => Block::Values(self.array(arrow)?),
        };
        if before.is_empty() {
            return Ok(block);
        }
        let last = block.decoded()?;
        let parts: Vec<_> = before.iter().chain([&last]).map(AsRef::as_ref).collect();
        Ok(Block::Values(concat(&parts)?))
    }

    /// Rows that are no codes as an array.
    fn array(mut self, arrow: &DataType) -> Result<ArrayRef> {
        let nulls = self.valid.as_mut().map(|valid| NullBuffer::new(valid.finish()));
        let (buffer, rows) = match arrow {
            DataType::Utf8View => {
                let views = ScalarBuffer::from(self.views);
                // SAFETY: each view was made of a text of the buffer that it names, which was found to be UTF-8.
                return Ok(Arc::new(unsafe { StringViewArray::new_unchecked(views, self.buffers, nulls) }));
            }
            DataType::BinaryView => {
                let views = ScalarBuffer::from(self.views);
                return Ok(Arc::new(BinaryViewArray::try_new(views, self.buffers, nulls)?));
            }
            DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => {
                let rows = self.fours.len();
                (Buffer::from_vec(self.fours), rows)
            }
            _ => {
                let rows = self.eights.len();
                (Buffer::from_vec(self.eights), rows)
            }
        };
        let data = ArrayData::builder(arrow.clone()).len(rows).nulls(nulls).add_buffer(buffer);
        Ok(make_array(data.build()?))
    }
}
