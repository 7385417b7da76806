//! The values of a window themselves: the first and the last of them, and how many there are that differ.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Held;

/// The values in the order of their rows.
pub struct Ends {
    pub last: bool,
    pub values: VecDeque<f64>,
}

impl Held for Ends {
    fn add(&mut self, value: f64, _: usize) {
        self.values.push_back(value);
    }

    fn remove(&mut self, _: f64, _: usize) {
        self.values.pop_front();
    }

    fn first(&self) -> f64 {
        let found = if self.last { self.values.back() } else { self.values.front() };
        found.copied().unwrap_or(f64::NAN)
    }
}

/// How often each value is there. Zeros of both signs are one value.
#[derive(Default)]
pub struct Distinct(HashMap<u64, usize, FixedState>);

impl Distinct {
    fn key(value: f64) -> u64 {
        (value + 0.0).to_bits()
    }
}

impl Held for Distinct {
    fn add(&mut self, value: f64, _: usize) {
        *self.0.entry(Self::key(value)).or_default() += 1;
    }

    fn remove(&mut self, value: f64, _: usize) {
        let key = Self::key(value);
        if let Some(times) = self.0.get_mut(&key) {
            *times -= 1;
            if *times == 0 {
                self.0.remove(&key);
            }
        }
    }

    fn sum(&self) -> f64 {
        self.0.len() as f64
    }
}
