//! How deep and how large a plan may be: it is walked, executed and dropped by functions that call themselves.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Frame, Kind};
use crate::error::{Result, not_decomposable};
use crate::plan::{Expr, Node};

/// Nodes, and values of other rows, that stand on each other; an operation within an expression is half a one.
const DEEPEST: u64 = 1_000;

/// Nodes of a plan, counted once for each way that leads to them.
const LARGEST: u64 = 1_000_000;

/// Of a plan or an expression: half steps on its longest way down, and nodes on all ways together.
#[derive(Clone, Copy, Default)]
struct Extent {
    halves: u64,
    nodes: u64,
}

impl Extent {
    fn beside(self, other: Self) -> Self {
        Self { halves: self.halves.max(other.halves), nodes: self.nodes.saturating_add(other.nodes) }
    }

    fn below(self, halves: u64, nodes: u64) -> Self {
        Self { halves: self.halves + halves, nodes: self.nodes.saturating_add(nodes) }
    }
}

impl Frame {
    /// This frame, unless its plan has grown beyond what a stack and the memory hold. Every frame that a trace makes
    /// comes through here, so the plans below it are no deeper, and can be walked.
    pub fn bounded(self) -> Result<Self> {
        let mut extents = Extents::default();
        let mut whole = extents.node(&self.domain);
        let columns = self.index.levels().iter().chain(&self.columns).map(|column| &column.expr);
        let cells = match &self.kind {
            Kind::Cells(cells) => cells.cells.as_slice(),
            _ => &[],
        };
        for expr in columns.chain(cells.iter().flatten().flatten()) {
            whole = whole.beside(extents.expr(expr));
        }
        if whole.halves > 2 * DEEPEST + 1 {
            return Err(not_decomposable("this plan is deeper than 1,000 steps that need each other's rows")
                .hint("Does a loop make them? Do in one step what it does, or split the operation in two"));
        }
        if whole.nodes > LARGEST {
            return Err(not_decomposable("this plan has grown beyond 1,000,000 steps")
                .hint("Does a loop double it? Aggregate in between, or split the operation in two"));
        }
        Ok(self)
    }
}

/// What is shared is walked once.
#[derive(Default)]
struct Extents(HashMap<*const Node, Extent>);

impl Extents {
    fn node(&mut self, node: &Arc<Node>) -> Extent {
        if let Some(known) = self.0.get(&Arc::as_ptr(node)) {
            return *known;
        }
        let mut extent = Extent::default();
        for input in node.inputs() {
            extent = extent.beside(self.node(input));
        }
        node.each_own_expr(&mut |expr| extent = extent.beside(self.expr(expr)));
        let extent = extent.below(2, 1);
        self.0.insert(Arc::as_ptr(node), extent);
        extent
    }

    fn expr(&mut self, expr: &Expr) -> Extent {
        let mut extent = Extent::default();
        match expr {
            Expr::Column(..) | Expr::Literal(_) => extent,
            Expr::Scalar(node, _) => self.node(node),
            Expr::Table(table) => self.node(&table.node),
            Expr::Call { args, .. } => {
                for arg in args {
                    extent = extent.beside(self.expr(arg));
                }
                extent.below(1, 0)
            }
            Expr::Window(call, _) => {
                for arg in call.exprs() {
                    extent = extent.beside(self.expr(arg));
                }
                extent.below(2, 1)
            }
        }
    }
}
