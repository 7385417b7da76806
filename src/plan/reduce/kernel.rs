//! The loops all fixed-width aggregates share, and the `Reduce` that is made of such a loop.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, make_array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};

use super::{Batch, Reduce};
use crate::error::{Error, Result};
use crate::memory::{advise_huge, prefetch_all};

/// What is remembered of one group. Small and flat, so that a row touches one cache line of state.
pub trait State: Copy + Send + 'static {
    const EMPTY: Self;

    fn merge(&mut self, other: Self);
}

/// What one aggregate does with the values of one type.
pub trait Fold: Send + 'static {
    type Input: ArrowPrimitiveType;
    type State: State;

    /// Takes one row in; nothing may change where `valid` is false. Called in the innermost loop: no
    /// branches that data decides.
    fn step(state: &mut Self::State, value: Native<Self>, valid: bool);

    /// Takes a row each into two states, none of them null: for those that can do two at once.
    #[inline(always)]
    fn step_two(states: [&mut Self::State; 2], values: [Native<Self>; 2]) {
        for (state, value) in states.into_iter().zip(values) {
            Self::step(state, value, true);
        }
    }

    /// Whether a value that is not null counts as missing all the same.
    #[inline(always)]
    fn missing(_value: Native<Self>) -> bool {
        false
    }

    /// Sees each batch beside the loop, to keep the rare case out of it.
    fn inspect(&mut self, _values: &PrimitiveArray<Self::Input>, _groups: &[u32]) {}

    /// The state as columns.
    fn write(&mut self, states: &[Self::State]) -> Vec<ArrayRef>;

    /// One row of what `write` gave, for each row of `columns`.
    fn read(&mut self, columns: &[ArrayRef], groups: &[u32]) -> Result<Vec<Self::State>>;

    /// The answer, in any Arrow type of the width of the result's.
    fn finish(&mut self, states: &[Self::State]) -> Result<ArrayRef>;
}

pub type Native<F> = <<F as Fold>::Input as ArrowPrimitiveType>::Native;

/// The `Reduce` of a [`Fold`].
pub struct Folded<F: Fold> {
    fold: F,
    states: Vec<F::State>,
    /// Second states of groups of which there are few, merged into the first ones at the end: rows of one group come
    /// close upon each other there, and a row would wait for the last one's addition to the same state.
    twins: Vec<F::State>,
    result: DataType,
}

impl<F: Fold> Folded<F> {
    pub fn boxed(fold: F, result: DataType) -> Box<dyn Reduce> {
        Box::new(Self { fold, states: Vec::new(), twins: Vec::new(), result })
    }

    fn settle(&mut self) {
        for (state, twin) in self.states.iter_mut().zip(std::mem::take(&mut self.twins)) {
            state.merge(twin);
        }
    }
}

impl<F: Fold> Reduce for Folded<F> {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let values = primitive::<F::Input>(argument(&batch, 0)?)?;
        grow(&mut self.states, batch.num_groups, F::State::EMPTY);
        let (states, groups, nulls) = (&mut self.states, batch.groups, values.nulls());
        if (2..=FEW).contains(&states.len()) && values.null_count() == 0 {
            grow(&mut self.twins, states.len(), F::State::EMPTY);
            twinned(states, &mut self.twins, groups, values.values(), F::step, F::step_two)?;
        } else {
            run_by_two(states, groups, values.values(), nulls, F::step, F::step_two)?;
        }
        self.fold.inspect(&values, batch.groups);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        self.settle();
        Ok(self.fold.write(&std::mem::take(&mut self.states)))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        grow(&mut self.states, num_groups, F::State::EMPTY);
        let rows = state.first().map_or(0, |column| column.len());
        check(groups, rows, self.states.len())?;
        for (&group, other) in groups.iter().zip(self.fold.read(state, groups)?) {
            self.states[group as usize].merge(other);
        }
        Ok(())
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.settle();
        let mut states = std::mem::take(&mut self.states);
        grow(&mut states, num_groups, F::State::EMPTY);
        retype(self.fold.finish(&states[..num_groups])?, &self.result)
    }

    fn size(&self) -> usize {
        (self.states.capacity() + self.twins.capacity()) * size_of::<F::State>()
    }

    fn is_flat(&self) -> bool {
        true
    }
}

/// Makes room for `len` groups; never fewer than there are. Grows by doubling, as `Vec` does.
pub fn grow<T: Clone>(states: &mut Vec<T>, len: usize, empty: T) {
    if states.capacity() < len {
        let mut larger = Vec::with_capacity(len.next_power_of_two());
        advise_huge(&larger);
        larger.append(states);
        *states = larger;
    }
    if states.len() < len {
        states.resize(len, empty);
    }
}

