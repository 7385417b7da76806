//! Whether rows are known, while tracing, to be in ascending order of their labels, each of which is there once.

use std::sync::Arc;

use super::{Frame, Index};
use crate::plan::Expr;
use crate::plan::node::{Join, JoinKind, JoinSide, Node, ROW};

impl Frame {
    /// Rows of which this is true can be brought together with others by label: the answer is in order of the labels,
    /// whether both have the same ones or not.
    pub fn in_label_order(&self) -> bool {
        let labels: Vec<Expr> = match (&self.index, &*self.domain) {
            (Index::Levels(levels) | Index::Grouped(levels), _) => {
                levels.iter().map(|level| level.expr.clone()).collect()
            }
            // Rows that are numbered from 0.
            (Index::Range, _) => return true,
        };
        is_sorted(&self.domain, &labels) && is_unique(&self.domain, &labels)
    }
}

fn is_column(expr: &Expr, wanted: &str) -> bool {
    matches!(expr, Expr::Column(name, _) if &**name == wanted)
}

/// The labels over what a projection is made of.
fn below(columns: &[(Arc<str>, Expr)], labels: &[Expr]) -> Vec<Expr> {
    let replace =
        |wanted: &str| columns.iter().find(|(name, _)| &**name == wanted).map(|(_, expr)| expr.clone());
    labels.iter().map(|label| label.substitute(&replace)).collect()
}

/// In ascending order of the labels, none of which is missing.
fn is_sorted(node: &Node, labels: &[Expr]) -> bool {
    match node {
        Node::Scan { .. } => matches!(labels, [label] if is_column(label, ROW)),
        Node::RowNumber { input, name } => {
            matches!(labels, [label] if is_column(label, name)) || is_sorted(input, labels)
        }
        Node::Group { input, keys, sorted: true, dropna, .. } => {
            labels.len() == keys.len()
                && labels.iter().zip(keys).all(|(label, (name, _))| is_column(label, name))
                && (*dropna || keys.iter().all(|(_, key)| is_present(input, key)))
        }
        Node::Filter { input, .. }
        | Node::Limit { input, .. }
        | Node::Slice { input, .. }
        | Node::Window { input, .. }
        | Node::Fill { input, .. } => is_sorted(input, labels),
        Node::Project { input, columns } => is_sorted(input, &below(columns, labels)),
        Node::Sort { keys, .. } => {
            labels.len() <= keys.len()
                && labels.iter().zip(keys).all(|(label, key)| key.expr == *label && !key.descending)
        }
        _ => false,
    }
}

/// No two rows have the same labels, and none is missing.
fn is_unique(node: &Node, labels: &[Expr]) -> bool {
    match node {
        Node::Scan { .. } => labels.iter().any(|label| is_column(label, ROW)),
        Node::RowNumber { input, name } => {
            labels.iter().any(|label| is_column(label, name)) || is_unique(input, labels)
        }
        Node::Group { input, keys, dropna, .. } => {
            labels.len() == keys.len()
                && keys.iter().all(|(name, _)| labels.iter().any(|label| is_column(label, name)))
                && (*dropna || keys.iter().all(|(_, key)| is_present(input, key)))
        }
        Node::Filter { input, .. }
        | Node::Limit { input, .. }
        | Node::Slice { input, .. }
        | Node::Sort { input, .. }
        | Node::Window { input, .. }
        | Node::Fill { input, .. } => is_unique(input, labels),
        Node::Project { input, columns } => is_unique(input, &below(columns, labels)),
        Node::Join(join) => is_unique_pair(join, labels),
        _ => false,
    }
}

/// Rows whose key is missing are filtered out right below.
fn is_present(node: &Node, key: &Expr) -> bool {
    match node {
        Node::Filter { input, predicate } => {
            matches!(predicate, Expr::Call { op, args, .. } if &**op == "notna" && args.first() == Some(key))
                || is_present(input, key)
        }
        _ => false,
    }
}

/// Labels that are the keys of two sides, each of which has them once.
fn is_unique_pair(join: &Join, labels: &[Expr]) -> bool {
    let sides = [(JoinSide::Left, &join.left), (JoinSide::Right, &join.right)];
    let keys =
        |side| join.keys.iter().map(move |(left, right)| if side == JoinSide::Left { left } else { right });
    let is_key = |name: &str| {
        join.columns.iter().any(|column| {
            column.from != JoinSide::Which
                && *column.name == *name
                && keys(column.from).any(|key| is_column(key, &column.column))
        })
    };
    let mut known = true;
    for label in labels {
        label.each_column(&mut |name| known &= is_key(name));
    }
    known
        && labels.len() == join.keys.len()
        && matches!(join.kind, JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Outer)
        && sides.iter().all(|(side, node)| is_unique(node, &keys(*side).cloned().collect::<Vec<_>>()))
}
