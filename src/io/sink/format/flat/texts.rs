//! A column of texts or bytes: plain, or as codes of a dictionary where values repeat.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ByteViewType, DataType};
use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::file::statistics::ValueStatistics;

use super::super::Fault;
use super::chunk::{Chunk, PAGE_BYTES, PAGE_ROWS, Pages, Rows};
use super::known_texts::Dictionary;
use super::packer::Packer;
use super::views::Views;
use super::{Column, DICTIONARY, hybrid};

/// Bytes of a bound, at most.
const BOUND: usize = 64;

/// `are_texts`: they are UTF-8, and so are their bounds.
pub fn column(pages: Pages, repeats: bool, are_texts: bool) -> Box<dyn Column> {
    Box::new(Texts {
        pages,
        rows: Rows::default(),
        dictionary: Dictionary::default(),
        views: Views::new(),
        coded: repeats,
        has_codes: false,
        are_texts,
        codes: Vec::new(),
        plain: Vec::new(),
        bounds: Bounds::default(),
        before: Bounds::default(),
        overall: Bounds::default(),
    })
}

struct Texts {
    pages: Pages,
    rows: Rows,
    /// Once it is too large no more values are looked up, but what was coded stays so.
    dictionary: Dictionary,
    views: Views,
    coded: bool,
    /// Pages are: then there is a dictionary, if only an empty one.
    has_codes: bool,
    are_texts: bool,
    /// Of the page in work.
    codes: Vec<u32>,
    plain: Vec<u8>,
    bounds: Bounds,
    /// Of the page before.
    before: Bounds,
    /// Of all pages.
    overall: Bounds,
}

/// The least and the greatest of some values.
#[derive(Default, Clone)]
struct Bounds(Option<(Vec<u8>, Vec<u8>)>);

impl Bounds {
    #[inline]
    fn add(&mut self, value: &[u8]) {
        match &mut self.0 {
            None => self.0 = Some((value.to_vec(), value.to_vec())),
            Some((least, most)) => {
                if value < least.as_slice() {
                    value.clone_into(least);
                } else if value > most.as_slice() {
                    value.clone_into(most);
                }
            }
        }
    }
}

impl Column for Texts {
    fn write(&mut self, array: &ArrayRef, packer: &mut Packer) -> Result<(), Fault> {
        let (rows, nulls) = (array.len(), array.nulls());
        match array.data_type() {
            DataType::Utf8 => {
                let array = array.as_string::<i32>();
                self.values(rows, nulls, |row| array.value(row).as_bytes(), packer)
            }
            DataType::LargeUtf8 => {
                let array = array.as_string::<i64>();
                self.values(rows, nulls, |row| array.value(row).as_bytes(), packer)
            }
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                self.values(rows, nulls, |row| array.value(row), packer)
            }
            DataType::LargeBinary => {
                let array = array.as_binary::<i64>();
                self.values(rows, nulls, |row| array.value(row), packer)
            }
            DataType::Utf8View => self.views(array.as_string_view(), packer),
            DataType::BinaryView => self.views(array.as_binary_view(), packer),
            other => Err(format!("a column of texts is of type {other}").into()),
        }
    }

    fn held(&self) -> usize {
        let waiting = self.codes.capacity() * size_of::<u32>() + self.plain.capacity();
        self.pages.held() + waiting + self.dictionary.held() + self.views.held()
    }

    fn close(mut self: Box<Self>, packer: &mut Packer) -> Result<Chunk, Fault> {
        self.end_page(packer)?;
        let Self { pages, dictionary, overall, are_texts, has_codes, .. } = *self;
        let values = dictionary.len();
        let dictionary = has_codes.then(|| (dictionary.into_page(), values));
        let statistics = |nulls| {
            let bounds =
                overall.0.map(|(least, most)| (least_of(least, are_texts), most_of(most, are_texts)));
            let exact = bounds.as_ref().map(|(least, most)| (least.1, most.1)).unwrap_or_default();
            let (least, most) =
                bounds.map(|(least, most)| (ByteArray::from(least.0), ByteArray::from(most.0))).unzip();
            ValueStatistics::new(least, most, None, Some(nulls), false)
                .with_min_is_exact(exact.0)
                .with_max_is_exact(exact.1)
                .into()
        };
        pages.close(dictionary, statistics, packer)
    }
}

impl Texts {
    fn views<T: ByteViewType + ?Sized>(
        &mut self,
        array: &GenericByteViewArray<T>,
        packer: &mut Packer,
    ) -> Result<(), Fault> {
        let mut views = std::mem::replace(&mut self.views, Views::new());
        views.point_into(array.data_buffers());
        let all = array.views();
        let value = |row: usize| -> &[u8] { array.value(row).as_ref() };
        let code =
            |dictionary: &mut Dictionary, row: usize| views.code(all[row], || dictionary.code(value(row)));
        let done = self.rows(array.len(), array.nulls(), value, code, packer);
        views.rest();
        self.views = views;
        done
    }

