//! Order statistics, moments, products and pairs by plain loops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::*;
use arrow::datatypes::DataType;

use super::oracle::{by_group, chosen, doubles};
use super::rows::Rows;
use crate::plan::DType;
use crate::plan::node::Params;

/// What is checked here.
pub const TAKES: &[&str] = &[
    "median",
    "quantile",
    "sem",
    "skew",
    "kurt",
    "prod",
    "corr",
    "cov",
    "finite_corr",
    "finite_cov",
    "idxmin",
    "idxmax",
];

/// Whether a group has a missing value.
pub fn gaps(rows: &Rows) -> Vec<bool> {
    let mut gaps = vec![false; rows.num_groups()];
    let floats = rows.column.data_type().is_floating().then(|| doubles(&rows.column));
    let nulls = rows.column.logical_nulls();
    for (row, &group) in rows.groups.iter().enumerate() {
        let missing = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            || floats.as_ref().is_some_and(|floats| floats[row].is_some_and(f64::is_nan));
        gaps[group as usize] |= missing;
    }
    gaps
}

pub fn check(name: &str, dtype: &DType, params: &Params, rows: &Rows, found: &ArrayRef, other: &ArrayRef) {
    match name {
        "median" | "quantile" => {
            assert_eq!(found, other, "{name} of {dtype}");
            if name == "median" && dtype.is_float() {
                let narrow = *dtype == DType::Float32;
                for (values, found) in by_group(rows, &rows.column).iter().zip(doubles(found)) {
                    let wanted =
                        middle(values).map(|wanted| if narrow { f64::from(wanted as f32) } else { wanted });
                    assert_eq!(found.map(f64::to_bits), wanted.map(f64::to_bits), "median of {values:?}");
                }
            }
        }
        "idxmin" | "idxmax" => {
            assert_eq!(found, other, "{name} of {dtype}");
            // The label is the value itself here, and -0.0 is 0.0.
            let best = chosen(if name == "idxmin" { "min" } else { "max" }, rows);
            if dtype.is_float() {
                for (found, best) in doubles(found).into_iter().zip(doubles(&best)) {
                    assert!(found == best, "{name} of {dtype}: {found:?}, not {best:?}");
                }
            } else {
                assert_eq!(found, &best, "{name} of {dtype}");
            }
        }
        "prod" if !dtype.is_float() => assert_eq!(found, other, "{name} of {dtype}"),
        _ if *dtype == DType::Null => assert_eq!(found, other, "{name} of {dtype}"),
        _ if matches!(dtype, DType::Decimal(..)) => {}
        _ => {
            let column = match dtype {
                DType::Bool => arrow::compute::cast(&rows.column, &DataType::Int8).unwrap(),
                _ => rows.column.clone(),
            };
            for (group, values) in by_group(rows, &column).iter().enumerate() {
                let wanted = by_loops(name, params, values);
                for answer in [found, other] {
                    let answer = doubles(answer)[group];
                    assert!(
                        close(answer, wanted, *dtype == DType::Float32),
                        "{name} of {dtype}: {answer:?}, not {wanted:?} for {values:?}"
                    );
                }
            }
        }
    }
}

fn middle(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[half]),
        _ => Some((values[half - 1] + values[half]) / 2.0),
    }
}

/// The answer and how large the terms were that it is a difference of.
fn by_loops(name: &str, params: &Params, values: &[f64]) -> Option<(f64, f64)> {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let values = if name.starts_with("finite") { &finite } else { values };
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let power = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>();
    let size = values.iter().map(|value| value * value).sum::<f64>();
    let answer = match name {
        "prod" => {
            // By logarithms, as the plain product overflows on the way.
            let product: f64 = values.iter().product();
            let scale: f64 = values.iter().map(|value| value.abs().log2()).sum();
            if (values.len() as i64) < params.min_count {
                return None;
            }
            if !product.is_finite() || product == 0.0 || scale.abs() > 900.0 {
                return Some((f64::NAN, 0.0));
            }
            return Some((product, product.abs() * 1e-4));
        }
        "sem" => (power(2) / (n - f64::from(params.ddof))).sqrt() / n.sqrt(),
        "skew" => n * (n - 1.0).sqrt() / (n - 2.0) * power(3) / power(2).powf(1.5),
        "kurt" => {
            let rest = (n - 2.0) * (n - 3.0);
            n * (n + 1.0) * (n - 1.0) * power(4) / (rest * power(2) * power(2))
                - 3.0 * (n - 1.0) * (n - 1.0) / rest
        }
        "corr" | "finite_corr" => power(2) / power(2),
        _ => power(2) / (n - f64::from(params.ddof)),
    };
    let enough = match name {
        "skew" => n >= 3.0,
        "kurt" => n >= 4.0,
        "sem" => n > f64::from(params.ddof),
        "corr" | "finite_corr" => n >= (params.min_count.max(1)) as f64,
        _ => n > f64::from(params.ddof) && n >= (params.min_count.max(1)) as f64,
    };
    let scale = match name {
        "sem" => size.sqrt(),
        "cov" | "finite_cov" => size,
        _ => 100.0,
    };
    // Values that are nearly equal say nothing about rounded moments.
    let blurred = power(2) <= 1e-9 * size;
    enough.then_some(if blurred { (f64::NAN, 0.0) } else { (answer, scale) })
}

/// A wanted NaN stands for what loops cannot tell.
fn close(found: Option<f64>, wanted: Option<(f64, f64)>, narrow: bool) -> bool {
    match (found, wanted) {
        (_, Some((wanted, _))) if !wanted.is_finite() => true,
        (None, None) => true,
        (Some(found), Some((wanted, scale))) => {
            found.is_infinite() && narrow || (found - wanted).abs() <= 1e-6 * (scale + wanted.abs())
        }
        _ => false,
    }
}

#[test]
fn quantiles_lie_where_they_are_told() {
    use crate::plan::node::Interpolation::*;
    let column: ArrayRef =
        std::sync::Arc::new(Int64Array::from(vec![Some(40), None, Some(10), Some(20), Some(30)]));
    let rows = Rows { column, groups: vec![0; 5], positions: (0..5).collect() };
    let wanted = [(Linear, 22.0), (Lower, 20.0), (Higher, 30.0), (Midpoint, 25.0), (Nearest, 20.0)];
    for (interpolation, wanted) in wanted {
        let params = Params { q: 0.4, interpolation, ..Params::default() };
        let quantile = crate::plan::reduce::find("quantile").unwrap();
        let found = super::rows::direct(quantile, &DType::Int64, &params, &rows);
        assert_eq!(doubles(&found), [Some(wanted)], "{interpolation:?}");
    }
}
