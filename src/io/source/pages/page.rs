//! One data page: which of its rows have a value, and where the values are.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::TimeUnit;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::hybrid::Hybrid;
use super::texts::Texts;
use super::{Result, damaged};

/// How wide a plain value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Four,
    Eight,
    /// Instants as Hive and Spark once wrote them, made ticks of this unit.
    Twelve(TimeUnit),
    /// Texts, or bytes that need not be.
    Any {
        are_texts: bool,
    },
}

impl Width {
    /// Bytes of a plain number.
    pub fn bytes(self) -> usize {
        match self {
            Width::Four => 4,
            Width::Twelve(_) => 12,
            Width::Eight | Width::Any { .. } => 8,
        }
    }
}

pub struct Open {
    pub rows: usize,
    /// Rows that were passed.
    pub row: usize,
    /// Which rows have a value, where some have none.
    pub valid: Option<BooleanBuffer>,
    pub values: Values,
}

pub enum Values {
    /// Numbers of a dictionary's values.
    Codes(Hybrid),
    /// One behind the other, from this byte on.
    Plain(Bytes, usize),
    Texts(Texts),
}

impl Open {
    pub fn new(page: Page, nullable: bool, width: Width) -> Result<Self> {
        let rows = page.num_values() as usize;
        let encoding = page.encoding();
        let (data, at, valid) = match page {
            Page::DataPage { buf, def_level_encoding, .. } => {
                let (at, valid) = if nullable { levels(&buf, def_level_encoding, rows)? } else { (0, None) };
                (buf, at, valid)
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let at = (rep_levels_byte_len as usize).saturating_add(def_levels_byte_len as usize);
                if at > buf.len() {
                    return Err(damaged("a page ends within its levels"));
                }
                let valid = match nullable {
                    true => validity(buf.slice(rep_levels_byte_len as usize..at), rows)?,
                    false => None,
                };
                (buf, at, valid)
            }
            Page::DictionaryPage { .. } => return Err(damaged("a column has two dictionaries")),
        };
        let values = match (encoding, width) {
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, _) => {
                let none = valid.as_ref().is_some_and(|valid| valid.count_set_bits() == 0);
                match data.get(at) {
                    Some(width) => Values::Codes(Hybrid::new(data.slice(at + 1..), *width)?),
                    // Where no row has a value, some write nothing at all.
                    None if none || rows == 0 => Values::Codes(Hybrid::new(Bytes::new(), 0)?),
                    None => return Err(damaged("a page ends before its values")),
                }
            }
            (Encoding::PLAIN, Width::Any { are_texts }) => Values::Texts(Texts::new(data, at, are_texts)),
            (Encoding::PLAIN, _) => Values::Plain(data, at),
            (other, _) => {
                return Err(damaged(&format!(
                    "a page has the encoding {other:?}, unlike what is said of it"
                )));
            }
        };
        Ok(Self { rows, row: 0, valid, values })
    }

    /// Which of the next rows have a value, and how many that are.
    pub fn next_valid(&self, rows: usize) -> (Option<BooleanBuffer>, usize) {
        match &self.valid {
            None => (None, rows),
            Some(valid) => {
                let valid = valid.slice(self.row, rows);
                let values = valid.count_set_bits();
                (Some(valid), values)
            }
        }
    }
}

/// Where the values begin, and which rows have one.
fn levels(data: &Bytes, encoding: Encoding, rows: usize) -> Result<(usize, Option<BooleanBuffer>)> {
    #[allow(deprecated)]
    if encoding == Encoding::BIT_PACKED {
        let bytes = rows.div_ceil(8);
        let Some(packed) = data.get(..bytes) else { return Err(damaged("a page ends within its levels")) };
        // From the highest bit of each byte on.
        let bits: Vec<u8> = packed.iter().map(|byte| byte.reverse_bits()).collect();
        return Ok((bytes, some_missing(BooleanBuffer::new(bits.into(), 0, rows))));
    }
    let Some((length, _)) = data.split_first_chunk::<4>() else {
        return Err(damaged("a page ends within its levels"));
    };
    let end = (u32::from_le_bytes(*length) as usize).saturating_add(4);
    if end > data.len() {
        return Err(damaged("a page ends within its levels"));
    }
    Ok((end, validity(data.slice(4..end), rows)?))
}

fn validity(levels: Bytes, rows: usize) -> Result<Option<BooleanBuffer>> {
    let mut bits = BooleanBufferBuilder::new(rows);
    Hybrid::new(levels, 1)?.bits(rows, &mut bits)?;
    Ok(some_missing(bits.finish()))
}

fn some_missing(valid: BooleanBuffer) -> Option<BooleanBuffer> {
    (valid.count_set_bits() < valid.len()).then_some(valid)
}
