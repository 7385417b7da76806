//! From the threads' tables to one answer: merged in parallel by hash, then put in order.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat, take};

use super::order;
use super::shares::{SHARES, Shares, in_parallel};
use super::table::{Finished, GroupTable};
use super::{GroupSpec, limit};
use crate::engine::control::Control;
use crate::error::Result;

/// Fewer groups than this are merged by one thread.
const PARALLEL_FROM: usize = limit(64 * 1024, 32);

/// Merges tables with the shares and finishes them: the answer's rows in their final order.
pub fn merge(
    spec: &Arc<GroupSpec>,
    tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    let finished = finish(spec, tables, shares, threads, control)?;
    control.check()?;
    arrange(spec, finished, threads, control)
}

fn finish(
    spec: &Arc<GroupSpec>,
    mut tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<Vec<Finished>> {
    tables.retain(|table| !table.is_empty());
    let total: usize = tables.iter().map(GroupTable::len).sum();
    let one_thread = spec.keys.is_empty() || tables.len() < 2 || total < PARALLEL_FROM || threads < 2;
    if one_thread && !shares.is_open() {
        let mut tables = tables.into_iter();
        let mut merged = match tables.next() {
            Some(table) => table,
            None => GroupTable::new(spec.clone())?,
        };
        for table in tables {
            control.check()?;
            merged.merge(&table.export(None)?, None, &|| control.check())?;
        }
        return Ok(vec![merged.finish()?]);
    }
    let count = tables.len().max(1);
    let absorb =
        |(number, table): (usize, GroupTable)| move || shares.absorb(table, number * SHARES / count, control);
    in_parallel(tables.into_iter().enumerate().map(absorb).collect())?;
    shares.finish(threads, control)
}

fn arrange(
    spec: &GroupSpec,
    finished: Vec<Finished>,
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    let joined = |pick: &dyn Fn(&Finished) -> ArrayRef| -> Result<ArrayRef> {
        match finished.as_slice() {
            [only] => Ok(pick(only)),
            several => {
                let arrays: Vec<_> = several.iter().map(pick).collect();
                Ok(concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
            }
        }
    };
    let mut columns = Vec::with_capacity(spec.keys.len() + spec.aggregates.len());
    for key in 0..spec.keys.len() {
        columns.push(joined(&|finished| finished.keys[key].clone())?);
    }
    let order = if spec.keys.is_empty() {
        None
    } else if spec.sorted {
        Some(order::by_keys(&columns, threads, control)?)
    } else {
        let first: ArrayRef = joined(&|finished| {
            Arc::new(finished.first.clone().unwrap_or_else(|| Int64Array::from(Vec::<i64>::new())))
        })?;
        Some(order::by_keys(&[first], threads, control)?)
    };
    for value in 0..spec.aggregates.len() {
        columns.push(joined(&|finished| finished.values[value].clone())?);
    }
    let rows = columns.first().map_or(1, |column| column.len());
    if let Some(order) = order {
        for column in &mut columns {
            control.check()?;
            *column = take(column, &order, None)?;
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(spec.schema(), columns, &options)?)
}
