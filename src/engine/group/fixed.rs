//! Interner of values that fit a machine word: numbers, booleans, dates and times.

use std::sync::Arc;

use arrow::array::types::{
    Date32Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, TimeUnit};

use super::ascending::Ascending;
use super::bytes::too_many;
use super::direct::Direct;
use super::intern::{AHEAD, Interner, MISSING, mix, prefetch};
use super::slots::Slots;
use crate::error::{Error, Result};
use crate::memory::prefetch_all;

pub struct FixedInterner {
    arrow: DataType,
    slots: Slots,
    /// In place of the slots for as long as all values lie close together.
    direct: Option<Direct>,
    /// So far no value was below the one before it: `words` ascend, and nothing is looked up.
    ascending: bool,
    /// By id.
    words: Vec<u64>,
    /// A batch's values as words, and which of them are missing.
    batch: Vec<u64>,
}

/// A native value as a word, and back. `None` is missing.
trait Word: Copy + PartialOrd {
    /// A whole number, signed or small enough to be.
    const WHOLE: bool;
    fn to_word(self) -> Option<u64>;
    fn from_word(word: u64) -> Self;
}

macro_rules! integer_words {
    ($($native:ty)*) => {$(
        impl Word for $native {
            const WHOLE: bool = true;
            #[inline]
            fn to_word(self) -> Option<u64> {
                Some(self as u64)
            }
            #[inline]
            fn from_word(word: u64) -> Self {
                word as $native
            }
        }
    )*};
}
integer_words!(i8 i16 i32 i64 u8 u16 u32 u64);

impl Word for f64 {
    const WHOLE: bool = false;
    #[inline]
    fn to_word(self) -> Option<u64> {
        // -0.0 + 0.0 is 0.0: both zeros are one key.
        if self.is_nan() { None } else { Some((self + 0.0).to_bits()) }
    }
    #[inline]
    fn from_word(word: u64) -> Self {
        f64::from_bits(word)
    }
}

impl Word for f32 {
    const WHOLE: bool = false;
    #[inline]
    fn to_word(self) -> Option<u64> {
        if self.is_nan() { None } else { Some(u64::from((self + 0.0).to_bits())) }
    }
    #[inline]
    fn from_word(word: u64) -> Self {
        f32::from_bits(word as u32)
    }
}

/// Calls a generic method with the primitive type behind an Arrow type.
macro_rules! with_primitive {
    ($arrow:expr, $call:ident, $otherwise:expr) => {
        match $arrow {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::UInt8 => $call!(UInt8Type),
            DataType::UInt16 => $call!(UInt16Type),
            DataType::UInt32 => $call!(UInt32Type),
            DataType::UInt64 => $call!(UInt64Type),
            DataType::Float32 => $call!(Float32Type),
            DataType::Float64 => $call!(Float64Type),
            DataType::Date32 => $call!(Date32Type),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType),
            DataType::Duration(TimeUnit::Second) => $call!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $call!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $call!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $call!(DurationNanosecondType),
            _ => $otherwise,
        }
    };
}

impl FixedInterner {
    pub fn takes(arrow: &DataType) -> bool {
        macro_rules! yes {
            ($type:ty) => {
                true
            };
        }
        *arrow == DataType::Boolean || with_primitive!(arrow, yes, false)
    }

    pub fn new(arrow: DataType) -> Self {
        let direct = Some(Direct::new());
        let (slots, words) = (Slots::new(1024), vec![0]);
        Self { arrow, slots, direct, ascending: true, words, batch: Vec::new() }
    }

    /// The same by hashes alone: for one of many interners, each of which has a part of the values.
    pub fn hashed(self) -> Self {
        Self { direct: None, ascending: false, ..self }
    }

    fn intern_primitive<T>(&mut self, array: &PrimitiveArray<T>, ids: &mut Vec<u32>) -> Result<()>
    where
        T: ArrowPrimitiveType,
        T::Native: Word,
    {
        if self.ascending {
            if T::Native::WHOLE && self.intern_ascending(array, ids) {
                return Ok(());
            }
            self.leave_ascending();
        }
        if T::Native::WHOLE && self.direct.is_some() && self.intern_direct(array, ids)? {
            return Ok(());
        }
        self.leave_direct();
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        batch.extend(array.values().iter().map(|value| value.to_word().unwrap_or(0)));
        ids.clear();
        ids.reserve(batch.len());
        let nulls = array.nulls();
        let outside = self.slots.is_outside();
        if outside && batch.len() * 2 > self.words.len() {
            self.slots.prefetch_all();
            prefetch_all(&self.words);
        }
        for (row, (word, value)) in batch.iter().zip(array.values().iter()).enumerate() {
            // First the slot is asked for, then the value that it most likely leads to.
            if outside && let Some(ahead) = batch.get(row + 2 * AHEAD) {
                self.slots.prefetch(mix(*ahead, 0));
                prefetch(&self.words, self.slots.likely(mix(batch[row + AHEAD], 0)) as usize);
            }
            let missing = value.to_word().is_none() || nulls.is_some_and(|nulls| nulls.is_null(row));
            ids.push(if missing { MISSING } else { self.find_or_insert(*word)? });
        }
        self.batch = batch;
        Ok(())
    }

