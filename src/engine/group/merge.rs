//! From the threads' tables to one answer: merged in parallel by hash, then put in order.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;

use super::order;
use super::shares::{SHARES, Shares, in_parallel};
use super::table::{Finished, GroupTable};
use super::{GroupSpec, limit};
use crate::engine::control::Control;
use crate::error::Result;

/// Fewer groups than this are merged by one thread.
const PARALLEL_FROM: usize = limit(64 * 1024, 32);

/// States of more bytes than this are handed over by all threads at once, however few groups they are of.
const HEAVY: usize = limit(16 << 20, 4 << 10);

/// Merges tables with the shares and finishes them: the answer's rows in their final order.
pub fn merge(
    spec: &Arc<GroupSpec>,
    tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    let (finished, values) = match combine(spec, tables, shares, threads, control)? {
        Some(only) => (vec![only], Vec::new()),
        None => (shares.finish(threads, control)?, shares.values()?),
    };
    control.check()?;
    arrange(spec, finished, &values, threads, control)
}

/// Brings all groups together: in the one table that is returned finished, or in the shares.
pub fn combine(
    spec: &Arc<GroupSpec>,
    mut tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<Option<Finished>> {
    tables.retain(|table| !table.is_empty());
    let total: usize = tables.iter().map(GroupTable::len).sum();
    let heavy = tables.iter().map(GroupTable::size).sum::<usize>() > HEAVY;
    let one_thread =
        spec.keys.is_empty() || tables.len() < 2 || total < PARALLEL_FROM && !heavy || threads < 2;
    if one_thread && !shares.is_open() {
        let mut tables = tables.into_iter();
        let mut merged = match tables.next() {
            Some(table) => table,
            None => GroupTable::new(spec.clone())?,
        };
        let rest: Vec<_> = if heavy {
            in_parallel(tables.map(|table| move || table.export()).collect())?
        } else {
            tables.map(GroupTable::export).collect::<Result<_>>()?
        };
        for partial in rest {
            control.check()?;
            merged.merge(&partial, None, &|| control.check())?;
        }
        return Ok(Some(merged.finish()?));
    }
    let count = tables.len().max(1);
    let absorb = |(number, table): (usize, GroupTable)| {
        move || {
            let (by, mut numberer) = shares.split_by(&table)?;
            shares.absorb(table, by, &mut numberer, number * SHARES / count, control)
        }
    };
    in_parallel(tables.into_iter().enumerate().map(absorb).collect())?;
    Ok(None)
}

/// The groups of one table as they lie there; `values` are those of the keys that are numbered.
pub fn batch(spec: &GroupSpec, finished: Finished, values: &[Option<ArrayRef>]) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(finished.keys.len() + finished.values.len());
    for (number, key) in finished.keys.into_iter().enumerate() {
        columns.push(match values.get(number) {
            Some(Some(values)) => take(values, &key, None)?,
            _ => key,
        });
    }
    columns.extend(finished.values);
    let rows = columns.first().map_or(1, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(spec.schema(), columns, &options)?)
}

/// The groups of all tables in order. What is no longer needed is given back as soon as it is copied: at this point
/// everything is there twice.
fn arrange(
    spec: &GroupSpec,
    finished: Vec<Finished>,
    values: &[Option<ArrayRef>],
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    if finished.is_empty() {
        // Rows there were, but no group: their keys were missing.
        return Ok(RecordBatch::new_empty(spec.schema()));
    }
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); spec.keys.len() + spec.aggregates.len()];
    let mut first: Vec<ArrayRef> = Vec::new();
    for table in finished {
        first.extend(table.first.map(|first| Arc::new(first) as ArrayRef));
        for (column, part) in columns.iter_mut().zip(table.keys.into_iter().chain(table.values)) {
            column.push(part);
        }
    }
    let mut columns = columns.into_iter();
    let mut arranged = columns.by_ref().take(spec.keys.len()).map(joined).collect::<Result<Vec<_>>>()?;
    let order = if spec.keys.is_empty() {
        None
    } else if spec.sorted {
        Some(order::by_keys(&arranged, values, threads, control)?)
    } else {
        Some(order::by_keys(&[joined(first)?], &[], threads, control)?)
    };
    let in_order = |column: ArrayRef| -> Result<ArrayRef> {
        control.check()?;
        match &order {
            Some(order) => Ok(take(&column, order, None)?),
            None => Ok(column),
        }
    };
    for (number, column) in arranged.iter_mut().enumerate() {
        let key = in_order(std::mem::replace(column, new_empty_array(&DataType::Null)))?;
        *column = match values.get(number) {
            Some(Some(values)) => take(values, &key, None)?,
            _ => key,
        };
    }
    for column in columns {
        arranged.push(in_order(joined(column)?)?);
    }
    let rows = arranged.first().map_or(1, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(spec.schema(), arranged, &options)?)
}

fn joined(parts: Vec<ArrayRef>) -> Result<ArrayRef> {
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        [] => Ok(Arc::new(Int64Array::from(Vec::<i64>::new()))),
        several => Ok(concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}
