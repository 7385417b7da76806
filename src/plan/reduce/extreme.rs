//! `min` and `max` of everything with a fixed width; strings are in `extreme_text.rs`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int8Type, Int64Type};

use super::kernel::{Fold, Folded, State, column, primitive, with_number};
use super::{Aggregate, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// `min`, or `max`.
pub struct Extreme<const MAX: bool>;

impl<const MAX: bool> Aggregate for Extreme<MAX> {
    fn name(&self) -> &'static str {
        if MAX { "max" } else { "min" }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            dtype if !dtype.is_simple() => {
                let function = self.name();
                Err(not_decomposable(format!(
                    "`{function}` has no order to go by in a column of type {dtype}"
                ))
                .hint("Take it of a number, boolean, string, date, time or decimal"))
            }
            dtype => Ok(dtype.clone()),
        }
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let dtype = self.infer(args, params)?;
        let result = super::arrow_type(&dtype)?;
        Ok(match &dtype {
            DType::Null => Box::new(super::Nothing::default()),
            DType::Str | DType::Binary => super::extreme_text::create(MAX, result),
            // Not as unsigned: 0 would be both `false` and the start of a maximum.
            DType::Bool => Folded::boxed(Best::<Int8Type, MAX>::default(), result),
            DType::Date => Folded::boxed(Best::<Date32Type, MAX>::default(), result),
            DType::Timestamp(..) | DType::Duration(_) => {
                Folded::boxed(Best::<Int64Type, MAX>::default(), result)
            }
            DType::Decimal(..) => Folded::boxed(Best::<Decimal128Type, MAX>::default(), result),
            dtype => with_number!(
                dtype,
                T => Folded::boxed(Best::<T, MAX>::default(), result),
                _ => return Err(Error::internal("an extreme was created for a type it refuses"))
            ),
        })
    }
}

/// A value as a key whose integer order is the values' order. For floats that is the total order, in
/// which -0.0 is below 0.0, so that the answer does not depend on which came first.
pub trait Ranked: Copy {
    type Key: Ord + Copy + Send + Sync + 'static;
    const LOWEST: Self::Key;
    const HIGHEST: Self::Key;

    fn key(self) -> Self::Key;
    /// The key with which -0.0 is 0.0.
    fn one_zero(self) -> Self::Key;
    fn value(key: Self::Key) -> Self;
    fn is_missing(self) -> bool;
}

macro_rules! ranked {
    (integer: $($native:ty)*) => {
        $(impl Ranked for $native {
            type Key = $native;
            const LOWEST: $native = <$native>::MIN;
            const HIGHEST: $native = <$native>::MAX;

            #[inline(always)]
            fn key(self) -> $native { self }
            #[inline(always)]
            fn one_zero(self) -> $native { self }
            #[inline(always)]
            fn value(key: $native) -> $native { key }
            #[inline(always)]
            fn is_missing(self) -> bool { false }
        })*
    };
    (float: $($native:ty, $key:ty, $unsigned:ty, $sign:literal;)*) => {
        $(impl Ranked for $native {
            type Key = $key;
            const LOWEST: $key = <$key>::MIN;
            const HIGHEST: $key = <$key>::MAX;

            #[inline(always)]
            fn key(self) -> $key {
                let bits = self.to_bits() as $key;
                bits ^ ((bits >> $sign) as $unsigned >> 1) as $key
            }
            #[inline(always)]
            fn one_zero(self) -> $key { (self + 0.0).key() }
            #[inline(always)]
            fn value(key: $key) -> $native {
                <$native>::from_bits((key ^ ((key >> $sign) as $unsigned >> 1) as $key) as $unsigned)
            }
            #[inline(always)]
            fn is_missing(self) -> bool { self.is_nan() }
        })*
    };
}

ranked!(integer: i8 i16 i32 i64 u8 u16 u32 u64 i128);
ranked!(float: f32, i32, u32, 31; f64, i64, u64, 63;);

#[derive(Clone, Copy)]
pub struct Key<N: Ranked, const MAX: bool>(N::Key);

impl<N: Ranked + Send + 'static, const MAX: bool> State for Key<N, MAX> {
    const EMPTY: Self = Self(if MAX { N::LOWEST } else { N::HIGHEST });

    #[inline(always)]
    fn merge(&mut self, other: Self) {
        self.0 = if MAX { self.0.max(other.0) } else { self.0.min(other.0) };
    }
}

/// The best key of each group. A group without values holds the empty key, and so may one with: those,
/// which are rare, are marked in `seen` by a pass of their own. (Among floats the empty key is a NaN's.)
pub struct Best<T: ArrowPrimitiveType, const MAX: bool> {
    seen: Vec<bool>,
    input: std::marker::PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType, const MAX: bool> Default for Best<T, MAX> {
    fn default() -> Self {
        Self { seen: Vec::new(), input: std::marker::PhantomData }
    }
}

impl<T: ArrowPrimitiveType<Native: Ranked>, const MAX: bool> Best<T, MAX> {
    #[inline(always)]
    fn key(value: T::Native, valid: bool) -> Key<T::Native, MAX> {
        if valid & !value.is_missing() { Key(value.key()) } else { Key::EMPTY }
    }

    fn mark(&mut self, values: &PrimitiveArray<T>, groups: &[u32]) {
        let empty = Key::<T::Native, MAX>::EMPTY.0;
        if !values.values().iter().fold(false, |found, value| found | (value.key() == empty)) {
            return;
        }
        for (row, (&group, value)) in groups.iter().zip(values.values()).enumerate() {
            if value.key() == empty && !value.is_missing() && values.is_valid(row) {
                super::kernel::grow(&mut self.seen, group as usize + 1, false);
                self.seen[group as usize] = true;
            }
        }
    }

    fn take(&mut self, states: &[Key<T::Native, MAX>]) -> ArrayRef {
        let empty = Key::<T::Native, MAX>::EMPTY.0;
        let seen = std::mem::take(&mut self.seen);
        let best = states.iter().enumerate().map(|(group, key)| {
            let known = key.0 != empty || seen.get(group).copied().unwrap_or(false);
            known.then(|| T::Native::value(key.0))
        });
        Arc::new(best.collect::<PrimitiveArray<T>>())
    }
}

impl<T: ArrowPrimitiveType<Native: Ranked>, const MAX: bool> Fold for Best<T, MAX> {
    type Input = T;
    type State = Key<T::Native, MAX>;

    #[inline(always)]
    fn step(state: &mut Self::State, value: T::Native, valid: bool) {
        state.merge(Self::key(value, valid));
    }

    fn inspect(&mut self, values: &PrimitiveArray<T>, groups: &[u32]) {
        self.mark(values, groups);
    }

    fn write(&mut self, states: &[Self::State]) -> Vec<ArrayRef> {
        vec![self.take(states)]
    }

    fn read(&mut self, columns: &[ArrayRef], groups: &[u32]) -> Result<Vec<Self::State>> {
        let values = primitive::<T>(column(columns, 0)?)?;
        self.mark(&values, groups);
        Ok((0..values.len()).map(|row| Self::key(values.value(row), values.is_valid(row))).collect())
    }

    fn finish(&mut self, states: &[Self::State]) -> Result<ArrayRef> {
        Ok(self.take(states))
    }
}
