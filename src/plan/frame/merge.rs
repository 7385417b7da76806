//! Rows of two frames by key: pandas' merge, its labels, suffixes, index and order.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Column, Frame, Index, Kind, Label, unique};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::lookup::{Found, LOOKUP, Table};
use crate::plan::node::{Join, JoinColumn, JoinKind, JoinSide, Node, SortKey};
use crate::plan::op::promote::promote;
use crate::plan::{DType, Expr, Literal};

/// What two frames are merged by, and how.
#[derive(Debug, Clone)]
pub struct Merge {
    pub kind: JoinKind,
    /// Labels of columns; None for all levels of the index.
    pub left_on: Option<Vec<Label>>,
    pub right_on: Option<Vec<Label>>,
    /// What is put behind labels that both have.
    pub suffixes: (Option<String>, Option<String>),
    /// A column of this name that says which sides a row has.
    pub indicator: Option<Label>,
    /// By key instead of by the order of a side.
    pub sort: bool,
    /// The keys of a side tell all its rows apart, or the run fails.
    pub unique: (bool, bool),
}

/// A frame as one side of a join.
struct Side {
    node: Arc<Node>,
    levels: Vec<Column>,
    columns: Vec<Column>,
    keys: Vec<Column>,
}

impl Side {
    fn new(frame: &Frame, on: Option<&[Label]>) -> Result<Self> {
        let (node, levels, columns) = frame.materialised();
        let keys = match on {
            None => levels.clone(),
            Some(labels) => labels
                .iter()
                .map(|label| match frame.place(label) {
                    Ok(place) => Ok(columns[place].clone()),
                    Err(error)
                        if levels.iter().any(|level| level.label == *label && *label != Label::None) =>
                    {
                        Err(not_decomposable(format!("merging on {label}, which is a level of the index"))
                            .hint("Make it a column first: `reset_index()`")
                            .detail("known", error.sentence()))
                    }
                    Err(error) => Err(error),
                })
                .collect::<Result<_>>()?,
        };
        Ok(Self { node, levels, columns, keys })
    }
}

/// The output columns of a join as they are asked for.
struct Outputs {
    taken: HashSet<Arc<str>>,
    columns: Vec<JoinColumn>,
}

impl Outputs {
    /// The expression that is this column of a side, in the output.
    fn take(&mut self, from: JoinSide, column: &Column) -> Result<Expr> {
        let Expr::Column(name, dtype) = &column.expr else {
            return Err(Error::internal("an expression where a column was made"));
        };
        let known = self.columns.iter().find(|known| known.from == from && known.column == *name);
        if let Some(known) = known {
            return Ok(Expr::Column(known.name.clone(), dtype.clone()));
        }
        let out = unique(&mut self.taken, name);
        self.columns.push(JoinColumn { name: out.clone(), from, column: name.clone(), dtype: dtype.clone() });
        Ok(Expr::Column(out, dtype.clone()))
    }

    fn which(&mut self) -> Expr {
        let name = unique(&mut self.taken, "__which");
        let (column, dtype) = (name.clone(), DType::Int8);
        self.columns.push(JoinColumn {
            name: name.clone(),
            from: JoinSide::Which,
            column,
            dtype: dtype.clone(),
        });
        Expr::Column(name, dtype)
    }

    /// A key as the output has it: of whichever side the row has.
    fn key(&mut self, kind: JoinKind, left: &Column, right: &Column) -> Result<Expr> {
        match kind {
            JoinKind::Right | JoinKind::Outer => {
                let (a, b) = (self.take(JoinSide::Left, left)?, self.take(JoinSide::Right, right)?);
                if kind == JoinKind::Right && a.dtype() == b.dtype() {
                    return Ok(b);
                }
                Expr::call("fillna", vec![a, b])
            }
            _ => self.take(JoinSide::Left, left),
        }
    }
}

