//! Rows chosen by their places: those that a seed draws, as NumPy's `RandomState` does, or those of a list.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// Numbers between two looks at whether the run goes on.
const STEP: usize = 1 << 16;

/// Bytes for each row that is chosen: its place, twice its numbers.
const MADE: usize = 44;

/// Which rows of a table of so many, and in which order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draw {
    /// As `pandas.DataFrame.sample` draws them with a seed.
    Sample { size: Size, replace: bool, seed: u32 },
    /// The same with a weight for each row, which makes it more or less likely.
    Weighted { size: Size, replace: bool, seed: u32 },
    /// At these places; negative ones count from the end.
    Places(Vec<i64>),
}

/// How many rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    Rows(u64),
    /// Of all rows, rounded half to even.
    Share(f64),
}

/// A draw under way: of one table, or of one group after the other.
pub struct Drawing {
    draw: Draw,
    numbers: Mersenne,
}

impl Draw {
    pub fn begin(&self) -> Drawing {
        let seed = match self {
            Draw::Sample { seed, .. } | Draw::Weighted { seed, .. } => *seed,
            Draw::Places(_) => 0,
        };
        Drawing { draw: self.clone(), numbers: Mersenne::new(seed) }
    }

    /// Bytes that are held while the places are found and handed on.
    pub fn bytes(&self, count: u64) -> usize {
        let bytes = |rows: u64, each| usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(each);
        match self {
            Draw::Places(places) => bytes(places.len() as u64, MADE),
            Draw::Sample { size, replace: true, .. } => bytes(size.of(count), MADE),
            // The weights, what they add up to, and again without those that were drawn.
            Draw::Weighted { size, .. } => {
                bytes(count, 3 * size_of::<f64>()).saturating_add(bytes(size.of(count), MADE))
            }
            Draw::Sample { size, .. } => {
                bytes(count, size_of::<u32>()).saturating_add(bytes(size.of(count), MADE))
            }
        }
    }
}

impl Drawing {
    /// The places of the chosen rows among so many, in the order in which they come.
    pub fn places(&mut self, count: u64, check: &dyn Fn() -> Result<()>) -> Result<Vec<u32>> {
        let rows = u32::try_from(count).map_err(|_| {
            Error::new(Code::OperationFailed, format!("rows are chosen by place among {count} of them"))
                .hint("At most 4,294,967,295 rows can be numbered for that: filter or aggregate before it")
        })?;
        match &self.draw {
            Draw::Places(places) => places.iter().map(|place| at(*place, rows)).collect(),
            Draw::Weighted { .. } => Err(Error::internal("a draw by weights without weights")),
            Draw::Sample { size, replace, .. } => {
                let (size, numbers) = (size.of(count), &mut self.numbers);
                if *replace {
                    with_replacement(rows, size, numbers, check)
                } else {
                    without_replacement(rows, size, numbers, check)
                }
            }
        }
    }
}

impl Drawing {
    /// As [`Drawing::places`], with a weight for each row; a missing one is 0.
    pub fn weighted(&mut self, weights: Vec<f64>, check: &dyn Fn() -> Result<()>) -> Result<Vec<u32>> {
        let Draw::Weighted { size, replace, .. } = self.draw else {
            return Err(Error::internal("weights for a draw without weights"));
        };
        let size = usize::try_from(size.of(weights.len() as u64)).unwrap_or(usize::MAX);
        super::draw_weighted::places(weights, size, replace, &mut || self.numbers.fraction(), check)
    }
}

impl Size {
    fn of(self, count: u64) -> u64 {
        match self {
            Size::Rows(rows) => rows,
            Size::Share(share) => (share * count as f64).round_ties_even() as u64,
        }
    }
}

fn at(place: i64, rows: u32) -> Result<u32> {
    let found = if place < 0 { place + i64::from(rows) } else { place };
    match u32::try_from(found) {
        Ok(found) if found < rows => Ok(found),
        _ => Err(Error::new(
            Code::OperationFailed,
            format!("there is no row at place {place}: the table has {rows} rows"),
        )
        .hint("Take the first or last rows instead: `head(n)`, `tail(n)` give as many as there are")),
    }
}

