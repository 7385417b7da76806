//! `sum`, in integers exactly as NumPy wraps them, in floats so that chunking hardly matters.
//!
//! Floats are added by TwoSum, with the rounding errors added up beside the sum (algorithm Sum2 of Ogita,
//! Rump and Oishi, "Accurate sum and dot product", 2005). With u = 2^-53 and n values,
//!
//! > |result - exact| <= u |exact| + n^2 u^2 sum|x|
//!
//! for any order of the additions: the errors of all additions are at most u times the partial sums, of
//! which there are n - 1, none above sum|x|; adding those errors up loses at most n u of them. So any two
//! chunkings differ by no more than twice that, which for a billion values without cancellation is the
//! last bit. Partial sums that overflow are beyond the bound: they are infinite, as in plain addition.
//! float32 is added up as float64 and rounded once.
//!
//! pandas gives the grouped sum of a narrow integer column (int8, ...) that narrow type back if every sum
//! happens to fit, and int64 otherwise. A type cannot depend on values here: it is always the wide one, as
//! it is for whole columns.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, i256};

use super::kernel::{Fold, Folded, Native, Number, State, column, primitive, with_number};
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

pub struct Sum;

impl Aggregate for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        Ok(match one_argument(self, args)? {
            DType::Bool | DType::Null => DType::Int64,
            dtype if dtype.is_signed() => DType::Int64,
            dtype if dtype.is_unsigned() => DType::UInt64,
            dtype @ (DType::Float32 | DType::Float64 | DType::Duration(_)) => dtype.clone(),
            DType::Decimal(_, scale) => DType::Decimal(38, *scale),
            dtype @ (DType::Str | DType::Binary) => {
                return Err(not_decomposable(format!(
                    "`sum` over a column of type {dtype} would join its values into one string"
                ))
                .hint("Use `count`, `nunique`, `min` or `max`, or convert the column to numbers with `astype` first"));
            }
            dtype => {
                return Err(not_decomposable(format!("`sum` has no meaning for a column of type {dtype}"))
                    .hint(
                        "Sum a number, boolean or duration; of dates and times take `min`, `max` or `mean`",
                    ));
            }
        })
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let dtype = self.infer(args, params)?;
        let result = super::arrow_type(&dtype)?;
        let least = params.min_count;
        Ok(match &args[0] {
            DType::Float32 | DType::Float64 => {
                with_number!(&args[0], T => counted(Floats::<T>(PhantomData), least, result), _ => return Err(refused()))
            }
            DType::Decimal(..) => counted(Decimals, least, result),
            DType::Duration(_) | DType::Null => counted(Integers::<Int64Type>(PhantomData), least, result),
            other => {
                with_number!(other, T => counted(Integers::<T>(PhantomData), least, result), _ => return Err(refused()))
            }
        })
    }
}

fn refused() -> Error {
    Error::internal("`sum` was created for a type it refuses")
}

/// With a count beside the sum only where a `min_count` asks for it.
fn counted<F: Fold>(fold: F, least: i64, result: DataType) -> Box<dyn Reduce> {
    if least > 0 { Folded::boxed(AtLeast { fold, least }, result) } else { Folded::boxed(fold, result) }
}

/// A running float sum and what its roundings lost.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TwoSum {
    pub sum: f64,
    pub err: f64,
}

impl TwoSum {
    /// Knuth's TwoSum: `sum + value` and the exact error of that addition.
    #[inline(always)]
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let shadow = sum - self.sum;
        self.err += (self.sum - (sum - shadow)) + (value - shadow);
        self.sum = sum;
    }

    /// [`Self::add`] to two sums at once, NaN counting as nothing: the same operations on vectors of two, for it
    /// is their number that bounds the speed.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn add_two(states: [&mut TwoSum; 2], values: [f64; 2]) {
        use std::arch::x86_64::*;
        let [one, other] = states.map(|state| std::ptr::from_mut(state).cast::<f64>());
        // SAFETY: SSE2 is part of x86-64. A state is two f64, one behind the other (`repr(C)`), and both states are
        // borrowed for as long as this takes.
        unsafe {
            let (a, b) = (_mm_loadu_pd(one), _mm_loadu_pd(other));
            let (sum, err) = (_mm_unpacklo_pd(a, b), _mm_unpackhi_pd(a, b));
            let value = _mm_loadu_pd(values.as_ptr());
            let value = _mm_and_pd(value, _mm_cmpord_pd(value, value));
            let new = _mm_add_pd(sum, value);
            let shadow = _mm_sub_pd(new, sum);
            let lost = _mm_sub_pd(sum, _mm_sub_pd(new, shadow));
            let err = _mm_add_pd(err, _mm_add_pd(lost, _mm_sub_pd(value, shadow)));
            _mm_storeu_pd(one, _mm_unpacklo_pd(new, err));
            _mm_storeu_pd(other, _mm_unpackhi_pd(new, err));
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub fn add_two(states: [&mut TwoSum; 2], values: [f64; 2]) {
        for (state, value) in states.into_iter().zip(values) {
            state.add(if value.is_nan() { 0.0 } else { value });
        }
    }

    /// Once infinite or NaN, the plain sum is the answer and the error term means nothing.
    pub fn value(self) -> f64 {
        let value = self.sum + self.err;
        if self.sum.is_finite() && self.err.is_finite() { value } else { self.sum }
    }
}

impl State for TwoSum {
    const EMPTY: Self = Self { sum: 0.0, err: 0.0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.err += other.err;
    }
}

