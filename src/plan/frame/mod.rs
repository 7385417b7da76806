//! Symbolic frames: what a trace passes around, with pandas' labels, index and row identity.

mod bins;
mod cells;
mod concat;
mod depth;
mod draw;
mod dummies;
mod explode;
mod group;
mod group_choice;
mod label_order;
mod levels;
mod merge;
mod reshape;
mod rows;
mod scope;
mod wide;
mod window;

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dtype::DType;
use super::dummies::Dummies;
use super::expr::{Expr, Literal};
use super::label::Label;
use super::node::{Node, ROW};
use super::wide::Wide;
use crate::error::{Code, Error, Result, not_decomposable};

pub use group::{Groups, Item, Key};
pub use merge::Merge;
pub use wide::Grouping;
pub use window::Told;

/// Larger expressions are refused: they come of loops that double an expression in every turn.
const LARGEST_EXPR: usize = 20_000;

/// Expressions nested deeper are refused: whoever looks at them needs a stack as deep.
const DEEPEST_EXPR: usize = 1_000;

/// An immutable frame, series or scalar over the rows of a node.
///
/// Row-wise operations change only the expressions; the rows are those of `domain` until a filter, sort,
/// grouping or the like makes a new one. Two series belong to the same rows if they share their domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    pub domain: Arc<Node>,
    pub index: Index,
    pub columns: Vec<Column>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    Frame,
    Series,
    Scalar,
    Cells(Cells),
    /// A long table that comes out wide.
    Wide(Box<Wide>),
    /// Some columns come out as flags, one for each of their values.
    Dummies(Box<Dummies>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub label: Label,
    pub expr: Expr,
}

/// Row labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Index {
    /// 0, 1, 2, ... over the domain's rows as they stand.
    Range,
    Levels(Vec<Column>),
    /// Those that a grouping by them made: pandas remembers which values its levels had, whatever becomes of the rows.
    Grouped(Vec<Column>),
}

impl Index {
    /// These levels in the place of its own.
    fn with(&self, levels: Vec<Column>) -> Self {
        match self {
            Index::Grouped(_) => Index::Grouped(levels),
            _ => Index::Levels(levels),
        }
    }

    fn levels(&self) -> &[Column] {
        match self {
            Index::Range => &[],
            Index::Levels(levels) | Index::Grouped(levels) => levels,
        }
    }
}

/// A small table of scalars, e.g. of `p.agg(["sum", "mean"])`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cells {
    pub index: Vec<Label>,
    /// None for a series.
    pub columns: Option<Vec<Label>>,
    pub name: Label,
    /// Rows of scalars; None is missing.
    pub cells: Vec<Vec<Option<Expr>>>,
}

/// An argument of a row-wise operator.
#[derive(Debug, Clone)]
pub enum Arg {
    Frame(Frame),
    Literal(Literal),
}

impl Frame {
    /// A whole source.
    pub fn scan(node: Node) -> Self {
        let columns = node.fields().into_iter().map(|field| Column {
            label: Label::str(&*field.name),
            expr: Expr::Column(field.name, field.dtype),
        });
        Self { columns: columns.collect(), domain: Arc::new(node), index: Index::Range, kind: Kind::Frame }
    }

    /// A whole source whose rows are labelled by `start`, `start + step`, ...
    pub fn counted(mut self, (name, start, step): (Option<String>, i64, i64)) -> Result<Self> {
        let row = Expr::column(ROW, DType::Int64);
        let steps = Expr::call("mul", vec![row, Expr::Literal(Literal::Int(step))])?;
        let expr = Expr::call("add", vec![steps, Expr::Literal(Literal::Int(start))])?;
        let label = name.map_or(Label::None, Label::str);
        self.index = Index::Levels(vec![Column { label, expr }]);
        Ok(self)
    }

