//! The order of groups: by their keys, missing last.
//!
//! The keys of a row are packed into one number that orders as they do, each in as few bits as it needs. Numbers sort
//! fast; values are compared only where a number had no room for all of them.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{
    Array, ArrayRef, AsArray, DynComparator, PrimitiveArray, StringViewArray, UInt32Array, make_comparator,
};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use parking_lot::Mutex;

use super::limit;
use super::shares::in_parallel;
use crate::engine::control::Control;
use crate::error::{Error, Result};

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
///
/// A column of which there are `values` holds their places; the first of them is missing.
pub fn by_keys(
    columns: &[ArrayRef],
    values: &[Option<ArrayRef>],
    threads: usize,
    control: &Control,
) -> Result<UInt32Array> {
    let mut room = u128::BITS;
    let mut codes: Vec<Codes> = Vec::new();
    let mut rest: Vec<DynComparator> = Vec::new();
    for (number, column) in columns.iter().enumerate() {
        control.check()?;
        let ranks = match values.get(number) {
            Some(Some(values)) => Some(Codes::ranks(values, threads, control)?),
            _ => None,
        };
        if rest.is_empty()
            && let Some(found) = Codes::of(column, ranks.as_ref(), room)
        {
            room -= found.bits;
            let exact = found.exact;
            codes.push(found);
            if exact {
                continue;
            }
        }
        let options = SortOptions { descending: false, nulls_first: false };
        let column = match ranks {
            Some(ranks) => take(&ranks, column, None)?,
            None => column.clone(),
        };
        rest.push(make_comparator(&column, &column, options)?);
    }
    let by_rest = |a: u32, b: u32| {
        let pairs = rest.iter().map(|compare| compare(a as usize, b as usize));
        pairs.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(a.cmp(&b))
    };
    let rows = columns.first().map_or(0, |column| column.len());
    if u128::BITS - room <= u64::BITS {
        return sorted::<u64>(rows, columns, &codes, threads, &by_rest, control);
    }
    sorted::<u128>(rows, columns, &codes, threads, &by_rest, control)
}

/// The number that a row's keys are packed into.
trait Packed: Ord + Copy + Default + Send + Sync {
    /// The same with a code of so many bits behind what it holds.
    fn with(self, bits: u32, code: u128) -> Self;
}

impl Packed for u64 {
    #[inline(always)]
    fn with(self, bits: u32, code: u128) -> Self {
        self.unbounded_shl(bits) | code as u64
    }
}

impl Packed for u128 {
    #[inline(always)]
    fn with(self, bits: u32, code: u128) -> Self {
        self.unbounded_shl(bits) | code
    }
}

fn sorted<T: Packed>(
    rows: usize,
    columns: &[ArrayRef],
    codes: &[Codes],
    threads: usize,
    by_rest: &(impl Fn(u32, u32) -> Ordering + Sync),
    control: &Control,
) -> Result<UInt32Array> {
    let mut packed: Vec<(T, u32)> = (0..rows as u32).map(|row| (T::default(), row)).collect();
    for (column, codes) in columns.iter().zip(codes) {
        control.check()?;
        codes.pack(column, &mut packed)?;
    }
    let by = |a: &(T, u32), b: &(T, u32)| a.0.cmp(&b.0).then_with(|| by_rest(a.1, b.1));
    if threads > 1 && packed.len() >= PARALLEL_FROM {
        packed = sorted_in_parallel(packed, threads, &by, control)?;
    } else {
        packed.sort_unstable_by(by);
    }
    Ok(packed.into_iter().map(|(_, row)| row).collect())
}

/// How a column's values become numbers of `bits` bits that order as they do, the missing one last.
struct Codes {
    way: Way,
    bits: u32,
    /// Different values have different numbers.
    exact: bool,
}

enum Way {
    /// Counted from the least of them.
    Numbers { least: i128, missing: u128 },
    /// By how they begin.
    Texts,
    /// By the rank of what they stand for.
    Ranks(UInt32Array),
    /// By their places among all that there are.
    FewTexts(HashMap<String, u128, foldhash::fast::FixedState>),
}

/// Calls a macro with the Arrow type of a column of whole numbers or floats, and how a value of it is a number.
macro_rules! with_number {
    ($column:expr, $call:ident, $otherwise:expr) => {
        match $column.data_type() {
            DataType::Int8 => $call!(Int8Type, i128::from),
            DataType::Int16 => $call!(Int16Type, i128::from),
            DataType::Int32 => $call!(Int32Type, i128::from),
            DataType::Int64 => $call!(Int64Type, i128::from),
            DataType::UInt8 => $call!(UInt8Type, i128::from),
            DataType::UInt16 => $call!(UInt16Type, i128::from),
            DataType::UInt32 => $call!(UInt32Type, i128::from),
            DataType::UInt64 => $call!(UInt64Type, i128::from),
            DataType::Date32 => $call!(Date32Type, i128::from),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType, i128::from),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType, i128::from),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType, i128::from),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType, i128::from),
            DataType::Float32 => $call!(Float32Type, |value: f32| float(f64::from(value))),
            DataType::Float64 => $call!(Float64Type, float),
            _ => $otherwise,
        }
    };
}

