//! `prod`: of integers as NumPy wraps them, of floats with the exponent kept apart, so that no order of the
//! multiplications overflows where another does not.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::kernel::{Fold, Folded, Number, State, column, primitive, with_number};
use super::sum::AtLeast;
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

pub struct Product;

impl Aggregate for Product {
    fn name(&self) -> &'static str {
        "prod"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        Ok(match one_argument(self, args)? {
            DType::Bool => DType::Int64,
            DType::Null => DType::Float64,
            dtype if dtype.is_signed() => DType::Int64,
            dtype if dtype.is_unsigned() => DType::UInt64,
            dtype if dtype.is_float() => dtype.clone(),
            dtype => {
                return Err(not_decomposable(format!("`prod` has no meaning for a column of type {dtype}"))
                    .hint("Multiply numbers or booleans; convert the column with `astype` first"));
            }
        })
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let result = super::arrow_type(&self.infer(args, params)?)?;
        let least = params.min_count;
        let refused = || Error::internal("`prod` was created for a type it refuses");
        Ok(match &args[0] {
            DType::Float32 | DType::Float64 | DType::Null => {
                with_number!(&args[0], T => counted(Floats::<T>(PhantomData), least, result), _ => return Err(refused()))
            }
            other => {
                with_number!(other, T => counted(Integers::<T>(PhantomData), least, result), _ => return Err(refused()))
            }
        })
    }
}

fn counted<F: Fold>(fold: F, least: i64, result: DataType) -> Box<dyn Reduce> {
    if least > 0 { Folded::boxed(AtLeast { fold, least }, result) } else { Folded::boxed(fold, result) }
}

/// Factors above this, or below its inverse, are scaled before they are multiplied.
const LARGE: f64 = 1.157920892373162e77; // 2^256
/// The power of two of which scales are multiples.
const STEP: i32 = 256;

/// `factor * 2^(256 * scale)`, the factor within `LARGE` of one (or 0, infinite, NaN).
#[derive(Clone, Copy)]
struct Scaled {
    factor: f64,
    scale: i64,
}

impl Scaled {
    #[inline(always)]
    fn of(value: f64) -> Self {
        Self { factor: value, scale: 0 }.normal()
    }

    /// The same number with a factor that can be multiplied by another one.
    #[inline(always)]
    fn normal(mut self) -> Self {
        let size = self.factor.abs();
        if (LARGE.recip()..=LARGE).contains(&size) {
            return self;
        }
        self.rescale();
        self
    }

    #[cold]
    fn rescale(&mut self) {
        if self.factor == 0.0 || !self.factor.is_finite() {
            return;
        }
        while self.factor.abs() > LARGE {
            self.factor /= LARGE;
            self.scale += 1;
        }
        while self.factor.abs() < LARGE.recip() {
            self.factor *= LARGE;
            self.scale -= 1;
        }
    }

    fn value(self) -> f64 {
        if self.factor == 0.0 || !self.factor.is_finite() {
            return self.factor;
        }
        let scale = self.scale.clamp(-8, 8) as i32;
        // In two steps, the outer one last: only the end can overflow or lose bits.
        self.factor * 2_f64.powi(scale / 2 * STEP) * 2_f64.powi((scale - scale / 2) * STEP)
    }
}

impl State for Scaled {
    const EMPTY: Self = Self { factor: 1.0, scale: 0 };

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        *self = Self { factor: self.factor * other.factor, scale: self.scale + other.scale }.normal();
    }
}

struct Floats<T>(PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Floats<T> {
    type Input = T;
    type State = Scaled;

    #[inline(always)]
    fn step(state: &mut Scaled, value: T::Native, valid: bool) {
        let there = valid & !value.is_missing();
        state.merge(Scaled::of(if there { value.float() } else { 1.0 }));
    }

    #[inline(always)]
    fn missing(value: T::Native) -> bool {
        value.is_missing()
    }

    fn write(&mut self, states: &[Scaled]) -> Vec<ArrayRef> {
        vec![
            Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.factor))),
            Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.scale))),
        ]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Scaled>> {
        let factors = primitive::<Float64Type>(column(columns, 0)?)?;
        let scales = primitive::<Int64Type>(column(columns, 1)?)?;
        let rows = factors.values().iter().zip(scales.values());
        Ok(rows.map(|(&factor, &scale)| Scaled { factor, scale }).collect())
    }

    fn finish(&mut self, states: &[Scaled]) -> Result<ArrayRef> {
        Ok(Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.value()))))
    }
}

/// Multiplied modulo 2^64, which is the same for signed and unsigned.
#[derive(Clone, Copy)]
struct Wrapped(i64);

impl State for Wrapped {
    const EMPTY: Self = Self(1);

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_mul(other.0);
    }
}

struct Integers<T>(PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType<Native: Number>> Fold for Integers<T> {
    type Input = T;
    type State = Wrapped;

    #[inline(always)]
    fn step(state: &mut Wrapped, value: T::Native, valid: bool) {
        state.merge(Wrapped(if valid { value.wide() } else { 1 }));
    }

    fn write(&mut self, states: &[Wrapped]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.0)))]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Wrapped>> {
        Ok(primitive::<Int64Type>(column(columns, 0)?)?
            .values()
            .iter()
            .map(|&value| Wrapped(value))
            .collect())
    }

    fn finish(&mut self, states: &[Wrapped]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.0))))
    }
}
