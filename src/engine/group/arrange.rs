//! The groups of all tables put in the order of the answer, a batch at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, make_array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{ArrowNativeType, UInt64Type};

use super::appearance::{Piece, Places};
use super::narrow::{alike, widened};
use super::numbers::Meaning;
use super::table::Finished;
use super::{GroupOrder, GroupSpec, limit, order};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// Groups are handed out in batches of so many: what follows works on one while the next is put in order.
pub(super) const BATCH: usize = limit(128 * 1024, 48);

/// The groups of one table as they lie there.
pub fn batch(spec: &GroupSpec, finished: Finished, meaning: &Meaning) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(spec.keys.len() + finished.values.len());
    for (number, key) in meaning.ids(finished.keys)?.into_iter().enumerate() {
        columns.push(meaning.value(number, key)?);
    }
    columns.extend(finished.values);
    record(spec, columns)
}

fn record(spec: &GroupSpec, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let rows = columns.first().map_or(1, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(spec.schema(), columns, &options)?)
}

/// The groups of all tables, and the order in which they are the answer's rows.
pub struct Arranged {
    spec: Arc<GroupSpec>,
    meaning: Meaning,
    order: Order,
    /// One a key, or the only one that all keys are packed into.
    keys: Vec<Column>,
    values: Vec<Column>,
    rows: usize,
}

impl Arranged {
    /// Groups of several tables; `in_order` says that they lie in the order of their keys.
    pub fn new(
        spec: Arc<GroupSpec>,
        (finished, in_order): (Vec<Finished>, bool),
        meaning: Meaning,
        threads: usize,
        control: &Control,
    ) -> Result<Self> {
        let mut first: Vec<ArrayRef> = Vec::new();
        let mut keys: Vec<Vec<ArrayRef>> = Vec::new();
        let mut values: Vec<Vec<ArrayRef>> = vec![Vec::new(); spec.aggregates.len()];
        for table in finished {
            first.extend(table.first);
            let by_keys = spec.order == GroupOrder::Keys;
            let table_keys = if by_keys { meaning.ids(table.keys)? } else { table.keys };
            keys.resize(table_keys.len(), Vec::new());
            for (column, part) in keys.iter_mut().zip(table_keys).chain(values.iter_mut().zip(table.values)) {
                column.push(part);
            }
        }
        let mut sorted: Vec<Column> = Vec::new();
        let order = if spec.keys.is_empty() {
            Order::AsTheyLie(1)
        } else if spec.order == GroupOrder::Any || spec.order == GroupOrder::Keys && in_order {
            Order::AsTheyLie(keys.first().into_iter().flatten().map(|part| part.len()).sum())
        } else if spec.order == GroupOrder::Keys {
            let columns = keys.into_iter().map(joined).collect::<Result<Vec<_>>>()?;
            keys = Vec::new();
            let order = order::by_keys(&columns, &meaning.values, threads, control)?;
            sorted.extend(columns.into_iter().map(Column::Whole));
            Order::Rows(order)
        } else if let Some(places) = Places::by_first(&first, control)? {
            let mut next = 0;
            let from = first.iter().map(|first| {
                let from = next;
                next += first.len() as u32;
                from
            });
            Order::Places { from: from.collect(), places }
        } else {
            let first = joined(alike(first.clone())?)?;
            Order::Rows(order::by_keys(&[first], &[], threads, control)?)
        };
        drop(first);
        let in_parts = matches!(order, Order::Places { .. });
        let columns = |columns: Vec<Vec<ArrayRef>>| {
            let columns = columns.into_iter().map(|parts| {
                control.check()?;
                Column::of(parts, in_parts)
            });
            columns.collect::<Result<Vec<_>>>()
        };
        sorted.extend(columns(keys)?);
        let values = columns(values.into_iter().map(alike).collect::<Result<_>>()?)?;
        let rows = match &order {
            Order::AsTheyLie(rows) => *rows,
            Order::Rows(rows) => rows.len(),
            Order::Places { places, .. } => places.len(),
        };
        Ok(Self { spec, meaning, order, keys: sorted, values, rows })
    }

