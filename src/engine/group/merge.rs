//! From the threads' tables to one: merged in parallel by hash.

use std::sync::Arc;

use super::arrange::Arranged;
use super::ascending::{self, Combined};
use super::numbers::Meaning;
use super::shares::{SHARES, Shares, in_parallel};
use super::table::{Finished, GroupTable};
use super::{GroupSpec, limit};
use crate::engine::control::Control;
use crate::error::Result;

/// Fewer groups than this are merged by one thread.
pub(super) const PARALLEL_FROM: usize = limit(64 * 1024, 32);

/// States of more bytes than this are handed over by all threads at once, however few groups they are of.
const HEAVY: usize = limit(16 << 20, 4 << 10);

/// Merges tables with the shares and finishes them: the answer's rows and their order.
pub fn merge(
    spec: &Arc<GroupSpec>,
    tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<Arranged> {
    let tables = match ascending::combine(spec, tables, shares, threads, control)? {
        Combined::InOrder(finished) => {
            let meaning = Meaning::default();
            return Arranged::new(spec.clone(), (finished, true), meaning, threads, control);
        }
        Combined::No(tables) => tables,
    };
    let (finished, meaning) = match combine(spec, tables, shares, threads, control)? {
        Some(only) => (vec![only], Meaning::default()),
        None => (shares.finish(threads, control)?, shares.meaning()?),
    };
    control.check()?;
    Arranged::new(spec.clone(), (finished, false), meaning, threads, control)
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