impl Frame {
    pub fn merge(&self, other: &Frame, how: &Merge) -> Result<Self> {
        if self.kind != Kind::Frame || other.kind != Kind::Frame {
            return Err(
                not_decomposable("merge takes two frames").hint("Make a frame of a series: `to_frame()`")
            );
        }
        let left = Side::new(self, how.left_on.as_deref())?;
        let right = Side::new(other, how.right_on.as_deref())?;
        if left.keys.len() != right.keys.len() {
            return Err(not_decomposable(format!(
                "merge with {} keys on the left and {} on the right",
                left.keys.len(),
                right.keys.len()
            ))
            .hint("Give as many labels in `left_on` as in `right_on`"));
        }
        let cross = how.kind == JoinKind::Cross;
        let pairs: Vec<(&Column, &Column)> =
            if cross { Vec::new() } else { left.keys.iter().zip(&right.keys).collect() };
        let keys = pairs.iter().map(|(a, b)| in_common(a, b)).collect::<Result<Vec<_>>>()?;
        let mut out = Outputs { taken: HashSet::new(), columns: Vec::new() };

        // A key that both call the same is one column, and the left one's.
        let on_columns = how.left_on.is_some() && how.right_on.is_some();
        let shared: Vec<&Label> =
            pairs.iter().filter(|(a, b)| on_columns && a.label == b.label).map(|(a, _)| &a.label).collect();
        let right_columns: Vec<&Column> =
            right.columns.iter().filter(|column| !shared.contains(&&column.label)).collect();
        let both: HashSet<Label> = left
            .columns
            .iter()
            .filter(|column| right_columns.iter().any(|other| other.label == column.label))
            .map(|column| column.label.clone())
            .collect();
        let mut columns = Vec::new();
        for column in &left.columns {
            let key = pairs.iter().find(|(a, _)| a.label == column.label && shared.contains(&&a.label));
            let expr = match key {
                Some((a, b)) => out.key(how.kind, a, b)?,
                None => out.take(JoinSide::Left, column)?,
            };
            columns.push(Column { label: suffixed(&column.label, &both, how.suffixes.0.as_deref()), expr });
        }
        for column in right_columns {
            let label = suffixed(&column.label, &both, how.suffixes.1.as_deref());
            columns.push(Column { label, expr: out.take(JoinSide::Right, column)? });
        }
        if let Some(label) = &how.indicator {
            columns.push(Column { label: label.clone(), expr: side_names(out.which())? });
        }
        let mut labels = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !labels.insert(&column.label)) {
            return Err(Error::new(
                Code::SchemaMismatch,
                format!("the merge would give two columns the name {}", twice.label),
            )
            .hint("Choose other suffixes, or rename columns first")
            .detail("column", twice.label.arrow_name("")));
        }

        let index = match (&how.left_on, &how.right_on) {
            (None, None) if !cross => {
                let levels = pairs.iter().map(|(a, b)| {
                    let label = if a.label == b.label { a.label.clone() } else { Label::None };
                    Ok(Column { label, expr: out.key(how.kind, a, b)? })
                });
                Index::Levels(levels.collect::<Result<_>>()?)
            }
            // Rows keep the labels of the side that is merged by its columns.
            (Some(_), None) => labels_of(&mut out, JoinSide::Left, &left.levels)?,
            (None, Some(_)) => labels_of(&mut out, JoinSide::Right, &right.levels)?,
            _ => Index::Range,
        };

        let mut order = Vec::new();
        if how.sort || how.kind == JoinKind::Outer {
            for (a, b) in &pairs {
                let expr = out.key(how.kind, a, b)?;
                // Times that are missing are the least ones here, and only here, in pandas.
                let missing_first = matches!(expr.dtype(), DType::Timestamp(..) | DType::Duration(_));
                order.push(SortKey { expr, descending: false, missing_first });
            }
        }
        let join = Join {
            left: left.node,
            right: right.node,
            kind: how.kind,
            keys,
            columns: out.columns,
            unique: how.unique,
        };
        let mut domain = Arc::new(Node::Join(Box::new(join)));
        if !order.is_empty() {
            domain = Arc::new(Node::Sort { input: domain, keys: order });
        }
        Ok(Self { domain, index, columns, kind: Kind::Frame })
    }
}

