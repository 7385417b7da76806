//! What the log of a table (Delta Lake, Iceberg) says of its files: their columns, and values that are a file's own.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::SchemaRef;

use super::footers::Footers;
use super::hive::Partitions;
use super::{MemorySource, ParquetSource, Source, SourceColumn};
use crate::error::{Error, Result};
use crate::io::location::FileRef;

pub struct Declared {
    /// The columns of the table, in order.
    pub schema: SchemaRef,
    /// A row for each file: the columns that are the same in all of its rows.
    pub values: RecordBatch,
}

impl Declared {
    /// The table that these files make. Columns of files that it does not have come after its own.
    pub async fn source(&self, files: Vec<FileRef>, footers: &Footers) -> Result<Source> {
        if files.len() != self.values.num_rows() {
            return Err(Error::internal("a log that does not know each of its files"));
        }
        if files.is_empty() {
            let empty = (self.schema.clone(), Vec::new());
            return Ok(Source::Memory(Arc::new(MemorySource::new(vec![empty])?)));
        }
        Ok(Source::Parquet(Arc::new(ParquetSource::declared(files, self, footers).await?)))
    }

    /// The columns that are a file's own; the first value is of no file.
    pub fn partitions(&self) -> Result<Partitions> {
        let mut partitions = Partitions::default();
        for (field, values) in self.values.schema().fields().iter().zip(self.values.columns()) {
            let column = SourceColumn::new(field.name(), field.data_type());
            let values = cast(values, &column.arrow)?;
            let none = new_null_array(values.data_type(), 1);
            partitions.values.push(concat(&[none.as_ref(), values.as_ref() as &dyn Array])?);
            partitions.columns.push(column);
        }
        Ok(partitions)
    }
}
