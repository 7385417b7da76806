//! `mean`: integers, dates and durations from exact sums, floats from the compensated sum of `sum`.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, i256};

use super::kernel::{Fold, Folded, Number, State, column, primitive, with_number};
use super::sum::{AtLeast, Counted, TwoSum, read_two_sums, write_two_sums};
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

pub struct Mean;

impl Aggregate for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        Ok(match one_argument(self, args)? {
            dtype @ (DType::Float32 | DType::Timestamp(..) | DType::Duration(_)) => dtype.clone(),
            DType::Bool | DType::Null | DType::Decimal(..) => DType::Float64,
            dtype if dtype.is_numeric() => DType::Float64,
            dtype => {
                return Err(not_decomposable(format!("`mean` has no meaning for a column of type {dtype}"))
                    .hint("Take the mean of a number, boolean, timestamp or duration"));
            }
        })
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let result = super::arrow_type(&self.infer(args, params)?)?;
        Ok(match &args[0] {
            DType::Timestamp(..) | DType::Duration(_) => {
                Folded::boxed(Exact::<Int64Type> { answer: Answer::Integer, input: PhantomData }, result)
            }
            DType::Decimal(_, scale) => {
                let unit = 10_f64.powi(i32::from(*scale));
                Folded::boxed(
                    Decimals { sums: AtLeast { fold: super::sum::Decimals, least: 1 }, unit },
                    result,
                )
            }
            dtype @ (DType::Float32 | DType::Float64 | DType::Null) => {
                with_number!(dtype, T => Folded::boxed(Floats::<T>(PhantomData), result), _ => return Err(refused()))
            }
            dtype => with_number!(
                dtype,
                T => Folded::boxed(Exact::<T> { answer: Answer::Float, input: PhantomData }, result),
                _ => return Err(refused())
            ),
        })
    }
}

fn refused() -> Error {
    Error::internal("`mean` was created for a type it refuses")
}

/// Aligned so that no state lies across two cache lines.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Float {
    total: TwoSum,
    count: i64,
}

impl State for Float {
    const EMPTY: Self = Self { total: TwoSum::EMPTY, count: 0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        self.total.merge(other.total);
        self.count += other.count;
    }
}

struct Floats<T>(PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Floats<T> {
    type Input = T;
    type State = Float;

    #[inline(always)]
    fn step(state: &mut Float, value: T::Native, valid: bool) {
        let valid = valid & !value.is_missing();
        state.total.add(if valid { value.float() } else { 0.0 });
        state.count += i64::from(valid);
    }

    fn write(&mut self, states: &[Float]) -> Vec<ArrayRef> {
        let mut columns = write_two_sums(states.iter().map(|state| state.total));
        columns.push(Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.count))));
        columns
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Float>> {
        let totals = read_two_sums(columns)?;
        let counts = primitive::<Int64Type>(column(columns, 2)?)?;
        Ok(totals.into_iter().zip(counts.values()).map(|(total, &count)| Float { total, count }).collect())
    }

    fn finish(&mut self, states: &[Float]) -> Result<ArrayRef> {
        let means = states
            .iter()
            .map(|state| (state.count > 0).then(|| state.total.value() / state.count as f64))
            .collect::<Float64Array>();
        Ok(Arc::new(means))
    }
}

#[derive(Clone, Copy)]
struct Whole {
    total: i128,
    count: i64,
}

impl State for Whole {
    const EMPTY: Self = Self { total: 0, count: 0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.count += other.count;
    }
}

/// The mean of whole numbers from their exact sum: no number of 64-bit values overflows 128 bits.
struct Exact<T> {
    answer: Answer,
    input: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy)]
enum Answer {
    Float,
    /// Cut towards zero, as pandas does with times.
    Integer,
}

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Exact<T> {
    type Input = T;
    type State = Whole;

    #[inline(always)]
    fn step(state: &mut Whole, value: T::Native, valid: bool) {
        state.total += if valid { value.exact() } else { 0 };
        state.count += i64::from(valid);
    }

    fn write(&mut self, states: &[Whole]) -> Vec<ArrayRef> {
        let totals = states.iter().map(|state| state.total);
        let counts = states.iter().map(|state| state.count);
        vec![
            Arc::new(PrimitiveArray::<Decimal128Type>::from_iter_values(totals)),
            Arc::new(Int64Array::from_iter_values(counts)),
        ]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Whole>> {
        let totals = primitive::<Decimal128Type>(column(columns, 0)?)?;
        let counts = primitive::<Int64Type>(column(columns, 1)?)?;
        Ok(totals
            .values()
            .iter()
            .zip(counts.values())
            .map(|(&total, &count)| Whole { total, count })
            .collect())
    }

    fn finish(&mut self, states: &[Whole]) -> Result<ArrayRef> {
        let filled = states.iter().map(|state| (state.count > 0).then_some(state));
        Ok(match self.answer {
            Answer::Float => Arc::new(
                filled
                    .map(|state| state.map(|state| state.total as f64 / state.count as f64))
                    .collect::<Float64Array>(),
            ),
            Answer::Integer => Arc::new(
                filled
                    .map(|state| state.map(|state| (state.total / i128::from(state.count)) as i64))
                    .collect::<Int64Array>(),
            ),
        })
    }
}

/// Decimals: the exact sum of `sum`, and a count.
struct Decimals {
    sums: AtLeast<super::sum::Decimals>,
    /// What one is, in units of the last digit.
    unit: f64,
}

impl Fold for Decimals {
    type Input = Decimal128Type;
    type State = Counted<i256>;

    #[inline(always)]
    fn step(state: &mut Self::State, value: i128, valid: bool) {
        AtLeast::<super::sum::Decimals>::step(state, value, valid);
    }

    fn write(&mut self, states: &[Self::State]) -> Vec<ArrayRef> {
        self.sums.write(states)
    }

    fn read(&mut self, columns: &[ArrayRef], groups: &[u32]) -> Result<Vec<Self::State>> {
        self.sums.read(columns, groups)
    }

    fn finish(&mut self, states: &[Self::State]) -> Result<ArrayRef> {
        let mean = |state: &Counted<i256>| {
            let (low, high) = state.state.to_parts();
            let total = match state.state.to_i128() {
                Some(total) => total as f64,
                None => high as f64 * 2_f64.powi(128) + low as f64,
            };
            (state.count > 0).then(|| total / self.unit / state.count as f64)
        };
        Ok(Arc::new(states.iter().map(mean).collect::<Float64Array>()))
    }
}
