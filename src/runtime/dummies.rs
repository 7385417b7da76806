//! Answers with a column of flags for each value of some columns.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::answer::{Answer, Shape};
use crate::engine::control::Control;
use crate::engine::wide::dummies::flags;
use crate::error::Result;
use crate::plan::Label;
use crate::plan::dummies::Dummies;

/// The answer of a frame whose index levels and columns have these labels.
pub fn answer(
    dummies: &Dummies,
    index: Option<Vec<Label>>,
    labels: &[Label],
    schema: &SchemaRef,
    batches: &[RecordBatch],
    control: &Control,
) -> Result<Answer> {
    let whole = concat_batches(schema, batches)?;
    let levels = index.as_ref().map_or(0, Vec::len);
    let kept = labels.len() - 2 * dummies.encoded.len();
    let stay = levels + kept;
    let mut arrays: Vec<ArrayRef> = whole.columns()[..stay].to_vec();
    let mut fields: Vec<Field> = schema.fields()[..stay].iter().map(|field| (**field).clone()).collect();
    let mut taken: HashSet<String> = fields.iter().map(|field| field.name().clone()).collect();
    let mut columns = labels[..kept].to_vec();
    for (number, encoded) in dummies.encoded.iter().enumerate() {
        let (values, texts) = (whole.column(stay + 2 * number), whole.column(stay + 2 * number + 1));
        let made = flags(values, texts, encoded, control)?;
        for (label, column) in made.labels.into_iter().zip(made.columns) {
            let wanted = label.arrow_name("value");
            let mut name = wanted.clone();
            let mut again = 1;
            while !taken.insert(name.clone()) {
                name = format!("{wanted}_{again}");
                again += 1;
            }
            fields.push(Field::new(name, column.data_type().clone(), false));
            arrays.push(column);
            columns.push(label);
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(whole.num_rows()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
    Ok(Answer::of(Shape::Frame, index, columns, schema, vec![batch]))
}