/// That there is one group a row, and all of them below `num_groups`: what the loops rely on.
pub fn check(groups: &[u32], rows: usize, num_groups: usize) -> Result<()> {
    if groups.len() != rows {
        return Err(Error::internal(format!("{rows} rows came with {} group numbers", groups.len())));
    }
    // A difference below zero has its highest bit set, and so has a number for which there can be none.
    let last = u32::try_from(num_groups).unwrap_or(u32::MAX).wrapping_sub(1);
    let signs = groups.iter().fold(0, |signs, &group| signs | group | last.wrapping_sub(group));
    if rows > 0 && (signs >> 31 != 0 || num_groups == 0) {
        let highest = groups.iter().copied().max().unwrap_or(0);
        if (highest as usize) < num_groups {
            return Ok(());
        }
        return Err(Error::internal(format!("group {highest} is beyond the {num_groups} groups announced")));
    }
    Ok(())
}

/// Argument `index` of a batch.
pub fn argument<'a>(batch: &Batch<'a>, index: usize) -> Result<&'a ArrayRef> {
    batch.args.get(index).ok_or_else(|| Error::internal("an aggregate got fewer arguments than it needs"))
}

/// State column `index`.
pub fn column(state: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    state.get(index).ok_or_else(|| Error::internal("an aggregate's state has too few columns"))
}

/// A column as a plain array of `T`: as it is, where it has that width; booleans as 0 and 1; a column of
/// nothing as nulls.
pub fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<PrimitiveArray<T>> {
    if let Some(array) = array.as_primitive_opt::<T>() {
        return Ok(array.clone());
    }
    let plain = match array.data_type() {
        DataType::Boolean => retype(cast(array, &DataType::UInt8)?, &T::DATA_TYPE)?,
        DataType::Null => new_null_array(&T::DATA_TYPE, array.len()),
        _ => retype(array.clone(), &T::DATA_TYPE)?,
    };
    plain.as_primitive_opt::<T>().cloned().ok_or_else(|| unexpected(array.data_type(), &T::DATA_TYPE))
}

/// The same bits under another type of the same width. float64 becomes float32 by rounding, and whole
/// numbers become booleans by whether they are zero.
pub fn retype(array: ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if array.data_type() == wanted {
        return Ok(array);
    }
    if let (DataType::Float64, DataType::Float32) = (array.data_type(), wanted) {
        let narrow: PrimitiveArray<Float32Type> =
            array.as_primitive::<Float64Type>().unary(|value| value as f32);
        return Ok(std::sync::Arc::new(narrow));
    }
    if wanted == &DataType::Boolean {
        return Ok(cast(&array, wanted)?);
    }
    match (array.data_type().primitive_width(), wanted.primitive_width()) {
        (Some(have), Some(want)) if have == want => {
            Ok(make_array(array.to_data().into_builder().data_type(wanted.clone()).build()?))
        }
        _ => Err(unexpected(array.data_type(), wanted)),
    }
}

pub fn unexpected(have: &DataType, wanted: &DataType) -> Error {
    Error::internal(format!("an aggregate was planned for {wanted} and got {have}"))
}

/// Groups up to which states have twins.
const FEW: usize = 256;
/// States of more bytes than this are asked for ahead of their rows: they are out of the inner caches.
const LARGE: usize = 1 << 15;
/// How many rows ahead.
const AHEAD: usize = 24;
/// Rows by which nulls are looked at: one word of their bitmap.
const BLOCK: usize = 64;
/// Running states of one group, merged at the end: one alone would wait for its own last addition.
const LANES: usize = 8;

/// Calls `step` for every row with its group's state.
pub fn run<S: State, T: Copy>(
    states: &mut [S],
    groups: &[u32],
    values: &[T],
    nulls: Option<&NullBuffer>,
    step: impl Fn(&mut S, T, bool) + Copy,
) -> Result<()> {
    let two = |states: [&mut S; 2], values: [T; 2]| {
        for (state, value) in states.into_iter().zip(values) {
            step(state, value, true);
        }
    };
    run_by_two(states, groups, values, nulls, step, two)
}

