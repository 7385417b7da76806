//! Groupings of a frame, and whole-column aggregates.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Column, Frame, Index, Kind, Label, other_rows, unique};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::Expr;
use crate::plan::node::{Aggregation, Node, Params};

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
    as_index: bool,
    pub(super) sorted: bool,
    pub(super) dropna: bool,
}

/// One aggregate of a grouping.
#[derive(Debug, Clone)]
pub struct Item {
    pub label: Label,
    /// None for `size`.
    pub input: Option<Frame>,
    pub function: String,
    pub ddof: u32,
    pub min_count: i64,
}

impl Frame {
    pub fn group(&self, keys: Vec<Key>, as_index: bool, sorted: bool, dropna: bool) -> Result<Groups> {
        if keys.is_empty() {
            return Err(not_decomposable("groupby needs at least one key"));
        }
        let levels = match &self.index {
            Index::Range => &[],
            Index::Levels(levels) => levels.as_slice(),
        };
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
                        return Err(not_decomposable("groupby takes labels and columns of the same frame"));
                    }
                    if !self.same_rows(&series) {
                        return Err(other_rows());
                    }
                    series.columns[0].clone()
                }
            };
            if let DType::Opaque(name) = column.expr.dtype() {
                return Err(not_decomposable(format!("columns of type {name} cannot be grouped by"))
                    .hint("Take a part of it that has an order"));
            }
            columns.push(column);
        }
        Ok(Groups { frame: self.clone(), keys: columns, as_index, sorted, dropna })
    }

    /// A whole-column aggregate, as a scalar.
    pub fn reduce(&self, function: &str, ddof: u32, min_count: i64) -> Result<Self> {
        if self.kind != Kind::Series {
            return Err(not_decomposable(format!(
                "`{function}` over a {} is not one number",
                self.described()
            )));
        }
        let expr = self.value()?.clone();
        let params = Params { ddof, min_count, grouped: false };
        self.whole(function, vec![expr], params)
    }

    /// How many rows there are.
    pub fn rows(&self) -> Result<Self> {
        self.whole("size", Vec::new(), Params { grouped: false, ..Params::default() })
    }

    fn whole(&self, function: &str, args: Vec<Expr>, params: Params) -> Result<Self> {
        let dtype = aggregate_dtype(function, &args, &params)?;
        let aggregation = Aggregation {
            name: "value".into(),
            function: function.into(),
            args,
            params,
            dtype: dtype.clone(),
        };
        let node = Node::Group {
            input: self.domain.clone(),
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
        for item in items {
            let args = match &item.input {
                None => Vec::new(),
                Some(input) => {
                    if !self.frame.same_rows(input) {
                        return Err(other_rows());
                    }
                    vec![input.value()?.clone()]
                }
            };
            let params = Params { ddof: item.ddof, min_count: item.min_count, grouped: true };
            let dtype =
                aggregate_dtype(&item.function, &args, &params).map_err(|error| match &item.input {
                    Some(input) => named(error, &input.columns[0].label),
                    None => error,
                })?;
            let name = unique(&mut taken, &item.label.arrow_name("value"));
            columns.push(Column { label: item.label, expr: Expr::Column(name.clone(), dtype.clone()) });
            aggregates.push(Aggregation { name, function: item.function.into(), args, params, dtype });
        }
        let domain = Arc::new(Node::Group {
            input: self.frame.domain.clone(),
            keys,
            aggregates,
            sorted: self.sorted,
            dropna: self.dropna,
        });
        if self.as_index {
            let kind = if series { Kind::Series } else { Kind::Frame };
            return Ok(Frame { domain, index: Index::Levels(key_columns), columns, kind });
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

fn aggregate_dtype(function: &str, args: &[Expr], params: &Params) -> Result<DType> {
    let types: Vec<DType> = args.iter().map(Expr::dtype).collect();
    crate::plan::reduce::find(function)?.infer(&types, params)
}

/// The same error, saying which column it is about.
fn named(error: Error, label: &Label) -> Error {
    let again = Error::new(error.code(), format!("column {label}: {}", error.sentence()))
        .detail("column", label.arrow_name(""));
    match error.advice() {
        Some(advice) => again.hint(advice.to_owned()),
        None => again,
    }
}
