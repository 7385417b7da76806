//! The central moments of a window, by two stacks: values that come are added to the one, values that go are popped
//! from the other, so nothing is ever subtracted and nothing of a large value stays when it is gone.

use super::Held;
use crate::plan::reduce::moments::Central;

pub struct Shape {
    kurtosis: bool,
    /// The moments of each older value and of all that came after it, the oldest last.
    older: Vec<Central>,
    newer: Vec<f64>,
    of_newer: Central,
}

impl Shape {
    pub fn new(kurtosis: bool) -> Self {
        Self { kurtosis, older: Vec::new(), newer: Vec::new(), of_newer: Central::NOTHING }
    }
}

impl Held for Shape {
    fn add(&mut self, value: f64, _: usize) {
        self.newer.push(value);
        self.of_newer.add(value);
    }

    fn remove(&mut self, _: f64, _: usize) {
        if self.older.is_empty() {
            let mut all = Central::NOTHING;
            for value in self.newer.drain(..).rev() {
                all.add(value);
                self.older.push(all);
            }
            self.of_newer = Central::NOTHING;
        }
        self.older.pop();
    }

    fn shape(&self) -> f64 {
        let all = self.older.last().map_or(self.of_newer, |older| older.with(self.of_newer));
        if self.kurtosis { all.kurtosis() } else { all.skew() }
    }
}