    /// The same with these columns, each under its name, as the index.
    pub fn indexed_by(mut self, names: &[(Arc<str>, Option<String>)]) -> Self {
        let mut levels = Vec::with_capacity(names.len());
        for (column, name) in names {
            let place = self.columns.iter().position(|known| known.label == Label::str(&**column));
            if let Some(place) = place {
                let label = name.as_deref().map_or(Label::None, Label::str);
                levels.push(Column { label, expr: self.columns.remove(place).expr });
            }
        }
        if !levels.is_empty() {
            self.index = Index::Levels(levels);
        }
        self
    }

    fn scalar(expr: Expr) -> Self {
        let columns = vec![Column { label: Label::None, expr }];
        Self { domain: Arc::new(Node::Unit), index: Index::Range, columns, kind: Kind::Scalar }
    }

    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Frame => "frame",
            Kind::Series => "series",
            Kind::Scalar => "scalar",
            Kind::Cells(_) => "cells",
            Kind::Wide(_) => "wide",
            Kind::Dummies(_) => "flags",
        }
    }

    pub fn labels(&self) -> Vec<Label> {
        match &self.kind {
            Kind::Scalar => Vec::new(),
            Kind::Cells(cells) => cells.columns.clone().unwrap_or_else(|| vec![cells.name.clone()]),
            _ => self.columns.iter().map(|column| column.label.clone()).collect(),
        }
    }

    pub fn dtypes(&self) -> Vec<DType> {
        self.columns.iter().map(|column| column.expr.dtype()).collect()
    }

    pub fn index_names(&self) -> Option<Vec<Label>> {
        match &self.index {
            Index::Range => None,
            Index::Levels(levels) | Index::Grouped(levels) => {
                Some(levels.iter().map(|level| level.label.clone()).collect())
            }
        }
    }

    /// A scalar that each group has one of, while a function of a group is traced.
    fn is_of_group(&self) -> bool {
        self.kind == Kind::Scalar && !matches!(&*self.domain, Node::Unit)
    }

    pub fn same_rows(&self, other: &Frame) -> bool {
        Arc::ptr_eq(&self.domain, &other.domain)
            && (self.index == Index::Range) == (other.index == Index::Range)
            && self.index.levels() == other.index.levels()
    }

    /// Columns of the same rows that are computed alike.
    pub fn same_values(&self, other: &Frame) -> bool {
        let mine = self.columns.iter().map(|column| &column.expr);
        self.same_rows(other)
            && self.kind == other.kind
            && self.columns.len() == other.columns.len()
            && mine.eq(other.columns.iter().map(|column| &column.expr))
    }

    fn like(&self, columns: Vec<Column>, kind: Kind) -> Self {
        Self { domain: self.domain.clone(), index: self.index.clone(), columns, kind }
    }

    /// The one expression of a series or scalar.
    fn value(&self) -> Result<&Expr> {
        match (&self.kind, self.columns.as_slice()) {
            (Kind::Series | Kind::Scalar, [column]) => Ok(&column.expr),
            _ => {
                Err(not_decomposable(format!("a column is wanted here, and this is a {}", self.described()))
                    .hint("Take one column of it: `p['x']`"))
            }
        }
    }

    /// An error about this series, which says its name where it has lists or structs: many things have no meaning there.
    fn of_nested(&self, error: Error) -> Error {
        match self.columns.first() {
            Some(column) if !column.expr.dtype().is_simple() => group::named(error, &column.label),
            _ => error,
        }
    }

    fn described(&self) -> &'static str {
        match self.kind {
            Kind::Frame => "frame",
            Kind::Series => "series",
            Kind::Scalar => "scalar",
            Kind::Cells(_) => "small table of scalars",
            Kind::Wide(_) => "wide table",
            Kind::Dummies(_) => "table of flags",
        }
    }

    fn place(&self, label: &Label) -> Result<usize> {
        let mut found = self.columns.iter().enumerate().filter(|(_, column)| column.label == *label);
        match (found.next(), found.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => {
                Err(Error::new(Code::SchemaMismatch, format!("there are several columns named {label}"))
                    .hint("Rename them so that each name is there once")
                    .detail("column", label.arrow_name("")))
            }
            (None, _) => Err(self.unknown(label)),
        }
    }

    fn unknown(&self, label: &Label) -> Error {
        let names: Vec<String> = self.columns.iter().map(|column| column.label.arrow_name("")).collect();
        let name = label.arrow_name("None");
        let error = Error::new(Code::SchemaMismatch, format!("there is no column {label}"))
            .detail("column", name.clone());
        let nearest = crate::names::nearest(&name, names.iter().map(String::as_str));
        let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
        match nearest {
            Some(nearest) => error
                .hint(format!("Did you mean '{nearest}'? The columns are {}", shown.join(", ")))
                .detail("nearest", nearest),
            None => error.hint(format!("The columns are {}", shown.join(", "))),
        }
    }

    pub fn column(&self, label: &Label) -> Result<Self> {
        let column = self.columns[self.place(label)?].clone();
        Ok(self.like(vec![column], Kind::Series))
    }

    /// A row-wise operator. A series if any argument is one, else a scalar.
    pub fn call(op: &str, args: Vec<Arg>) -> Result<Self> {
        let mut rows: Option<Frame> = None;
        let mut group: Option<Arc<Node>> = None;
        let mut names: Vec<Label> = Vec::new();
        let mut exprs = Vec::with_capacity(args.len());
        let (mut size, mut depth) = (1, 1);
        for arg in args {
            let expr = match arg {
                Arg::Literal(literal) => Expr::Literal(literal),
                Arg::Frame(frame) => {
                    let expr = frame.value()?.clone();
                    if frame.kind == Kind::Series {
                        if let Some(first) = &rows
                            && !first.same_rows(&frame)
                        {
                            return Err(other_rows());
                        }
                        names.push(frame.columns[0].label.clone());
                        rows.get_or_insert(frame);
                    } else if frame.is_of_group() {
                        if group.as_ref().is_some_and(|group| !Arc::ptr_eq(group, &frame.domain)) {
                            return Err(other_rows());
                        }
                        group = Some(frame.domain);
                    }
                    expr
                }
            };
            size += expr.size();
            depth = depth.max(1 + expr.depth());
            exprs.push(expr);
        }
        if depth > DEEPEST_EXPR {
            return Err(not_decomposable("this expression is nested deeper than 1,000 operations").hint(
                "Does a loop make it? Collect terms in a balanced way, or split the operation in two",
            ));
        }
        if size > LARGEST_EXPR {
            return Err(not_decomposable("this expression has grown beyond 20,000 operations")
                .hint("Does a loop double it? Aggregate in between, or split the operation in two"));
        }
        let expr = Expr::call(op, exprs).map_err(|error| match &rows {
            Some(rows) => rows.of_nested(error),
            None => error,
        })?;
        let Some(rows) = rows else {
            let domain = group.unwrap_or_else(|| Arc::new(Node::Unit));
            return Ok(Self { domain, ..Self::scalar(expr) });
        };
        if group.is_some_and(|group| !Arc::ptr_eq(&group, &rows.domain)) {
            return Err(other_rows());
        }
        let first = names.first().cloned().unwrap_or(Label::None);
        // What fills or replaces values of a column leaves it its name.
        let keeps = matches!(op, "fillna" | "where");
        let label = if keeps || names.iter().all(|name| *name == first) { first } else { Label::None };
        Ok(rows.like(vec![Column { label, expr }], Kind::Series))
    }

    pub fn with_name(&self, name: Label) -> Result<Self> {
        match &self.kind {
            Kind::Series => {
                let expr = self.value()?.clone();
                Ok(self.like(vec![Column { label: name, expr }], Kind::Series))
            }
            Kind::Cells(cells) => {
                let cells = Cells { name, ..cells.clone() };
                Ok(self.like(Vec::new(), Kind::Cells(cells)))
            }
            _ => Err(not_decomposable(format!("a {} has no name", self.described()))
                .hint("Name columns: `p.rename(columns={'old': 'new'})`")),
        }
    }

    /// The same frame over a node that has every expression as a column, with explicit index levels.
    fn materialised(&self) -> (Arc<Node>, Vec<Column>, Vec<Column>) {
        let (base, levels) = self.labelled();
        let simple = levels.iter().chain(&self.columns).all(|column| matches!(column.expr, Expr::Column(..)));
        if simple { (base, levels, self.columns.clone()) } else { self.projected(base, &levels) }
    }

    /// A node with the index levels over it.
    fn labelled(&self) -> (Arc<Node>, Vec<Column>) {
        let mut base = self.domain.clone();
        let levels = match &self.index {
            Index::Levels(levels) | Index::Grouped(levels) => levels.clone(),
            Index::Range => {
                let name = match &*base {
                    Node::Scan { .. } => ROW.into(),
                    _ => {
                        let name: Arc<str> = fresh("__label", &base);
                        base = Arc::new(Node::RowNumber { input: base, name: name.clone() });
                        name
                    }
                };
                vec![Column { label: Label::None, expr: Expr::Column(name, DType::Int64) }]
            }
        };
        (base, levels)
    }

    /// A node that has each level and each column as a column of its own.
    fn projected(&self, base: Arc<Node>, levels: &[Column]) -> (Arc<Node>, Vec<Column>, Vec<Column>) {
        let mut taken = HashSet::new();
        let mut columns = Vec::new();
        let mut place = |column: &Column, default: &str| {
            let name = unique(&mut taken, &column.label.arrow_name(default));
            columns.push((name.clone(), column.expr.clone()));
            Column { label: column.label.clone(), expr: Expr::Column(name, column.expr.dtype()) }
        };
        let levels: Vec<_> = levels.iter().map(|level| place(level, "__index")).collect();
        let kept: Vec<_> = self.columns.iter().map(|column| place(column, "__value")).collect();
        (Arc::new(Node::Project { input: base, columns }), levels, kept)
    }

    /// The result's Arrow columns: unique names and what they are, index levels first.
    pub fn outputs(&self) -> Vec<(Arc<str>, Expr)> {
        let mut taken = HashSet::new();
        let levels = self.index.levels();
        let single = levels.len() == 1;
        let levels = levels.iter().enumerate().map(|(number, level)| {
            let default = if single { "index".to_owned() } else { format!("level_{number}") };
            (level.label.arrow_name(&default), level.expr.clone())
        });
        let columns =
            self.columns.iter().map(|column| (column.label.arrow_name("value"), column.expr.clone()));
        levels.chain(columns).map(|(name, expr)| (unique(&mut taken, &name), expr)).collect()
    }

    /// The plan, one node a line, outputs first.
    pub fn explain(&self) -> String {
        let outputs = self.outputs();
        let outputs = outputs.iter().map(|(name, expr)| match expr {
            Expr::Column(column, _) if column == name => name.to_string(),
            _ => format!("{name} = {expr}"),
        });
        let mut text = format!("{}: {}\n", self.kind_name(), outputs.collect::<Vec<_>>().join(", "));
        self.domain.describe(1, &mut text);
        text
    }
}

/// A name that is not taken, and takes it.
pub(super) fn unique(taken: &mut HashSet<Arc<str>>, wanted: &str) -> Arc<str> {
    let mut name: Arc<str> = wanted.into();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}_{number}").into();
        number += 1;
    }
    name
}

/// A name that the node has no column of.
fn fresh(wanted: &str, node: &Node) -> Arc<str> {
    let mut taken: HashSet<Arc<str>> = node.fields().into_iter().map(|field| field.name).collect();
    unique(&mut taken, wanted)
}

fn other_rows() -> Error {
    not_decomposable("these columns do not belong to the same rows; pandas would align them by index")
        .hint("Take all of them from the same frame: assign the column first, then filter, sort or group")
}
