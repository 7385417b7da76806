//! A column of numbers: plain, or as codes of a dictionary where values repeat.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    ToByteSlice, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use parquet::basic::Encoding;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::super::Fault;
use super::chunk::{Bounds, Chunk, PAGE_ROWS, Pages, Rows};
use super::dictionary::{Dictionary, Key, SPREAD};
use super::packer::Packer;
use super::{Column, DICTIONARY, hybrid};

/// A number as it is stored.
pub trait Number: ArrowNativeType + Default {
    /// What compares as the number does: nothing for what has no order.
    fn is_ordered(self) -> bool {
        true
    }

    fn bits(self) -> u64;

    /// As the least or the greatest value; of the two zeros it is the one beyond.
    fn bound(self, _least: bool) -> Self {
        self
    }

    fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics;
}

macro_rules! number {
    ($native:ty, $stored:ty, $signed:literal) => {
        impl Number for $native {
            #[inline]
            fn bits(self) -> u64 {
                self as u64
            }

            fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics {
                let (least, most) = bounds.map(|(least, most)| (least as $stored, most as $stored)).unzip();
                let values = ValueStatistics::<$stored>::new(least, most, None, Some(nulls), false);
                values.with_backwards_compatible_min_max($signed).into()
            }
        }
    };
}

macro_rules! float {
    ($native:ty) => {
        impl Number for $native {
            #[inline]
            fn is_ordered(self) -> bool {
                !self.is_nan()
            }

            #[inline]
            fn bits(self) -> u64 {
                self.to_bits().into()
            }

            fn bound(self, least: bool) -> Self {
                match (self == 0.0, least) {
                    (true, true) => -0.0,
                    (true, false) => 0.0,
                    _ => self,
                }
            }

            fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics {
                let (least, most) = bounds.unzip();
                let values = ValueStatistics::<$native>::new(least, most, None, Some(nulls), false);
                values.with_backwards_compatible_min_max(true).into()
            }
        }
    };
}

number!(i32, i32, true);
number!(u32, i32, false);
number!(i64, i64, true);
number!(u64, i64, false);
float!(f32);
float!(f64);

/// A number that is the same as another if all of its bits are.
#[derive(Clone, Copy)]
struct Bits<T>(T);

impl<T: Number> Key for Bits<T> {
    #[inline]
    fn hash(self) -> u64 {
        // Of decimal fractions and whole floats it is the upper bits that differ, and they alone would move few bits of
        // the product's upper half.
        let bits = self.0.bits();
        (bits ^ (bits >> 32)).wrapping_mul(SPREAD)
    }

    #[inline]
    fn is(self, other: Self) -> bool {
        self.0.bits() == other.0.bits()
    }
}

/// A writer of a column of this type, if it is one of numbers that are stored here.
pub fn column(data_type: &DataType, pages: Pages, repeats: bool) -> Option<Box<dyn Column>> {
    use DataType as D;
    fn of<T: ArrowPrimitiveType, S: Number>(
        pages: Pages,
        repeats: bool,
        stored: impl Fn(T::Native) -> S + Send + 'static,
    ) -> Option<Box<dyn Column>> {
        let column = Numbers::<S>::new(pages, repeats);
        Some(Box::new(Converted::<T, S, _> { column, stored, of: std::marker::PhantomData }))
    }
    fn same<T: ArrowPrimitiveType>(pages: Pages, repeats: bool) -> Option<Box<dyn Column>>
    where
        T::Native: Number,
    {
        Some(Box::new(Same::<T>(Numbers::new(pages, repeats))))
    }
    match data_type {
        D::Int8 => of::<Int8Type, i32>(pages, repeats, i32::from),
        D::Int16 => of::<Int16Type, i32>(pages, repeats, i32::from),
        D::UInt8 => of::<UInt8Type, u32>(pages, repeats, u32::from),
        D::UInt16 => of::<UInt16Type, u32>(pages, repeats, u32::from),
        D::Int32 => same::<Int32Type>(pages, repeats),
        D::UInt32 => same::<UInt32Type>(pages, repeats),
        D::Int64 => same::<Int64Type>(pages, repeats),
        D::UInt64 => same::<UInt64Type>(pages, repeats),
        D::Float32 => same::<Float32Type>(pages, repeats),
        D::Float64 => same::<Float64Type>(pages, repeats),
        D::Date32 => same::<Date32Type>(pages, repeats),
        D::Timestamp(TimeUnit::Millisecond, _) => same::<TimestampMillisecondType>(pages, repeats),
        D::Timestamp(TimeUnit::Microsecond, _) => same::<TimestampMicrosecondType>(pages, repeats),
        D::Timestamp(TimeUnit::Nanosecond, _) => same::<TimestampNanosecondType>(pages, repeats),
        _ => None,
    }
}

