//! Keys of rows and columns in their order, as numbers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, UInt32Array};
use arrow::compute::{SortOptions, take};
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

/// The order of a level's values.
pub struct Order<'a> {
    /// By value; else by appearance.
    pub sorted: bool,
    /// Also where a value is not used.
    pub strict: bool,
    /// Where a missing value is one: whether it is the last.
    pub missing: Option<bool>,
    /// Rows whose values are the level's.
    pub known: &'a [bool],
    /// Rows that have cells.
    pub used: &'a [bool],
}

impl Level {
    /// Values, whose missing ones are null, in their order.
    pub fn new(values: &ArrayRef, order: &Order<'_>) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new_with_options(
            values.data_type().clone(),
            SortOptions { descending: false, nulls_first: order.missing != Some(true) },
        )])?;
        let rows = converter.convert_columns(std::slice::from_ref(values))?;
        let mut numbered: HashMap<&[u8], u32> = HashMap::new();
        // Of each value its first row, its first row that has a cell, and whether it is one of the level's.
        let (mut first, mut used, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers = Vec::with_capacity(values.len());
        for row in 0..values.len() {
            let next = numbered.len() as u32;
            let number = *numbered.entry(rows.row(row).data()).or_insert(next);
            if number == next {
                first.push(row);
                used.push(NONE);
                known.push(false);
            }
            let place = number as usize;
            if order.used[row] && used[place] == NONE {
                used[place] = row as u32;
            }
            known[place] |= order.known[row] && (order.missing.is_some() || values.is_valid(row));
            numbers.push(number);
        }
        let unused = known.iter().zip(&used).any(|(known, used)| *known && *used == NONE);
        let mut sequence: Vec<u32> = (0..first.len() as u32).collect();
        if unused && !order.strict {
            sequence.sort_by_key(|number| used[*number as usize]);
        } else if order.sorted {
            sequence.sort_unstable_by_key(|number| rows.row(first[*number as usize]));
        }
        let mut ranks = vec![0; sequence.len()];
        for (rank, number) in sequence.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        let distinct = first.len() as u32;
        let ranks = numbers.into_iter().map(|number| ranks[number as usize]).collect();
        Ok(Self { values: values.clone(), ranks, distinct })
    }

    /// Of each row the place of its value in their order.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// How many different values there are.
    pub fn len(&self) -> usize {
        self.distinct as usize
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
pub fn plain(values: &ArrayRef) -> ArrayRef {
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
