//! Key columns in the form in which joins hash and compare them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Decimal128Type};

use crate::engine::group::bytes::hash_views;
use crate::engine::group::fixed::{FixedInterner, words};
use crate::engine::group::intern::mix;
use crate::error::{Error, Result};

/// One key column of some rows.
pub enum KeyColumn {
    /// Values that fit a word, and which rows have one where some have not.
    Words(Vec<u64>, Option<BooleanBuffer>),
    Bytes(BinaryViewArray),
}

impl KeyColumn {
    pub fn new(column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Utf8View => KeyColumn::Bytes(column.as_string_view().clone().to_binary_view()),
            DataType::BinaryView => KeyColumn::Bytes(column.as_binary_view().clone()),
            DataType::Null => {
                let rows = column.len();
                KeyColumn::Words(vec![0; rows], Some(BooleanBuffer::new_unset(rows)))
            }
            DataType::Decimal128(..) => {
                let values = column.as_primitive::<Decimal128Type>();
                let bytes = values.iter().map(|value| value.map(i128::to_le_bytes));
                KeyColumn::Bytes(BinaryViewArray::from_iter(bytes))
            }
            fixed if FixedInterner::takes(fixed) => {
                let (words, present) = words(column)?;
                KeyColumn::Words(words, present)
            }
            other => return Err(Error::internal(format!("a join by a key of type {other}"))),
        })
    }

    #[inline(always)]
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            KeyColumn::Words(_, present) => present.as_ref().is_some_and(|present| !present.value(row)),
            KeyColumn::Bytes(values) => values.is_null(row),
        }
    }

    pub fn has_missing(&self) -> bool {
        match self {
            KeyColumn::Words(_, present) => present.is_some(),
            KeyColumn::Bytes(values) => values.null_count() > 0,
        }
    }

    /// Whether two rows have the same value; two missing ones are the same.
    #[inline(always)]
    fn same(&self, row: usize, other: &KeyColumn, other_row: usize) -> bool {
        match (self.is_missing(row), other.is_missing(other_row)) {
            (false, false) => {}
            (a, b) => return a == b,
        }
        match (self, other) {
            (KeyColumn::Words(words, _), KeyColumn::Words(others, _)) => words[row] == others[other_row],
            (KeyColumn::Bytes(values), KeyColumn::Bytes(others)) => {
                let (a, b) = (values.views()[row], others.views()[other_row]);
                // Length and beginning, or all of it.
                if a as u32 <= 12 {
                    a == b
                } else {
                    a as u64 == b as u64 && values.value(row) == others.value(other_row)
                }
            }
            _ => false,
        }
    }

    /// The hash of each row's value, 0 for a missing one.
    fn hashes(&self) -> Vec<u64> {
        match self {
            KeyColumn::Words(words, None) => words.iter().map(|word| mix(*word, 0)).collect(),
            KeyColumn::Words(words, Some(present)) => {
                words.iter().zip(present).map(|(word, there)| if there { mix(*word, 0) } else { 0 }).collect()
            }
            KeyColumn::Bytes(values) => {
                let mut hashes = Vec::new();
                hash_views(values, &mut hashes);
                if values.null_count() > 0 {
                    for (row, hash) in hashes.iter_mut().enumerate() {
                        *hash = if values.is_null(row) { 0 } else { *hash };
                    }
                }
                hashes
            }
        }
    }

    pub fn size(&self) -> usize {
        match self {
            KeyColumn::Words(words, _) => words.capacity() * size_of::<u64>(),
            // Shares the bytes of the column itself.
            KeyColumn::Bytes(values) => values.len() * size_of::<u128>(),
        }
    }
}

/// The key columns of some rows.
pub struct Keys {
    pub columns: Vec<KeyColumn>,
    pub rows: usize,
}

impl Keys {
    pub fn new(columns: &[ArrayRef], rows: usize) -> Result<Self> {
        Ok(Self { columns: columns.iter().map(KeyColumn::new).collect::<Result<_>>()?, rows })
    }

    /// The words of a single key of that kind.
    pub fn words(&self) -> Option<(&[u64], &KeyColumn)> {
        match self.columns.as_slice() {
            [column @ KeyColumn::Words(words, _)] => Some((words, column)),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn same(&self, row: usize, other: &Keys, other_row: usize) -> bool {
        self.columns.iter().zip(&other.columns).all(|(a, b)| a.same(row, b, other_row))
    }

    pub fn hashes(&self) -> Vec<u64> {
        let mut columns = self.columns.iter();
        let Some(first) = columns.next() else { return vec![0; self.rows] };
        let mut hashes = first.hashes();
        for column in columns {
            for (hash, next) in hashes.iter_mut().zip(column.hashes()) {
                *hash = mix(hash.rotate_left(17), next);
            }
        }
        hashes
    }

    pub fn size(&self) -> usize {
        self.columns.iter().map(KeyColumn::size).sum()
    }
}

/// Key columns of a batch by place.
pub fn picked(columns: &[ArrayRef], places: &[usize]) -> Vec<ArrayRef> {
    places.iter().map(|place| Arc::clone(&columns[*place])).collect()
}
