//! Filters by `isin(column of another table)` as joins, where the rows that ask are fewer than the values they ask for.
//!
//! A look-up collects all values of the other table first. A join may begin with the side that has fewer rows, lets the
//! other one's scan leave out what has no partner, and spills.

use std::sync::Arc;

use super::push::{and, split};
use super::sideways::FEW;
use super::{Grouping, Lowering};
use crate::engine::common::{Question, Swap};
use crate::error::Result;
use crate::plan::lookup::{LOOKUP, Table};
use crate::plan::node::{Join, JoinColumn, JoinKind, JoinSide, ROW};
use crate::plan::{DType, Expr, Node};

/// Rows are kept if their key is one of the table's, or if it is none of them.
struct Asked<'a> {
    key: &'a Expr,
    table: &'a Table,
    kind: JoinKind,
}

impl<'a> Asked<'a> {
    fn of(conjunct: &'a Expr) -> Option<Self> {
        let Expr::Call { op, args, .. } = conjunct else { return None };
        match (&**op, args.as_slice()) {
            ("not", [inner]) => {
                let asked = Self::of(inner)?;
                let kind = if asked.kind == JoinKind::Semi { JoinKind::Anti } else { JoinKind::Semi };
                Some(Self { kind, ..asked })
            }
            (LOOKUP, [key, Expr::Table(table)]) if table.contains && table.found.0.is_none() => {
                let own = !key.has_window() && !key.is_constant();
                own.then_some(Self { key, table, kind: JoinKind::Semi })
            }
            _ => None,
        }
    }

    /// A missing key is one of the table's if that has a missing one: so it is in both.
    fn joined(&self, left: Arc<Node>) -> Option<Node> {
        let right = self.table.node.clone();
        let key = right.fields().into_iter().next()?;
        let mut fields: Vec<_> = left.fields().into_iter().map(|field| (field.name, field.dtype)).collect();
        // Offered by a scan beside its fields. Where nobody reads it, it is left out with other columns.
        if fields.iter().all(|(name, _)| **name != *ROW) {
            fields.push((ROW.into(), DType::Int64));
        }
        let columns = fields.into_iter().map(|(name, dtype)| JoinColumn {
            name: name.clone(),
            from: JoinSide::Left,
            column: name,
            dtype,
        });
        Some(Node::Join(Box::new(Join {
            left,
            right,
            kind: self.kind,
            keys: vec![(self.key.clone(), Expr::Column(key.name, key.dtype))],
            columns: columns.collect(),
            unique: (false, false),
        })))
    }
}

impl Lowering {
    /// The same question with such filters as joins.
    pub fn with_semi_joins(&self, question: &Question) -> Result<Question> {
        let rewrite = |node: &Arc<Node>| Ok(self.semi(node));
        question.rewritten(&mut Swap::new(&rewrite))
    }

    fn semi(&self, node: &Arc<Node>) -> Option<Arc<Node>> {
        let Node::Filter { input, predicate } = &**node else { return None };
        let mut conjuncts = Vec::new();
        split(predicate, &mut conjuncts);
        let (asking, rest): (Vec<_>, Vec<_>) =
            conjuncts.iter().partition(|conjunct| Asked::of(conjunct).is_some());
        if asking.is_empty() {
            return None;
        }
        let kept =
            |input: &Arc<Node>, conditions: Vec<&Expr>| match conditions.into_iter().cloned().reduce(and) {
                Some(predicate) => Arc::new(Node::Filter { input: input.clone(), predicate }),
                None => input.clone(),
            };
        let rows = self.rows(&kept(input, rest.clone()));
        let worth = |conjunct: &&Expr| {
            Asked::of(conjunct).is_some_and(|asked| {
                let values = self.rows(&asked.table.node);
                self.grouping == Grouping::DataFusion || values >= FEW && rows < values
            })
        };
        let (joined, looked_up): (Vec<_>, Vec<_>) = asking.into_iter().partition(worth);
        if joined.is_empty() {
            return None;
        }
        let mut left = kept(input, rest.into_iter().chain(looked_up).collect());
        for conjunct in joined {
            left = Arc::new(Asked::of(conjunct)?.joined(left)?);
        }
        Some(left)
    }
}
