//! How many distinct values there will be, judged by the rows seen so far.

/// Fewer rows that recur than this tell nothing.
const LEAST: usize = 32;

/// Distinct values of all rows, where `rows` of them had `seen`: as if all values were as frequent as each other.
/// Infinite where too few came again to tell.
pub fn distinct(rows: usize, seen: usize) -> f64 {
    if rows < seen + LEAST {
        return f64::INFINITY;
    }
    let (rows, seen) = (rows as f64, seen as f64);
    // So many rows of so many values are expected to have this many.
    let expected = |values: f64| -values * (-rows / values).exp_m1();
    let (mut low, mut high) = (seen.max(1.0), rows * rows);
    for _ in 0..64 {
        let middle = (low * high).sqrt();
        if expected(middle) < seen { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn values_are_told_from_few_rows() {
        assert!(distinct(1000, 1000).is_infinite());
        // So many values are expected to be seen of 100,000 and of 1,000,000.
        assert!((distinct(50_000, 39_347) / 100_000.0 - 1.0).abs() < 0.01);
        assert!((distinct(50_000, 48_771) / 1_000_000.0 - 1.0).abs() < 0.02);
        assert!((distinct(50_000, 100) - 100.0).abs() < 0.01);
        assert!((distinct(100, 1) - 1.0).abs() < 0.01);
    }
}
