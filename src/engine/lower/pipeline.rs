//! Filters and projections right above a scan, folded into it.

use std::collections::HashMap;
use std::sync::Arc;

use super::prune::Pruned;
use super::{Lowering, Names, POSITION, Plan, columns_of, prune, push, schema_of, virtual_column};
use crate::engine::control::ScanFacts;
use crate::engine::key_ranges::KeyColumn;
use crate::engine::predicate::{Early, Predicate};
use crate::engine::scan::{Scan, morsels_of_rows};
use crate::engine::scan_cost::Cost;
use crate::engine::scan_exec::ScanExec;
use crate::engine::stages::Stages;
use crate::error::Result;
use crate::io::source::{Source, SourceId};
use crate::plan::eval::Program;
use crate::plan::node::ROW;
use crate::plan::{DType, Expr, Node};

/// A scan with everything row-wise above it: predicates and outputs are over the scan's own columns.
pub struct Pipeline {
    pub source: SourceId,
    pub predicates: Vec<Expr>,
    /// In the order of the node's fields, with [`POSITION`] last.
    outputs: Vec<(Arc<str>, Expr)>,
}

impl Pipeline {
    pub fn of(node: &Node) -> Option<Self> {
        match node {
            Node::Scan { source, fields } => {
                let column = |name: &Arc<str>, dtype: &DType| {
                    (name.clone(), Expr::Column(name.clone(), dtype.clone()))
                };
                let mut outputs: Vec<_> =
                    fields.iter().map(|field| column(&field.name, &field.dtype)).collect();
                outputs.push(column(&ROW.into(), &DType::Int64));
                outputs.push((POSITION.into(), Expr::column(ROW, DType::Int64)));
                Some(Self { source: *source, predicates: Vec::new(), outputs })
            }
            Node::Project { input, columns } => {
                let below = Self::of(input)?;
                let replace = below.replacement();
                let mut outputs: Vec<_> =
                    columns.iter().map(|(name, expr)| (name.clone(), expr.substitute(&replace))).collect();
                outputs.push((POSITION.into(), Expr::column(ROW, DType::Int64)));
                drop(replace);
                Some(Self { outputs, ..below })
            }
            Node::Filter { input, predicate } => {
                let mut below = Self::of(input)?;
                let predicate = predicate.substitute(&below.replacement());
                below.predicates.push(predicate);
                Some(below)
            }
            Node::RowNumber { input, name } => {
                let mut below = Self::of(input)?;
                if !below.predicates.is_empty() {
                    return None;
                }
                below
                    .outputs
                    .insert(below.outputs.len() - 1, (name.clone(), Expr::column(ROW, DType::Int64)));
                Some(below)
            }
            _ => None,
        }
    }

    /// An expression over the node as one over the scan.
    pub fn over_scan(&self, expr: &Expr) -> Expr {
        expr.substitute(&self.replacement())
    }

    fn replacement(&self) -> impl Fn(&str) -> Option<Expr> {
        let outputs: HashMap<Arc<str>, Expr> = self.outputs.iter().cloned().collect();
        move |name| outputs.get(name).cloned()
    }
}

