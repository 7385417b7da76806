//! Single rows of a source by their numbers: only the parts that hold them are read, and none beyond its last one.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};

use super::control::Control;
use super::group::exec::blocking;
use super::scan::{Morsel, Scan, morsels};
use super::scan_cost::Cost;
use crate::error::Result;
use crate::io::source::Source;

/// The column of the rows' labels.
pub const LABEL: &str = "__label";

/// The rows with these numbers, which rise; the last column is each one's label, counted by start and step.
pub async fn rows_at(
    source: Source,
    columns: Vec<usize>,
    rows: Vec<u64>,
    labels: (i64, i64),
    chunk_rows: usize,
    threads: usize,
    control: Arc<Control>,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut wanted: Vec<(Morsel, Vec<u64>)> = Vec::new();
    let mut left = rows.as_slice();
    for mut morsel in morsels(&source, |_, _| true, 1) {
        let end = morsel.first_row + morsel.rows as u64;
        let (here, later) = left.split_at(left.partition_point(|row| *row < end));
        left = later;
        let (Some(first), Some(last)) = (here.first(), here.last()) else { continue };
        if !matches!(source, Source::Files(_)) {
            // Parts of other files are read from their start to their end.
            let skipped = first - morsel.first_row;
            morsel.offset += skipped as usize;
            morsel.first_row = *first;
            morsel.rows = (last - first + 1) as usize;
        }
        wanted.push((morsel, here.to_vec()));
    }
    let scan = Arc::new(Scan {
        source,
        columns,
        row_numbers: true,
        dictionaries: Vec::new(),
        early: None,
        stages: None,
        only_asked: Vec::new(),
        keys: Vec::new(),
        morsels: Vec::new(),
        chunk_rows,
        cost: Cost::default(),
        texts_as_they_are: false,
        control,
        io: tokio::runtime::Handle::current(),
    });
    let schema = labelled(&scan.schema());
    let found: Vec<Vec<RecordBatch>> = futures::stream::iter(wanted)
        .map(|(morsel, rows)| {
            let scan = scan.clone();
            async move {
                let mut reader = scan.open(morsel).await?;
                blocking(move || {
                    let (mut at, mut taken, mut left) = (morsel.first_row, Vec::new(), rows.as_slice());
                    while !left.is_empty() {
                        let Some(chunk) = reader.next_chunk()? else { break };
                        let end = at + chunk.num_rows() as u64;
                        let (here, later) = left.split_at(left.partition_point(|row| *row < end));
                        left = later;
                        if !here.is_empty() {
                            let places = UInt64Array::from_iter_values(here.iter().map(|row| row - at));
                            let rows = take_record_batch(&chunk, &places)?;
                            let mut columns = rows.columns().to_vec();
                            columns.pop();
                            let (start, step) = labels;
                            let label = |row: &u64| start.wrapping_add(step.wrapping_mul(*row as i64));
                            columns.push(Arc::new(Int64Array::from_iter_values(here.iter().map(label))));
                            taken.push(RecordBatch::try_new(labelled(&rows.schema()), columns)?);
                        }
                        at = end;
                    }
                    Ok(taken)
                })
                .await
            }
        })
        .buffered(threads.max(1))
        .try_collect()
        .await?;
    Ok((schema, found.into_iter().flatten().collect()))
}

/// A scan's schema with labels instead of numbers.
fn labelled(schema: &SchemaRef) -> SchemaRef {
    let columns = schema.fields().len().saturating_sub(1);
    let mut fields: Vec<_> = schema.fields().iter().take(columns).cloned().collect();
    fields.push(Arc::new(Field::new(LABEL, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}
