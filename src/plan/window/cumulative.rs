//! `cumsum`, `cumprod`, `cummin`, `cummax`: a missing value stays missing, and the next one goes on from before it.
//!
//! Floats are summed as `sum` sums them (see `plan/reduce/sum.rs`), so a running sum is nearer to the exact one than
//! pandas'. Whole numbers wrap, as NumPy's do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use super::{
    Function, Groups, Proceed, Running, Signature, Window, argument, has_no_meaning, into, run, stored,
};
use crate::error::{Error, Result};
use crate::plan::DType;
use crate::plan::op::operand::with_number;
use crate::plan::reduce::TwoSum;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sum,
    Prod,
    Min,
    Max,
}

pub struct Cumulative(pub Kind);

impl Function for Cumulative {
    fn name(&self) -> &'static str {
        match self.0 {
            Kind::Sum => "cumsum",
            Kind::Prod => "cumprod",
            Kind::Min => "cummin",
            Kind::Max => "cummax",
        }
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        let dtype = call.column(self.name())?;
        let adds = matches!(self.0, Kind::Sum | Kind::Prod);
        match dtype {
            DType::Bool if adds => Ok(DType::Int64),
            DType::Duration(_) if self.0 != Kind::Prod => Ok(dtype.clone()),
            // NumPy widens running sums of narrow numbers; pandas' own, of groups, do not.
            dtype if dtype.is_signed() && adds && !call.grouped => Ok(DType::Int64),
            dtype if dtype.is_unsigned() && adds && !call.grouped => Ok(DType::UInt64),
            dtype if dtype.is_numeric() => Ok(dtype.clone()),
            DType::Bool | DType::Timestamp(..) | DType::Date if !adds => Ok(dtype.clone()),
            DType::Null => Ok(DType::Float64),
            other => Err(has_no_meaning(
                self.name(),
                other,
                "Take it of numbers; the least and the largest so far of times too",
            )),
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let (input, output) = (call.column(self.name())?.clone(), self.infer(call)?);
        Ok(Box::new(Cumulated { kind: self.0, input, output }))
    }
}

#[derive(Clone)]
struct Cumulated {
    kind: Kind,
    input: DType,
    output: DType,
}

impl Cumulated {
    fn start(&self) -> Box<dyn Running> {
        let (adds, floats) =
            (matches!(self.kind, Kind::Sum | Kind::Prod), super::storage(&self.input).is_float());
        let of = self.clone();
        match self.kind {
            Kind::Sum if floats => Box::new(Sums { of, states: Vec::new() }),
            // Narrow floats are multiplied as they are.
            Kind::Prod if self.input == DType::Float32 => {
                Box::new(Products::<f32> { of, states: Vec::new() })
            }
            Kind::Prod if floats => Box::new(Products::<f64> { of, states: Vec::new() }),
            _ if adds => Box::new(Integers { of, states: Vec::new() }),
            _ => Box::new(Extremes { of, states: Vec::new() }),
        }
    }
}

impl Window for Cumulated {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        run(self.start(), args, groups, proceed)
    }

    fn running(&self) -> Option<Box<dyn Running>> {
        Some(self.start())
    }
}

/// Goes over the rows that are there; the others stay missing.
fn over<T: ArrowPrimitiveType, O: ArrowPrimitiveType, S: Copy>(
    values: &PrimitiveArray<T>,
    groups: &[u32],
    states: &mut [S],
    missing: impl Fn(T::Native) -> bool,
    step: impl Fn(&mut S, T::Native) -> O::Native,
) -> PrimitiveArray<O> {
    let nulls = values.nulls();
    let mut present = Vec::with_capacity(values.len());
    let mut results = Vec::with_capacity(values.len());
    for (row, (value, group)) in values.values().iter().zip(groups).enumerate() {
        let there = !missing(*value) && nulls.is_none_or(|nulls| nulls.is_valid(row));
        present.push(there);
        results.push(if there { step(&mut states[*group as usize], *value) } else { O::default_value() });
    }
    let all = present.iter().all(|there| *there);
    PrimitiveArray::new(results.into(), (!all).then(|| NullBuffer::from(present)))
}

fn floats(args: &[ArrayRef]) -> Result<PrimitiveArray<Float64Type>> {
    let wide = into(argument(args, 0)?, &DType::Float64)?;
    wide.as_primitive_opt::<Float64Type>()
        .cloned()
        .ok_or_else(|| Error::internal("a running sum of floats got something else"))
}

struct Sums {
    of: Cumulated,
    states: Vec<TwoSum>,
}

impl Running for Sums {
    fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        self.states.resize(num_groups.max(self.states.len()), TwoSum { sum: 0.0, err: 0.0 });
        let add = |state: &mut TwoSum, value: f64| {
            state.add(value);
            state.value()
        };
        let sums: PrimitiveArray<Float64Type> =
            over(&floats(args)?, groups, &mut self.states, f64::is_nan, add);
        let sums: ArrayRef = Arc::new(sums);
        into(&sums, &self.of.output)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<TwoSum>()
    }
}

