//! Rows of which some have no value: the values, which lie together in a page, are put where those rows are.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;

/// Rows that are asked for, and which values of a stretch they have.
pub struct Spread {
    valid: BooleanBuffer,
    /// The values' numbers, where they are not all.
    wanted: Option<Vec<u32>>,
}

impl Spread {
    /// All rows of a stretch.
    pub fn all(valid: BooleanBuffer) -> Self {
        Self { valid, wanted: None }
    }

    /// The rows at these places, which ascend and are counted from `base` on.
    pub fn some(valid: &BooleanBuffer, places: &[u32], base: u32) -> Self {
        let words: Vec<u64> = valid.bit_chunks().iter_padded().collect();
        let mut values = 0;
        let before: Vec<u32> = words
            .iter()
            .map(|word| {
                values += word.count_ones();
                values - word.count_ones()
            })
            .collect();
        let mut wanted = Vec::with_capacity(places.len());
        let mut flags = BooleanBufferBuilder::new(places.len());
        for place in places {
            let at = (place - base) as usize;
            let (word, bit) = (words[at / 64], at % 64);
            let has_value = word >> bit & 1 == 1;
            flags.append(has_value);
            if has_value {
                wanted.push(before[at / 64] + (word & ((1 << bit) - 1)).count_ones());
            }
        }
        Self { valid: flags.finish(), wanted: Some(wanted) }
    }

    /// Which of the rows have a value.
    pub fn valid(&self) -> &BooleanBuffer {
        &self.valid
    }

    /// The numbers of the values to read among those of the stretch, in ascending order; none if all are.
    pub fn wanted(&self) -> Option<&[u32]> {
        self.wanted.as_deref()
    }

    /// Appends the rows; those without a value have the default.
    pub fn put<T: Copy + Default>(&self, values: &[T], out: &mut Vec<T>) {
        let begin = out.len();
        out.resize(begin + self.valid.len(), T::default());
        let (rows, mut rest) = (&mut out[begin..], values);
        for (from, to) in self.valid.set_slices() {
            let (here, later) = rest.split_at(to - from);
            rows[from..to].copy_from_slice(here);
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_where_their_rows_are(
            flags in prop::collection::vec(any::<bool>(), 1..300), cut in 0_usize..100, picks in any::<u64>(), base in 0_u32..50,
        ) {
            let cut = cut.min(flags.len() - 1);
            let valid = BooleanBuffer::from(flags.clone()).slice(cut, flags.len() - cut);
            let flags = &flags[cut..];
            let values: Vec<u32> = (0..flags.iter().filter(|flag| **flag).count() as u32).map(|n| n + 1).collect();
            let mut expected = Vec::new();
            let mut rest = values.iter();
            for flag in flags {
                expected.push(if *flag { rest.next().copied().unwrap_or_default() } else { 0 });
            }
            let mut all = vec![7];
            Spread::all(valid.clone()).put(&values, &mut all);
            prop_assert_eq!(&all[1..], &expected[..]);

            let places: Vec<u32> = (0..flags.len() as u32).filter(|at| picks >> (at % 64) & 1 == 1).collect();
            let shifted: Vec<u32> = places.iter().map(|at| at + base).collect();
            let some = Spread::some(&valid, &shifted, base);
            let read: Vec<u32> = some.wanted().unwrap_or_default().iter().map(|number| values[*number as usize]).collect();
            let mut picked = Vec::new();
            some.put(&read, &mut picked);
            let of = |at: &u32| expected[*at as usize];
            prop_assert_eq!(picked, places.iter().map(of).collect::<Vec<_>>());
            let flagged: Vec<bool> = places.iter().map(|at| flags[*at as usize]).collect();
            prop_assert_eq!(some.valid().iter().collect::<Vec<_>>(), flagged);
        }
    }
}
