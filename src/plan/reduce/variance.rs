//! `var`, `std` and `sem` (the standard error of the mean): Welford's running moments, merged as Chan, Golub and LeVeque do ("Algorithms for
//! computing the sample variance", 1983).
//!
//! Nothing is subtracted that is much larger than the difference, so that the relative error stays around
//! n u times the condition number, for any chunking.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};

use super::kernel::{Fold, Folded, Number, State, column, primitive, with_number};
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// What is made of the squared distances from the mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Variance,
    Deviation,
    /// The deviation by the root of the number of values.
    Error,
}

pub struct Variance(pub Answer);

impl Aggregate for Variance {
    fn name(&self) -> &'static str {
        match self.0 {
            Answer::Variance => "var",
            Answer::Deviation => "std",
            Answer::Error => "sem",
        }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            DType::Float32 => Ok(DType::Float32),
            DType::Bool | DType::Null | DType::Decimal(..) => Ok(DType::Float64),
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
        let ddof = f64::from(params.ddof);
        Ok(match &args[0] {
            DType::Decimal(_, scale) => {
                let unit = 10_f64.powi(i32::from(*scale));
                Folded::boxed(
                    Spread::<Decimal128Type> { answer: self.0, ddof, unit, input: PhantomData },
                    result,
                )
            }
            dtype => with_number!(
                dtype,
                T => Folded::boxed(Spread::<T> { answer: self.0, ddof, unit: 1.0, input: PhantomData }, result),
                _ => return Err(Error::internal("a variance was created for a type it refuses"))
            ),
        })
    }
}

/// Aligned so that no state lies across two cache lines. The count is a float because it divides.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Moments {
    count: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
}

impl State for Moments {
    const EMPTY: Self = Self { count: 0.0, mean: 0.0, squares: 0.0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        let share = other.count / count;
        self.mean += delta * share;
        self.squares += other.squares + delta * delta * self.count * share;
        self.count = count;
    }
}

struct Spread<T> {
    answer: Answer,
    ddof: f64,
    /// What one is, in the units of the values.
    unit: f64,
    input: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Spread<T> {
    type Input = T;
    type State = Moments;

    #[inline(always)]
    fn step(state: &mut Moments, value: T::Native, valid: bool) {
        let valid = valid & !value.is_missing();
        // A missing value is as far from the mean as nothing, and weighs nothing.
        let value = if valid { value.float() } else { state.mean };
        state.count += f64::from(u8::from(valid));
        let delta = if valid { value - state.mean } else { 0.0 };
        state.mean += delta / state.count.max(1.0);
        state.squares += delta * if valid { value - state.mean } else { 0.0 };
    }

    fn write(&mut self, states: &[Moments]) -> Vec<ArrayRef> {
        let of = |part: fn(&Moments) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(part)))
        };
        vec![of(|state| state.count), of(|state| state.mean), of(|state| state.squares)]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Moments>> {
        let of = |index| primitive::<Float64Type>(column(columns, index)?);
        let (counts, means, squares) = (of(0)?, of(1)?, of(2)?);
        let rows = counts.values().iter().zip(means.values()).zip(squares.values());
        Ok(rows.map(|((&count, &mean), &squares)| Moments { count, mean, squares }).collect())
    }

    fn finish(&mut self, states: &[Moments]) -> Result<ArrayRef> {
        let spread = |state: &Moments| {
            let variance = state.squares / (state.count - self.ddof);
            let spread = match self.answer {
                Answer::Variance => variance / self.unit / self.unit,
                Answer::Deviation => variance.sqrt() / self.unit,
                Answer::Error => variance.sqrt() / self.unit / state.count.sqrt(),
            };
            (state.count > self.ddof).then_some(spread)
        };
        Ok(Arc::new(states.iter().map(spread).collect::<Float64Array>()))
    }
}