    /// How many groups there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        let columns = self.keys.iter().chain(&self.values).map(|column| match column {
            Column::Parts(parts) => parts.iter().map(|part| part.get_buffer_memory_size()).sum(),
            Column::Whole(whole) => whole.get_buffer_memory_size(),
        });
        columns.sum::<usize>() + self.rows * size_of::<u32>()
    }

    /// Bytes that are let go with one of the batches.
    pub fn let_go_with(&self, number: usize) -> usize {
        let rows = BATCH.min(self.rows.saturating_sub(number * BATCH));
        if matches!(self.order, Order::Places { .. }) { rows * size_of::<u32>() } else { 0 }
    }

    /// How many batches they are handed out in.
    pub fn batches(&self) -> usize {
        self.rows.div_ceil(BATCH)
    }

    /// One of the batches, each of which is asked for once: the places of its rows are let go.
    pub fn batch(&self, number: usize) -> Result<RecordBatch> {
        let part = self.order.part(number, number * BATCH..self.rows.min((number + 1) * BATCH));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.spec.keys.len() + self.values.len());
        match self.keys.as_slice() {
            [words] if self.meaning.is_packed() && self.spec.order != GroupOrder::Keys => {
                let words = part.of(words)?;
                let words = words.as_primitive::<UInt64Type>();
                for number in 0..self.spec.keys.len() {
                    columns.push(self.meaning.value_of_words(number, words)?);
                }
            }
            keys => {
                for (number, key) in keys.iter().enumerate() {
                    columns.push(self.meaning.value(number, part.of(key)?)?);
                }
            }
        }
        for (column, aggregate) in self.values.iter().zip(&self.spec.aggregates) {
            columns.push(widened(part.of(column)?, &aggregate.arrow)?);
        }
        record(&self.spec, columns)
    }
}

/// A column of all tables.
enum Column {
    Parts(Vec<ArrayRef>),
    Whole(ArrayRef),
}

impl Column {
    /// In its parts where those can be gathered from.
    fn of(parts: Vec<ArrayRef>, in_parts: bool) -> Result<Self> {
        let width = parts.first().and_then(|part| part.data_type().primitive_width());
        match width {
            Some(1 | 4 | 8 | 16) if in_parts => Ok(Self::Parts(parts)),
            _ => joined(parts).map(Self::Whole),
        }
    }
}

/// Where the rows of the answer come from.
enum Order {
    /// So many rows, without an order of their own.
    AsTheyLie(usize),
    /// Rows of all tables, one after the other.
    Rows(UInt32Array),
    /// Rows of each table, and where those of each begin among all.
    Places { places: Places, from: Vec<u32> },
}

impl Order {
    /// One of the batches, whose rows are these.
    fn part(&self, number: usize, rows: Range<usize>) -> Part<'_> {
        match self {
            Self::AsTheyLie(_) => Part::AsTheyLie(rows),
            Self::Rows(all) => Part::Rows(all.slice(rows.start, rows.len())),
            Self::Places { places, from } => Part::Places { places: places.take(number), from },
        }
    }
}

/// Where the rows of a batch come from.
enum Part<'a> {
    AsTheyLie(Range<usize>),
    Rows(UInt32Array),
    Places { places: Piece, from: &'a [u32] },
}

impl Part<'_> {
    /// These rows of a column.
    fn of(&self, column: &Column) -> Result<ArrayRef> {
        match (self, column) {
            (Self::AsTheyLie(rows), Column::Whole(column)) => Ok(column.slice(rows.start, rows.len())),
            (Self::Rows(rows), Column::Whole(column)) => Ok(take(column, rows, None)?),
            (Self::Places { places, from }, Column::Whole(column)) => {
                let rows = places.iter().map(|(table, row)| from[table] + row as u32);
                Ok(take(column, &UInt32Array::from_iter_values(rows), None)?)
            }
            (Self::Places { places, .. }, Column::Parts(parts)) => gathered(parts, places),
            (_, Column::Parts(_)) => Err(Error::internal("parts of a column in no order")),
        }
    }
}

fn gathered(parts: &[ArrayRef], places: &Piece) -> Result<ArrayRef> {
    let Some(first) = parts.first() else { return Err(Error::internal("a column without parts")) };
    let values = match first.data_type().primitive_width() {
        Some(1) => values_of::<u8>(parts, places),
        Some(4) => values_of::<u32>(parts, places),
        Some(8) => values_of::<u64>(parts, places),
        _ => values_of::<i128>(parts, places),
    };
    let nulls = parts.iter().any(|part| part.null_count() > 0).then(|| {
        let nulls: Vec<Option<&NullBuffer>> = parts.iter().map(|part| part.nulls()).collect();
        let valid = |(table, row): (usize, usize)| nulls[table].is_none_or(|nulls| nulls.is_valid(row));
        places.iter().map(valid).collect::<NullBuffer>()
    });
    let data = ArrayData::builder(first.data_type().clone()).len(places.len()).nulls(nulls);
    Ok(make_array(data.add_buffer(values).build()?))
}

fn values_of<T: ArrowNativeType>(parts: &[ArrayRef], places: &Piece) -> Buffer {
    let data: Vec<_> = parts.iter().map(|part| part.to_data()).collect();
    let values: Vec<&[T]> =
        data.iter().map(|data| &data.buffers()[0].typed_data::<T>()[data.offset()..][..data.len()]).collect();
    Buffer::from_vec(places.iter().map(|(table, row)| values[table][row]).collect::<Vec<T>>())
}

fn joined(parts: Vec<ArrayRef>) -> Result<ArrayRef> {
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        [] => Ok(Arc::new(Int64Array::from(Vec::<i64>::new()))),
        several => Ok(concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}
