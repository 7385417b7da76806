//! Which rows of a row group cannot meet a condition, by the statistics of its pages: of sorted data most of what the row
//! group's own statistics leave.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use super::prune::{Bound, FileStatistics, Pruned, bounds};
use crate::engine::group::limit;
use crate::error::Result;
use crate::io::location::Place;
use crate::io::source::ParquetSource;
use crate::io::source::pages::page_bounds;
use crate::io::source::parquet::ParquetFile;
use crate::plan::Expr;

/// For (file, row group) the runs of rows that are left, in order; of others all are.
pub type PageRows = HashMap<(usize, usize), Vec<Range<usize>>>;

/// Row groups of fewer rows are decoded faster than their pages are looked at.
const SMALL: usize = limit(8 * 1024, 64);

/// Runs of rows that lie no further apart become one: each is opened for itself.
const GAP: usize = limit(4 * 1024, 32);

/// Of a column that is not sorted all pages are alike. After so many row groups in which no more than one row in
/// `PAYS` was left out, no more are looked at; and none where a bound goes right through every other row group of
/// so many.
const TRIALS: usize = 2;
const PAYS: usize = 4;
const GROUPS: usize = 4;

/// What the conditions leave of row groups that are read in part. Local files only: of a remote one whole chunks are
/// fetched.
pub fn rows(source: &Arc<ParquetSource>, predicates: &[Expr], pruned: &Pruned) -> Result<PageRows> {
    let mut left = PageRows::new();
    let (schema, bounds) = bounds(source, predicates)?;
    for bound in bounds {
        let Some(candidates) = candidates(source, &schema, &bound, pruned) else { continue };
        let Some(predicate) = predicate(&schema, bound.expr) else { continue };
        let Some(column) = source.columns.iter().position(|known| known.field.name == bound.column) else {
            continue;
        };
        let (mut seen, mut dropped) = (0, 0);
        for (trial, (number, group)) in candidates.into_iter().enumerate() {
            if trial >= TRIALS && dropped * PAYS < seen {
                break;
            }
            let rows = source.files[number].footer.row_group(group).num_rows().max(0) as usize;
            seen += rows;
            let Some(kept) = kept(source, number, group, column, &predicate) else { continue };
            dropped += rows - kept.iter().map(ExactSizeIterator::len).sum::<usize>();
            let both = match left.remove(&(number, group)) {
                Some(before) => common(&before, &kept),
                None => kept,
            };
            left.insert((number, group), both);
        }
    }
    left.retain(|(file, group), runs| {
        let rows = source.files[*file].footer.row_group(*group).num_rows().max(0) as usize;
        *runs = joined(std::mem::take(runs));
        runs.as_slice() != std::slice::from_ref(&(0..rows))
    });
    Ok(left)
}

fn predicate(schema: &Arc<Schema>, bound: Arc<dyn PhysicalExpr>) -> Option<Arc<PruningPredicate>> {
    PruningPredicateBuilder::new().with_file_schema(schema.clone()).build(bound)
}

/// (file, row group) that a bound goes through: that has rows on both sides of it, as far as its statistics say. None
/// where it is plain that the column is not sorted.
fn candidates(
    source: &ParquetSource,
    schema: &Arc<Schema>,
    bound: &Bound,
    pruned: &Pruned,
) -> Option<Vec<(usize, usize)>> {
    let contrary = predicate(schema, bound.contrary.clone())?;
    let (mut found, mut groups) = (Vec::new(), 0);
    for (number, file) in source.files.iter().enumerate() {
        if !file.opened || !matches!(file.file.place, Place::Local(_)) || pruned.files.contains(&number) {
            continue;
        }
        let Ok(through) = contrary.prune(&FileStatistics::of_groups(source, file)) else { continue };
        groups += through.len();
        let large = |group: usize| file.footer.row_group(group).num_rows().max(0) as usize >= SMALL;
        let through = through.into_iter().enumerate().filter(|(group, through)| {
            *through && large(*group) && !pruned.row_groups.contains(&(number, *group))
        });
        found.extend(through.map(|(group, _)| (number, group)));
    }
    (groups < GROUPS || found.len() * 2 < groups).then_some(found)
}

/// The rows of the pages that may have some that are kept.
fn kept(
    source: &Arc<ParquetSource>,
    number: usize,
    group: usize,
    column: usize,
    predicate: &PruningPredicate,
) -> Option<Vec<Range<usize>>> {
    let file: &ParquetFile = &source.files[number];
    let (leaf, about) = (file.leaf(column)?, file.footer.row_group(group));
    let Place::Local(path) = &file.file.place else { return None };
    let bytes = file.local(path, &Arc::default()).ok()?;
    let found = page_bounds(&bytes, about.column(leaf), about.num_rows())?;
    let statistics = FileStatistics { source, file, groups: &found.pages, pages: Some(&found) };
    let keep = predicate.prune(&statistics).ok()?;
    let (mut runs, mut row) = (Vec::<Range<usize>>::new(), 0);
    for (page, keep) in found.pages.iter().zip(keep) {
        let end = row + page.num_rows().max(0) as usize;
        match runs.last_mut().filter(|last| last.end == row) {
            _ if !keep || end == row => {}
            Some(last) => last.end = end,
            None => runs.push(row..end),
        }
        row = end;
    }
    Some(runs)
}

/// The rows that are in both.
fn common(one: &[Range<usize>], other: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut both, mut a, mut b) = (Vec::new(), 0, 0);
    while let (Some(x), Some(y)) = (one.get(a), other.get(b)) {
        let shared = x.start.max(y.start)..x.end.min(y.end);
        if !shared.is_empty() {
            both.push(shared);
        }
        if x.end < y.end { a += 1 } else { b += 1 }
    }
    both
}

/// Without small gaps.
fn joined(runs: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut().filter(|last| run.start - last.end < GAP) {
            Some(last) => last.end = run.end,
            None => joined.push(run),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn runs() -> impl Strategy<Value = Vec<Range<usize>>> {
        proptest::collection::vec((0_usize..2 * GAP, 1_usize..2 * GAP), 0..8).prop_map(|steps| {
            let mut at = 0;
            let run = |(gap, rows): (usize, usize)| {
                let start = at + gap;
                at = start + rows;
                start..at
            };
            steps.into_iter().map(run).collect()
        })
    }

    fn rows(runs: &[Range<usize>]) -> HashSet<usize> {
        runs.iter().cloned().flatten().collect()
    }

    proptest! {
        #[test]
        fn what_is_common_is_in_both(one in runs(), other in runs()) {
            let both = common(&one, &other);
            prop_assert!(both.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert_eq!(rows(&both), rows(&one).intersection(&rows(&other)).copied().collect());
        }

        #[test]
        fn joining_leaves_out_no_row_and_no_large_gap(all in runs()) {
            let joined = joined(all.clone());
            prop_assert!(rows(&joined).is_superset(&rows(&all)));
            prop_assert!(joined.windows(2).all(|pair| pair[1].start - pair[0].end >= GAP));
            for pair in all.windows(2) {
                let gap = pair[1].start - pair[0].end;
                let open = joined.iter().all(|run| run.end <= pair[0].end || run.start >= pair[1].start);
                prop_assert_eq!(gap >= GAP, open);
            }
        }
    }
}
