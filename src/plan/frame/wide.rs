//! Frames that come out wide: their columns are values found while they run; and which values their levels have.

use std::sync::Arc;

use super::group::COUNT;
use super::{Column, Frame, Index, Kind, Label};
use crate::error::{Error, Result};
use crate::plan::wide::{Fill, Wide};
use crate::plan::{Expr, Node};

impl Frame {
    /// One row of scalars.
    pub fn record(labels: Vec<Label>, scalars: &[Frame]) -> Result<Self> {
        let columns = labels.into_iter().zip(scalars).map(|(label, scalar)| {
            if scalar.kind != Kind::Scalar || scalar.is_of_group() {
                return Err(Error::internal("a record of what are no scalars"));
            }
            Ok(Column { label, expr: scalar.value()?.clone() })
        });
        let columns = columns.collect::<Result<_>>()?;
        Ok(Self { domain: Arc::new(Node::Unit), index: Index::Range, columns, kind: Kind::Frame })
    }

    /// This long frame, spread out. Its columns are those that `wide` speaks of.
    pub fn wide(&self, wide: Wide) -> Result<Self> {
        let values = wide.values.len() * if wide.options.fill == Fill::Nothing { 1 } else { 2 };
        let wanted = wide.rows.len() + wide.across.len() + usize::from(wide.options.parts) + values;
        if self.kind != Kind::Frame || self.columns.len() != wanted {
            return Err(Error::internal("a wide table of other columns than it says"));
        }
        Ok(Self { index: Index::Range, kind: Kind::Wide(Box::new(wide)), ..self.clone() })
    }

    /// The grouping that the index is of, if its levels are the keys of one.
    pub fn grouping(&self) -> Option<Grouping> {
        let Index::Grouped(levels) = &self.index else { return None };
        let mut keys: Vec<Expr> = levels.iter().map(|level| level.expr.clone()).collect();
        let mut node = &self.domain;
        loop {
            match &**node {
                Node::Group { aggregates, sorted, dropna, .. }
                    if aggregates.iter().any(|aggregate| &*aggregate.name == COUNT) =>
                {
                    return Some(Grouping { rows: None, direct: false, sorted: *sorted, dropna: *dropna });
                }
                Node::Group { input, keys: known, sorted, dropna, .. } => {
                    let known: &[(Arc<str>, Expr)] = known;
                    let found = keys.iter().map(|key| match key {
                        Expr::Column(name, _) => known.iter().find(|(other, _)| other == name).cloned(),
                        _ => None,
                    });
                    let keys: Vec<(Arc<str>, Expr)> = found.collect::<Option<_>>()?;
                    let direct = Arc::ptr_eq(node, &self.domain)
                        && !self.columns.iter().any(|column| column.expr.has_window());
                    let (rows, labels) = if direct {
                        (with_missing_keys(node), self.columns.clone())
                    } else {
                        let (keys, aggregates) = (keys.clone(), Vec::new());
                        let (input, sorted) = (input.clone(), *sorted);
                        (Node::Group { input, keys, aggregates, sorted, dropna: false }, Vec::new())
                    };
                    let columns = levels.iter().zip(&keys).map(|(level, (name, expr))| Column {
                        label: level.label.clone(),
                        expr: Expr::Column(name.clone(), expr.dtype()),
                    });
                    let rows = Frame {
                        domain: Arc::new(rows),
                        index: Index::Levels(columns.collect()),
                        columns: labels,
                        kind: self.kind.clone(),
                    };
                    return Some(Grouping { rows: Some(rows), direct, sorted: *sorted, dropna: *dropna });
                }
                Node::Project { input, columns } => {
                    let below = |name: &str| {
                        columns.iter().find(|(known, _)| &**known == name).map(|(_, expr)| expr.clone())
                    };
                    keys = keys.iter().map(|key| key.substitute(&below)).collect();
                    node = input;
                }
                Node::Filter { input, .. }
                | Node::Window { input, .. }
                | Node::RowNumber { input, .. }
                | Node::Sort { input, .. }
                | Node::Limit { input, .. }
                | Node::Slice { input, .. }
                | Node::Distinct { input, .. } => node = input,
                _ => return None,
            }
        }
    }
}

/// Where an index comes from.
pub struct Grouping {
    /// If `direct`, the frame's rows and those of missing keys besides; else the levels' rows alone, without columns.
    /// Of what `value_counts` counts nothing.
    pub rows: Option<Frame>,
    pub direct: bool,
    pub sorted: bool,
    pub dropna: bool,
}

fn with_missing_keys(node: &Node) -> Node {
    let mut all = node.clone();
    if let Node::Group { dropna, .. } = &mut all {
        *dropna = false;
    }
    all
}
