//! The order of groups: by their keys, missing last.
//!
//! The keys of a row are packed into one number that orders as they do, each in as few bits as it needs. Numbers sort
//! fast; values are compared only where a number had no room for all of them.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{
    Array, ArrayRef, AsArray, DynComparator, PrimitiveArray, StringViewArray, UInt32Array, make_comparator,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use parking_lot::Mutex;

use super::limit;
use super::shares::in_parallel;
use crate::engine::control::Control;
use crate::error::Result;

/// Fewer rows than this are sorted by one thread.
const PARALLEL_FROM: usize = limit(64 * 1024, 32);
/// Up to this many bytes a view holds its text.
const INLINE: u32 = 12;
/// Bits of a text that is held by its view: its bytes, and its length.
const TEXT_BITS: u32 = 100;
/// Rows of a bucket, about.
const BUCKET: usize = limit(8 * 1024, 8);
/// How many samples there are for each bucket.
const SAMPLES: usize = 16;
/// Texts of which there are no more than these are numbered in their order where there is no room for them.
const FEW: usize = 4096;

/// The rows in ascending order of the columns, missing values last; equal rows in the order they have.
pub fn by_keys(columns: &[ArrayRef], threads: usize, control: &Control) -> Result<UInt32Array> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut packed = vec![0u128; rows];
    let mut room = u128::BITS;
    let mut rest: Vec<DynComparator> = Vec::new();
    for column in columns {
        control.check()?;
        let codes = if rest.is_empty() { codes(column, room) } else { None };
        if let Some(codes) = codes {
            room -= codes.bits;
            for (packed, code) in packed.iter_mut().zip(codes.values) {
                *packed = packed.unbounded_shl(codes.bits) | code;
            }
            if codes.exact {
                continue;
            }
        }
        let options = SortOptions { descending: false, nulls_first: false };
        rest.push(make_comparator(column, column, options)?);
    }
    let by_rest = |a: u32, b: u32| {
        let pairs = rest.iter().map(|compare| compare(a as usize, b as usize));
        pairs.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(a.cmp(&b))
    };
    if u128::BITS - room <= u64::BITS {
        return sorted(packed.into_iter().map(|number| number as u64), threads, &by_rest, control);
    }
    sorted(packed.into_iter(), threads, &by_rest, control)
}

