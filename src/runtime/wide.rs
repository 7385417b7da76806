//! Answers that are wide tables, and the labels of their columns.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::answer::{Answer, Shape};
use super::cells::written;
use crate::engine::wide::Spread;
use crate::error::Result;
use crate::plan::Label;
use crate::plan::wide::{Leading, Wide};

/// The labels of a wide table's columns, with the types that their values have.
pub struct Header {
    /// Names of all levels: those above the values' first.
    pub names: Vec<Label>,
    /// What each column's value is called.
    pub values: Vec<Vec<Label>>,
    pub schema: SchemaRef,
    /// A row for each column.
    pub levels: RecordBatch,
    /// Which columns are margins.
    pub margins: Vec<bool>,
    /// What margins are called.
    pub margin: String,
    /// Whether the last row is a margin.
    pub last_row: bool,
    /// How many leading columns were levels of the index.
    pub leading: usize,
}

/// The answer of a spread table.
pub fn answer(wide: &Wide, spread: Spread) -> Result<Answer> {
    let values: Vec<Vec<Label>> = spread.values.iter().map(|value| wide.values[*value].clone()).collect();
    let margin = wide.options.margin.clone().unwrap_or_default();
    let mut labels = Vec::with_capacity(values.len());
    let texts = spread.header.iter().map(texts).collect::<Result<Vec<_>>>()?;
    for (column, value) in values.iter().enumerate() {
        let mut parts = value.clone();
        for (number, level) in texts.iter().enumerate() {
            parts.push(match (spread.margins[column], number) {
                (false, _) => level[column].clone(),
                (true, 0) => Label::str(margin.clone()),
                (true, _) => Label::str(""),
            });
        }
        labels.push(if parts.len() == 1 { parts.remove(0) } else { Label::Tuple(parts) });
    }
    let depth = wide.value_names.len() + wide.across.len();
    let index = wide.options.index;
    let kept = if index == Leading::Dropped { Vec::new() } else { spread.index };
    let leading = if index == Leading::Columns { kept.len() } else { 0 };
    let single = kept.len() == 1;
    let names = wide.rows.iter().enumerate().map(|(number, label)| match label {
        Label::None if index != Leading::Columns => Label::None,
        Label::None if single => Label::str("index"),
        Label::None => Label::str(format!("level_{number}")),
        label => label.clone(),
    });
    let names: Vec<Label> = names.take(kept.len()).collect();

    let mut taken = HashSet::new();
    let mut unique = |wanted: String| {
        let mut name = wanted.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    };
    let mut fields = Vec::with_capacity(kept.len() + labels.len());
    for (number, (level, name)) in kept.iter().zip(&names).enumerate() {
        let default = if single { "index".to_owned() } else { format!("level_{number}") };
        fields.push(Field::new(unique(name.arrow_name(&default)), level.data_type().clone(), true));
    }
    for (label, column) in labels.iter().zip(&spread.columns) {
        fields.push(Field::new(unique(label.arrow_name("value")), column.data_type().clone(), true));
    }
    let schema = Arc::new(Schema::new(fields));
    let rows = spread.columns.first().or(kept.first()).map_or(0, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let arrays = kept.into_iter().chain(spread.columns).collect();
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;

    let mut columns: Vec<Label> = Vec::with_capacity(leading + labels.len());
    columns.extend(names.iter().take(leading).map(|name| {
        let mut parts = vec![name.clone()];
        parts.resize(depth, Label::str(""));
        if depth > 1 { Label::Tuple(parts) } else { name.clone() }
    }));
    columns.extend(labels);
    let header_fields = spread.header.iter().enumerate();
    let header_fields: Vec<Field> = header_fields
        .map(|(number, level)| Field::new(format!("level_{number}"), level.data_type().clone(), true))
        .collect();
    let header_schema = Arc::new(Schema::new(header_fields));
    let options = RecordBatchOptions::new().with_row_count(Some(values.len()));
    let header = Header {
        names: wide.value_names.iter().chain(&wide.across).cloned().collect(),
        values,
        schema: header_schema.clone(),
        levels: RecordBatch::try_new_with_options(header_schema, spread.header, &options)?,
        margins: spread.margins,
        margin,
        last_row: spread.last_row,
        leading,
    };
    let index = (index == Leading::Index).then_some(names);
    Ok(Answer::of(Shape::Frame, index, columns, batch.schema(), vec![batch]).headed(header))
}

/// Values as labels: numbers and texts as they are, others as text.
fn texts(values: &ArrayRef) -> Result<Vec<Label>> {
    let rows = 0..values.len();
    let or_none = |label: Option<Label>| label.unwrap_or(Label::None);
    Ok(match values.data_type() {
        integer if integer.is_integer() && *integer != DataType::UInt64 => {
            let values = cast(values, &DataType::Int64)?;
            values.as_primitive::<Int64Type>().iter().map(|value| or_none(value.map(Label::Int))).collect()
        }
        float if float.is_floating() => {
            let values = cast(values, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>().iter();
            values.map(|value| or_none(value.map(|value| Label::Float(value.to_bits())))).collect()
        }
        _ => {
            let options = FormatOptions::default();
            let format = ArrayFormatter::try_new(values.as_ref(), &options)?;
            rows.map(|row| {
                let there = !values.is_null(row);
                Ok(if there { Label::Str(written(&format, values, row)?) } else { Label::None })
            })
            .collect::<Result<_>>()?
        }
    })
}
