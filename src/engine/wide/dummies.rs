//! Columns of flags, one for each value of a column, or of the lists in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::keys::{Level, Order, plain};
use super::{MOST_CELLS, MOST_COLUMNS, too_many};
use crate::engine::control::Control;
use crate::error::Result;
use crate::plan::Label;
use crate::plan::dummies::Encoded;
use crate::plan::op::operand::arrow_type;

/// The flags of one column, with their labels.
pub struct Flags {
    pub labels: Vec<Label>,
    pub columns: Vec<ArrayRef>,
}

/// `values` as flags; `texts` are what labels are made of.
pub fn flags(values: &ArrayRef, texts: &ArrayRef, how: &Encoded, control: &Control) -> Result<Flags> {
    if let DataType::LargeList(_) = values.data_type() {
        return of_lists(values, how, control);
    }
    let values = plain(values);
    let rows = values.len();
    let every = vec![true; rows];
    let order = Order { sorted: true, strict: true, missing: Some(true), known: &every, used: &every };
    let level = Level::new(&values, &order)?;
    let ranks = level.ranks();
    let mut first = vec![None; level.len()];
    for (row, rank) in ranks.iter().enumerate() {
        first[*rank as usize].get_or_insert(row);
    }
    if first.len() > MOST_COLUMNS || first.len().saturating_mul(rows) / 8 > MOST_CELLS {
        return Err(too_many(rows, first.len()));
    }
    let texts = cast(texts, &DataType::Utf8)?;
    let numbers = match values.data_type() {
        kind if kind.is_integer() => Some(cast(&values, &DataType::Int64)?),
        _ => None,
    };
    let dtype = arrow_type(&how.dtype)?;
    let mut made = Flags { labels: Vec::new(), columns: Vec::new() };
    // Missing values have the last rank.
    let found = first.into_iter().enumerate().filter_map(|(rank, row)| Some((rank, row?)));
    let mut wanted: Vec<(usize, Label)> = found
        .filter(|(_, row)| values.is_valid(*row))
        .map(|(rank, row)| {
            let label = match (&how.prefix, &numbers) {
                (Some(prefix), _) => Label::str(format!("{prefix}{}", texts.as_string::<i32>().value(row))),
                (None, Some(numbers)) => Label::Int(numbers.as_primitive::<Int64Type>().value(row)),
                (None, None) => Label::str(texts.as_string::<i32>().value(row)),
            };
            (rank, label)
        })
        .collect();
    let there = wanted.len();
    if how.missing {
        let label = match &how.prefix {
            Some(prefix) => Label::str(format!("{prefix}nan")),
            None => Label::Float(f64::NAN.to_bits()),
        };
        // Without a missing value, a rank that no row has.
        let rank = if values.null_count() > 0 { there } else { usize::MAX };
        wanted.push((rank, label));
    }
    for (rank, label) in wanted.into_iter().skip(usize::from(how.drop_first)) {
        control.check()?;
        made.push(label, BooleanBuffer::collect_bool(rows, |row| ranks[row] as usize == rank), &dtype)?;
    }
    Ok(made)
}

impl Flags {
    fn push(&mut self, label: Label, bits: BooleanBuffer, dtype: &DataType) -> Result<()> {
        let flags: ArrayRef = Arc::new(BooleanArray::new(bits, None));
        self.columns.push(if *dtype == DataType::Boolean { flags } else { cast(&flags, dtype)? });
        self.labels.push(label);
        Ok(())
    }
}

/// Flags of the texts that are in lists, in their order.
fn of_lists(lists: &ArrayRef, how: &Encoded, control: &Control) -> Result<Flags> {
    let lists = lists.as_list::<i64>();
    let texts = cast(lists.values(), &DataType::LargeUtf8)?;
    let texts = texts.as_string::<i64>();
    let rows = lists.len();
    let mut found: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (row, ends) in lists.offsets().windows(2).enumerate() {
        if lists.is_null(row) {
            continue;
        }
        for place in ends[0]..ends[1] {
            let text = texts.value(place as usize);
            if texts.is_valid(place as usize) {
                found.entry(text).or_default().push(row as u32);
            }
        }
    }
    if found.len() > MOST_COLUMNS || found.len().saturating_mul(rows) / 8 > MOST_CELLS {
        return Err(too_many(rows, found.len()));
    }
    let dtype = arrow_type(&how.dtype)?;
    let mut made = Flags { labels: Vec::new(), columns: Vec::new() };
    for (text, with) in found {
        control.check()?;
        let mut bits = BooleanBufferBuilder::new(rows);
        bits.append_n(rows, false);
        for row in with {
            bits.set_bit(row as usize, true);
        }
        made.push(Label::str(text), bits.finish(), &dtype)?;
    }
    Ok(made)
}
