//! `nunique`: how many different values, exactly. Missing values are not counted; -0.0 is 0.0.
//!
//! One hash set holds the values of all groups, each with its group's number: a group of few values costs
//! what its values cost and no more. As state, each group's values are a list.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, Int64Array, LargeListArray,
    PrimitiveArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int32Type, Int64Type};
use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};

use super::kernel::{argument, check, column, grow, primitive, unexpected, with_number};
use super::{Aggregate, Batch, Reduce, one_argument, state_types_of};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// Values that are merged without asking whether to go on.
const PIECE: usize = 64 * 1024;

pub struct Nunique;

impl Aggregate for Nunique {
    fn name(&self) -> &'static str {
        "nunique"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            dtype if !dtype.is_simple() => Err(not_decomposable(format!(
                "`nunique` cannot compare the values of a column of type {dtype}"
            ))
            .hint("Count different numbers, booleans, strings, dates or times")),
            _ => Ok(DType::Int64),
        }
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        self.infer(args, params)?;
        Ok(match &args[0] {
            DType::Str | DType::Binary => Distinct::<Texts>::boxed(),
            DType::Date => Distinct::<Fixed<Int32Type>>::boxed(),
            DType::Timestamp(..) | DType::Duration(_) => Distinct::<Fixed<Int64Type>>::boxed(),
            DType::Decimal(..) => Distinct::<Fixed<Decimal128Type>>::boxed(),
            dtype => with_number!(
                dtype,
                T => Distinct::<Fixed<T>>::boxed(),
                _ => return Err(Error::internal("`nunique` was created for a type it refuses"))
            ),
        })
    }
}

/// A set of (group, value).
trait Pairs: Default + Send + 'static {
    /// Adds the values of rows `first..first + groups.len()`; calls `new` with the group of each that was
    /// not in the set.
    fn insert(&mut self, values: &ArrayRef, first: usize, groups: &[u32], new: impl FnMut(u32))
    -> Result<()>;

    /// Values ordered by group; `starts[g]` is where group `g` begins.
    fn values(self, starts: Vec<usize>, total: usize) -> ArrayRef;

    fn item_type() -> DataType;

    fn size(&self) -> usize;
}

struct Distinct<P> {
    pairs: P,
    counts: Vec<i64>,
}

impl<P: Pairs> Distinct<P> {
    fn boxed() -> Box<dyn Reduce> {
        Box::new(Self { pairs: P::default(), counts: Vec::new() })
    }
}

