//! Interner of any other type, by Arrow's row format: decimals, and whatever else has an order.

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use super::bytes::{self, BytesInterner};
use super::intern::{Interner, MISSING};
use crate::error::{Result, not_decomposable};

pub struct RowsInterner {
    arrow: DataType,
    converter: RowConverter,
    bytes: BytesInterner,
}

impl RowsInterner {
    pub fn new(arrow: DataType) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(arrow.clone())]).map_err(|_| {
            not_decomposable(format!("columns of type {arrow} cannot be grouped by"))
                .hint("Group by a part of it that is a number, text or time, or leave it out of the keys")
        })?;
        Ok(Self { arrow, converter, bytes: BytesInterner::new(DataType::BinaryView) })
    }
}

impl Interner for RowsInterner {
    fn intern(&mut self, column: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        let rows = self.converter.convert_columns(std::slice::from_ref(column))?;
        let nulls = column.logical_nulls();
        ids.clear();
        for (position, row) in rows.iter().enumerate() {
            let missing = nulls.as_ref().is_some_and(|nulls| nulls.is_null(position));
            ids.push(if missing { MISSING } else { self.bytes.intern_bytes(row.data())? });
        }
        Ok(())
    }

    fn hash(&mut self, column: &ArrayRef, hashes: &mut Vec<u64>) -> Result<()> {
        let rows = self.converter.convert_columns(std::slice::from_ref(column))?;
        let nulls = column.logical_nulls();
        let missing = |position| nulls.as_ref().is_some_and(|nulls| nulls.is_null(position));
        let hash = |(position, row): (usize, arrow::row::Row<'_>)| {
            if missing(position) { 0 } else { bytes::hash(row.data()) }
        };
        hashes.clear();
        hashes.extend(rows.iter().enumerate().map(hash));
        Ok(())
    }

    fn height(&self) -> usize {
        self.bytes.height()
    }

    fn hashes(&self) -> Vec<u64> {
        self.bytes.hashes()
    }

    fn values(&self) -> Result<ArrayRef> {
        let missing = new_null_array(&self.arrow, 1);
        let encoded = self.bytes.values()?;
        let encoded = encoded.as_binary_view();
        let parser = self.converter.parser();
        let rows = (1..encoded.len()).map(|id| parser.parse(encoded.value(id)));
        let values = self.converter.convert_rows(rows)?;
        let Some(values) = values.first() else { return Ok(missing) };
        Ok(concat(&[missing.as_ref(), values.as_ref()])?)
    }

    fn size(&self) -> usize {
        self.bytes.size() + self.converter.size()
    }
}
