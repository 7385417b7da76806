//! The groups of all tables put in the order of the answer, column by column, several at once.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array,
    make_array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{ArrowNativeType, UInt64Type};
use parking_lot::Mutex;

use super::appearance::Places;
use super::numbers::Meaning;
use super::shares::in_parallel;
use super::table::Finished;
use super::{GroupSpec, limit, order};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// Fewer groups than this are put in order by one thread.
const PARALLEL_FROM: usize = limit(64 * 1024, 32);

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

/// The groups of all tables in order. What is no longer needed is given back as soon as it is copied: at this point
/// everything is there twice.
pub fn arrange(
    spec: &GroupSpec,
    finished: Vec<Finished>,
    meaning: &Meaning,
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    if finished.is_empty() {
        // Rows there were, but no group: their keys were missing.
        return Ok(RecordBatch::new_empty(spec.schema()));
    }
    let mut first: Vec<Int64Array> = Vec::new();
    let mut keys: Vec<Vec<ArrayRef>> = Vec::new();
    let mut values: Vec<Vec<ArrayRef>> = vec![Vec::new(); spec.aggregates.len()];
    for table in finished {
        first.extend(table.first);
        let table_keys = if spec.sorted { meaning.ids(table.keys)? } else { table.keys };
        keys.resize(table_keys.len(), Vec::new());
        for (column, part) in keys.iter_mut().zip(table_keys).chain(values.iter_mut().zip(table.values)) {
            column.push(part);
        }
    }
    let order = if spec.keys.is_empty() {
        Order::AsTheyLie
    } else if spec.sorted {
        let mut joined_keys = Vec::with_capacity(keys.len());
        for parts in &mut keys {
            joined_keys.push(joined(std::mem::take(parts))?);
            *parts = joined_keys.last().cloned().into_iter().collect();
        }
        Order::Rows(order::by_keys(&joined_keys, &meaning.values, threads, control)?)
    } else if let Some(places) = Places::by_first(&first, control)? {
        Order::Places(places)
    } else {
        let first = joined(first.iter().map(|first| Arc::new(first.clone()) as ArrayRef).collect())?;
        Order::Rows(order::by_keys(&[first], &[], threads, control)?)
    };
    drop(first);

    let packed = meaning.is_packed() && !spec.sorted;
    let words = if packed { Some(order.of(keys.pop().unwrap_or_default())?) } else { None };
    let words: Option<&UInt64Array> = words.as_ref().map(|words| words.as_primitive::<UInt64Type>());
    let threads = if order.len() < PARALLEL_FROM { 1 } else { threads };
    let key = |number: usize, parts: Vec<ArrayRef>| match words {
        Some(words) => meaning.value_of_words(number, words),
        None => meaning.value(number, order.of(parts)?),
    };
    keys.resize(spec.keys.len(), Vec::new());
    let keys = keys.into_iter().enumerate();
    let values = values.into_iter().enumerate().map(|(number, parts)| (number + spec.keys.len(), parts));
    let columns = each(keys.chain(values).collect(), threads, |number, parts| {
        control.check()?;
        if number < spec.keys.len() { key(number, parts) } else { order.of(parts) }
    })?;
    record(spec, columns)
}

/// Does the same with every column, on several threads.
fn each(
    columns: Vec<(usize, Vec<ArrayRef>)>,
    threads: usize,
    work: impl Fn(usize, Vec<ArrayRef>) -> Result<ArrayRef> + Sync,
) -> Result<Vec<ArrayRef>> {
    let queue = Mutex::new(columns.into_iter());
    let run = || -> Result<Vec<(usize, ArrayRef)>> {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().next();
            let Some((number, parts)) = next else { return Ok(done) };
            done.push((number, work(number, parts)?));
        }
    };
    let mut done: Vec<(usize, ArrayRef)> = if threads > 1 {
        in_parallel((0..threads).map(|_| &run).collect())?.into_iter().flatten().collect()
    } else {
        run()?
    };
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, column)| column).collect())
}

/// Where the rows of the answer come from.
enum Order {
    AsTheyLie,
    /// Rows of all tables, one after the other.
    Rows(UInt32Array),
    Places(Places),
}

impl Order {
    fn len(&self) -> usize {
        match self {
            Self::AsTheyLie => 1,
            Self::Rows(rows) => rows.len(),
            Self::Places(places) => places.len(),
        }
    }

    /// A column of the answer, from its parts in each table.
    fn of(&self, parts: Vec<ArrayRef>) -> Result<ArrayRef> {
        match self {
            Self::AsTheyLie => joined(parts),
            Self::Rows(rows) => Ok(take(&joined(parts)?, rows, None)?),
            Self::Places(places) => placed(parts, places),
        }
    }
}

fn placed(parts: Vec<ArrayRef>, places: &Places) -> Result<ArrayRef> {
    let Some(first) = parts.first() else { return Err(Error::internal("a column without parts")) };
    let values = match first.data_type().primitive_width() {
        Some(4) => gathered::<u32>(&parts, places),
        Some(8) => gathered::<u64>(&parts, places),
        Some(16) => gathered::<i128>(&parts, places),
        _ => {
            let mut from = Vec::with_capacity(parts.len());
            let mut next = 0;
            for part in &parts {
                from.push(next);
                next += part.len() as u32;
            }
            let rows: UInt32Array = places.iter().map(|(table, row)| from[table] + row as u32).collect();
            return Ok(take(&joined(parts)?, &rows, None)?);
        }
    };
    let nulls = parts.iter().any(|part| part.null_count() > 0).then(|| {
        let nulls: Vec<Option<&NullBuffer>> = parts.iter().map(|part| part.nulls()).collect();
        places.iter().map(|(table, row)| nulls[table].is_none_or(|nulls| nulls.is_valid(row))).collect()
    });
    let data = first.to_data().into_builder().offset(0).len(places.len());
    Ok(make_array(data.buffers(vec![values]).nulls(nulls).build()?))
}

fn gathered<T: ArrowNativeType>(parts: &[ArrayRef], places: &Places) -> Buffer {
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