/// The columns of two-sums, as they stand in the states of `sum` and `mean`.
pub fn write_two_sums(states: impl Iterator<Item = TwoSum> + Clone) -> Vec<ArrayRef> {
    let sums = Float64Array::from_iter_values(states.clone().map(|state| state.sum));
    let errors = Float64Array::from_iter_values(states.map(|state| state.err));
    vec![Arc::new(sums), Arc::new(errors)]
}

pub fn read_two_sums(columns: &[ArrayRef]) -> Result<Vec<TwoSum>> {
    let sums = primitive::<Float64Type>(column(columns, 0)?)?;
    let errors = primitive::<Float64Type>(column(columns, 1)?)?;
    Ok(sums.values().iter().zip(errors.values()).map(|(&sum, &err)| TwoSum { sum, err }).collect())
}

struct Floats<T>(PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Floats<T> {
    type Input = T;
    type State = TwoSum;

    #[inline(always)]
    fn step(state: &mut TwoSum, value: T::Native, valid: bool) {
        state.add(if valid & !value.is_missing() { value.float() } else { 0.0 });
    }

    #[inline(always)]
    fn step_two(states: [&mut TwoSum; 2], values: [T::Native; 2]) {
        TwoSum::add_two(states, values.map(Number::float));
    }

    #[inline(always)]
    fn missing(value: T::Native) -> bool {
        value.is_missing()
    }

    fn write(&mut self, states: &[TwoSum]) -> Vec<ArrayRef> {
        write_two_sums(states.iter().copied())
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<TwoSum>> {
        read_two_sums(columns)
    }

    fn finish(&mut self, states: &[TwoSum]) -> Result<ArrayRef> {
        Ok(Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.value()))))
    }
}

/// Signed and unsigned alike: addition modulo 2^64 is the same for both.
struct Integers<T>(PhantomData<fn() -> T>);

impl State for i64 {
    const EMPTY: Self = 0;

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        *self = self.wrapping_add(other);
    }
}

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Integers<T> {
    type Input = T;
    type State = i64;

    #[inline(always)]
    fn step(state: &mut i64, value: T::Native, valid: bool) {
        *state = state.wrapping_add(if valid { value.wide() } else { 0 });
    }

    fn write(&mut self, states: &[i64]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(states.to_vec()))]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<i64>> {
        Ok(primitive::<Int64Type>(column(columns, 0)?)?.values().to_vec())
    }

    fn finish(&mut self, states: &[i64]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(states.to_vec())))
    }
}

/// Decimals in 256 bits, where no number of rows overflows; only the answer has to fit.
pub struct Decimals;

impl State for i256 {
    const EMPTY: Self = i256::ZERO;

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        *self = self.wrapping_add(other);
    }
}

impl Fold for Decimals {
    type Input = Decimal128Type;
    type State = i256;

    #[inline(always)]
    fn step(state: &mut i256, value: i128, valid: bool) {
        *state = state.wrapping_add(i256::from_i128(if valid { value } else { 0 }));
    }

    fn write(&mut self, states: &[i256]) -> Vec<ArrayRef> {
        vec![Arc::new(PrimitiveArray::<Decimal256Type>::from_iter_values(states.iter().copied()))]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<i256>> {
        Ok(primitive::<Decimal256Type>(column(columns, 0)?)?.values().to_vec())
    }

    fn finish(&mut self, states: &[i256]) -> Result<ArrayRef> {
        let limit = 10_i128.pow(38);
        let sums = states
            .iter()
            .map(|sum| sum.to_i128().filter(|sum| (-limit + 1..limit).contains(sum)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                Error::new(Code::OperationFailed, "a sum of decimals needs more than 38 digits")
                    .hint("Convert the column with `astype(\"float64\")` before summing")
            })?;
        Ok(Arc::new(PrimitiveArray::<Decimal128Type>::from_iter_values(sums)))
    }
}

/// Another sum that is missing where fewer than `least` values went into it.
pub struct AtLeast<F> {
    pub fold: F,
    pub least: i64,
}

#[derive(Clone, Copy)]
pub struct Counted<S> {
    pub state: S,
    pub count: i64,
}

impl<S: State> State for Counted<S> {
    const EMPTY: Self = Self { state: S::EMPTY, count: 0 };

    fn merge(&mut self, other: Self) {
        self.state.merge(other.state);
        self.count += other.count;
    }
}

impl<F: Fold> Fold for AtLeast<F> {
    type Input = F::Input;
    type State = Counted<F::State>;

    #[inline(always)]
    fn step(state: &mut Self::State, value: Native<F>, valid: bool) {
        F::step(&mut state.state, value, valid);
        state.count += i64::from(valid & !F::missing(value));
    }

    fn write(&mut self, states: &[Self::State]) -> Vec<ArrayRef> {
        let inner: Vec<_> = states.iter().map(|state| state.state).collect();
        let mut columns = self.fold.write(&inner);
        columns.push(Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.count))));
        columns
    }

    fn read(&mut self, columns: &[ArrayRef], groups: &[u32]) -> Result<Vec<Self::State>> {
        let inner = self.fold.read(columns, groups)?;
        let counts = primitive::<Int64Type>(column(columns, columns.len().saturating_sub(1))?)?;
        Ok(inner.into_iter().zip(counts.values()).map(|(state, &count)| Counted { state, count }).collect())
    }

    fn finish(&mut self, states: &[Self::State]) -> Result<ArrayRef> {
        let inner: Vec<_> = states.iter().map(|state| state.state).collect();
        let sums = self.fold.finish(&inner)?;
        let short = states.iter().map(|state| Some(state.count < self.least)).collect();
        Ok(nullif(&sums, &short)?)
    }
}