/// Calls `step` for every row with its group's state, or `two` for two rows of different groups.
///
/// Where there are nulls, by blocks of rows: full ones run as if there were none, empty ones not at all.
fn run_by_two<S: State, T: Copy>(
    states: &mut [S],
    groups: &[u32],
    values: &[T],
    nulls: Option<&NullBuffer>,
    step: impl Fn(&mut S, T, bool) + Copy,
    two: impl Fn([&mut S; 2], [T; 2]) + Copy,
) -> Result<()> {
    check(groups, values.len(), states.len())?;
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    if let [only] = states {
        one(only, values, nulls, step);
        return Ok(());
    }
    let Some(nulls) = nulls else {
        // SAFETY: checked above.
        unsafe { dense(states, groups, values, step, two) };
        return Ok(());
    };
    let large = size_of_val(states) > LARGE;
    for (block, mask) in
        nulls.inner().bit_chunks().iter_padded().take(groups.len().div_ceil(BLOCK)).enumerate()
    {
        let start = block * BLOCK;
        let end = groups.len().min(start + BLOCK);
        if large {
            let next = &groups[end..groups.len().min(end + BLOCK)];
            next.iter().for_each(|&group| prefetch(states, group));
        }
        let (groups, values) = (&groups[start..end], &values[start..end]);
        if mask.count_ones() as usize == values.len() {
            // SAFETY: as below.
            unsafe { plain(states, groups, values, step, two) };
        } else if mask != 0 {
            for (row, (&group, &value)) in groups.iter().zip(values).enumerate() {
                // SAFETY: `check` saw that every group is below `states.len()`.
                let state = unsafe { states.get_unchecked_mut(group as usize) };
                step(state, value, mask >> row & 1 == 1);
            }
        }
    }
    Ok(())
}

/// Every other row goes to the twin of its group's state.
fn twinned<S: State, T: Copy>(
    states: &mut [S],
    twins: &mut [S],
    groups: &[u32],
    values: &[T],
    step: impl Fn(&mut S, T, bool) + Copy,
    two: impl Fn([&mut S; 2], [T; 2]) + Copy,
) -> Result<()> {
    check(groups, values.len(), states.len().min(twins.len()))?;
    let (pairs, last) = groups.as_chunks::<2>();
    let (values, last_value) = values.as_chunks::<2>();
    for (&[one, other], &values) in pairs.iter().zip(values) {
        // SAFETY: checked above.
        let states =
            unsafe { [states.get_unchecked_mut(one as usize), twins.get_unchecked_mut(other as usize)] };
        two(states, values);
    }
    for (&group, &value) in last.iter().zip(last_value) {
        step(&mut states[group as usize], value, true);
    }
    Ok(())
}

/// All rows are of one group.
fn one<S: State, T: Copy>(
    state: &mut S,
    values: &[T],
    nulls: Option<&NullBuffer>,
    step: impl Fn(&mut S, T, bool) + Copy,
) {
    let mut lanes = [S::EMPTY; LANES];
    match nulls {
        None => {
            let (blocks, rest) = values.as_chunks::<LANES>();
            for block in blocks {
                for lane in 0..LANES {
                    step(&mut lanes[lane], block[lane], true);
                }
            }
            for &value in rest {
                step(&mut lanes[0], value, true);
            }
        }
        Some(nulls) => {
            for (mask, values) in nulls.inner().bit_chunks().iter_padded().zip(values.chunks(BLOCK)) {
                for (row, &value) in values.iter().enumerate() {
                    step(&mut lanes[row % LANES], value, mask >> row & 1 == 1);
                }
            }
        }
    }
    for lane in lanes {
        state.merge(lane);
    }
}

/// Many groups, no nulls.
///
/// # Safety
/// Every group is below `states.len()`.
unsafe fn dense<S: State, T: Copy>(
    states: &mut [S],
    groups: &[u32],
    values: &[T],
    step: impl Fn(&mut S, T, bool) + Copy,
    two: impl Fn([&mut S; 2], [T; 2]) + Copy,
) {
    if size_of_val(states) <= LARGE || groups.len() <= AHEAD {
        // SAFETY: the caller's promise.
        return unsafe { plain(states, groups, values, step, two) };
    }
    if groups.len() * 2 > states.len() {
        prefetch_all(states);
    }
    let near = (groups.len() - AHEAD) & !1;
    let (pairs, _) = groups[..near].as_chunks::<2>();
    let (ahead, _) = groups[AHEAD..].as_chunks::<2>();
    let (firsts, _) = values[..near].as_chunks::<2>();
    for ((&pair, &values), &ahead) in pairs.iter().zip(firsts).zip(ahead) {
        ahead.into_iter().for_each(|group| prefetch(states, group));
        // SAFETY: the caller's promise.
        unsafe { both(states, pair, values, step, two) };
    }
    // SAFETY: the caller's promise.
    unsafe { plain(states, &groups[near..], &values[near..], step, two) };
}

