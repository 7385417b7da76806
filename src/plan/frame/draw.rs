//! Rows chosen by their places among all of them, or among those of their group: samples, and lists of places.

use std::sync::Arc;

use super::scope::Scope;
use super::{Column, Frame, Label, fresh, other_rows};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::draw::Draw;
use crate::plan::expr::Expr;
use crate::plan::node::{DRAWN, GROUP, Join, JoinColumn, JoinKind, JoinSide, Node, PLACE, SortKey};

/// The column of how many rows a group has.
const COUNT: &str = "count";

impl Frame {
    /// The chosen rows in their order, with their labels. How many there are is counted first; then only the rows that
    /// were chosen are kept. A draw by weights holds these.
    pub fn draw(&self, draw: Draw, weights: Option<&Frame>) -> Result<Self> {
        if Scope::of(&self.domain)?.is_some() {
            return Err(not_decomposable("a function of a group chooses rows of the group by their places")
                .hint("Choose rows before the groupby, or of each group: `p.groupby('k').sample(n=1)`"));
        }
        if let Some(weights) = weights {
            return self.draw_weighted(draw, weights);
        }
        let Expr::Scalar(input, _) = self.rows()?.value()?.clone() else {
            return Err(Error::internal("rows that are not counted"));
        };
        let Some(counts) = input.fields().into_iter().next() else {
            return Err(Error::internal("a number of rows without a name"));
        };
        self.drawn(Node::Draw { input, counts: counts.name, draw }, &[])
    }

    /// As [`Frame::draw`], of rows with a weight each.
    fn draw_weighted(&self, draw: Draw, weights: &Frame) -> Result<Self> {
        if !self.same_rows(weights) {
            return Err(other_rows());
        }
        let Draw::Sample { size, replace, seed } = draw else {
            return Err(Error::internal("weights for rows that are not drawn"));
        };
        let columns = vec![(Arc::from(COUNT), weights.value()?.clone())];
        let input = Arc::new(Node::Project { input: self.domain.clone(), columns });
        self.drawn(
            Node::Draw { input, counts: COUNT.into(), draw: Draw::Weighted { size, replace, seed } },
            &[],
        )
    }

    /// As [`Frame::draw`], of one group after the other: how many rows each has, and of each row the number of its group
    /// and its place there.
    pub fn draw_of_groups(&self, draw: Draw, sizes: &Frame, group: &Frame, place: &Frame) -> Result<Self> {
        if !self.same_rows(group) || !self.same_rows(place) {
            return Err(other_rows());
        }
        let columns = vec![(Arc::from(COUNT), sizes.value()?.clone())];
        let input = Arc::new(Node::Project { input: sizes.domain.clone(), columns });
        let draw = Node::Draw { input, counts: COUNT.into(), draw };
        self.drawn(draw, &[group.value()?.clone(), place.value()?.clone()])
    }

    /// The rows that a draw names: by their numbers, or by the group and the place there.
    fn drawn(&self, draw: Node, at: &[Expr]) -> Result<Self> {
        let (base, levels) = self.labelled();
        let mut located = self.clone();
        let label = |number| Label::Tuple(vec![Label::str("__at"), Label::Int(number)]);
        located.columns.extend(
            at.iter().zip(0..).map(|(expr, number)| Column { label: label(number), expr: expr.clone() }),
        );
        let (mut left, levels, mut columns) = located.projected(base, &levels);
        let mut keys: Vec<Expr> =
            columns.split_off(self.columns.len()).into_iter().map(|column| column.expr).collect();
        let names = if at.is_empty() { &[DRAWN][..] } else { &[GROUP, DRAWN][..] };
        if at.is_empty() {
            let name = fresh("__at", &left);
            keys.push(Expr::Column(name.clone(), DType::Int64));
            left = Arc::new(Node::RowNumber { input: left, name });
        }
        let place = fresh(PLACE, &left);
        let kept = levels.iter().chain(&columns).filter_map(|column| match &column.expr {
            Expr::Column(name, dtype) => Some((name.clone(), JoinSide::Left, name.clone(), dtype.clone())),
            _ => None,
        });
        let place_of = (place.clone(), JoinSide::Right, Arc::from(PLACE), DType::Int64);
        let kept = kept.chain([place_of]);
        let join = Join {
            right: Arc::new(draw),
            kind: JoinKind::Inner,
            keys: keys.into_iter().zip(names.iter().map(|name| Expr::column(*name, DType::Int64))).collect(),
            columns: kept
                .map(|(name, from, column, dtype)| JoinColumn { name, from, column, dtype })
                .collect(),
            unique: (false, false),
            left,
        };
        let expr = Expr::Column(place, DType::Int64);
        let keys = vec![SortKey { expr, descending: false, missing_first: false }];
        let domain = Arc::new(Node::Sort { input: Arc::new(Node::Join(Box::new(join))), keys });
        Ok(self.over(domain, levels, columns))
    }
}
