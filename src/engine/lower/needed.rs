//! Which files of a source a plan needs, by what its conditions say of the names of their directories.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::pipeline::Pipeline;
use super::{Names, prune, push, trim};
use crate::error::Result;
use crate::io::source::{Source, SourceId, Sources};
use crate::plan::frame::{Cells, Frame, Kind};
use crate::plan::node::ROW;
use crate::plan::window::extract::extract;
use crate::plan::{Expr, Node};

type Columns = Vec<(Arc<str>, Expr)>;

/// The numbers of the files of which some row may matter. `None` where all do: also where the plan shows the numbers of
/// rows, which count those of files that are left out.
pub fn needed(frame: &Frame, sources: &Sources, id: SourceId) -> Option<BTreeSet<usize>> {
    let source = sources.get(id).ok()?;
    let files = source.origins().len();
    let mut search = Search { source, id, left_out: None, numbered: false, seen: HashSet::new() };
    let outputs = match &frame.kind {
        Kind::Cells(cells) => of_cells(cells),
        _ => frame.outputs(),
    };
    search.plan(&frame.domain, outputs).ok()?;
    if search.numbered {
        return None;
    }
    let all = 0..files;
    Some(match search.left_out {
        Some(left_out) => all.filter(|file| !left_out.contains(file)).collect(),
        // It is not read at all.
        None => BTreeSet::new(),
    })
}

fn of_cells(cells: &Cells) -> Columns {
    let present = cells.cells.iter().flatten().flatten().enumerate();
    present.map(|(number, cell)| (format!("cell_{number}").into(), cell.clone())).collect()
}

struct Search<'a> {
    source: &'a Source,
    id: SourceId,
    /// The files that every scan of the source so far leaves out; none before the first scan.
    left_out: Option<HashSet<usize>>,
    /// Whether the number of a row is used.
    numbered: bool,
    /// Plans of expressions that were looked at.
    seen: HashSet<*const Node>,
}

impl Search<'_> {
    /// What a plan reads, in the form in which it is lowered.
    fn plan(&mut self, node: &Arc<Node>, columns: Columns) -> Result<()> {
        let names: Names = columns.iter().map(|(name, _)| name.clone()).collect();
        let node = Arc::new(Node::Project { input: node.clone(), columns });
        let node = push::pushed(&trim::trimmed(&extract(&node)?, &names));
        self.node(&node)?;
        let mut exprs = Vec::new();
        node.each_expr(&mut |expr| exprs.push(expr.clone()));
        exprs.iter().try_for_each(|expr| self.expr(expr))
    }

    fn node(&mut self, node: &Arc<Node>) -> Result<()> {
        if let Some(pipeline) = Pipeline::of(node) {
            self.numbered |= counts(node);
            if pipeline.source == self.id {
                let left_out = prune::files(self.source, &pipeline.predicates)?;
                self.left_out = Some(match self.left_out.take() {
                    Some(before) => before.intersection(&left_out).copied().collect(),
                    None => left_out,
                });
            }
            return Ok(());
        }
        self.numbered |= match &**node {
            Node::Join(join) => join.columns.iter().any(|column| &*column.column == ROW),
            Node::Distinct { subset, .. } => subset.iter().any(|name| &**name == ROW),
            Node::Concat { fields, .. } => fields.iter().any(|field| &*field.name == ROW),
            _ => false,
        };
        node.inputs().into_iter().try_for_each(|input| self.node(input))
    }

    fn expr(&mut self, expr: &Expr) -> Result<()> {
        match expr {
            Expr::Column(name, _) => {
                self.numbered |= &**name == ROW;
                Ok(())
            }
            Expr::Literal(_) => Ok(()),
            Expr::Call { args, .. } => args.iter().try_for_each(|arg| self.expr(arg)),
            Expr::Window(call, _) => call.exprs().try_for_each(|arg| self.expr(arg)),
            Expr::Scalar(node, _) => self.below(node),
            Expr::Table(table) => self.below(&table.node),
        }
    }

    fn below(&mut self, node: &Arc<Node>) -> Result<()> {
        if !self.seen.insert(Arc::as_ptr(node)) {
            return Ok(());
        }
        let fields = node.fields().into_iter();
        let columns = fields.map(|field| (field.name.clone(), Expr::Column(field.name, field.dtype)));
        self.plan(node, columns.collect())
    }
}

/// Whether rows are numbered right above a scan: these are the numbers that they have in the source.
fn counts(node: &Node) -> bool {
    matches!(node, Node::RowNumber { .. }) || node.inputs().into_iter().any(|input| counts(input))
}