impl Lowering {
    /// A scan of the columns that these expressions (over the scan) and the pipeline's predicates read.
    pub(super) fn open_scan(
        &self,
        pipeline: &Pipeline,
        exprs: &[&Expr],
        dictionaries: &[Arc<str>],
    ) -> Result<(Arc<Scan>, Option<Predicate>)> {
        let source = self.sources.get(pipeline.source)?.clone();
        let names = columns_of(exprs.iter().copied().chain(&pipeline.predicates));
        let positions_of = |names: &mut dyn Iterator<Item = &Arc<str>>| -> Vec<usize> {
            let columns = source.columns();
            names.filter_map(|name| columns.iter().position(|column| column.field.name == *name)).collect()
        };
        let columns = positions_of(&mut names.iter());
        let dictionaries = positions_of(&mut dictionaries.iter());
        let pruned = prune::prune(&source, &pipeline.predicates)?;
        let runs = |file, group| pruned.rows.get(&(file, group)).map(Vec::as_slice);
        let morsels = morsels_of_rows(&source, |file, group| pruned.keeps(file, group), runs, self.threads);
        let row_numbers = names.iter().any(|name| virtual_column(name));
        let read = columns_of(&pipeline.predicates);
        // Rows are numbered as they are decoded, and what fails has to fail by itself.
        let early = !row_numbers && read.len() < names.len() && pipeline.predicates.iter().all(push::is_safe);
        let early = match early {
            true => Early::new(&pipeline.predicates, &source, positions_of(&mut read.iter()))?.map(Arc::new),
            false => None,
        };
        let mut conditions = Vec::new();
        pipeline.predicates.iter().for_each(|predicate| push::split(predicate, &mut conditions));
        let stages = match conditions.iter().all(push::is_safe) {
            true => Stages::new(&conditions, columns_of_one, &source, &columns)?.map(Arc::new),
            false => None,
        };
        let computed = columns_of(exprs.iter().copied());
        let only_asked = match stages {
            Some(_) => positions_of(&mut read.difference(&computed)),
            None => Vec::new(),
        };
        let limit = usize::try_from(self.control.memory.limit()).unwrap_or(usize::MAX);
        let cost = Cost::of(&source, &columns);
        let scan = Arc::new(Scan {
            chunk_rows: cost.chunk_rows(self.chunk_rows, limit, self.threads),
            cost,
            keys: KeyColumn::all(&source, conditions.iter()),
            row_numbers,
            early,
            stages,
            only_asked,
            columns,
            dictionaries,
            morsels,
            texts_as_they_are: false,
            control: self.control.clone(),
            io: self.io.clone(),
            source,
        });
        self.control.accept(scan.chunks());
        self.control.scan(facts(&scan, &pruned, &pipeline.predicates));
        let predicate = Predicate::new(&pipeline.predicates, &scan.schema())?;
        Ok((scan, predicate))
    }

    pub(super) fn scan(&self, pipeline: &Pipeline, needed: &Names) -> Result<Plan> {
        let outputs: Vec<_> =
            pipeline.outputs.iter().filter(|(name, _)| needed.contains(name)).cloned().collect();
        let exprs: Vec<&Expr> = outputs.iter().map(|(_, expr)| expr).collect();
        let (scan, predicate) = self.open_scan(pipeline, &exprs, &[])?;
        let input = scan.schema();
        let schema = schema_of(&outputs, &input)?;
        let programs = exprs.iter().map(|expr| Program::new(expr, &input)).collect::<Result<Vec<_>>>()?;
        let shown: Vec<_> = outputs
            .iter()
            .map(|(name, expr)| match expr {
                Expr::Column(column, _) if column == name => name.to_string(),
                _ => format!("{name} = {expr}"),
            })
            .collect();
        let filtered = match pipeline.predicates.as_slice() {
            [] => String::new(),
            predicates => format!(", keep {}", shown_predicates(predicates)),
        };
        let display = format!("{}: {}{filtered}", scan.source.describe(), shown.join(", "));
        Ok(Arc::new(ScanExec::new(scan, predicate, programs, schema, self.threads, display)))
    }
}

fn columns_of_one(expr: &Expr) -> Names {
    columns_of([expr])
}

fn shown_predicates(predicates: &[Expr]) -> String {
    predicates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn facts(scan: &Scan, pruned: &Pruned, predicates: &[Expr]) -> ScanFacts {
    let columns = scan.source.columns();
    let unopened = match &scan.source {
        Source::Parquet(source) => source.files.iter().filter(|file| !file.opened).count(),
        Source::Files(_) | Source::Memory(_) => 0,
    };
    let (files, row_groups, unread) = match &scan.source {
        Source::Parquet(source) => {
            let groups = source.files.iter().map(|file| file.footer.num_row_groups()).sum();
            let unread = pruned.files.iter().map(|file| source.files[*file].footer.num_row_groups()).sum();
            (source.files.len(), groups, unread)
        }
        Source::Files(source) => {
            let parts = source.files.iter().map(|file| file.parts().len()).sum();
            let unread = pruned.files.iter().map(|file| source.files[*file].parts().len()).sum();
            (source.files.len(), parts, unread)
        }
        Source::Memory(source) => (0, source.batches.len(), 0),
    };
    ScanFacts {
        source: scan.source.describe(),
        files,
        files_pruned: pruned.files.len(),
        files_unopened: unopened,
        row_groups,
        row_groups_unopened: unread,
        row_groups_pruned: pruned.row_groups.len(),
        columns_read: scan.columns.iter().map(|column| columns[*column].field.name.to_string()).collect(),
        columns_total: columns.len(),
        predicate: (!predicates.is_empty()).then(|| shown_predicates(predicates)),
        chunk_rows: scan.chunk_rows,
        chunks: scan.chunks(),
        rows: scan.rows(),
    }
}
