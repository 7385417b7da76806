//! Groups of threads that each met their keys in ascending order: put together run by run, without hashes and without a
//! sort.

use std::sync::Arc;

use super::merge::PARALLEL_FROM;
use super::shares::{Shares, in_parallel};
use super::table::{Finished, GroupTable};
use super::{GroupSpec, limit};
use crate::engine::control::Control;
use crate::error::Result;

/// Runs have to have so many groups on average: where threads met the same keys over and over, hashes are better.
const LONG: usize = limit(1024, 4);

/// Different keys in ascending order.
#[derive(Clone, Copy)]
pub struct Ascending<'a> {
    pub words: &'a [u64],
    pub signed: bool,
}

impl Ascending<'_> {
    /// A key as a number that orders as it does.
    fn ordinal(&self, place: usize) -> Option<u64> {
        self.words.get(place).map(|word| self.of(*word))
    }

    fn of(&self, word: u64) -> u64 {
        if self.signed { word ^ (1 << 63) } else { word }
    }
}

/// Groups of one table that lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    table: usize,
    from: usize,
    to: usize,
}

pub enum Combined {
    /// Tables one after the other in the order of their keys.
    InOrder(Vec<Finished>),
    /// They have to be brought together in another way.
    No(Vec<GroupTable>),
}

/// Brings the threads' groups together if all of them are in ascending order.
pub fn combine(
    spec: &Arc<GroupSpec>,
    mut tables: Vec<GroupTable>,
    shares: &Shares,
    threads: usize,
    control: &Control,
) -> Result<Combined> {
    tables.retain(|table| !table.is_empty());
    let total: usize = tables.iter().map(GroupTable::len).sum();
    if shares.is_open() || total < PARALLEL_FROM {
        return Ok(Combined::No(tables));
    }
    let Some(keys) = tables.iter().map(GroupTable::ascending).collect::<Option<Vec<_>>>() else {
        return Ok(Combined::No(tables));
    };
    let Some(runs) = runs(&keys, total / LONG) else { return Ok(Combined::No(tables)) };
    let parts = parts(runs, &keys, total.div_ceil(threads.max(1)));
    if tables.len() <= 1 {
        let finished = tables.into_iter().map(GroupTable::finish).collect::<Result<_>>()?;
        return Ok(Combined::InOrder(finished));
    }
    let partials = in_parallel(tables.into_iter().map(|table| move || table.export()).collect())?;
    let finish = |part: Vec<Run>| {
        let partials = &partials;
        move || {
            let mut table = GroupTable::new(spec.clone())?;
            for run in part {
                control.check()?;
                let groups = partials[run.table].slice(run.from, run.to - run.from);
                table.merge(&groups, None, &|| control.check())?;
            }
            table.finish()
        }
    };
    Ok(Combined::InOrder(in_parallel(parts.into_iter().map(finish).collect())?))
}

/// All groups in the order of their keys, in runs; none where these are more than so many.
fn runs(keys: &[Ascending<'_>], most: usize) -> Option<Vec<Run>> {
    let mut heads = vec![0; keys.len()];
    let mut runs = Vec::new();
    loop {
        let ahead = |except: Option<usize>, heads: &[usize]| {
            let others = keys.iter().enumerate().filter(|(table, _)| Some(*table) != except);
            others.filter_map(|(table, keys)| Some((keys.ordinal(heads[table])?, table))).min()
        };
        let Some((first, table)) = ahead(None, &heads) else { return Some(runs) };
        let from = heads[table];
        let own = keys[table];
        let to = match ahead(Some(table), &heads) {
            None => own.words.len(),
            // The same key is in another table as well.
            Some((other, _)) if other == first => from + 1,
            Some((other, _)) => from + own.words[from..].partition_point(|word| own.of(*word) < other),
        };
        runs.push(Run { table, from, to });
        heads[table] = to;
        if runs.len() > most.max(keys.len()) {
            return None;
        }
    }
}

/// Runs in parts of about so many groups, none of which has a key of another.
fn parts(runs: Vec<Run>, keys: &[Ascending<'_>], size: usize) -> Vec<Vec<Run>> {
    let mut parts: Vec<Vec<Run>> = Vec::new();
    let mut rows = 0;
    for run in runs {
        let first = keys[run.table].ordinal(run.from);
        let follows = parts
            .last()
            .and_then(|part| part.last())
            .is_some_and(|last: &Run| keys[last.table].ordinal(last.to - 1) == first);
        if parts.is_empty() || rows >= size && !follows {
            parts.push(Vec::new());
            rows = 0;
        }
        rows += run.to - run.from;
        if let Some(part) = parts.last_mut() {
            part.push(run);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every group is in one run, runs are in the order of the keys, and parts have no key in common.
        #[test]
        fn runs_are_in_order(tables in prop::collection::vec(prop::collection::btree_set(-40i64..40, 0..30), 1..4), size in 1usize..40) {
            let words: Vec<Vec<u64>> = tables.iter().map(|keys| keys.iter().map(|key| *key as u64).collect()).collect();
            let keys: Vec<_> = words.iter().map(|words| Ascending { words, signed: true }).collect();
            let found = runs(&keys, 1000).unwrap();
            let of = |run: &Run| words[run.table][run.from..run.to].iter().map(|word| *word as i64).collect::<Vec<_>>();
            let all: Vec<i64> = found.iter().flat_map(of).collect();
            let mut expected: Vec<i64> = tables.iter().flatten().copied().collect();
            expected.sort_unstable();
            prop_assert_eq!(&all, &expected);
            let parts = parts(found.clone(), &keys, size);
            prop_assert_eq!(parts.concat(), found);
            let mut seen = BTreeSet::new();
            for part in parts {
                let own: BTreeSet<i64> = part.iter().flat_map(of).collect();
                prop_assert!(seen.is_disjoint(&own));
                seen.extend(own);
            }
        }
    }
}
