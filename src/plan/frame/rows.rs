//! Which rows, and in what order: filters, sorts, heads, duplicates.

use std::sync::Arc;

use super::{Column, Frame, Index, Kind, Label, other_rows};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::Expr;
use crate::plan::node::{Keep, Node, SortKey};

impl Frame {
    /// The rows where a boolean series is true.
    pub fn filter(&self, mask: &Frame) -> Result<Self> {
        if mask.kind != Kind::Series || mask.columns.len() != 1 {
            return Err(not_decomposable("rows are chosen by a boolean column of the same frame")
                .hint("Compare a column of it: `p[p['x'] > 3]`"));
        }
        let predicate = mask.columns[0].expr.clone();
        if predicate.dtype() != DType::Bool {
            return Err(Error::new(
                Code::SchemaMismatch,
                format!("rows are chosen by a boolean column, and this one is {}", predicate.dtype()),
            )
            .hint("Compare it with something, e.g. p[p[\"x\"] > 0]"));
        }
        if !self.same_rows(mask) {
            return Err(other_rows());
        }
        // The mask is over the same domain, so it travels through the same projection.
        let label = Label::Tuple(vec![Label::str("__mask")]);
        if self.is_simple() {
            let (input, levels, columns) = self.materialised();
            let domain = Arc::new(Node::Filter { input, predicate });
            return Ok(self.over(domain, levels, columns));
        }
        let mut with_mask = self.clone();
        with_mask.columns.push(Column { label, expr: predicate });
        let (input, levels, mut columns) = with_mask.materialised();
        let Some(mask) = columns.pop() else { return Err(Error::internal("a mask went missing")) };
        let domain = Arc::new(Node::Filter { input, predicate: mask.expr });
        Ok(self.over(domain, levels, columns))
    }

    /// Every column, and the index, is a column of the domain as it is.
    fn is_simple(&self) -> bool {
        let levels = self.index.levels();
        levels.iter().chain(&self.columns).all(|column| matches!(column.expr, Expr::Column(..)))
    }

    pub(super) fn over(&self, domain: Arc<Node>, levels: Vec<Column>, columns: Vec<Column>) -> Self {
        Self { domain, index: self.index.with(levels), columns, kind: self.kind.clone() }
    }

    /// Stable. `by` names columns or index levels; a series sorts by its values.
    pub fn sort(&self, by: &[Label], ascending: &[bool], missing_first: bool) -> Result<Self> {
        let (input, levels, columns) = self.materialised();
        let exprs: Vec<Expr> = if self.kind == Kind::Series {
            columns.iter().map(|column| column.expr.clone()).collect()
        } else {
            by.iter().map(|label| self.find(label, &levels, &columns)).collect::<Result<_>>()?
        };
        let mut keys = Vec::with_capacity(exprs.len());
        for (number, expr) in exprs.into_iter().enumerate() {
            let dtype = expr.dtype();
            if !dtype.is_simple() {
                return Err(not_decomposable(format!(
                    "a column of type {dtype} cannot be sorted by, for its values have no order"
                ))
                .hint("Sort by a part of it, or its length: `.str[0]`, `.str.len()`, `.struct.field(...)`"));
            }
            let ascending = ascending.get(number).or(ascending.first()).copied().unwrap_or(true);
            keys.push(SortKey { expr, descending: !ascending, missing_first });
        }
        if keys.is_empty() {
            return Ok(self.clone());
        }
        Ok(self.over(Arc::new(Node::Sort { input, keys }), levels, columns))
    }

    pub fn sort_index(&self, ascending: bool) -> Result<Self> {
        if self.index == Index::Range && ascending {
            return Ok(self.clone());
        }
        let (input, levels, columns) = self.materialised();
        levels.iter().try_for_each(ordered)?;
        let keys = levels
            .iter()
            .map(|level| SortKey { expr: level.expr.clone(), descending: !ascending, missing_first: false })
            .collect();
        Ok(self.over(Arc::new(Node::Sort { input, keys }), levels, columns))
    }

    fn find(&self, label: &Label, levels: &[Column], columns: &[Column]) -> Result<Expr> {
        match self.place(label) {
            Ok(place) => Ok(columns[place].expr.clone()),
            Err(error) => match levels.iter().find(|level| level.label == *label && *label != Label::None) {
                Some(level) => Ok(level.expr.clone()),
                None => Err(error),
            },
        }
    }

    /// The first `n` rows.
    pub fn head(&self, n: usize) -> Self {
        let settled = self.settled();
        let domain = Arc::new(Node::Limit { input: settled.domain.clone(), rows: n });
        Self { domain, ..settled }
    }

    /// Rows from one place to before another, as a Python slice counts them.
    pub fn slice(&self, start: i64, stop: Option<i64>) -> Self {
        if let (0, Some(stop)) = (start, stop)
            && let Ok(rows) = usize::try_from(stop)
        {
            return self.head(rows);
        }
        let (input, levels, columns) = self.materialised();
        self.over(Arc::new(Node::Slice { input, start, stop }), levels, columns)
    }

    /// The rows with the largest or smallest values, in that order, earlier rows first among equals.
    pub fn top(&self, n: usize, by: &[Label], largest: bool) -> Result<Self> {
        let labels = if self.kind == Kind::Series { self.labels() } else { by.to_vec() };
        for label in &labels {
            let dtype = self.columns[self.place(label)?].expr.dtype();
            let ordered = dtype.is_numeric()
                || dtype == DType::Bool
                || dtype.is_temporal()
                || matches!(dtype, DType::Decimal(..));
            if !ordered {
                let name = if largest { "nlargest" } else { "nsmallest" };
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!("{name} needs numbers or times, and column {label} is {dtype}"),
                )
                .hint("Use sort_values(...).head(n)")
                .detail("column", label.arrow_name("")));
            }
        }
        let sorted = self.sort(by, &vec![!largest; labels.len().max(1)], false)?;
        Ok(sorted.head(n))
    }

    /// One row of each set of equal ones, or none of those that are not alone.
    pub fn distinct(&self, subset: Option<&[Label]>, keep: Keep) -> Result<Self> {
        let (input, levels, columns) = self.materialised();
        let places = match subset {
            None => (0..columns.len()).collect(),
            Some(labels) => labels.iter().map(|label| self.place(label)).collect::<Result<Vec<_>>>()?,
        };
        let mut names = Vec::with_capacity(places.len());
        for place in places {
            let column = &columns[place];
            match &column.expr {
                Expr::Column(_, dtype) if !dtype.is_simple() => {
                    return Err(not_decomposable(format!(
                        "column {} of type {dtype} cannot be compared for duplicates",
                        column.label
                    ))
                    .hint("Name the columns to compare: `subset=[...]`"));
                }
                Expr::Column(name, _) => names.push(name.clone()),
                _ => return Err(Error::internal("an expression where a column was made")),
            }
        }
        if names.is_empty() {
            return Ok(self.clone());
        }
        Ok(self.over(Arc::new(Node::Distinct { input, subset: names, keep }), levels, columns))
    }
}

/// Refuses a level of the index whose values have no order.
pub(super) fn ordered(level: &Column) -> Result<()> {
    let dtype = level.expr.dtype();
    if dtype.is_simple() {
        return Ok(());
    }
    Err(not_decomposable(format!(
        "an index of type {dtype} cannot be sorted by, for its values have no order"
    ))
    .hint("Sort by a column: `sort_values(...)`"))
}
