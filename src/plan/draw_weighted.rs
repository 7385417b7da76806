//! Rows drawn by weights, as NumPy's `RandomState.choice` draws them and pandas asks for them.

use crate::error::{Code, Error, Result};

/// Numbers between two looks at whether the run goes on.
const STEP: usize = 1 << 16;

/// Below this many values are added one by one; NumPy's sums of more are made of two halves.
const BLOCK: usize = 128;

/// The places of `size` rows; `fraction` gives random numbers from 0 to 1.
pub fn places(
    mut weights: Vec<f64>,
    size: usize,
    replace: bool,
    fraction: &mut dyn FnMut() -> f64,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u32>> {
    if u32::try_from(weights.len()).is_err() {
        return Err(failed(format!("rows are drawn by weights among {} of them", weights.len()))
            .hint("At most 4,294,967,295 rows can be numbered for that: filter or aggregate before it"));
    }
    for weight in &mut weights {
        if weight.is_nan() {
            *weight = 0.0;
        }
    }
    if let Some(wrong) = weights.iter().find(|weight| weight.is_infinite() || **weight < 0.0) {
        return Err(failed(format!("a row is drawn with the weight {wrong}"))
            .hint("Weights are finite numbers from 0 up: `clip` or filter them"));
    }
    let sum = pairwise(&weights);
    if sum == 0.0 {
        return Err(failed("rows are drawn by weights that add up to 0".to_owned())
            .hint("Give some rows a weight above 0, or leave `weights` out"));
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if !replace && size as f64 * largest > 1.0 {
        return Err(failed(format!(
            "{size} rows are drawn, each at most once, and one of them has {largest:.3} of all weight"
        ))
        .hint("Draw fewer, make the weights more alike, or let rows repeat: `replace=True`"));
    }
    if replace { repeated(&weights, size, fraction, check) } else { once(weights, size, fraction, check) }
}

fn failed(message: String) -> Error {
    Error::new(Code::OperationFailed, message)
}

fn repeated(
    weights: &[f64],
    size: usize,
    fraction: &mut dyn FnMut() -> f64,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u32>> {
    let sums = added_up(weights);
    let mut places = Vec::with_capacity(size);
    for number in 0..size {
        if number.is_multiple_of(STEP) {
            check()?;
        }
        places.push(place_of(&sums, fraction()));
    }
    Ok(places)
}

/// Draws as many as are missing, without those that were drawn before, until there are enough.
fn once(
    mut weights: Vec<f64>,
    size: usize,
    fraction: &mut dyn FnMut() -> f64,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u32>> {
    if weights.iter().filter(|weight| **weight > 0.0).count() < size {
        return Err(failed(format!(
            "{size} rows are drawn, each at most once, and fewer have a weight above 0"
        ))
        .hint("Draw fewer, or let rows repeat: `replace=True`"));
    }
    let mut places: Vec<u32> = Vec::with_capacity(size);
    let mut drawn = std::collections::HashSet::with_capacity(size);
    while places.len() < size {
        check()?;
        for place in &places {
            weights[*place as usize] = 0.0;
        }
        let sums = added_up(&weights);
        let numbers: Vec<f64> = (places.len()..size).map(|_| fraction()).collect();
        for number in numbers {
            let place = place_of(&sums, number);
            if drawn.insert(place) {
                places.push(place);
            }
        }
    }
    Ok(places)
}

/// The sums up to each weight, the last of which is 1.
fn added_up(weights: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums: Vec<f64> = weights
        .iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    sums.iter_mut().for_each(|part| *part /= sum);
    sums
}

/// The first place whose sum is above the number.
fn place_of(sums: &[f64], number: f64) -> u32 {
    sums.partition_point(|sum| *sum <= number).min(sums.len().saturating_sub(1)) as u32
}

/// A sum in the order in which NumPy adds: so that the weights are the same to the last bit.
fn pairwise(values: &[f64]) -> f64 {
    if values.len() < 8 {
        // NumPy begins with -0.0, which no weight is.
        return values.iter().sum();
    }
    if values.len() <= BLOCK {
        let mut parts = [0.0; 8];
        let eights = values.chunks_exact(8);
        let rest = eights.remainder();
        for (number, eight) in eights.enumerate() {
            for (part, value) in parts.iter_mut().zip(eight) {
                *part = if number == 0 { *value } else { *part + value };
            }
        }
        let [a, b, c, d, e, f, g, h] = parts;
        return rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value);
    }
    let half = values.len() / 2;
    let (left, right) = values.split_at(half - half % 8);
    pairwise(left) + pairwise(right)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn draw(weights: &[f64], size: usize, replace: bool) -> Result<Vec<u32>> {
        let mut next = 0.0;
        let mut fraction = || {
            next = (next + 0.37_f64).fract();
            next
        };
        places(weights.to_vec(), size, replace, &mut fraction, &|| Ok(()))
    }

    #[test]
    fn each_row_comes_once_unless_rows_repeat() {
        let found = draw(&[1.0, 2.0, f64::NAN, 2.0, 1.0], 2, false).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0] != found[1] && !found.contains(&2));
        assert_eq!(draw(&[0.0, 1.0, 0.0], 4, true).unwrap(), [1, 1, 1, 1]);
    }

    #[test]
    fn weights_that_cannot_be_are_refused() {
        for weights in [&[-1.0, 2.0][..], &[f64::INFINITY, 1.0], &[0.0, 0.0], &[]] {
            assert!(draw(weights, 1, true).is_err());
        }
        assert!(draw(&[1.0, 9.0], 2, false).is_err());
        assert!(draw(&[1.0, 0.0], 2, true).is_ok());
    }

    #[test]
    fn sums_are_those_of_numpy() {
        let values: Vec<f64> = (0..1000).map(|number| 1.0 / f64::from(number + 1)).collect();
        assert!((pairwise(&values) - 7.485_470_860_550_343).abs() < 1e-12);
        assert_eq!(pairwise(&[]), 0.0);
    }
}