impl<P: Pairs> Reduce for Distinct<P> {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let values = argument(&batch, 0)?;
        grow(&mut self.counts, batch.num_groups, 0);
        check(batch.groups, values.len(), self.counts.len())?;
        let counts = &mut self.counts;
        self.pairs.insert(values, 0, batch.groups, |group| counts[group as usize] += 1)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let counts = std::mem::take(&mut self.counts);
        let mut starts = Vec::with_capacity(counts.len());
        let mut total = 0_usize;
        for &count in &counts {
            starts.push(total);
            total += count as usize;
        }
        let offsets: Vec<i64> = starts.iter().map(|&start| start as i64).chain([total as i64]).collect();
        let values = std::mem::take(&mut self.pairs).values(starts, total);
        let item = Arc::new(Field::new_list_field(P::item_type(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(vec![Arc::new(LargeListArray::try_new(item, offsets, values, None)?)])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        self.merge_while(state, groups, num_groups, &|| Ok(()))
    }

    fn merge_while(
        &mut self,
        state: &[ArrayRef],
        groups: &[u32],
        num_groups: usize,
        proceed: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let state = column(state, 0)?;
        let lists = state.as_list_opt::<i64>().ok_or_else(|| {
            unexpected(
                state.data_type(),
                &DataType::LargeList(Arc::new(Field::new_list_field(P::item_type(), true))),
            )
        })?;
        grow(&mut self.counts, num_groups, 0);
        check(groups, lists.len(), self.counts.len())?;
        // The lists lie one after the other: spread out, they are rows of their lists' groups.
        let first = lists.value_offsets().first().copied().unwrap_or(0) as usize;
        let lengths = lists.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let spread: Vec<u32> = groups
            .iter()
            .zip(lengths)
            .flat_map(|(&group, length)| std::iter::repeat_n(group, length))
            .collect();
        let counts = &mut self.counts;
        for (piece, groups) in spread.chunks(PIECE).enumerate() {
            proceed()?;
            let first = first + piece * PIECE;
            self.pairs.insert(lists.values(), first, groups, |group| counts[group as usize] += 1)?;
        }
        Ok(())
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.pairs = P::default();
        let mut counts = std::mem::take(&mut self.counts);
        counts.resize(num_groups, 0);
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>() + self.pairs.size()
    }
}

/// A value as what it is compared by.
trait Identity: Copy {
    type Bits: Hash + Eq + Copy + Send;

    /// `None` for NaN.
    fn bits(self) -> Option<Self::Bits>;
    fn value(bits: Self::Bits) -> Self;
}

macro_rules! identity {
    (integer: $($native:ty)*) => {
        $(impl Identity for $native {
            type Bits = $native;
            fn bits(self) -> Option<$native> { Some(self) }
            fn value(bits: $native) -> $native { bits }
        })*
    };
    (float: $($native:ty, $bits:ty;)*) => {
        $(impl Identity for $native {
            type Bits = $bits;
            // Adding 0.0 turns -0.0 into 0.0 and changes nothing else.
            fn bits(self) -> Option<$bits> { (!self.is_nan()).then(|| (self + 0.0).to_bits()) }
            fn value(bits: $bits) -> $native { <$native>::from_bits(bits) }
        })*
    };
}

identity!(integer: i8 i16 i32 i64 u8 u16 u32 u64 i128);
identity!(float: f32, u32; f64, u64;);

type Bits<T> = <<T as ArrowPrimitiveType>::Native as Identity>::Bits;

struct Fixed<T: ArrowPrimitiveType<Native: Identity>>(HashSet<(u32, Bits<T>), foldhash::fast::RandomState>);

impl<T: ArrowPrimitiveType<Native: Identity>> Default for Fixed<T> {
    fn default() -> Self {
        Self(HashSet::default())
    }
}

impl<T: ArrowPrimitiveType<Native: Identity>> Pairs for Fixed<T> {
    fn insert(
        &mut self,
        values: &ArrayRef,
        first: usize,
        groups: &[u32],
        mut new: impl FnMut(u32),
    ) -> Result<()> {
        let values = primitive::<T>(&values.slice(first, groups.len()))?;
        for (row, (&group, value)) in groups.iter().zip(values.values()).enumerate() {
            let Some(bits) = value.bits().filter(|_| values.is_valid(row)) else { continue };
            if self.0.insert((group, bits)) {
                new(group);
            }
        }
        Ok(())
    }

    fn values(self, mut starts: Vec<usize>, total: usize) -> ArrayRef {
        let mut values = vec![T::default_value(); total];
        for (group, bits) in self.0 {
            let at = &mut starts[group as usize];
            values[*at] = T::Native::value(bits);
            *at += 1;
        }
        Arc::new(PrimitiveArray::<T>::from_iter_values(values))
    }

    fn item_type() -> DataType {
        T::DATA_TYPE
    }

    fn size(&self) -> usize {
        self.0.allocation_size()
    }
}

/// Strings one after the other in one buffer, and a table of where each lies.
#[derive(Default)]
struct Texts {
    hasher: FixedState,
    bytes: Vec<u8>,
    table: HashTable<Text>,
}

#[derive(Clone, Copy)]
struct Text {
    group: u32,
    length: u32,
    start: usize,
    hash: u64,
}

impl Texts {
    fn bytes<'a>(bytes: &'a [u8], text: &Text) -> &'a [u8] {
        &bytes[text.start..text.start + text.length as usize]
    }
}

impl Pairs for Texts {
    fn insert(
        &mut self,
        values: &ArrayRef,
        first: usize,
        groups: &[u32],
        mut new: impl FnMut(u32),
    ) -> Result<()> {
        let values = cast(&values.slice(first, groups.len()), &DataType::BinaryView)?;
        let values = values.as_binary_view();
        let Self { hasher, bytes, table } = self;
        for (row, &group) in groups.iter().enumerate() {
            if values.is_null(row) {
                continue;
            }
            let value = values.value(row);
            let hash = hasher.hash_one((group, value));
            let same = |text: &Text| text.group == group && Self::bytes(bytes, text) == value;
            if table.find(hash, same).is_none() {
                let text = Text { group, length: value.len() as u32, start: bytes.len(), hash };
                bytes.extend_from_slice(value);
                table.insert_unique(hash, text, |text| text.hash);
                new(group);
            }
        }
        Ok(())
    }

    fn values(self, mut starts: Vec<usize>, total: usize) -> ArrayRef {
        let mut ordered = vec![Text { group: 0, length: 0, start: 0, hash: 0 }; total];
        for text in &self.table {
            let at = &mut starts[text.group as usize];
            ordered[*at] = *text;
            *at += 1;
        }
        let mut builder = BinaryViewBuilder::with_capacity(total);
        for text in &ordered {
            builder.append_value(Self::bytes(&self.bytes, text));
        }
        Arc::new(builder.finish())
    }

    fn item_type() -> DataType {
        DataType::BinaryView
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.table.allocation_size()
    }
}
