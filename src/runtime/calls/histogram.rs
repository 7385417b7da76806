//! Numbers of very many events in little room: how many fell into which of buckets that are narrow beside their values.
//!
//! Up to 255 every number has a bucket; beyond, a bucket is at most 1/128 of its numbers wide. What is read out is the
//! upper end of a bucket: never less than the exact percentile, and at most 1/128 above it. Two of them can be added.

use std::collections::BTreeMap;

/// Buckets of each doubling.
const FINE: u64 = 128;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: BTreeMap<u64, u64>,
    count: u64,
    sum: u128,
    most: u64,
}

impl Histogram {
    /// Takes in so many events of one number.
    pub fn record(&mut self, number: u64, times: u64) {
        if times == 0 {
            return;
        }
        *self.buckets.entry(bucket_of(number)).or_default() += times;
        self.count += times;
        self.sum += u128::from(number) * u128::from(times);
        self.most = self.most.max(number);
    }

    /// Takes in what another one has.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, times) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += times;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.most = self.most.max(other.most);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// 0 of none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The least number that so many of a thousand are not above; 0 of none.
    pub fn permille(&self, permille: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(permille)).div_ceil(1000).max(1);
        let mut passed = 0_u128;
        for (bucket, times) in &self.buckets {
            passed += u128::from(*times);
            if passed >= rank {
                return end_of(*bucket).min(self.most);
            }
        }
        0
    }
}

fn bucket_of(number: u64) -> u64 {
    let shift = u64::from(u64::BITS - number.leading_zeros()).saturating_sub(8);
    shift * FINE + (number >> shift)
}

/// The largest number of a bucket.
fn end_of(bucket: u64) -> u64 {
    let shift = (bucket / FINE).saturating_sub(1);
    let first = (bucket - shift * FINE) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(numbers: &[u64], permille: u64) -> u64 {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        let rank = (sorted.len() as u64 * permille).div_ceil(1000).max(1);
        sorted[rank as usize - 1]
    }

    fn of(numbers: &[u64]) -> Histogram {
        let mut made = Histogram::default();
        numbers.iter().for_each(|number| made.record(*number, 1));
        made
    }

    #[test]
    fn buckets_are_next_to_each_other() {
        for number in (0..100_000).chain([u64::MAX - 1, u64::MAX]) {
            let bucket = bucket_of(number);
            assert!(end_of(bucket) >= number);
            assert!(bucket == 0 || end_of(bucket - 1) < number);
        }
    }

    #[test]
    fn none_has_no_percentiles() {
        let none = Histogram::default();
        assert_eq!((none.permille(500), none.count(), none.most()), (0, 0, 0));
    }

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let one = (0_u32..64, any::<u64>()).prop_map(|(shift, number)| number >> shift);
        prop::collection::vec(one, 1..300)
    }

    proptest! {
        #[test]
        fn percentiles_are_never_below_the_exact_ones_and_hardly_above(numbers in numbers()) {
            let made = of(&numbers);
            for permille in [0, 1, 250, 500, 900, 990, 999, 1000] {
                let (exact, found) = (exact(&numbers, permille), made.permille(permille));
                prop_assert!(found >= exact && found - exact <= exact / FINE);
            }
            let mean = numbers.iter().map(|number| *number as f64).sum::<f64>() / numbers.len() as f64;
            prop_assert!((made.mean() - mean).abs() <= 1e-9 * mean);
            prop_assert_eq!(Some(made.most()), numbers.iter().copied().max());
        }

        #[test]
        fn parts_added_are_the_whole(one in numbers(), other in numbers(), times in 1_u64..9) {
            let mut sum = of(&one);
            sum.merge(&of(&other));
            prop_assert_eq!(sum, of(&[one.clone(), other].concat()));
            let mut at_once = Histogram::default();
            one.iter().for_each(|number| at_once.record(*number, times));
            let again: Vec<u64> = one.iter().flat_map(|number| vec![*number; times as usize]).collect();
            prop_assert_eq!(at_once, of(&again));
        }
    }
}
