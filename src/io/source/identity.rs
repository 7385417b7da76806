//! What tells a source from others, and from itself after a change: the files' names, sizes and times, or the rows.

use std::hash::{Hash, Hasher};

use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use ring::digest::{Context, SHA256};

use super::{MemorySource, Source};
use crate::error::{Code, Error, Result};

impl Source {
    /// A digest, in hexadecimal digits. Files are not read for it; rows in memory are, each of them.
    pub fn identity(&self) -> Result<String> {
        let mut digest = Context::new(&SHA256);
        let mut add = |text: &str| {
            digest.update(&(text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
        };
        for column in self.columns() {
            add(&column.field.name);
            add(&format!("{:?}", column.arrow));
        }
        match self {
            Self::Parquet(source) => {
                for file in &source.files {
                    add(&format!("{} {} {}", file.file.name, file.file.size, file.file.stamp));
                }
            }
            Self::Files(source) => {
                add(&source.read_as);
                for (file, (size, stamp)) in source.files.iter().zip(&source.stamps) {
                    add(&format!("{} {size} {stamp}", file.name));
                }
            }
            Self::Memory(source) => rows(source, &mut digest)?,
        }
        Ok(digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Source {
    /// What tells it from most others at once: rows in memory are only counted.
    pub fn sketch(&self, to: &mut impl Hasher) {
        self.rows().hash(to);
        match self {
            Self::Parquet(source) => {
                source.files.iter().for_each(|file| (&file.file.name, file.file.size).hash(to));
            }
            Self::Files(source) => {
                let sizes = source.stamps.iter().map(|(size, _)| size);
                source.files.iter().zip(sizes).for_each(|(file, size)| (&file.name, size).hash(to));
            }
            Self::Memory(source) => source.columns.len().hash(to),
        }
    }
}

/// Rows by their values, so that neither batches nor what lies in missing values make a difference.
fn rows(source: &MemorySource, digest: &mut Context) -> Result<()> {
    let mut converter: Option<(SchemaRef, RowConverter)> = None;
    for batch in &source.batches {
        let schema = batch.schema();
        if converter.as_ref().is_none_or(|(known, _)| *known != schema) {
            let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
            let made = RowConverter::new(fields.collect()).map_err(|error| {
                Error::new(Code::InvalidTask, format!("rows of this source cannot be told apart: {error}"))
                    .hint("Leave `idempotencyKey` out, or write the rows to a file and give that")
                    .detail("path", "options.idempotencyKey")
            })?;
            converter = Some((schema, made));
        }
        let Some((_, converter)) = &mut converter else { continue };
        for start in (0..batch.num_rows()).step_by(STEP) {
            let part = batch.slice(start, STEP.min(batch.num_rows() - start));
            for row in &converter.convert_columns(part.columns())? {
                digest.update(&(row.as_ref().len() as u64).to_le_bytes());
                digest.update(row.as_ref());
            }
        }
    }
    Ok(())
}

/// Rows that are converted at a time.
const STEP: usize = 8_192;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use super::*;

    fn source(batches: Vec<RecordBatch>) -> String {
        let table = (batches[0].schema(), batches);
        Source::Memory(Arc::new(MemorySource::new(vec![table]).unwrap())).identity().unwrap()
    }

    #[test]
    fn rows_in_memory_are_told_by_their_values_alone() {
        let numbers = |values: &[Option<i64>]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let batch = |n: ArrayRef, t: ArrayRef| RecordBatch::try_from_iter([("n", n), ("t", t)]).unwrap();
        let whole = batch(numbers(&[Some(1), None, Some(3)]), texts(&["a", "b", "c"]));
        let same = source(vec![whole.clone()]);
        assert_eq!(source(vec![whole.slice(0, 1), whole.slice(1, 2)]), same);
        assert_ne!(source(vec![whole.slice(0, 2)]), same);
        assert_ne!(source(vec![batch(numbers(&[Some(1), Some(0), Some(3)]), texts(&["a", "b", "c"]))]), same);
        assert_ne!(source(vec![batch(numbers(&[Some(1), None, Some(3)]), texts(&["a", "bc", ""]))]), same);
    }
}
