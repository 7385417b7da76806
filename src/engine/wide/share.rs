//! Wide tables of shares: values divided by the sum of their row, of their column, or of all.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::error::Result;
use crate::plan::wide::Normalize;

/// The columns as shares. With margins the last column and the last row are those: of the sums that stay, shares of
/// theirs. Says whether the last column and the last row are still there.
pub fn shares(
    columns: &[ArrayRef],
    how: Normalize,
    margins: bool,
    round: Option<i32>,
) -> Result<(Vec<ArrayRef>, bool, bool)> {
    let mut table: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    for column in columns {
        let floats = cast(column, &DataType::Float64)?;
        let floats = floats.as_primitive::<Float64Type>();
        table.push(floats.iter().map(|value| value.unwrap_or(f64::NAN)).collect());
    }
    let (mut last_column, mut last_row) = (None, None);
    if margins {
        last_column = table.pop();
        let row: Vec<f64> = table.iter_mut().map(|column| column.pop().unwrap_or(f64::NAN)).collect();
        last_row = Some(row);
        if let Some(column) = &mut last_column {
            column.pop();
        }
    }
    core(&mut table, how);
    let keeps_column = matches!(how, Normalize::All | Normalize::Columns);
    let keeps_row = matches!(how, Normalize::All | Normalize::Index);
    if let (Some(mut column), true) = (last_column, keeps_column) {
        divide(&mut column);
        table.push(column);
    }
    if let (Some(mut row), true) = (last_row, keeps_row) {
        divide(&mut row);
        if keeps_column {
            row.push(1.0);
        }
        for (column, value) in table.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let scale = round.map(|decimals| 10f64.powi(decimals));
    let finished = |value: f64| {
        let value = if value.is_nan() { 0.0 } else { value };
        scale.map_or(value, |scale| (value * scale).round_ties_even() / scale)
    };
    let arrays = table
        .into_iter()
        .map(|column| Arc::new(Float64Array::from_iter_values(column.into_iter().map(finished))) as ArrayRef);
    Ok((arrays.collect(), margins && keeps_column, margins && keeps_row))
}

fn core(table: &mut [Vec<f64>], how: Normalize) {
    match how {
        Normalize::All => {
            let total = sum(table.iter().flatten());
            table.iter_mut().flatten().for_each(|value| *value /= total);
        }
        Normalize::Columns => table.iter_mut().for_each(|column| divide(column)),
        Normalize::Index => {
            let rows = table.first().map_or(0, Vec::len);
            for row in 0..rows {
                let total = sum(table.iter().map(|column| &column[row]));
                table.iter_mut().for_each(|column| column[row] /= total);
            }
        }
    }
}

fn divide(values: &mut [f64]) {
    let total = sum(values.iter());
    values.iter_mut().for_each(|value| *value /= total);
}

/// Missing ones are passed over.
fn sum<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.filter(|value| !value.is_nan()).sum()
}