/// A column whose values are stored as they are.
struct Same<T: ArrowPrimitiveType>(Numbers<T::Native>)
where
    T::Native: Number;

impl<T: ArrowPrimitiveType> Column for Same<T>
where
    T::Native: Number,
{
    fn write(&mut self, array: &ArrayRef, packer: &mut Packer) -> Result<(), Fault> {
        let array: &PrimitiveArray<T> = array.as_primitive();
        self.0.write(array.values(), array.nulls(), packer)
    }

    fn held(&self) -> usize {
        self.0.held()
    }

    fn close(self: Box<Self>, packer: &mut Packer) -> Result<Chunk, Fault> {
        self.0.close(packer)
    }
}

/// A column whose values are stored wider.
struct Converted<T, S, F> {
    column: Numbers<S>,
    stored: F,
    of: std::marker::PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType, S: Number, F: Fn(T::Native) -> S + Send> Column for Converted<T, S, F> {
    fn write(&mut self, array: &ArrayRef, packer: &mut Packer) -> Result<(), Fault> {
        let array: &PrimitiveArray<T> = array.as_primitive();
        let values: Vec<S> = array.values().iter().map(|value| (self.stored)(*value)).collect();
        self.column.write(&values, array.nulls(), packer)
    }

    fn held(&self) -> usize {
        self.column.held()
    }

    fn close(self: Box<Self>, packer: &mut Packer) -> Result<Chunk, Fault> {
        self.column.close(packer)
    }
}

struct Numbers<T> {
    pages: Pages,
    rows: Rows,
    /// Once it is too large no more values are looked up, but what was coded stays so.
    dictionary: Dictionary<Bits<T>>,
    coded: bool,
    /// Pages are: then there is a dictionary, if only an empty one.
    has_codes: bool,
    /// Of the page in work.
    codes: Vec<u32>,
    plain: Vec<T>,
    bounds: Option<(T, T)>,
    /// Of the page before.
    before: Option<(T, T)>,
    /// Of all pages.
    overall: Option<(T, T)>,
}

impl<T: Number> Numbers<T> {
    fn new(pages: Pages, repeats: bool) -> Self {
        Self {
            pages,
            rows: Rows::default(),
            dictionary: Dictionary::new(),
            coded: repeats,
            has_codes: false,
            codes: Vec::new(),
            plain: Vec::new(),
            bounds: None,
            before: None,
            overall: None,
        }
    }

    fn held(&self) -> usize {
        let waiting = self.codes.capacity() * size_of::<u32>() + self.plain.capacity() * size_of::<T>();
        self.pages.held() + waiting + self.dictionary.held()
    }

    fn write(&mut self, values: &[T], nulls: Option<&NullBuffer>, packer: &mut Packer) -> Result<(), Fault> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let mut from = 0;
        while from < values.len() {
            let rows = (PAGE_ROWS - self.rows.count()).min(values.len() - from);
            let some = &values[from..from + rows];
            match nulls {
                None => {
                    self.rows.add(rows, None::<std::iter::Empty<bool>>);
                    self.add(some);
                }
                Some(nulls) => {
                    let nulls = nulls.slice(from, rows);
                    self.rows.add(rows, Some(nulls.iter()));
                    let there: Vec<T> = nulls.valid_indices().map(|at| some[at]).collect();
                    self.add(&there);
                }
            }
            from += rows;
            let full = self.coded && size_of_val(self.dictionary.keys()) >= DICTIONARY;
            if full || self.rows.count() == PAGE_ROWS {
                self.end_page(packer)?;
            }
            self.coded &= !full;
        }
        Ok(())
    }

