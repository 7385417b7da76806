//! The same answers by plain loops, as a reader would write them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};

use super::rows::Rows;
use crate::plan::DType;
use crate::plan::node::Params;
use crate::plan::reduce::kernel;

pub fn doubles(column: &ArrayRef) -> Vec<Option<f64>> {
    cast(column, &DataType::Float64).unwrap().as_primitive::<arrow::datatypes::Float64Type>().iter().collect()
}

pub fn by_group(rows: &Rows, column: &ArrayRef) -> Vec<Vec<f64>> {
    let mut groups = vec![vec![]; rows.num_groups()];
    for (value, &group) in doubles(column).into_iter().zip(&rows.groups) {
        groups[group as usize].extend(value.filter(|value| !value.is_nan()));
    }
    groups
}

pub const U: f64 = f64::EPSILON / 2.0;

pub fn exact(values: &[f64]) -> f64 {
    let scaled = values.iter().map(|value| value * 2_f64.powi(20));
    if scaled.clone().all(|value| value.is_finite() && value.fract() == 0.0) {
        let total: i128 = scaled.map(|value| value as i128).sum();
        total as f64 * 2_f64.powi(-20)
    } else {
        values.iter().sum()
    }
}

/// The answer and its tolerance by plain loops, for the aggregates that round.
pub fn rounded(name: &str, ddof: f64, values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let sum = exact(values);
    let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
    let slack = 2.0 * U * sum.abs() + n * n * U * U * magnitude;
    match name {
        "sum" => Some((sum, slack)),
        "mean" => (n > 0.0).then(|| (sum / n, slack / n + 2.0 * U * (sum / n).abs())),
        _ => (n > ddof).then(|| {
            let mean = sum / n;
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let size: f64 = values.iter().map(|value| value * value).sum();
            (squares / (n - ddof), 32.0 * n * U * size / (n - ddof))
        }),
    }
}

pub fn close(found: Option<f64>, wanted: Option<(f64, f64)>, narrow: bool, root: bool) -> bool {
    let (found, (wanted, mut slack)) = match (found, wanted) {
        (None, None) => return true,
        (Some(found), Some(wanted)) => (if root { found * found } else { found }, wanted),
        _ => return false,
    };
    if !wanted.is_finite() {
        return found.is_nan() == wanted.is_nan() && (wanted.is_nan() || found == wanted);
    }
    let size = if root { wanted.sqrt() } else { wanted };
    if narrow && (size as f32).is_infinite() {
        return found.is_infinite();
    }
    slack += wanted.abs() * if narrow { 2_f64.powi(-22) } else { 4.0 * U * f64::from(u8::from(root)) };
    (found - wanted).abs() <= slack
}

/// The row each group's answer is, by plain loops.
pub fn chosen(name: &str, rows: &Rows) -> ArrayRef {
    let floats = rows.column.data_type().is_floating().then(|| doubles(&rows.column));
    let missing = |row: usize| {
        rows.column.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
            || floats.as_ref().is_some_and(|floats| floats[row].is_some_and(f64::is_nan))
    };
    let mut best: Vec<Option<u32>> = vec![None; rows.num_groups()];
    let order = matches!(name, "min" | "max")
        .then(|| make_comparator(&rows.column, &rows.column, Default::default()).unwrap());
    for (row, &group) in rows.groups.iter().enumerate() {
        let at = &mut best[group as usize];
        if missing(row) && !name.starts_with("row_") {
            continue;
        }
        let better = at.is_none_or(|at| match (name, &order) {
            ("min", Some(order)) => order(row, at as usize) == Ordering::Less,
            ("max", Some(order)) => order(row, at as usize) == Ordering::Greater,
            ("last" | "row_last", _) => true,
            _ => false,
        });
        if better {
            *at = Some(row as u32);
        }
    }
    take(&rows.column, &UInt32Array::from(best), None).unwrap()
}

/// The values of each group one after the other.
pub fn collected(rows: &Rows) -> ArrayRef {
    let (mut order, mut offsets) = (vec![], vec![0]);
    for group in 0..rows.num_groups() as u32 {
        order.extend((0..rows.groups.len() as u32).filter(|row| rows.groups[*row as usize] == group));
        offsets.push(order.len() as i64);
    }
    let values = take(&rows.column, &UInt32Array::from(order), None).unwrap();
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Arc::new(LargeListArray::new(item, OffsetBuffer::new(offsets.into()), values, None))
}

/// Counts, whole sums and truths, by plain loops over values printed as text.
pub fn counted(name: &str, dtype: &DType, params: &Params, rows: &Rows) -> ArrayRef {
    use arrow::util::display::array_value_to_string;
    let mut values = vec![vec![]; rows.num_groups()];
    let nulls = rows.column.logical_nulls();
    for (row, &group) in rows.groups.iter().enumerate() {
        let value = array_value_to_string(&rows.column, row).unwrap();
        let missing =
            nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || (dtype.is_float() && value == "NaN");
        values[group as usize].push((!missing).then_some(value));
    }
    let truth = |value: &String| match dtype {
        DType::Str => !value.is_empty(),
        DType::Duration(_) => value.contains(|letter: char| ('1'..='9').contains(&letter)),
        _ => !matches!(value.as_str(), "0" | "0.0" | "-0.0" | "false"),
    };
    let wholes = |values: &[Option<String>]| -> i128 {
        values
            .iter()
            .flatten()
            .map(|value| value.parse().unwrap_or_else(|_| i128::from(value == "true")))
            .sum()
    };
    if matches!(name, "any" | "all") {
        let answers = values.iter().map(|values| {
            let mut present = values.iter().flatten();
            Some(if name == "any" { present.any(truth) } else { present.all(truth) })
        });
        return Arc::new(answers.collect::<BooleanArray>());
    }
    let answers = values.iter().map(|values| {
        let present = values.iter().flatten();
        match name {
            "size" => Some(values.len() as i64),
            "count" => Some(present.count() as i64),
            "nunique" => {
                let normal = |value: &String| {
                    if dtype.is_float() && value == "-0.0" { "0.0".to_owned() } else { value.clone() }
                };
                Some(present.map(normal).collect::<HashSet<_>>().len() as i64)
            }
            "sum" => (present.count() as i64 >= params.min_count).then(|| wholes(values) as i64),
            other => panic!("no oracle for {other}"),
        }
    });
    let answers: ArrayRef = Arc::new(answers.collect::<Int64Array>());
    kernel::retype(
        answers,
        &if dtype.is_unsigned() && name == "sum" { DataType::UInt64 } else { DataType::Int64 },
    )
    .unwrap()
}