    /// Ids of values none of which is below the one before it.
    fn intern_ascending<T>(&mut self, array: &PrimitiveArray<T>, ids: &mut Vec<u32>) -> bool
    where
        T: ArrowPrimitiveType,
        T::Native: Word,
    {
        let values = array.values();
        let mut id = self.words.len() - 1;
        let mut last = self.words[id];
        let below = |first: &T::Native| id > 0 && *first < T::Native::from_word(last);
        if array.null_count() > 0
            || id + values.len() >= u32::MAX as usize
            || values.first().is_some_and(below)
            || !values.windows(2).all(|two| two[0] <= two[1])
        {
            return false;
        }
        ids.clear();
        ids.reserve(values.len());
        for value in values {
            let word = value.to_word().unwrap_or(0);
            if word != last || id == 0 {
                self.words.push(word);
                (id, last) = (id + 1, word);
            }
            ids.push(id as u32);
        }
        true
    }

    /// From here on values are looked up.
    fn leave_ascending(&mut self) {
        self.ascending = false;
        let words = &self.words[1..];
        let (Some(least), Some(most)) =
            (words.iter().map(|word| *word as i64).min(), words.iter().map(|word| *word as i64).max())
        else {
            return;
        };
        let fits = self.direct.as_mut().is_some_and(|direct| direct.fit(&self.words, least, most));
        if !fits {
            self.direct = None;
            self.slots.fill(self.words.iter().map(|word| mix(*word, 0)));
        }
    }

    /// Ids by where the values lie, if they lie close together.
    fn intern_direct<T>(&mut self, array: &PrimitiveArray<T>, ids: &mut Vec<u32>) -> Result<bool>
    where
        T: ArrowPrimitiveType,
        T::Native: Word,
    {
        let Some(direct) = &mut self.direct else { return Ok(false) };
        let word = |value: &T::Native| value.to_word().unwrap_or(0);
        let values = array.values();
        ids.clear();
        ids.extend(values.iter().map(|value| direct.id(word(value))));
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        if let Some(nulls) = nulls {
            for (id, valid) in ids.iter_mut().zip(nulls) {
                *id = if valid { *id } else { MISSING };
            }
        }
        // As a rule every value is known already.
        let new = |row: usize, id: u32| id == MISSING && nulls.is_none_or(|nulls| nulls.is_valid(row));
        if !ids.contains(&MISSING) || !ids.iter().enumerate().any(|(row, id)| new(row, *id)) {
            return Ok(true);
        }
        let rows = values.iter().zip(ids.iter()).enumerate();
        let unknown = rows.filter(|(row, (_, id))| new(*row, **id)).map(|(_, (value, _))| word(value) as i64);
        let (least, most) =
            unknown.fold((i64::MAX, i64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        if !direct.fit(&self.words, least, most) {
            return Ok(false);
        }
        for (row, (id, value)) in ids.iter_mut().zip(values.iter()).enumerate() {
            if new(row, *id) {
                let word = word(value);
                *id = direct.id(word);
                if *id == MISSING {
                    *id = u32::try_from(self.words.len()).map_err(|_| too_many())?;
                    self.words.push(word);
                    direct.put(word, *id);
                }
            }
        }
        Ok(true)
    }

    /// From here on values are found by their hashes.
    fn leave_direct(&mut self) {
        if self.ascending {
            self.leave_ascending();
        }
        if self.direct.take().is_some() {
            self.slots.fill(self.words.iter().map(|word| mix(*word, 0)));
        }
    }

    fn hash_primitive<T>(array: &PrimitiveArray<T>, hashes: &mut Vec<u64>)
    where
        T: ArrowPrimitiveType,
        T::Native: Word,
    {
        let hash = |value: T::Native| value.to_word().map_or(0, |word| mix(word, 0));
        hashes.clear();
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => hashes.extend(array.values().iter().map(|value| hash(*value))),
            Some(nulls) => hashes.extend(
                array.values().iter().zip(nulls).map(|(value, valid)| if valid { hash(*value) } else { 0 }),
            ),
        }
    }

    #[inline]
    fn find_or_insert(&mut self, word: u64) -> Result<u32> {
        let hash = mix(word, 0);
        let words = self.words.as_slice();
        let (position, id) = self.slots.find(hash, |id| words[id as usize] == word);
        if id == MISSING { self.insert(position, hash, word) } else { Ok(id) }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, position: usize, hash: u64, word: u64) -> Result<u32> {
        let id = u32::try_from(self.words.len()).map_err(|_| too_many())?;
        self.words.push(word);
        self.slots.put(position, hash, id, self.words.len());
        Ok(id)
    }

    fn values_as<T>(&self, nulls: NullBuffer) -> ArrayRef
    where
        T: ArrowPrimitiveType,
        T::Native: Word,
    {
        let values = self.words.iter().map(|word| T::Native::from_word(*word)).collect::<Vec<_>>();
        Arc::new(PrimitiveArray::<T>::new(values.into(), Some(nulls)).with_data_type(self.arrow.clone()))
    }
}

/// Each row's value as a word, anything for a missing one, and which rows have one where some have not.
pub fn words(column: &ArrayRef) -> Result<(Vec<u64>, Option<BooleanBuffer>)> {
    if let Some(values) = column.as_boolean_opt() {
        let words = (0..values.len()).map(|row| u64::from(values.values().value(row))).collect();
        return Ok((words, present_of(values.nulls(), None)));
    }
    macro_rules! words {
        ($type:ty) => {{
            let array = column.as_primitive::<$type>();
            let words = array.values().iter().map(|value| value.to_word().unwrap_or(0)).collect();
            let missing = array.values().iter().any(|value| value.to_word().is_none());
            let valid =
                missing.then(|| array.values().iter().map(|value| value.to_word().is_some()).collect());
            Ok((words, present_of(array.nulls(), valid)))
        }};
    }
    with_primitive!(column.data_type(), words, Err(unexpected(column.data_type(), column.data_type())))
}

fn present_of(nulls: Option<&NullBuffer>, valid: Option<BooleanBuffer>) -> Option<BooleanBuffer> {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.inner().clone());
    match (nulls, valid) {
        (Some(nulls), Some(valid)) => Some(&nulls & &valid),
        (nulls, valid) => nulls.or(valid),
    }
}