fn with_replacement(
    rows: u32,
    size: u64,
    numbers: &mut Mersenne,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u32>> {
    if rows == 0 && size > 0 {
        return Err(Error::new(Code::OperationFailed, format!("{size} rows are drawn of none"))
            .hint("Does a filter before `sample` keep no row?"));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut places = Vec::with_capacity(size);
    for number in 0..size {
        if number.is_multiple_of(STEP) {
            check()?;
        }
        places.push(numbers.up_to(rows - 1));
    }
    Ok(places)
}

/// The first of all places, shuffled.
fn without_replacement(
    rows: u32,
    size: u64,
    numbers: &mut Mersenne,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u32>> {
    if size > u64::from(rows) {
        return Err(Error::new(
            Code::OperationFailed,
            format!("{size} rows are drawn of {rows}, each at most once"),
        )
        .hint("Draw fewer, a share (`frac=0.1`), or let rows repeat: `replace=True`"));
    }
    let mut places: Vec<u32> = (0..rows).collect();
    for last in (1..places.len()).rev() {
        if last.is_multiple_of(STEP) {
            check()?;
        }
        places.swap(last, numbers.up_to(last as u32) as usize);
    }
    places.truncate(size as usize);
    Ok(places)
}

const STATE: usize = 624;
const MIDDLE: usize = 397;

/// The Mersenne Twister MT19937, whose numbers NumPy's `RandomState` promises for a seed.
struct Mersenne {
    state: [u32; STATE],
    next: usize,
}

impl Mersenne {
    fn new(seed: u32) -> Self {
        let mut state = [seed; STATE];
        for place in 1..STATE {
            let before = state[place - 1];
            state[place] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(place as u32);
        }
        Self { state, next: STATE }
    }

    fn refill(&mut self) {
        for place in 0..STATE {
            let bits = (self.state[place] & 0x8000_0000) | (self.state[(place + 1) % STATE] & 0x7fff_ffff);
            let odd = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[place] = self.state[(place + MIDDLE) % STATE] ^ (bits >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn number(&mut self) -> u32 {
        if self.next == STATE {
            self.refill();
        }
        let mut number = self.state[self.next];
        self.next += 1;
        number ^= number >> 11;
        number ^= (number << 7) & 0x9d2c_5680;
        number ^= (number << 15) & 0xefc6_0000;
        number ^ (number >> 18)
    }

    /// A number from 0 up to, not including, 1: 53 bits of two numbers.
    fn fraction(&mut self) -> f64 {
        let (high, low) = (self.number() >> 5, self.number() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A number from 0 to `most`, each as likely: numbers of as many bits, of which those that are too large are left.
    fn up_to(&mut self, most: u32) -> u32 {
        if most == 0 {
            return 0;
        }
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let number = self.number() & mask;
            if number <= most {
                return number;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample(size: Size, replace: bool, seed: u32, count: u64) -> Result<Vec<u32>> {
        Draw::Sample { size, replace, seed }.begin().places(count, &|| Ok(()))
    }

    /// What NumPy 2 gives for `RandomState(42).permutation(10)` and `RandomState(7).randint(0, 100, 5)`.
    #[test]
    fn numbers_are_those_of_numpy() {
        assert_eq!(sample(Size::Rows(10), false, 42, 10).unwrap(), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!(sample(Size::Rows(5), true, 7, 100).unwrap(), [47, 68, 25, 67, 83]);
    }

    #[test]
    fn more_rows_than_there_are_need_replacement() {
        assert!(sample(Size::Rows(3), false, 1, 2).is_err());
        assert_eq!(sample(Size::Rows(3), true, 1, 2).unwrap().len(), 3);
        assert!(sample(Size::Rows(1), true, 1, 0).is_err());
        assert!(sample(Size::Share(0.5), true, 1, 0).unwrap().is_empty());
    }

    #[test]
    fn shares_are_rounded_half_to_even() {
        for (count, rows) in [(1, 0), (3, 2), (5, 2), (7, 4)] {
            assert_eq!(sample(Size::Share(0.5), false, 1, count).unwrap().len(), rows);
        }
    }

    #[test]
    fn places_count_from_either_end() {
        let places = |list: &[i64]| Draw::Places(list.to_vec()).begin().places(4, &|| Ok(()));
        assert_eq!(places(&[3, 0, -1, -4, 3]).unwrap(), [3, 0, 3, 0, 3]);
        assert!(places(&[4]).is_err() && places(&[-5]).is_err());
    }
}
