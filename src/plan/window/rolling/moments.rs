//! Sums of the values of a window and of their squares, in two floats each.

use super::Held;

/// A number of 106 bits: the sum of two floats of which the second is a rounding error of the first.
#[derive(Clone, Copy, Default)]
pub struct Double {
    high: f64,
    low: f64,
}

impl Double {
    fn plus(self, value: f64) -> Self {
        let sum = self.high + value;
        let shadow = sum - self.high;
        let lost = (self.high - (sum - shadow)) + (value - shadow);
        Self::of(sum, lost + self.low)
    }

    fn of(high: f64, low: f64) -> Self {
        let sum = high + low;
        Self { high: sum, low: low - (sum - high) }
    }

    fn square(value: f64) -> Self {
        let product = value * value;
        Self { high: product, low: value.mul_add(value, -product) }
    }

    fn squared(self) -> Self {
        let square = Self::square(self.high);
        Self::of(square.high, square.low + 2.0 * self.high * self.low)
    }

    fn divided(self, by: f64) -> Self {
        let quotient = self.high / by;
        let rest = quotient.mul_add(-by, self.high) + self.low;
        Self::of(quotient, rest / by)
    }

    fn minus(self, other: Self) -> f64 {
        let difference = self.plus(-other.high);
        difference.high + (difference.low - other.low)
    }
}

pub struct Moments {
    count: i64,
    sum: Double,
    squares: Option<Double>,
    /// How many of the last values are the same, and which.
    same: (i64, f64),
}

impl Moments {
    pub fn new(squares: bool) -> Self {
        let squares = squares.then(Double::default);
        Self { count: 0, sum: Double::default(), squares, same: (0, f64::NAN) }
    }
}

impl Held for Moments {
    fn add(&mut self, value: f64, _: usize) {
        self.count += 1;
        self.same = if value == self.same.1 { (self.same.0 + 1, value) } else { (1, value) };
        self.sum = self.sum.plus(value);
        if let Some(squares) = &mut self.squares {
            let square = Double::square(value);
            *squares = squares.plus(square.high).plus(square.low);
        }
    }

    fn remove(&mut self, value: f64, _: usize) {
        self.count -= 1;
        if self.count == 0 {
            *self = Self::new(self.squares.is_some());
            return;
        }
        self.sum = self.sum.plus(-value);
        if let Some(squares) = &mut self.squares {
            let square = Double::square(value);
            *squares = squares.plus(-square.high).plus(-square.low);
        }
    }

    fn sum(&self) -> f64 {
        if self.same.0 >= self.count && self.count > 0 {
            return self.same.1 * self.count as f64;
        }
        self.sum.high + self.sum.low
    }

    fn variance(&self, freedom: i64) -> f64 {
        let Some(squares) = self.squares else { return f64::NAN };
        if self.count == 1 || self.same.0 >= self.count {
            return 0.0;
        }
        let spread = squares.minus(self.sum.squared().divided(self.count as f64));
        // Rounding may leave it below zero; what is no number stays none.
        (if spread < 0.0 { 0.0 } else { spread }) / freedom as f64
    }
}
