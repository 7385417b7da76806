//! The order of a sort: keys as bytes that compare as the keys do.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::physical_expr::PhysicalSortExpr;

use crate::error::Result;

/// Keys that tell all rows apart, over rows of this schema.
pub struct Order {
    pub keys: Vec<PhysicalSortExpr>,
    pub schema: SchemaRef,
}

impl Order {
    fn fields(keys: &[PhysicalSortExpr], schema: &Schema) -> Result<Vec<SortField>> {
        let field = |key: &PhysicalSortExpr| {
            let dtype = key.expr.data_type(schema)?;
            Ok(SortField::new_with_options(dtype, key.options))
        };
        keys.iter().map(field).collect()
    }

    /// Whether such keys can be bytes.
    pub fn is_supported(keys: &[PhysicalSortExpr], schema: &Schema) -> Result<bool> {
        Ok(RowConverter::supports_fields(&Self::fields(keys, schema)?))
    }

    /// The keys in words.
    pub fn shown(&self) -> String {
        self.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    pub fn encoder(&self) -> Result<Encoder<'_>> {
        let fields = Self::fields(&self.keys, &self.schema)?;
        let widths = self.keys.iter().map(|key| Ok(key.expr.data_type(&self.schema)?.primitive_width()));
        let widths: Option<Vec<usize>> = widths.collect::<Result<Vec<_>>>()?.into_iter().collect();
        // A byte says whether the value is missing.
        let width = widths.map(|widths| widths.iter().map(|width| 1 + width).sum());
        Ok(Encoder { keys: &self.keys, converter: RowConverter::new(fields)?, width })
    }
}

/// Makes bytes of keys.
pub struct Encoder<'a> {
    keys: &'a [PhysicalSortExpr],
    converter: RowConverter,
    /// Bytes of a key, where all are as long.
    width: Option<usize>,
}

impl Encoder<'_> {
    /// Bytes that the keys of a batch take.
    pub fn size(&self, batch: &RecordBatch) -> Result<usize> {
        match self.width {
            Some(width) => Ok(size_of::<Rows>() + batch.num_rows() * (width + size_of::<usize>())),
            None => Ok(self.encode(batch)?.size()),
        }
    }

    pub fn encode(&self, batch: &RecordBatch) -> Result<Rows> {
        let columns = self.keys.iter().map(|key| Ok(key.evaluate_to_sort_column(batch)?.values));
        Ok(self.converter.convert_columns(&columns.collect::<Result<Vec<_>>>()?)?)
    }
}

/// The first bytes of a key from a place on, as a number that compares as they do.
pub fn prefix(key: &[u8], from: usize) -> u64 {
    let rest = key.get(from..).unwrap_or_default();
    if let Some(first) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(first)
}
