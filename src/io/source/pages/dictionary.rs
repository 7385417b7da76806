//! The values of a column chunk's dictionary.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int32Type};

use super::{Result, damaged};

pub struct Dictionary {
    pub values: ArrayRef,
    /// The same as `Utf8`, in which form dictionaries go on.
    texts: OnceLock<ArrayRef>,
}

impl Dictionary {
    pub fn new(values: ArrayRef) -> Self {
        Self { values, texts: OnceLock::new() }
    }

    /// The values that these numbers stand for.
    pub fn decoded(&self, codes: Vec<u32>, valid: Option<NullBuffer>) -> Result<ArrayRef> {
        self.check(&codes)?;
        if self.values.is_empty() {
            // Every row is missing.
            return Ok(arrow::array::new_null_array(self.values.data_type(), codes.len()));
        }
        Ok(take(&self.values, &UInt32Array::new(codes.into(), valid), None)?)
    }

    /// The same as an array with a dictionary of texts.
    pub fn coded(&self, codes: Vec<u32>, valid: Option<NullBuffer>) -> Result<ArrayRef> {
        self.check(&codes)?;
        let texts = match self.texts.get() {
            Some(texts) => texts.clone(),
            None => {
                let texts = cast(&self.values, &DataType::Utf8)?;
                self.texts.get_or_init(|| texts).clone()
            }
        };
        if texts.is_empty() {
            let empty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            return Ok(arrow::array::new_null_array(&empty, codes.len()));
        }
        let keys = Int32Array::new(codes.into_iter().map(|code| code as i32).collect(), valid);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, texts)?))
    }

    /// No number may be beyond the values, but those of missing rows where there is none.
    pub fn check(&self, codes: &[u32]) -> Result<()> {
        let most = codes.iter().copied().max().unwrap_or(0) as usize;
        if most < self.values.len().max(1) { Ok(()) } else { Err(damaged("a dictionary has too few values")) }
    }
}