impl Interner for FixedInterner {
    fn intern(&mut self, column: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        if *column.data_type() != self.arrow {
            return Err(unexpected(&self.arrow, column.data_type()));
        }
        if self.arrow == DataType::Boolean {
            self.leave_direct();
            ids.clear();
            for value in column.as_boolean() {
                ids.push(match value {
                    Some(value) => self.find_or_insert(u64::from(value))?,
                    None => MISSING,
                });
            }
            return Ok(());
        }
        macro_rules! intern {
            ($type:ty) => {
                self.intern_primitive(column.as_primitive::<$type>(), ids)
            };
        }
        with_primitive!(column.data_type(), intern, Err(unexpected(&self.arrow, column.data_type())))
    }

    fn hash(&mut self, column: &ArrayRef, hashes: &mut Vec<u64>) -> Result<()> {
        if *column.data_type() != self.arrow {
            return Err(unexpected(&self.arrow, column.data_type()));
        }
        if self.arrow == DataType::Boolean {
            let values = column.as_boolean().iter();
            hashes.clear();
            hashes.extend(values.map(|value| value.map_or(0, |value| mix(u64::from(value), 0))));
            return Ok(());
        }
        macro_rules! hash {
            ($type:ty) => {{
                Self::hash_primitive(column.as_primitive::<$type>(), hashes);
                Ok(())
            }};
        }
        with_primitive!(column.data_type(), hash, Err(unexpected(&self.arrow, column.data_type())))
    }

    fn height(&self) -> usize {
        self.words.len()
    }

    fn ascending(&self) -> Option<Ascending<'_>> {
        let signed = self.arrow != DataType::UInt64;
        self.ascending.then(|| Ascending { words: &self.words[1..], signed })
    }

    fn hashes(&self) -> Vec<u64> {
        let mut hashes: Vec<_> = self.words.iter().map(|word| mix(*word, 0)).collect();
        hashes[0] = 0;
        hashes
    }

    fn values(&self) -> Result<ArrayRef> {
        let nulls = NullBuffer::from_iter((0..self.words.len()).map(|id| id != 0));
        if self.arrow == DataType::Boolean {
            let values = self.words.iter().map(|word| *word != 0).collect();
            return Ok(Arc::new(BooleanArray::new(values, Some(nulls))));
        }
        macro_rules! values {
            ($type:ty) => {
                Ok(self.values_as::<$type>(nulls))
            };
        }
        with_primitive!(&self.arrow, values, Err(unexpected(&self.arrow, &self.arrow)))
    }

    fn reserve(&mut self, values: usize) {
        if self.direct.is_none() {
            self.words.reserve(values);
            self.slots.reserve(self.words.len() + values);
        }
    }

    fn size(&self) -> usize {
        self.slots.size()
            + self.direct.as_ref().map_or(0, Direct::size)
            + self.words.capacity() * size_of::<u64>()
    }
}

fn unexpected(wanted: &DataType, found: &DataType) -> Error {
    Error::internal(format!("a key of type {wanted} arrived as {found}"))
}
