//! From the threads' tables to one answer: merged in parallel by hash, then put in order.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, take};

use super::GroupSpec;
use super::order;
use super::table::{Finished, GroupTable, Partial};
use crate::engine::control::Control;
use crate::error::{Error, Result};

/// Fewer groups than this are merged by one thread.
const PARALLEL_FROM: usize = 64 * 1024;

/// Merges tables and finishes them: the answer's rows in their final order.
pub fn merge(
    spec: &Arc<GroupSpec>,
    tables: Vec<GroupTable>,
    threads: usize,
    control: &Control,
) -> Result<RecordBatch> {
    let finished = finish(spec, tables, threads, control)?;
    control.check()?;
    arrange(spec, finished, threads)
}

fn finish(
    spec: &Arc<GroupSpec>,
    mut tables: Vec<GroupTable>,
    threads: usize,
    control: &Control,
) -> Result<Vec<Finished>> {
    tables.retain(|table| !table.is_empty());
    if tables.len() < 2 {
        let table = match tables.pop() {
            Some(table) => table,
            None => GroupTable::new(spec.clone())?,
        };
        return Ok(vec![table.finish()?]);
    }
    let total: usize = tables.iter().map(GroupTable::len).sum();
    let shares = if total < PARALLEL_FROM { 1 } else { threads.max(1) };
    if shares == 1 {
        let mut merged = GroupTable::new(spec.clone())?;
        for table in tables {
            control.check()?;
            merged.merge(&table.export()?, None)?;
        }
        return Ok(vec![merged.finish()?]);
    }
    let partials = in_parallel(tables.into_iter().map(|table| || table.export()).collect())?;
    let share_of = |partial: &Partial, share: usize| -> UInt32Array {
        let mine = |hash: u64| ((hash >> 32) as usize * shares) >> 32 == share;
        let rows = partial.hashes.iter().enumerate().filter(|(_, hash)| mine(**hash));
        rows.map(|(row, _)| row as u32).collect()
    };
    let merge_share = |share: usize| -> Result<Finished> {
        let mut merged = GroupTable::new(spec.clone())?;
        for partial in &partials {
            control.check()?;
            merged.merge(partial, Some(&share_of(partial, share)))?;
        }
        merged.finish()
    };
    in_parallel((0..shares).map(|share| move || merge_share(share)).collect())
}

/// Runs each piece of work on a thread of its own.
fn in_parallel<T: Send>(work: Vec<impl FnOnce() -> Result<T> + Send>) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = work.into_iter().map(|work| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(Error::internal("a thread that merged groups panicked")),
        });
        joined.collect()
    })
}

fn arrange(spec: &GroupSpec, finished: Vec<Finished>, threads: usize) -> Result<RecordBatch> {
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
        Some(order::by_keys(&columns, threads)?)
    } else {
        let first: ArrayRef = joined(&|finished| {
            Arc::new(finished.first.clone().unwrap_or_else(|| Int64Array::from(Vec::<i64>::new())))
        })?;
        Some(order::by_keys(&[first], threads)?)
    };
    for value in 0..spec.aggregates.len() {
        columns.push(joined(&|finished| finished.values[value].clone())?);
    }
    let rows = columns.first().map_or(1, |column| column.len());
    if let Some(order) = order {
        for column in &mut columns {
            *column = take(column, &order, None)?;
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(spec.schema(), columns, &options)?)
}