    fn add(&mut self, values: &[T]) {
        join(&mut self.bounds, bounds(values));
        if self.coded {
            self.codes.reserve(values.len());
            self.codes.extend(values.iter().map(|value| self.dictionary.code(Bits(*value))));
        } else {
            self.plain.extend_from_slice(values);
        }
    }

    fn end_page(&mut self, packer: &mut Packer) -> Result<(), Fault> {
        let counts = (self.rows.count(), self.rows.missing());
        if counts.0 == 0 {
            return Ok(());
        }
        self.has_codes |= self.coded;
        let encoding = if self.coded { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let width = hybrid::width(self.dictionary.keys().len().saturating_sub(1) as u32);
        let room = if self.coded {
            self.codes.len() * usize::from(width) / 8 + 64
        } else {
            size_of_val(self.plain.as_slice())
        };
        let mut page = self.rows.page(self.pages.is_nullable(), room);
        if self.coded {
            page.push(width);
            hybrid::encode(&self.codes, width, &mut page);
        } else {
            page.extend_from_slice(self.plain.as_slice().to_byte_slice());
        }
        self.codes.clear();
        self.plain.clear();
        let own = self.bounds.take().map(|(least, most)| (least.bound(true), most.bound(false)));
        let order = match (own, self.before) {
            (Some(own), Some(before)) => {
                (before.0 <= own.0 && before.1 <= own.1, before.0 >= own.0 && before.1 >= own.1)
            }
            _ => (true, true),
        };
        join(&mut self.overall, own);
        self.before = own.or(self.before);
        let stored: Bounds =
            own.map(|(least, most)| (least.to_byte_slice().to_vec(), most.to_byte_slice().to_vec()));
        self.pages.add(page, encoding, counts, stored, order, packer)
    }

    fn close(mut self, packer: &mut Packer) -> Result<Chunk, Fault> {
        self.end_page(packer)?;
        let values: Vec<T> = self.dictionary.keys().iter().map(|Bits(value)| *value).collect();
        let dictionary = self.has_codes.then(|| (values.as_slice().to_byte_slice().to_vec(), values.len()));
        let overall = self.overall;
        self.pages.close(dictionary, |nulls| T::statistics(overall, nulls), packer)
    }
}

/// Values that are compared side by side.
const LANES: usize = 8;

/// The least and the greatest of values that have an order.
fn bounds<T: Number>(values: &[T]) -> Option<(T, T)> {
    let first = values.iter().position(|value| value.is_ordered())?;
    let (mut least, mut most) = ([values[first]; LANES], [values[first]; LANES]);
    let (lots, rest) = values.as_chunks::<LANES>();
    let mut last = [values[first]; LANES];
    last[..rest.len()].copy_from_slice(rest);
    for lot in lots.iter().chain([&last]) {
        for (value, (least, most)) in lot.iter().zip(least.iter_mut().zip(&mut most)) {
            // What is not a number is neither.
            *least = if *value < *least { *value } else { *least };
            *most = if *value > *most { *value } else { *most };
        }
    }
    let less = |one: T, other: T| if other < one { other } else { one };
    let more = |one: T, other: T| if other > one { other } else { one };
    Some((least.into_iter().reduce(less)?, most.into_iter().reduce(more)?))
}

fn join<T: Number>(known: &mut Option<(T, T)>, found: Option<(T, T)>) {
    *known = match (*known, found) {
        (Some((least, most)), Some((other, another))) => {
            Some((if other < least { other } else { least }, if another > most { another } else { most }))
        }
        (known, found) => known.or(found),
    };
}
