//! Keys of rows and columns in their order, as numbers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::row::{RowConverter, SortField};

use crate::error::Result;

/// Where a long row has no place.
pub const NONE: u32 = u32::MAX;

/// A level: of each row the rank of its value, and whether that is missing.
pub struct Level {
    pub values: ArrayRef,
    ranks: Vec<u32>,
    distinct: u32,
}

/// Different tuples of levels, in order.
pub struct Tuples {
    /// Which of them each row has; [`NONE`] if none.
    pub places: Vec<u32>,
    /// A row of each.
    pub rows: UInt32Array,
}

impl Level {
    /// Values in their order with missing ones first, or in order of appearance.
    pub fn new(values: &ArrayRef, sorted: bool) -> Result<Self> {
        let values = plain(values);
        let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(&values))?;
        let mut known: HashMap<&[u8], u32> = HashMap::new();
        let mut first: Vec<usize> = Vec::new();
        let mut numbers = Vec::with_capacity(values.len());
        for row in 0..values.len() {
            let next = known.len() as u32;
            let number = *known.entry(rows.row(row).data()).or_insert(next);
            if number == next {
                first.push(row);
            }
            numbers.push(number);
        }
        let mut order: Vec<u32> = (0..first.len() as u32).collect();
        if sorted {
            order.sort_unstable_by_key(|number| rows.row(first[*number as usize]));
        }
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        let distinct = first.len() as u32;
        let ranks = numbers.into_iter().map(|number| ranks[number as usize]).collect();
        Ok(Self { values, ranks, distinct })
    }

    /// The values of these rows.
    pub fn take(&self, rows: &UInt32Array) -> Result<ArrayRef> {
        Ok(take(&self.values, rows, None)?)
    }
}

impl Tuples {
    /// Those of the rows that are wanted, in order of their levels or of appearance; others have them too.
    pub fn new(levels: &[Level], wanted: &[bool], sorted: bool) -> Self {
        let mut codes: Vec<u64> = vec![0; wanted.len()];
        for level in levels {
            for (code, rank) in codes.iter_mut().zip(&level.ranks) {
                *code = *code * u64::from(level.distinct) + u64::from(*rank);
            }
            rank(&mut codes);
        }
        let most = codes.iter().max().map_or(0, |most| *most as usize + 1);
        let mut first = vec![NONE; most];
        for (row, (code, wanted)) in codes.iter().zip(wanted).enumerate() {
            let first = &mut first[*code as usize];
            if *wanted && *first == NONE {
                *first = row as u32;
            }
        }
        let mut place = vec![NONE; most];
        let mut rows = Vec::new();
        let mut order: Vec<usize> = (0..most).filter(|code| first[*code] != NONE).collect();
        if !sorted {
            order.sort_unstable_by_key(|code| first[*code]);
        }
        for code in order {
            place[code] = rows.len() as u32;
            rows.push(first[code]);
        }
        let places = codes.iter().map(|code| place[*code as usize]).collect();
        Self { places, rows: UInt32Array::from(rows) }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Numbers by their rank among those that occur.
fn rank(codes: &mut [u64]) {
    let mut distinct = codes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for code in codes {
        *code = distinct.partition_point(|other| other < code) as u64;
    }
}

/// One zero, and no NaN besides what is missing.
fn plain(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float64 => {
            let floats = values.as_primitive::<Float64Type>().iter();
            let floats = floats.map(|value| value.filter(|value| !value.is_nan()).map(|value| value + 0.0));
            Arc::new(floats.collect::<Float64Array>())
        }
        DataType::Float32 => {
            let floats = values.as_primitive::<Float32Type>().iter();
            let floats = floats.map(|value| value.filter(|value| !value.is_nan()).map(|value| value + 0.0));
            Arc::new(floats.collect::<Float32Array>())
        }
        _ => values.clone(),
    }
}