/// # Safety
/// Every group is below `states.len()`.
#[inline(always)]
unsafe fn plain<S: State, T: Copy>(
    states: &mut [S],
    groups: &[u32],
    values: &[T],
    step: impl Fn(&mut S, T, bool) + Copy,
    two: impl Fn([&mut S; 2], [T; 2]) + Copy,
) {
    let (pairs, last) = groups.as_chunks::<2>();
    let (values, last_value) = values.as_chunks::<2>();
    for (&pair, &values) in pairs.iter().zip(values) {
        // SAFETY: the caller's promise.
        unsafe { both(states, pair, values, step, two) };
    }
    for (&group, &value) in last.iter().zip(last_value) {
        // SAFETY: the caller's promise.
        step(unsafe { states.get_unchecked_mut(group as usize) }, value, true);
    }
}

/// Two rows, of two groups or of one.
///
/// # Safety
/// Both groups are below `states.len()`.
#[inline(always)]
unsafe fn both<S: State, T: Copy>(
    states: &mut [S],
    [one, other]: [u32; 2],
    values: [T; 2],
    step: impl Fn(&mut S, T, bool) + Copy,
    two: impl Fn([&mut S; 2], [T; 2]) + Copy,
) {
    if one == other {
        // SAFETY: the caller's promise.
        let state = unsafe { states.get_unchecked_mut(one as usize) };
        values.into_iter().for_each(|value| step(state, value, true));
    } else {
        // SAFETY: the caller's promise, and they are not the same.
        two(unsafe { states.get_disjoint_unchecked_mut([one as usize, other as usize]) }, values);
    }
}

/// Asks for a group's state to be brought near; a hint, and none at all on other processors.
#[inline(always)]
fn prefetch<S>(states: &[S], group: u32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(states.as_ptr().wrapping_add(group as usize).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (states, group);
}

/// A value that can be added up.
pub trait Number: Copy {
    fn float(self) -> f64;
    /// Sign extended; the low bits of a `u64`.
    fn wide(self) -> i64;
    fn exact(self) -> i128;
    fn is_missing(self) -> bool;
    /// Integers.
    const WHOLE: bool;
    /// The number without its fraction, as an integer of this type.
    fn whole(number: f64) -> Self;
}

macro_rules! number {
    ($($native:ty: $missing:expr, $whole:literal;)*) => {
        $(impl Number for $native {
            const WHOLE: bool = $whole;
            #[inline(always)]
            fn whole(number: f64) -> Self { number as $native }
            #[inline(always)]
            fn float(self) -> f64 { self as f64 }
            #[inline(always)]
            fn wide(self) -> i64 { self as i64 }
            #[inline(always)]
            fn exact(self) -> i128 { self as i128 }
            #[inline(always)]
            fn is_missing(self) -> bool { $missing(self) }
        })*
    };
}

number! {
    i8: |_| false, true; i16: |_| false, true; i32: |_| false, true; i64: |_| false, true;
    u8: |_| false, true; u16: |_| false, true; u32: |_| false, true; u64: |_| false, true;
    i128: |_| false, true;
    f32: f32::is_nan, false; f64: f64::is_nan, false;
}

/// Evaluates `$body` with `$input` standing for the Arrow type in which a column of type `$dtype` is
/// folded, or `$other` for types that are not numbers.
macro_rules! with_number {
    ($dtype:expr, $input:ident => $body:expr, _ => $other:expr) => {{
        use arrow::datatypes as types;
        use $crate::plan::DType;
        macro_rules! arm {
            ($arrow:ident) => {{
                type $input = types::$arrow;
                $body
            }};
        }
        match $dtype {
            DType::Bool => arm!(UInt8Type),
            DType::Int8 => arm!(Int8Type),
            DType::Int16 => arm!(Int16Type),
            DType::Int32 => arm!(Int32Type),
            DType::Int64 => arm!(Int64Type),
            DType::UInt8 => arm!(UInt8Type),
            DType::UInt16 => arm!(UInt16Type),
            DType::UInt32 => arm!(UInt32Type),
            DType::UInt64 => arm!(UInt64Type),
            DType::Float32 => arm!(Float32Type),
            DType::Float64 | DType::Null => arm!(Float64Type),
            _ => $other,
        }
    }};
}
pub(super) use with_number;