impl Frame {
    /// Each value of a series looked up: whether `other` has it, or the value that `other` has for it as label.
    pub fn lookup(&self, other: &Frame, contains: bool) -> Result<Self> {
        if self.kind != Kind::Series || other.kind != Kind::Series {
            return Err(not_decomposable("values are looked up in a column, by a column")
                .hint("Take a column of each table: `p['x'].map(q.set_index('key')['value'])`"));
        }
        let (input, levels, columns) = other.materialised();
        let [value] = columns.as_slice() else { return Err(Error::internal("a series of several columns")) };
        let key = match (contains, levels.as_slice()) {
            (true, _) => value,
            (false, [level]) => level,
            (false, _) => {
                return Err(not_decomposable("mapping by a series with several index levels")
                    .hint("Merge by the columns instead: `p.merge(s.reset_index(), on=[...], how='left')`"));
            }
        };
        let (own, key) = in_common(&self.columns[0], key)?;
        let mut columns: Vec<(Arc<str>, Expr)> = vec![("key".into(), key)];
        let dtype = if contains {
            DType::Bool
        } else {
            columns.push(("value".into(), value.expr.clone()));
            value.expr.dtype()
        };
        let node = Arc::new(Node::Project { input, columns });
        let table =
            Expr::Table(Arc::new(Table { node, contains, dtype: dtype.clone(), found: Found::default() }));
        let expr = Expr::Call { op: LOOKUP.into(), args: vec![own, table], dtype };
        Ok(self.like(vec![Column { label: self.columns[0].label.clone(), expr }], Kind::Series))
    }
}

/// The row labels of a side, missing where it has no row.
fn labels_of(out: &mut Outputs, side: JoinSide, levels: &[Column]) -> Result<Index> {
    let levels =
        levels.iter().map(|level| Ok(Column { label: level.label.clone(), expr: out.take(side, level)? }));
    Ok(Index::Levels(levels.collect::<Result<_>>()?))
}

/// Two keys as expressions of one type.
fn in_common(a: &Column, b: &Column) -> Result<(Expr, Expr)> {
    for key in [a, b] {
        let dtype = key.expr.dtype();
        if !dtype.is_simple() {
            return Err(not_decomposable(format!(
                "column {} of type {dtype} cannot be merged on, for its values cannot be compared",
                key.label
            ))
            .hint("Take a part of it that can: `.str[0]`, `.struct.field(...)`"));
        }
    }
    let (x, y) = (a.expr.dtype(), b.expr.dtype());
    let common = match (&x, &y) {
        (DType::Null, other) | (other, DType::Null) => Some(other.clone()),
        _ => promote(&x, &y),
    };
    let Some(common) = common else {
        return Err(Error::new(
            Code::SchemaMismatch,
            format!(
                "a merge of {} ({x}) with {} ({y}): values of these types are never equal",
                a.label, b.label
            ),
        )
        .hint("Convert one of them first with `astype`")
        .detail("column", a.label.arrow_name("")));
    };
    let as_common = |expr: &Expr| -> Result<Expr> {
        if expr.dtype() == common {
            return Ok(expr.clone());
        }
        Expr::call("astype", vec![expr.clone(), Expr::Literal(Literal::Str(common.to_string()))])
    };
    Ok((as_common(&a.expr)?, as_common(&b.expr)?))
}

fn suffixed(label: &Label, both: &HashSet<Label>, suffix: Option<&str>) -> Label {
    match suffix {
        Some(suffix) if both.contains(label) => Label::str(format!("{}{suffix}", label.arrow_name("None"))),
        _ => label.clone(),
    }
}

/// The words of pandas' indicator column.
fn side_names(which: Expr) -> Result<Expr> {
    let is = |number: i64| Expr::call("eq", vec![which.clone(), Expr::Literal(Literal::Int(number))]);
    let word = |text: &str| Expr::Literal(Literal::Str(text.to_owned()));
    let alone = Expr::call("where", vec![is(1)?, word("left_only"), word("right_only")])?;
    Expr::call("where", vec![is(3)?, word("both"), alone])
}
