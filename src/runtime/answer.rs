//! A finished value: Arrow data and the labels that pandas would put on it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::cells::Mixed;
use super::texts::converted;
use super::wide::Header;
use crate::error::{Error, Result};
use crate::io::sink;
use crate::io::sink::target::{Target, Written};
use crate::plan::Label;
use crate::plan::frame::{Frame, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Frame,
    Series,
    Scalar,
}

pub struct Answer {
    pub shape: Shape,
    /// Labels of the leading columns that are the index; None for a range.
    pub index: Option<Vec<Label>>,
    pub columns: Vec<Label>,
    /// Of a wide table what its columns are called, with types.
    pub header: Option<Header>,
    /// What is text in the table because its column has values of several types.
    pub mixed: Option<Box<Mixed>>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Answer {
    pub(super) fn scalar(batches: Vec<RecordBatch>) -> Self {
        let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), |batch| batch.schema());
        Self::of(Shape::Scalar, None, Vec::new(), schema, batches)
    }

    /// An answer that was put together elsewhere: `index` are the labels of the leading columns that are the index.
    pub fn of(
        shape: Shape,
        index: Option<Vec<Label>>,
        columns: Vec<Label>,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Self {
        Self { shape, index, columns, header: None, mixed: None, schema, batches }
    }

    pub(super) fn new(frame: &Frame, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self> {
        let shape = match &frame.kind {
            Kind::Cells(cells) => return Self::of_cells(cells, &batches),
            Kind::Scalar => Shape::Scalar,
            Kind::Series => Shape::Series,
            Kind::Frame => Shape::Frame,
            Kind::Wide(_) | Kind::Dummies(_) => {
                return Err(Error::internal("a wide table that was not spread out"));
            }
        };
        let (index, columns) = (frame.index_names(), frame.labels());
        Ok(Self::of(shape, index, columns, schema, batches))
    }

    /// The same with what its columns are called.
    pub(super) fn headed(self, header: Header) -> Self {
        Self { header: Some(header), ..self }
    }

    /// The same with the values of columns that are of several types.
    pub(super) fn with_mixed(self, mixed: Mixed) -> Self {
        Self { mixed: Some(Box::new(mixed)), ..self }
    }

    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub fn size_bytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// The only value of a scalar.
    pub fn value(&self) -> Option<ArrayRef> {
        let batch = self.batches.iter().find(|batch| batch.num_rows() > 0)?;
        Some(batch.columns().first()?.slice(0, 1))
    }

    /// The schema as it is handed out: strings with 64-bit offsets, which every reader understands.
    pub fn schema(&self) -> SchemaRef {
        plain_schema(&self.schema)
    }

    pub fn batches(&self) -> Result<Vec<RecordBatch>> {
        self.batches.iter().map(handed_out_batch).collect()
    }

    /// The first and last rows as text.
    pub fn preview(&self, rows: usize) -> Result<Vec<Vec<Option<String>>>> {
        let total = self.num_rows();
        let shown = if total <= 2 * rows {
            self.batches.clone()
        } else {
            let whole = self.ends(rows)?;
            vec![whole]
        };
        let options = FormatOptions::default();
        let mut text = Vec::new();
        for batch in shown {
            let columns = batch.columns().iter();
            let formats = columns
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
                .collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().zip(&formats);
                text.push(
                    cells
                        .map(|(column, format)| {
                            // A time beyond the calendar is no error of who only looks.
                            let shown = |_| "(beyond the calendar)".to_owned();
                            column
                                .is_valid(row)
                                .then(|| format.value(row).try_to_string().unwrap_or_else(shown))
                        })
                        .collect(),
                );
            }
        }
        Ok(text)
    }

    fn ends(&self, rows: usize) -> Result<RecordBatch> {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let mut left = rows;
        for batch in &self.batches {
            let take = left.min(batch.num_rows());
            head.push(batch.slice(0, take));
            left -= take;
        }
        left = rows;
        for batch in self.batches.iter().rev() {
            let take = left.min(batch.num_rows());
            tail.push(batch.slice(batch.num_rows() - take, take));
            left -= take;
        }
        tail.reverse();
        head.extend(tail);
        Ok(concat_batches(&self.schema, &head)?)
    }

    /// Writes it to files, the index as leading columns. Blocks.
    pub fn write(&self, target: Target) -> Result<Written> {
        sink::write(target, &self.schema(), &self.batches()?)
    }
}

/// The same fields as they are handed out.
pub fn plain_schema(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(plain_field).collect::<Vec<_>>()))
}

fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        DataType::List(field) => DataType::List(plain_field(field)),
        DataType::LargeList(field) => DataType::LargeList(plain_field(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(plain_field(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Map(field, sorted) => DataType::Map(plain_field(field), *sorted),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain(field.data_type());
    if plain == *field.data_type() {
        return field.clone();
    }
    Arc::new(field.as_ref().clone().with_data_type(plain))
}

/// A batch with types that every reader understands.
pub fn handed_out_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    handed_out(batch, &plain_schema(&batch.schema()))
}

/// A batch with the fields of [`plain_schema`].
pub(super) fn handed_out(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns =
        columns.map(|(column, field)| converted(column, field.data_type())).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Labels as a column: of floats or of integers where all of them are, else of text.
pub(super) fn row_labels(labels: &[Label]) -> ArrayRef {
    let floats = labels.iter().map(|label| match label {
        Label::Float(bits) => Some(f64::from_bits(*bits)),
        _ => None,
    });
    let integers = labels.iter().map(|label| match label {
        Label::Int(value) => Some(*value),
        _ => None,
    });
    if let (Some(values), false) = (floats.collect::<Option<Vec<_>>>(), labels.is_empty()) {
        return Arc::new(Float64Array::from(values));
    }
    if let (Some(values), false) = (integers.collect::<Option<Vec<_>>>(), labels.is_empty()) {
        return Arc::new(Int64Array::from(values));
    }
    Arc::new(StringViewArray::from_iter_values(labels.iter().map(|label| label.arrow_name(""))))
}
