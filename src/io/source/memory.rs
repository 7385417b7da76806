//! A source that is Arrow data already in memory.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::SourceColumn;
use crate::error::{Code, Error, Result};

pub struct MemorySource {
    pub columns: Vec<SourceColumn>,
    /// As they came, in their own types; scans convert what they use.
    pub batches: Vec<RecordBatch>,
    pub rows: u64,
}

impl MemorySource {
    /// Tables one after the other; all must have the first one's columns.
    pub fn new(tables: Vec<(SchemaRef, Vec<RecordBatch>)>) -> Result<Self> {
        let Some((schema, _)) = tables.first() else {
            return Err(Error::internal("a source in memory without a table"));
        };
        let mut names = std::collections::HashSet::new();
        let mut columns: Vec<SourceColumn> = Vec::new();
        for field in schema.fields() {
            if !names.insert(field.name().as_str()) {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!("the source in memory has two columns named `{}`", field.name()),
                )
                .hint("Rename one of them")
                .detail("column", field.name().as_str()));
            }
            columns.push(SourceColumn::new(field.name(), field.data_type()));
        }
        let mut batches = Vec::new();
        for (number, (schema, table)) in tables.into_iter().enumerate() {
            for (column, field) in columns.iter_mut().zip(schema.fields()) {
                let found = SourceColumn::new(field.name(), field.data_type());
                if column.arrow == DataType::Null {
                    *column = SourceColumn { field: column.field.clone(), ..found.clone() };
                    column.field.dtype = found.field.dtype.clone();
                }
                let same = found.arrow == column.arrow || found.arrow == DataType::Null;
                if found.field.name != column.field.name || !same {
                    return Err(mismatch(number, column, field.name(), &found));
                }
            }
            if schema.fields().len() != columns.len() {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!(
                        "table {} of the source has {} columns where the first has {}",
                        number + 1,
                        schema.fields().len(),
                        columns.len()
                    ),
                )
                .hint("Give every table of the list the same columns"));
            }
            batches.extend(table.into_iter().filter(|batch| batch.num_rows() > 0));
        }
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        Ok(Self { columns, batches, rows })
    }
}

/// Whether a column is a text, or bytes, with offsets where a view of one is wanted: the same values in another form.
pub fn has_offsets(found: &DataType, wanted: &DataType) -> bool {
    match wanted {
        DataType::Utf8View => matches!(found, DataType::Utf8 | DataType::LargeUtf8),
        DataType::BinaryView => matches!(found, DataType::Binary | DataType::LargeBinary),
        _ => false,
    }
}

/// Whether a column comes as codes of its texts.
pub fn is_codes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8)
}

fn mismatch(number: usize, expected: &SourceColumn, name: &str, found: &SourceColumn) -> Error {
    Error::new(
        Code::SchemaMismatch,
        format!(
            "table {} of the source has column `{name}` ({}) where the first has `{}` ({})",
            number + 1,
            found.field.dtype,
            expected.field.name,
            expected.field.dtype
        ),
    )
    .hint("Give every table of the list the same columns in the same order")
    .detail("column", name)
}
