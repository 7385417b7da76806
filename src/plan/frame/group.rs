//! Groupings of a frame, and whole-column aggregates.

use std::collections::HashSet;
use std::sync::Arc;

use super::scope::Scope;
use super::{Column, Frame, Index, Kind, Label, fresh, other_rows, unique};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::Expr;
use crate::plan::node::{Aggregation, Node, Params, ROW, SortKey};

/// The column of what `value_counts` counts.
pub(super) const COUNT: &str = "__count";

/// What to group by.
#[derive(Debug, Clone)]
pub enum Key {
    Label(Label),
    Series(Frame),
}

/// A frame and its keys.
#[derive(Debug, Clone)]
pub struct Groups {
    pub(super) frame: Frame,
    pub(super) keys: Vec<Column>,
    pub(super) as_index: bool,
    pub sorted: bool,
    pub dropna: bool,
    /// Bins of time of this frequency are filled in.
    pub(super) fill: Option<Arc<str>>,
}

/// One aggregate of a grouping.
#[derive(Debug, Clone)]
pub struct Item {
    pub label: Label,
    /// None for `size`, two for `corr` and `cov`.
    pub inputs: Vec<Frame>,
    pub function: String,
    pub params: Params,
}

impl Frame {
    pub fn group(&self, keys: Vec<Key>, as_index: bool, sorted: bool, dropna: bool) -> Result<Groups> {
        if keys.is_empty() {
            return Err(not_decomposable("groupby needs at least one key")
                .hint("Name the columns: `p.groupby('key')`; of all rows together, `p['x'].sum()`"));
        }
        let levels = self.index.levels();
        let mut columns = Vec::with_capacity(keys.len());
        for key in keys {
            let column = match key {
                Key::Label(label) => match self.place(&label) {
                    Ok(place) => self.columns[place].clone(),
                    Err(error) => {
                        match levels.iter().find(|level| level.label == label && label != Label::None) {
                            Some(level) => level.clone(),
                            None => return Err(error),
                        }
                    }
                },
                Key::Series(series) => {
                    if series.kind != Kind::Series {
                        return Err(not_decomposable("groupby takes labels and columns of the same frame")
                            .hint(
                                "Make a column of it first: `p = p.assign(key=...)`, then `p.groupby('key')`",
                            ));
                    }
                    if !self.same_rows(&series) {
                        return Err(other_rows());
                    }
                    series.columns[0].clone()
                }
            };
            let dtype = column.expr.dtype();
            if !dtype.is_simple() {
                return Err(not_decomposable(format!(
                    "column {} of type {dtype} cannot be grouped by, for its values cannot be compared",
                    column.label
                ))
                .hint("Take a part of it that can: `.str[0]`, `.struct.field(...)`, or `explode` it first"));
            }
            columns.push(column);
        }
        Ok(Groups { frame: self.clone(), keys: columns, as_index, sorted, dropna, fill: None })
    }

    /// A whole-column aggregate, of this series and perhaps others, as a scalar.
    pub fn reduce(&self, function: &str, others: &[Frame], params: Params) -> Result<Self> {
        if self.kind != Kind::Series {
            return Err(not_decomposable(format!(
                "`{function}` over a {} is not one number",
                self.described()
            ))
            .hint("Ask one column, `p['x']`, or all of them by a method of the partition"));
        }
        let mut args = vec![self.value()?.clone()];
        for other in others {
            if !self.same_rows(other) {
                return Err(other_rows());
            }
            args.push(other.value()?.clone());
        }
        let params = Params { grouped: false, ..params };
        let (function, domain, label) = self.located(function)?;
        args.extend(label);
        Self::whole(&domain, function, args, params).map_err(|error| self.of_nested(error))
    }

