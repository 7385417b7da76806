//! `skew` and `kurt`: the adjusted Fisher-Pearson coefficients, of central moments that are updated and merged as
//! Pébay gives them ("Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
//! statistical moments", 2008).

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array};
use arrow::datatypes::{DataType, Float64Type};

use super::kernel::{Fold, Folded, Number, State, column, primitive, with_number};
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

#[derive(Clone, Copy)]
pub enum Answer {
    Skew,
    Kurtosis,
}

/// The shape of a distribution.
pub struct Shape(pub Answer);

impl Aggregate for Shape {
    fn name(&self) -> &'static str {
        match self.0 {
            Answer::Skew => "skew",
            Answer::Kurtosis => "kurt",
        }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            DType::Float32 => Ok(DType::Float32),
            DType::Bool | DType::Null => Ok(DType::Float64),
            dtype if dtype.is_numeric() => Ok(DType::Float64),
            dtype => {
                let name = self.name();
                Err(not_decomposable(format!("`{name}` over a column of type {dtype} is not supported"))
                    .hint("Convert the column to numbers with `astype` first"))
            }
        }
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let result = super::arrow_type(&self.infer(args, params)?)?;
        let answer = self.0;
        Ok(with_number!(
            &args[0],
            T => Folded::boxed(Moments::<T> { answer, input: PhantomData }, result),
            _ => return Err(Error::internal("moments were created for a type they refuse"))
        ))
    }
}

/// How many values, their mean, and the sums of the second to fourth powers of their distances from it.
#[derive(Clone, Copy)]
pub struct Central {
    count: f64,
    mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
}

impl State for Central {
    const EMPTY: Self = Self { count: 0.0, mean: 0.0, second: 0.0, third: 0.0, fourth: 0.0 };

    fn merge(&mut self, other: Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let (a, b) = (self.count, other.count);
        let n = a + b;
        let delta = other.mean - self.mean;
        let step = delta / n;
        let square = step * step;
        self.fourth += other.fourth
            + delta * step * square * a * b * (a * a - a * b + b * b)
            + 6.0 * square * (a * a * other.second + b * b * self.second)
            + 4.0 * step * (a * other.third - b * self.third);
        self.third += other.third
            + delta * square * a * b * (a - b)
            + 3.0 * step * (a * other.second - b * self.second);
        self.second += other.second + delta * step * a * b;
        self.mean += step * b;
        self.count = n;
    }
}

impl Central {
    pub const NOTHING: Self = Self::EMPTY;

    #[inline(always)]
    pub fn add(&mut self, value: f64) {
        let before = self.count;
        let n = before + 1.0;
        let delta = value - self.mean;
        let step = delta / n;
        let square = step * step;
        let term = delta * step * before;
        self.fourth +=
            term * square * (n * n - 3.0 * n + 3.0) + 6.0 * square * self.second - 4.0 * step * self.third;
        self.third += term * step * (n - 2.0) - 3.0 * step * self.second;
        self.second += term;
        self.mean += step;
        self.count = n;
    }

    /// Those of both together.
    pub fn with(mut self, other: Self) -> Self {
        self.merge(other);
        self
    }

    /// NaN for fewer than three values, and where all are the same.
    pub fn skew(&self) -> f64 {
        let n = self.count;
        if n < 3.0 {
            return f64::NAN;
        }
        n * (n - 1.0).sqrt() / (n - 2.0) * (self.third / self.second.powf(1.5))
    }

    /// NaN for fewer than four values, and where all are the same.
    pub fn kurtosis(&self) -> f64 {
        let n = self.count;
        if n < 4.0 {
            return f64::NAN;
        }
        let rest = (n - 2.0) * (n - 3.0);
        let adjusted = n * (n + 1.0) * (n - 1.0) * self.fourth / (rest * self.second * self.second);
        adjusted - 3.0 * (n - 1.0) * (n - 1.0) / rest
    }
}

struct Moments<T> {
    answer: Answer,
    input: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Moments<T> {
    type Input = T;
    type State = Central;

    #[inline(always)]
    fn step(state: &mut Central, value: T::Native, valid: bool) {
        if !valid | value.is_missing() {
            return;
        }
        state.add(value.float());
    }

    fn write(&mut self, states: &[Central]) -> Vec<ArrayRef> {
        let of = |part: fn(&Central) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(part)))
        };
        vec![of(|s| s.count), of(|s| s.mean), of(|s| s.second), of(|s| s.third), of(|s| s.fourth)]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Central>> {
        let of = |index| primitive::<Float64Type>(column(columns, index)?);
        let (counts, means, seconds, thirds, fourths) = (of(0)?, of(1)?, of(2)?, of(3)?, of(4)?);
        let state = |row: usize| Central {
            count: counts.value(row),
            mean: means.value(row),
            second: seconds.value(row),
            third: thirds.value(row),
            fourth: fourths.value(row),
        };
        let rows = counts.values().len();
        Ok((0..rows).map(state).collect())
    }

    fn finish(&mut self, states: &[Central]) -> Result<ArrayRef> {
        let there = |answer: f64| (!answer.is_nan()).then_some(answer);
        Ok(Arc::new(match self.answer {
            Answer::Skew => states.iter().map(|state| there(state.skew())).collect::<Float64Array>(),
            Answer::Kurtosis => states.iter().map(|state| there(state.kurtosis())).collect(),
        }))
    }
}