fn sorted<T: Ord + Copy + Send + Sync>(
    numbers: impl Iterator<Item = T>,
    threads: usize,
    by_rest: &(impl Fn(u32, u32) -> Ordering + Sync),
    control: &Control,
) -> Result<UInt32Array> {
    let by = |a: &(T, u32), b: &(T, u32)| a.0.cmp(&b.0).then_with(|| by_rest(a.1, b.1));
    let mut rows: Vec<(T, u32)> = numbers.zip(0..).collect();
    if threads > 1 && rows.len() >= PARALLEL_FROM {
        rows = sorted_in_parallel(rows, threads, &by, control)?;
    } else {
        rows.sort_unstable_by(by);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A column's values as numbers of `bits` bits that order as they do, the missing one last.
struct Codes {
    values: Vec<u128>,
    bits: u32,
    /// Different values have different numbers.
    exact: bool,
}

/// `None` where there is no room for them, or no way to make them.
fn codes(column: &ArrayRef, room: u32) -> Option<Codes> {
    macro_rules! whole {
        ($type:ty) => {
            numbers::<$type>(column.as_primitive(), room, i128::from)
        };
    }
    match column.data_type() {
        DataType::Utf8View => texts(column.as_string_view(), room),
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Date32 => whole!(Date32Type),
        DataType::Timestamp(TimeUnit::Second, _) => whole!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => whole!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => whole!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => whole!(TimestampNanosecondType),
        DataType::Float32 => {
            numbers::<Float32Type>(column.as_primitive(), room, |value| float(f64::from(value)))
        }
        DataType::Float64 => numbers::<Float64Type>(column.as_primitive(), room, float),
        _ => None,
    }
}

/// The order of IEEE 754's `totalOrder`, which is the comparator's.
fn float(value: f64) -> i128 {
    let bits = value.to_bits();
    i128::from(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

/// Whole numbers, counted from the least of them.
fn numbers<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    room: u32,
    number: impl Fn(T::Native) -> i128,
) -> Option<Codes> {
    let there = || array.iter().flatten().map(&number);
    let (least, most) =
        there().fold((i128::MAX, i128::MIN), |(least, most), value| (least.min(value), most.max(value)));
    let span = if least > most { 0 } else { (most - least) as u128 };
    let missing = span + 1;
    let highest = if array.null_count() > 0 { missing } else { span };
    let bits = u128::BITS - highest.leading_zeros();
    let code = |value: Option<T::Native>| value.map_or(missing, |value| (number(value) - least) as u128);
    (bits <= room).then(|| Codes { values: array.iter().map(code).collect(), bits, exact: true })
}

fn texts(array: &StringViewArray, room: u32) -> Option<Codes> {
    let views = array.views().iter().enumerate();
    if room < TEXT_BITS {
        return few_texts(array, room);
    }
    let mut exact = true;
    let values = views.map(|(row, view)| {
        if array.is_null(row) {
            return u128::MAX >> (u128::BITS - TEXT_BITS);
        }
        exact &= *view as u32 <= INLINE;
        leading(*view, array.value(row))
    });
    let values = values.collect();
    Some(Codes { values, bits: TEXT_BITS, exact })
}

/// The first 12 bytes as a number that orders as they do, then the length up to 13: texts of at most
/// 12 bytes are told apart by it alone, and none that needs more is told apart wrongly.
fn leading(view: u128, text: &str) -> u128 {
    const BESIDE: u32 = u128::BITS - TEXT_BITS;
    let length = view as u32;
    if length <= INLINE {
        // A view holds the text from bit 32 up, the first byte lowest, padded with zeros.
        return (view >> 32).swap_bytes() >> BESIDE | u128::from(length);
    }
    let mut bytes = [0; 16];
    bytes[..12].copy_from_slice(&text.as_bytes()[..12]);
    u128::from_be_bytes(bytes) >> BESIDE | 13
}

/// Texts by their place among the few that there are.
fn few_texts(array: &StringViewArray, room: u32) -> Option<Codes> {
    let mut places: HashMap<&str, u128, foldhash::fast::FixedState> = HashMap::default();
    for text in array.iter().flatten() {
        if places.len() > FEW {
            return None;
        }
        places.entry(text).or_default();
    }
    let mut texts: Vec<&str> = places.keys().copied().collect();
    texts.sort_unstable();
    for (place, text) in texts.iter().enumerate() {
        places.insert(text, place as u128);
    }
    let missing = texts.len() as u128;
    let bits = u128::BITS - missing.leading_zeros();
    let code = |text: Option<&str>| text.and_then(|text| places.get(text).copied()).unwrap_or(missing);
    (bits <= room).then(|| Codes { values: array.iter().map(code).collect(), bits, exact: true })
}

/// Sorts by sampling: rows are dealt to buckets between splitters from a sample, and the buckets, each of which fits
/// the caches, are sorted by whichever thread is free. Between two buckets there may be a wish to stop.
fn sorted_in_parallel<T: Copy + Send + Sync>(
    rows: Vec<T>,
    threads: usize,
    by: &(impl Fn(&T, &T) -> Ordering + Sync),
    control: &Control,
) -> Result<Vec<T>> {
    let buckets = (rows.len() / BUCKET).clamp(2, 256);
    let step = (rows.len() / (buckets * SAMPLES)).max(1);
    let mut sample: Vec<T> = rows.iter().step_by(step).copied().collect();
    sample.sort_unstable_by(by);
    let splitters: Vec<T> =
        (1..buckets).filter_map(|bucket| sample.get(bucket * sample.len() / buckets).copied()).collect();
    let bucket_of = |row: &T| splitters.partition_point(|splitter| by(splitter, row) != Ordering::Greater);

    // Every part of the rows is dealt by a thread of its own, to places that the parts' counts give.
    let parts: Vec<&[T]> = rows.chunks(rows.len().div_ceil(threads)).collect();
    let deal = |part: &[T]| -> Result<(Vec<u8>, Vec<usize>)> {
        let mut counts = vec![0; splitters.len() + 1];
        let mut places = Vec::with_capacity(part.len());
        for piece in part.chunks(BUCKET) {
            control.check()?;
            places.extend(piece.iter().map(|row| {
                let bucket = bucket_of(row);
                counts[bucket] += 1;
                bucket as u8
            }));
        }
        Ok((places, counts))
    };
    let dealt = in_parallel(parts.iter().map(|part| || deal(part)).collect())?;
    let mut dealt_rows: Vec<T> = rows.clone();
    let mut bounds = vec![0; splitters.len() + 2];
    for bucket in 0..=splitters.len() {
        bounds[bucket + 1] = bounds[bucket] + dealt.iter().map(|(_, counts)| counts[bucket]).sum::<usize>();
    }
    let mut next = bounds.clone();
    for (part, (places, _)) in parts.iter().zip(&dealt) {
        control.check()?;
        for (row, bucket) in part.iter().zip(places) {
            let place = &mut next[usize::from(*bucket)];
            dealt_rows[*place] = *row;
            *place += 1;
        }
    }

    let mut rest = dealt_rows.as_mut_slice();
    let mut queue = Vec::with_capacity(splitters.len() + 1);
    for bucket in bounds.windows(2) {
        let (first, others) = rest.split_at_mut(bucket[1] - bucket[0]);
        queue.push(first);
        rest = others;
    }
    let queue = Mutex::new(queue);
    let work = || -> Result<()> {
        loop {
            control.check()?;
            let Some(bucket) = queue.lock().pop() else { return Ok(()) };
            bucket.sort_unstable_by(by);
        }
    };
    in_parallel((0..threads).map(|_| &work).collect())?;
    Ok(dealt_rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::StringViewArray;
    use proptest::prelude::*;

    use super::*;

    use arrow::array::{Float64Array, Int64Array};
    use arrow::compute::{SortColumn, lexsort_to_indices, take};

    #[test]
    fn a_wish_to_stop_ends_a_sort() {
        let control = Control::default();
        control.stop(crate::engine::control::Stop::Cancel);
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1000).rev()));
        assert!(by_keys(&[column], 2, &control).is_err());
    }

    proptest! {
        /// Equal to Arrow's own lexicographic sort, on one thread and on several.
        #[test]
        fn rows_are_in_lexicographic_order(
            rows in prop::collection::vec((prop::option::of("[a-b\\x00é]{0,15}"), prop::option::of(-3i64..3), prop::option::of(prop::num::f64::ANY)), 0..60),
            first in 0usize..3,
        ) {
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringViewArray>());
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
            let floats: ArrayRef = Arc::new(rows.iter().map(|row| row.2.filter(|value| !value.is_nan())).collect::<Float64Array>());
            let mut columns = [texts, numbers, floats];
            columns.rotate_left(first);
            for kept in 1..=3 {
                let columns = &columns[..kept];
                let options = Some(SortOptions { descending: false, nulls_first: false });
                let by: Vec<_> = columns.iter().map(|values| SortColumn { values: values.clone(), options }).collect();
                let expected = lexsort_to_indices(&by, None).unwrap();
                let found = by_keys(columns, 2, &Control::default()).unwrap();
                for column in columns {
                    prop_assert_eq!(&take(column, &found, None).unwrap(), &take(column, &expected, None).unwrap());
                }
            }
        }
    }
}