    /// Of an aggregate that finds rows, the core's name for it, the rows with their labels (or positions), and those.
    fn located<'a>(&self, function: &'a str) -> Result<(&'a str, Arc<Node>, Option<Expr>)> {
        let (function, by_label) = match function {
            "argmin" => ("idxmin", false),
            "argmax" => ("idxmax", false),
            "idxmin" | "idxmax" => (function, true),
            _ => return Ok((function, self.domain.clone(), None)),
        };
        if let (Index::Levels(levels) | Index::Grouped(levels), true) = (&self.index, by_label) {
            let [level] = levels.as_slice() else {
                return Err(not_decomposable(format!(
                    "`{function}` over an index of several levels would be a tuple of labels"
                ))
                .hint("Call `reset_index()` first, or sort and take `head(1)`"));
            };
            return Ok((function, self.domain.clone(), Some(level.expr.clone())));
        }
        if matches!(*self.domain, Node::Scan { .. }) {
            return Ok((function, self.domain.clone(), Some(Expr::column(ROW, DType::Int64))));
        }
        let name = fresh("__place", &self.domain);
        let domain = Node::RowNumber { input: self.domain.clone(), name: name.clone() };
        Ok((function, Arc::new(domain), Some(Expr::Column(name, DType::Int64))))
    }

    /// How many rows there are.
    pub fn rows(&self) -> Result<Self> {
        Self::whole(&self.domain, "size", Vec::new(), Params { grouped: false, ..Params::default() })
    }

    fn whole(domain: &Arc<Node>, function: &str, args: Vec<Expr>, params: Params) -> Result<Self> {
        if let Some(scope) = Scope::of(domain)? {
            return scope.aggregate(function, &args, params);
        }
        let dtype = aggregate_dtype(function, &args, &params)?;
        let aggregation = Aggregation {
            name: "value".into(),
            function: function.into(),
            args,
            params,
            dtype: dtype.clone(),
        };
        let node = Node::Group {
            input: domain.clone(),
            keys: Vec::new(),
            aggregates: vec![aggregation],
            sorted: true,
            dropna: true,
        };
        Ok(Self::scalar(Expr::Scalar(Arc::new(node), dtype)))
    }
}

impl Groups {
    pub fn keys(&self) -> Vec<Label> {
        self.keys.iter().map(|key| key.label.clone()).collect()
    }

    /// What is grouped by, as series of the rows.
    pub fn key_columns(&self) -> Vec<Frame> {
        self.keys.iter().map(|key| self.frame.like(vec![key.clone()], Kind::Series)).collect()
    }

    /// One column an item, the keys as index or as leading columns.
    pub fn aggregate(&self, items: Vec<Item>, series: bool) -> Result<Frame> {
        let mut taken = HashSet::new();
        let mut keys = Vec::with_capacity(self.keys.len());
        let mut key_columns = Vec::with_capacity(self.keys.len());
        for (number, key) in self.keys.iter().enumerate() {
            let name = unique(&mut taken, &key.label.arrow_name(&format!("key_{number}")));
            keys.push((name.clone(), key.expr.clone()));
            key_columns.push(Column { label: key.label.clone(), expr: Expr::Column(name, key.expr.dtype()) });
        }
        let mut aggregates = Vec::with_capacity(items.len());
        let mut columns = Vec::with_capacity(items.len());
        let mut rows = self.frame.domain.clone();
        for item in items {
            let mut args = Vec::with_capacity(item.inputs.len() + 1);
            for input in &item.inputs {
                if !self.frame.same_rows(input) {
                    return Err(other_rows());
                }
                args.push(input.value()?.clone());
            }
            let params = item.params;
            let (function, domain, label) = self.frame.located(&item.function)?;
            if let Some(label) = label {
                // The columns of the rows stay what they are; labels are one more.
                rows = domain;
                args.push(label);
            }
            let dtype = aggregate_dtype(function, &args, &params).map_err(|error| match &*item.inputs {
                [input, ..] => named(error, &input.columns[0].label),
                [] => error,
            })?;
            let name = unique(&mut taken, &item.label.arrow_name("value"));
            columns.push(Column { label: item.label, expr: Expr::Column(name.clone(), dtype.clone()) });
            aggregates.push(Aggregation { name, function: function.into(), args, params, dtype });
        }
        let domain = Arc::new(Node::Group {
            input: self.rows_in_order(rows, &aggregates)?,
            keys,
            aggregates,
            sorted: self.sorted,
            dropna: self.dropna,
        });
        let domain = match &self.fill {
            Some(freq) => Arc::new(Node::Fill { input: domain, freq: freq.clone() }),
            None => domain,
        };
        if self.as_index {
            let kind = if series { Kind::Series } else { Kind::Frame };
            return Ok(Frame { domain, index: Index::Grouped(key_columns), columns, kind });
        }
        for key in &key_columns {
            if columns.iter().any(|column| column.label == key.label) {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!("the key {} and an aggregate would have the same name", key.label),
                )
                .hint("Rename one of them, or group with as_index=True"));
            }
        }
        key_columns.extend(columns);
        Ok(Frame { domain, index: Index::Range, columns: key_columns, kind: Kind::Frame })
    }
}

