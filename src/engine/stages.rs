//! Conditions met one after the other, each over the rows that the ones before it left: those that leave out most rows for
//! what they cost come first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{Field, Schema};

use crate::error::Result;
use crate::io::source::Source;
use crate::plan::Expr;
use crate::plan::eval::Program;
use crate::plan::lookup::{Found, is_key_filter};

/// What is thought of a condition before it has met rows: as if it had kept one half of so many.
const GUESSED: usize = 64;

/// The conditions of a scan.
pub struct Stages(Vec<Stage>);

/// One condition, or several of the same columns.
pub struct Stage {
    /// Places among the scan's columns.
    pub columns: Vec<usize>,
    program: Program,
    /// What is known of another side's keys, if that is what is asked for.
    keys: Option<Found>,
    seen: AtomicUsize,
    kept: AtomicUsize,
}

impl Stages {
    /// Conditions that cannot fail, of a scan of these columns. None where one asks for what is no column.
    pub fn new(
        conditions: &[Expr],
        columns_of: fn(&Expr) -> BTreeSet<Arc<str>>,
        source: &Source,
        columns: &[usize],
    ) -> Result<Option<Self>> {
        let mut stages: Vec<(Vec<usize>, bool, Expr)> = Vec::new();
        for condition in conditions {
            let names = columns_of(condition);
            let asked = |place: &usize| names.contains(&source.columns()[columns[*place]].field.name);
            let places: Vec<usize> = (0..columns.len()).filter(asked).collect();
            if places.len() != names.len() {
                return Ok(None);
            }
            let keys = is_key_filter(condition);
            match stages.iter_mut().find(|(of, asked, _)| *of == places && !*asked && !keys) {
                Some((_, _, all)) => *all = Expr::call("and", vec![all.clone(), condition.clone()])?,
                None => stages.push((places, keys, condition.clone())),
            }
        }
        let stages = stages.into_iter().map(|(places, _, condition)| -> Result<Stage> {
            let fields: Vec<_> = places
                .iter()
                .map(|place| &source.columns()[columns[*place]])
                .map(|column| Field::new(&*column.field.name, column.arrow.clone(), true))
                .collect();
            let program = Program::new(&condition, &Schema::new(fields))?;
            let keys = match &condition {
                Expr::Call { args, .. } if is_key_filter(&condition) => {
                    args.iter().find_map(|arg| match arg {
                        Expr::Table(table) => Some(table.found.clone()),
                        _ => None,
                    })
                }
                _ => None,
            };
            let (seen, kept) = (AtomicUsize::new(GUESSED), AtomicUsize::new(GUESSED / 2));
            Ok(Stage { columns: places, program, keys, seen, kept })
        });
        let stages = stages.collect::<Result<Vec<_>>>()?;
        Ok((!stages.is_empty()).then_some(Self(stages)))
    }

    pub fn each(&self) -> impl Iterator<Item = &Stage> {
        self.0.iter()
    }

    /// Those that have something to ask for, with their numbers, in the order that is best by what is known so far.
    pub fn in_order(&self, costs: &[f32]) -> Vec<(usize, &Stage)> {
        let worth = |(number, stage): &(usize, &Stage)| {
            let seen = stage.seen.load(Ordering::Relaxed) as f32;
            let kept = stage.kept.load(Ordering::Relaxed) as f32;
            (1.0 - kept / seen) / costs.get(*number).copied().unwrap_or(1.0)
        };
        let mut stages: Vec<_> = self.0.iter().enumerate().filter(|(_, stage)| stage.is_known()).collect();
        stages.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        stages
    }
}

impl Stage {
    /// Whether it can be asked yet: what the keys of another side are may become known while the run goes on.
    fn is_known(&self) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.0.as_ref().is_some_and(|keys| keys.range().is_some()))
    }

    /// Which rows meet it.
    pub fn mask(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
        let mask = self.program.eval_columns(columns, rows)?;
        let mask = mask.as_boolean();
        Ok(match mask.null_count() {
            0 => mask.values().clone(),
            _ => prep_null_mask_filter(mask).values().clone(),
        })
    }

    /// Takes note of how many rows it kept of how many.
    pub fn note(&self, seen: usize, kept: usize) {
        self.seen.fetch_add(seen, Ordering::Relaxed);
        self.kept.fetch_add(kept, Ordering::Relaxed);
    }
}