impl Codes {
    /// `None` where there is no room for them, or no way to make them.
    fn of(column: &ArrayRef, ranks: Option<&UInt32Array>, room: u32) -> Option<Self> {
        if let Some(ranks) = ranks {
            let bits = u32::BITS - (ranks.len() as u32).leading_zeros();
            return (bits <= room).then(|| Self { way: Way::Ranks(ranks.clone()), bits, exact: true });
        }
        if let DataType::Utf8View = column.data_type() {
            let texts = column.as_string_view();
            if room < TEXT_BITS {
                return few_texts(texts, room);
            }
            let short = |(row, view): (usize, &u128)| *view as u32 <= INLINE || texts.is_null(row);
            let exact = texts.views().iter().enumerate().all(short);
            return Some(Self { way: Way::Texts, bits: TEXT_BITS, exact });
        }
        macro_rules! numbers {
            ($type:ty, $number:expr) => {
                numbers::<$type>(column.as_primitive(), room, $number)
            };
        }
        with_number!(column, numbers, None)
    }

    /// The rank of each value; that of the first, which is missing, is the last.
    fn ranks(values: &ArrayRef, threads: usize, control: &Control) -> Result<UInt32Array> {
        let there = values.slice(1, values.len().saturating_sub(1));
        let order = by_keys(&[there], &[], threads, control)?;
        let mut ranks = vec![order.len() as u32; values.len()];
        for (rank, place) in order.values().iter().enumerate() {
            ranks[*place as usize + 1] = rank as u32;
        }
        Ok(ranks.into())
    }

    /// Puts each row's code behind what is packed of it already.
    fn pack<T: Packed>(&self, column: &ArrayRef, packed: &mut [(T, u32)]) -> Result<()> {
        let bits = self.bits;
        match &self.way {
            Way::Numbers { least, missing } => {
                macro_rules! pack {
                    ($type:ty, $number:expr) => {{
                        let array = column.as_primitive::<$type>();
                        let nulls = array.nulls();
                        for (row, (value, (packed, _))) in array.values().iter().zip(packed).enumerate() {
                            let there = nulls.is_none_or(|nulls| nulls.is_valid(row));
                            let code = if there { ($number(*value) - least) as u128 } else { *missing };
                            *packed = packed.with(bits, code);
                        }
                        Ok(())
                    }};
                }
                with_number!(column, pack, Err(Error::internal("codes of numbers for what are none")))
            }
            Way::Texts => {
                let array = column.as_string_view();
                for (row, (view, (packed, _))) in array.views().iter().zip(packed).enumerate() {
                    let code = if array.is_null(row) {
                        u128::MAX >> (u128::BITS - TEXT_BITS)
                    } else {
                        leading(*view, array.value(row))
                    };
                    *packed = packed.with(bits, code);
                }
                Ok(())
            }
            Way::Ranks(ranks) => {
                let places = column.as_primitive::<UInt32Type>().values();
                for (place, (packed, _)) in places.iter().zip(packed) {
                    *packed = packed.with(bits, u128::from(ranks.value(*place as usize)));
                }
                Ok(())
            }
            Way::FewTexts(places) => {
                let missing = places.len() as u128;
                for (text, (packed, _)) in column.as_string_view().iter().zip(packed) {
                    let code = text.and_then(|text| places.get(text).copied()).unwrap_or(missing);
                    *packed = packed.with(bits, code);
                }
                Ok(())
            }
        }
    }
}

/// The order of IEEE 754's `totalOrder`, which is the comparator's.
fn float(value: f64) -> i128 {
    let bits = value.to_bits();
    i128::from(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

fn numbers<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    room: u32,
    number: impl Fn(T::Native) -> i128,
) -> Option<Codes> {
    let there = || array.iter().flatten().map(&number);
    let (least, most) =
        there().fold((i128::MAX, i128::MIN), |(least, most), value| (least.min(value), most.max(value)));
    let (least, span) = if least > most { (0, 0) } else { (least, (most - least) as u128) };
    let missing = span + 1;
    let highest = if array.null_count() > 0 { missing } else { span };
    let bits = u128::BITS - highest.leading_zeros();
    (bits <= room).then_some(Codes { way: Way::Numbers { least, missing }, bits, exact: true })
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
    let mut places: HashMap<String, u128, foldhash::fast::FixedState> = HashMap::default();
    for text in array.iter().flatten() {
        if places.len() > FEW {
            return None;
        }
        if !places.contains_key(text) {
            places.insert(text.to_owned(), 0);
        }
    }
    let mut texts: Vec<String> = places.keys().cloned().collect();
    texts.sort_unstable();
    let missing = texts.len() as u128;
    for (place, text) in texts.into_iter().enumerate() {
        places.insert(text, place as u128);
    }
    let bits = u128::BITS - missing.leading_zeros();
    (bits <= room).then_some(Codes { way: Way::FewTexts(places), bits, exact: true })
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
    drop((dealt, rows));

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
        assert!(by_keys(&[column], &[], 2, &control).is_err());
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
                let found = by_keys(columns, &[], 2, &Control::default()).unwrap();
                for column in columns {
                    prop_assert_eq!(&take(column, &found, None).unwrap(), &take(column, &expected, None).unwrap());
                }
            }
        }
    }
}
