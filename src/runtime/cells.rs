//! Answers put together from scalars: small tables, some columns of which may have values of several types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringViewArray, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::answer::{Answer, Shape, row_labels};
use crate::error::{Code, Error, Result};
use crate::plan::frame::Cells;
use crate::plan::{DType, Label};

/// Values that share a column with others of another type. In the answer's table they are text.
pub struct Mixed {
    /// Of each value its row, and its column behind the index.
    pub places: Vec<(usize, usize)>,
    /// One row, and a column for each value.
    pub values: RecordBatch,
}

impl Answer {
    /// Turns one row of scalars into the small table they belong to.
    pub(super) fn of_cells(cells: &Cells, batches: &[RecordBatch]) -> Result<Self> {
        let row = batches.iter().find(|batch| batch.num_rows() > 0);
        let scalars: &[ArrayRef] = row.map_or(&[], |row| row.columns());
        let mut scalars = scalars.iter();
        let mut table: Vec<Vec<Option<ArrayRef>>> = Vec::with_capacity(cells.cells.len());
        for row in &cells.cells {
            let mut line = Vec::with_capacity(row.len());
            for cell in row {
                line.push(match cell {
                    None => None,
                    Some(_) => {
                        let next = scalars.next().ok_or_else(|| Error::internal("a cell went missing"))?;
                        Some(next.slice(0, 1))
                    }
                });
            }
            table.push(line);
        }
        let mut arrays: Vec<ArrayRef> = vec![row_labels(&cells.index)];
        let mut fields = vec![Field::new("index", arrays[0].data_type().clone(), true)];
        let labels = cells.columns.clone().unwrap_or_else(|| vec![cells.name.clone()]);
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for (place, label) in labels.iter().enumerate() {
            let column = || table.iter().map(|row| row.get(place).and_then(Option::as_ref));
            let array = match cells.common(place) {
                Some(dtype) => {
                    let arrow =
                        dtype.arrow().ok_or_else(|| Error::internal(format!("cells of type {dtype}")))?;
                    let parts = column().map(|cell| match cell {
                        Some(value) => cast(value, &arrow).map_err(Error::from),
                        None => Ok(new_null_array(&arrow, 1)),
                    });
                    let parts = parts.collect::<Result<Vec<_>>>()?;
                    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                    if parts.is_empty() { new_null_array(&arrow, 0) } else { concat(&parts)? }
                }
                None => {
                    let there = column().enumerate().filter_map(|(row, cell)| Some((row, cell?)));
                    for (row, cell) in there {
                        places.push((row, place));
                        values.push(cell.clone());
                    }
                    let texts = column().map(|cell| cell.map(text).transpose().map(Option::flatten));
                    Arc::new(texts.collect::<Result<StringViewArray>>()?)
                }
            };
            fields.push(Field::new(label.arrow_name("value"), array.data_type().clone(), true));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), arrays)?;
        let shape = if cells.columns.is_some() { Shape::Frame } else { Shape::Series };
        let answer = Self::of(shape, Some(vec![Label::None]), labels, schema, vec![batch]);
        Ok(if places.is_empty() {
            answer
        } else {
            answer.with_mixed(Mixed { places, values: row_of(values)? })
        })
    }
}

fn text(value: &ArrayRef) -> Result<Option<String>> {
    let format = ArrayFormatter::try_new(value.as_ref(), &FormatOptions::default())?;
    value.is_valid(0).then(|| written(&format, value, 0)).transpose()
}

/// A value that is there as text. Times beyond the calendar have none.
pub(super) fn written(format: &ArrayFormatter<'_>, values: &ArrayRef, row: usize) -> Result<String> {
    format.value(row).try_to_string().map_err(|_| {
        let kind = DType::from_arrow(values.data_type());
        let what = format!("a value of type {kind} is beyond the years that can be written as text");
        Error::new(Code::OperationFailed, what)
            .hint("Leave such rows out first, or convert the column to `int64` with `astype`")
    })
}

fn row_of(values: Vec<ArrayRef>) -> Result<RecordBatch> {
    let field = |(number, value): (usize, &ArrayRef)| {
        Field::new(format!("{number}"), value.data_type().clone(), true)
    };
    let schema = Schema::new(values.iter().enumerate().map(field).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), values)?)
}
