//! Rows of a column as they were read: values, or numbers of a dictionary's values.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::error::ArrowError;

use super::Result;
use super::dictionary::Dictionary;

/// Rows of a column.
#[derive(Clone)]
pub enum Block {
    /// Numbers of a dictionary's values, and which rows have one where some have not.
    Codes(Arc<Dictionary>, Vec<u32>, Option<BooleanBuffer>),
    Values(ArrayRef),
}

impl Block {
    pub fn rows(&self) -> usize {
        match self {
            Block::Codes(_, codes, _) => codes.len(),
            Block::Values(values) => values.len(),
        }
    }

    /// Some of the rows.
    pub fn picked(self, places: &[u32]) -> Result<Self, ArrowError> {
        Ok(match self {
            Block::Codes(dictionary, codes, valid) => {
                let codes = places.iter().map(|place| codes[*place as usize]).collect();
                let valid =
                    valid.map(|valid| places.iter().map(|place| valid.value(*place as usize)).collect());
                Block::Codes(dictionary, codes, valid)
            }
            Block::Values(values) => Block::Values(take(&values, &UInt32Array::from(places.to_vec()), None)?),
        })
    }

    pub fn decoded(self) -> Result<ArrayRef> {
        match self {
            Block::Codes(dictionary, codes, valid) => dictionary.decoded(codes, valid.map(NullBuffer::new)),
            Block::Values(values) => Ok(values),
        }
    }

    /// As an array with a dictionary of texts, if the rows have one.
    pub fn coded(self) -> Result<ArrayRef> {
        match self {
            Block::Codes(dictionary, codes, valid) => dictionary.coded(codes, valid.map(NullBuffer::new)),
            Block::Values(values) => Ok(values),
        }
    }
}