    fn values<'a>(
        &mut self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        value: impl Fn(usize) -> &'a [u8],
        packer: &mut Packer,
    ) -> Result<(), Fault> {
        let code = |dictionary: &mut Dictionary, row: usize| dictionary.code(value(row));
        self.rows(rows, nulls, &value, code, packer)
    }

    /// Adds rows; `code` finds the number of a row's value in the dictionary.
    fn rows<'a>(
        &mut self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        value: impl Fn(usize) -> &'a [u8],
        mut code: impl FnMut(&mut Dictionary, usize) -> u32,
        packer: &mut Packer,
    ) -> Result<(), Fault> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let mut from = 0;
        while from < rows {
            let most = (PAGE_ROWS - self.rows.count()).min(rows - from);
            let mut row = from;
            let is_full = |texts: &Self| match texts.coded {
                true => texts.dictionary.bytes() >= DICTIONARY,
                false => texts.plain.len() >= PAGE_BYTES,
            };
            while row < from + most && !is_full(self) {
                if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    if self.coded {
                        let code = code(&mut self.dictionary, row);
                        self.codes.push(code);
                    } else {
                        let value = value(row);
                        self.plain.extend_from_slice(&u32::try_from(value.len())?.to_le_bytes());
                        self.plain.extend_from_slice(value);
                        self.bounds.add(value);
                    }
                }
                row += 1;
            }
            match nulls {
                None => self.rows.add(row - from, None::<std::iter::Empty<bool>>),
                Some(nulls) => self.rows.add(row - from, Some(nulls.slice(from, row - from).iter())),
            }
            from = row;
            let full = is_full(self);
            if full || self.rows.count() == PAGE_ROWS {
                self.end_page(packer)?;
            }
            if full && self.coded {
                self.coded = false;
                self.views = Views::new();
            }
        }
        Ok(())
    }

    fn end_page(&mut self, packer: &mut Packer) -> Result<(), Fault> {
        let counts = (self.rows.count(), self.rows.missing());
        if counts.0 == 0 {
            return Ok(());
        }
        self.has_codes |= self.coded;
        let encoding = if self.coded { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let width = hybrid::width(self.dictionary.len().saturating_sub(1) as u32);
        let room = if self.coded { self.codes.len() * usize::from(width) / 8 + 64 } else { self.plain.len() };
        let mut page = self.rows.page(self.pages.is_nullable(), room);
        if self.coded {
            page.push(width);
            hybrid::encode(&self.codes, width, &mut page);
            if let Some((least, most)) = self.dictionary.bounds(&self.codes) {
                self.bounds.add(least);
                self.bounds.add(most);
            }
        } else {
            page.extend_from_slice(&self.plain);
        }
        self.codes.clear();
        self.plain.clear();
        let own = std::mem::take(&mut self.bounds);
        let order = match (&own.0, &self.before.0) {
            (Some(own), Some(before)) => {
                (before.0 <= own.0 && before.1 <= own.1, before.0 >= own.0 && before.1 >= own.1)
            }
            _ => (true, true),
        };
        let mut stored = None;
        if let Some((least, most)) = &own.0 {
            self.overall.add(least);
            self.overall.add(most);
            stored =
                Some((least_of(least.clone(), self.are_texts).0, most_of(most.clone(), self.are_texts).0));
            self.before = own;
        }
        self.pages.add(page, encoding, counts, stored, order, packer)
    }
}

/// What is not above a value, and whether it is the value.
fn least_of(mut value: Vec<u8>, is_text: bool) -> (Vec<u8>, bool) {
    if value.len() <= BOUND {
        return (value, true);
    }
    value.truncate(cut(&value, is_text));
    (value, false)
}

/// What is not below a value, and whether it is the value.
fn most_of(value: Vec<u8>, is_text: bool) -> (Vec<u8>, bool) {
    if value.len() <= BOUND {
        return (value, true);
    }
    let shown = &value[..cut(&value, is_text)];
    let next = if is_text { next_text(shown) } else { next_bytes(shown) };
    match next {
        Some(next) => (next, false),
        None => (value, true),
    }
}

/// Where a value is cut: texts between two characters.
fn cut(value: &[u8], is_text: bool) -> usize {
    let continues = |at: usize| is_text && value[at] & 0xc0 == 0x80;
    (1..=BOUND).rev().find(|at| !continues(*at)).unwrap_or(BOUND)
}

/// A text above all that begin with this one, no longer than it.
fn next_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    text.char_indices().rev().find_map(|(at, last)| {
        let next = char::from_u32(u32::from(last) + 1).filter(|next| next.len_utf8() == last.len_utf8())?;
        Some(format!("{}{next}", &text[..at]).into_bytes())
    })
}

/// Bytes above all that begin with these.
fn next_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let last = bytes.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = bytes.to_vec();
    next[last] += 1;
    next[last + 1..].fill(0);
    Some(next)
}