impl Groups {
    /// How often each combination of these columns' values occurs in each group: by group if those are sorted, by
    /// count if `ascending` says how, in order of first appearance else.
    pub fn counts(
        &self,
        columns: &[Frame],
        label: Label,
        dropna: bool,
        ascending: Option<bool>,
    ) -> Result<Frame> {
        let mut parts = self.keys.clone();
        for column in columns {
            if !self.frame.same_rows(column) {
                return Err(other_rows());
            }
            parts.push(Column { label: column.labels().remove(0), expr: column.value()?.clone() });
        }
        let mut input = self.frame.domain.clone();
        for (number, part) in parts.iter().enumerate() {
            let dtype = part.expr.dtype();
            if !dtype.is_simple() {
                return Err(not_decomposable(format!(
                    "column {} of type {dtype} cannot be counted, for its values cannot be compared",
                    part.label
                ))
                .hint("Take a part of it that can, or `explode` it first"));
            }
            let drops = if number < self.keys.len() { self.dropna } else { dropna };
            if drops {
                let predicate = Expr::call("notna", vec![part.expr.clone()])?;
                input = Arc::new(Node::Filter { input, predicate });
            }
        }
        let mut taken = HashSet::new();
        let count = unique(&mut taken, COUNT);
        let mut keys = Vec::with_capacity(parts.len());
        let mut levels = Vec::with_capacity(parts.len());
        for (number, part) in parts.into_iter().enumerate() {
            let name = unique(&mut taken, &part.label.arrow_name(&format!("key_{number}")));
            let expr = Expr::Column(name.clone(), part.expr.dtype());
            levels.push(Column { label: part.label, expr });
            keys.push((name, part.expr));
        }
        let size = Aggregation {
            name: count.clone(),
            function: "size".into(),
            args: Vec::new(),
            params: Params::default(),
            dtype: DType::Int64,
        };
        let grouped = Node::Group { input, keys, aggregates: vec![size], sorted: false, dropna: false };
        let own = if self.sorted { self.keys.len() } else { 0 };
        let key = |expr: &Expr, descending| SortKey { expr: expr.clone(), descending, missing_first: false };
        let counted = Expr::Column(count, DType::Int64);
        let mut order: Vec<SortKey> = levels[..own].iter().map(|level| key(&level.expr, false)).collect();
        order.extend(ascending.map(|ascending| key(&counted, !ascending)));
        let mut domain = Arc::new(grouped);
        if !order.is_empty() {
            domain = Arc::new(Node::Sort { input: domain, keys: order });
        }
        let values = vec![Column { label, expr: counted }];
        Ok(Frame { domain, index: Index::Grouped(levels), columns: values, kind: Kind::Series })
    }
}

fn aggregate_dtype(function: &str, args: &[Expr], params: &Params) -> Result<DType> {
    let types: Vec<DType> = args.iter().map(Expr::dtype).collect();
    crate::plan::reduce::find(function)?.infer(&types, params)
}

/// The same error, saying which column it is about.
pub(super) fn named(error: Error, label: &Label) -> Error {
    let again = Error::new(error.code(), format!("column {label}: {}", error.sentence()))
        .detail("column", label.arrow_name(""));
    match error.advice() {
        Some(advice) => again.hint(advice.to_owned()),
        None => again,
    }
}