struct Products<F> {
    of: Cumulated,
    states: Vec<F>,
}

macro_rules! products {
    ($native:ty, $arrow:ty, $dtype:expr) => {
        impl Running for Products<$native> {
            fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
                self.states.resize(num_groups.max(self.states.len()), 1.0);
                let values = into(argument(args, 0)?, &$dtype)?;
                let multiply = |state: &mut $native, value: $native| {
                    *state *= value;
                    *state
                };
                let values = values.as_primitive::<$arrow>();
                let products: PrimitiveArray<$arrow> =
                    over(values, groups, &mut self.states, <$native>::is_nan, multiply);
                let products: ArrayRef = Arc::new(products);
                into(&products, &self.of.output)
            }

            fn size(&self) -> usize {
                self.states.capacity() * size_of::<$native>()
            }
        }
    };
}

products!(f64, Float64Type, DType::Float64);
products!(f32, Float32Type, DType::Float32);

/// Sums and products of whole numbers, in 64 bits that are cut to the result's type.
struct Integers {
    of: Cumulated,
    states: Vec<i64>,
}

impl Running for Integers {
    // One of the types is the wide one.
    #[allow(clippy::unnecessary_cast)]
    fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        let sum = self.of.kind == Kind::Sum;
        self.states.resize(num_groups.max(self.states.len()), if sum { 0 } else { 1 });
        let stored = stored(argument(args, 0)?, &self.of.input)?;
        let storage = super::storage(&self.of.output);
        let states = &mut self.states;
        let step = |state: &mut i64, value: i64| {
            *state = if sum { state.wrapping_add(value) } else { state.wrapping_mul(value) };
            *state
        };
        let totals: ArrayRef = crate::plan::op::operand::with_integer!(
            super::storage(&self.of.input),
            T => {
                let values = stored.as_primitive::<T>();
                let totals: PrimitiveArray<Int64Type> =
                    over(values, groups, states, |_| false, |state, value| step(state, value as i64));
                Arc::new(totals)
            },
            return Err(Error::internal("a running sum of whole numbers got something else"))
        );
        // The low bits are what NumPy's own arithmetic leaves.
        let narrow: ArrayRef = crate::plan::op::operand::with_integer!(
            storage,
            T => {
                let narrow: PrimitiveArray<T> = totals
                    .as_primitive::<Int64Type>()
                    .unary(|value| value as <T as ArrowPrimitiveType>::Native);
                Arc::new(narrow)
            },
            return Err(Error::internal("a running sum of whole numbers has another type"))
        );
        into(&narrow, &self.of.output)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<i64>()
    }
}

/// The least or the largest so far, as bits of 64.
struct Extremes {
    of: Cumulated,
    states: Vec<Option<u64>>,
}

impl Running for Extremes {
    fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        self.states.resize(num_groups.max(self.states.len()), None);
        let stored = stored(argument(args, 0)?, &self.of.input)?;
        let (states, least) = (&mut self.states, self.of.kind == Kind::Min);
        let extremes: ArrayRef = with_number!(
            super::storage(&self.of.input),
            T => {
                let values = stored.as_primitive::<T>();
                let step = |state: &mut Option<u64>, value: <T as ArrowPrimitiveType>::Native| {
                    let best = match state.map(Bits::unpack) {
                        Some(best) if (if least { best <= value } else { best >= value }) => best,
                        _ => value,
                    };
                    *state = Some(best.pack());
                    best
                };
                #[allow(clippy::eq_op)]
                let extremes: PrimitiveArray<T> = over(values, groups, states, |value| value != value, step);
                Arc::new(extremes)
            },
            return Err(Error::internal("a running extreme of what has no order"))
        );
        if self.of.output == DType::Bool {
            let truths: BooleanArray =
                cast(&extremes, &arrow::datatypes::DataType::Boolean)?.as_boolean().clone();
            return Ok(Arc::new(truths));
        }
        into(&extremes, &self.of.output)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<Option<u64>>()
    }
}

/// A number as 64 bits and back.
trait Bits: Copy {
    fn pack(self) -> u64;
    fn unpack(bits: u64) -> Self;
}

macro_rules! bits {
    ($($native:ty)*) => {
        $(impl Bits for $native {
            fn pack(self) -> u64 { self as u64 }
            fn unpack(bits: u64) -> Self { bits as $native }
        })*
    };
}

bits!(i8 i16 i32 i64 u8 u16 u32 u64);

impl Bits for f64 {
    fn pack(self) -> u64 {
        self.to_bits()
    }

    fn unpack(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

impl Bits for f32 {
    fn pack(self) -> u64 {
        u64::from(self.to_bits())
    }

    fn unpack(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
}
