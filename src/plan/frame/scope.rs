//! The rows of each group for itself, as a function of a group sees them; and what such a function gives.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Column, Frame, Groups, Index, Kind, Label, other_rows, unique};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::expr::{Expr, Literal};
use crate::plan::node::{Aggregation, Node, Params, ROW, SortKey};
use crate::plan::window::WindowCall;

/// Where a frame's rows lie within groups.
pub(super) struct Scope {
    /// The [`Node::Scope`].
    node: Arc<Node>,
    /// The frame's columns over those of the scope; none where they are the same.
    columns: Option<HashMap<Arc<str>, Expr>>,
    /// Which rows of the group there are.
    predicate: Option<Expr>,
}

impl Scope {
    /// `None` outside of groups; refused where the rows have been rearranged within them.
    pub(super) fn of(domain: &Arc<Node>) -> Result<Option<Self>> {
        match &**domain {
            Node::Scope { .. } => Ok(Some(Self { node: domain.clone(), columns: None, predicate: None })),
            Node::Project { input, columns } => {
                let Some(below) = Self::of(input)? else { return Ok(None) };
                let columns = columns.iter().map(|(name, expr)| (name.clone(), below.over(expr)));
                let columns = Some(columns.collect());
                Ok(Some(Self { columns, ..below }))
            }
            Node::Filter { input, predicate } => {
                let Some(below) = Self::of(input)? else { return Ok(None) };
                let own = below.over(predicate);
                let predicate = match &below.predicate {
                    None => own,
                    Some(other) => Expr::call("and", vec![other.clone(), own])?,
                };
                Ok(Some(Self { predicate: Some(predicate), ..below }))
            }
            Node::RowNumber { input, .. } => Self::of(input),
            other if is_within(other) => Err(not_decomposable(
                "a function of a group sorts, shortens or groups it, which is not native",
            )
            .hint("Do it before the groupby, or use `head`, `nlargest` and the like of the group-by itself")),
            _ => Ok(None),
        }
    }

    fn over(&self, expr: &Expr) -> Expr {
        match &self.columns {
            None => expr.clone(),
            Some(columns) => expr.substitute(&|name| columns.get(name).cloned()),
        }
    }

    /// An aggregate of each group, as a scalar of the group.
    pub(super) fn aggregate(&self, function: &str, args: &[Expr], params: Params) -> Result<Frame> {
        let (mut function, mut args): (&str, Vec<Expr>) =
            (function, args.iter().map(|arg| self.over(arg)).collect());
        if let Some(predicate) = &self.predicate {
            if args.is_empty() {
                (function, args) = ("sum", vec![predicate.clone()]);
            } else if args.iter().any(Expr::has_window) && !self.all_aggregates(&args) {
                return Err(not_decomposable(
                    "a function of neighbouring rows over some rows of a group is not native",
                )
                .hint("Filter the rows before the groupby"));
            } else {
                let kept = args.into_iter().map(|arg| Expr::call("kept", vec![arg, predicate.clone()]));
                args = kept.collect::<Result<_>>()?;
            }
        }
        self.only_own(&args)?;
        let expr = self.call(function, args, Vec::new(), params)?;
        let column = Column { label: Label::None, expr };
        Ok(Frame {
            domain: self.node.clone(),
            index: Index::Range,
            columns: vec![column],
            kind: Kind::Scalar,
        })
    }

    /// Rows within a group have no places of their own.
    fn only_own(&self, args: &[Expr]) -> Result<()> {
        let Node::Scope { input, .. } = &*self.node else { return Ok(()) };
        let fields = input.fields();
        let mut known = true;
        for arg in args {
            arg.each_column(&mut |name| {
                known &= **name == *ROW || fields.iter().any(|field| field.name == *name)
            });
        }
        if known {
            return Ok(());
        }
        Err(not_decomposable("a function of a group asks for places of its rows, which is not native")
            .hint("Ask for values: `max()`, `first()`"))
    }

    fn all_aggregates(&self, exprs: &[Expr]) -> bool {
        exprs.iter().all(|expr| match expr {
            Expr::Window(call, _) => call.is_aggregate(),
            Expr::Call { args, .. } => self.all_aggregates(args),
            _ => true,
        })
    }

    pub(super) fn call(
        &self,
        function: &str,
        args: Vec<Expr>,
        options: Vec<Literal>,
        params: Params,
    ) -> Result<Expr> {
        let Node::Scope { by, dropna, .. } = &*self.node else {
            return Err(Error::internal("a scope that is none"));
        };
        let (by, dropna) = (by.clone(), *dropna);
        Expr::window(WindowCall { function: function.into(), args, options, by, dropna, params })
    }

    /// The rows are all rows of the groups, in their order.
    pub(super) fn is_whole(&self) -> bool {
        self.columns.is_none() && self.predicate.is_none()
    }
}

/// Whether rows of groups lie anywhere below.
fn is_within(node: &Node) -> bool {
    matches!(node, Node::Scope { .. }) || node.inputs().iter().any(|input| is_within(input))
}

impl Groups {
    /// The frame as a function of a group sees it: aggregates are those of the group.
    pub fn enter(&self, frame: &Frame) -> Result<Frame> {
        self.without_bins("apply")?;
        if !self.frame.same_rows(frame) {
            return Err(other_rows());
        }
        let by = self.keys.iter().map(|key| key.expr.clone()).collect();
        let input = self.frame.domain.clone();
        let domain = Arc::new(Node::Scope { input, by, dropna: self.dropna });
        Ok(Frame { domain, ..frame.clone() })
    }

    /// What a function of a group gave for its rows, as a frame of the rows of all groups; a scalar of each group
    /// becomes a series.
    pub fn leave(&self, inside: &Frame, result: &Frame) -> Result<Frame> {
        let relabelled = result.kind != Kind::Scalar && result.index != inside.index;
        if relabelled || !Arc::ptr_eq(&inside.domain, &result.domain) {
            return Err(not_decomposable(
                "a function of a group gave rows that are not those of the group, which is not native",
            )
            .hint("Give back a scalar of the group, or a column of its rows"));
        }
        let kind = if result.kind == Kind::Scalar { Kind::Series } else { result.kind.clone() };
        let (domain, index) = (self.frame.domain.clone(), self.frame.index.clone());
        Ok(Frame { domain, index, columns: result.columns.clone(), kind })
    }

    /// Scalars of each group, one row a group.
    pub fn per_group(&self, inside: &Frame, items: Vec<(Label, Frame)>, series: bool) -> Result<Frame> {
        let mut taken = HashSet::new();
        let mut keys = Vec::with_capacity(self.keys.len());
        let mut levels = Vec::with_capacity(self.keys.len());
        for (number, key) in self.keys.iter().enumerate() {
            let name = unique(&mut taken, &key.label.arrow_name(&format!("key_{number}")));
            keys.push((name.clone(), key.expr.clone()));
            levels.push(Column { label: key.label.clone(), expr: Expr::Column(name, key.expr.dtype()) });
        }
        let mut aggregates: Vec<Aggregation> = Vec::new();
        let mut columns = Vec::with_capacity(items.len());
        for (label, item) in items {
            let inside_or_constant =
                Arc::ptr_eq(&inside.domain, &item.domain) || matches!(&*item.domain, Node::Unit);
            if item.kind != Kind::Scalar || !inside_or_constant {
                return Err(other_rows());
            }
            columns.push(Column { label, expr: finished(item.value()?, &mut aggregates, &mut taken)? });
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
            return Ok(Frame { domain, index: Index::Grouped(levels), columns, kind });
        }
        levels.extend(columns);
        Ok(Frame { domain, index: Index::Range, columns: levels, kind: Kind::Frame })
    }

    /// Columns of the frame's rows, each group's rows together, under the keys and the rows' own labels.
    pub fn by_group(&self, items: Vec<(Label, Frame)>, series: bool) -> Result<Frame> {
        self.without_bins("apply")?;
        let mut columns = Vec::with_capacity(items.len() + self.keys.len());
        for (label, item) in items {
            if !self.frame.same_rows(&item) {
                return Err(other_rows());
            }
            columns.push(Column { label, expr: item.value()?.clone() });
        }
        let kind = if series { Kind::Series } else { Kind::Frame };
        let (input, keys, levels, columns) = self.with_keys(columns)?;
        let domain = self.sorted_by_keys(input, &keys)?;
        let index = Index::Levels(keys.into_iter().chain(levels).collect());
        Ok(Frame { domain, index, columns, kind })
    }

    /// The first rows of each group in the order of a series, each group's together: `nlargest` and `nsmallest`.
    pub fn top(&self, series: &Frame, rows: i64, largest: bool) -> Result<Frame> {
        self.without_bins("nlargest")?;
        if !self.frame.same_rows(series) {
            return Err(other_rows());
        }
        let value = Column { label: series.columns[0].label.clone(), expr: series.value()?.clone() };
        let (input, keys, levels, columns) = self.with_keys(vec![value])?;
        let key = SortKey { expr: columns[0].expr.clone(), descending: largest, missing_first: false };
        let sorted = Arc::new(Node::Sort { input, keys: vec![key] });
        let call = WindowCall {
            function: "cumcount".into(),
            args: Vec::new(),
            options: vec![Literal::Bool(true)],
            by: keys.iter().map(|key| key.expr.clone()).collect(),
            dropna: self.dropna,
            params: Params::default(),
        };
        let predicate = Expr::call("lt", vec![Expr::window(call)?, Expr::Literal(Literal::Int(rows))])?;
        let first = Arc::new(Node::Filter { input: sorted, predicate });
        let by = keys.iter().map(|key| ascending(key.expr.clone())).collect();
        let domain = Arc::new(Node::Sort { input: first, keys: by });
        let index = Index::Levels(keys.into_iter().chain(levels).collect());
        Ok(Frame { domain, index, columns, kind: Kind::Series })
    }

    /// A node that has these columns, the keys and the rows' labels as they are.
    #[allow(clippy::type_complexity)]
    fn with_keys(&self, columns: Vec<Column>) -> Result<(Arc<Node>, Vec<Column>, Vec<Column>, Vec<Column>)> {
        let count = columns.len();
        let all = columns.into_iter().chain(self.keys.iter().cloned()).collect();
        let (input, levels, mut columns) = self.frame.like(all, Kind::Frame).materialised();
        let keys = columns.split_off(count);
        Ok((input, keys, levels, columns))
    }

    fn sorted_by_keys(&self, input: Arc<Node>, keys: &[Column]) -> Result<Arc<Node>> {
        let mut input = input;
        if self.dropna {
            let there = keys.iter().map(|key| Expr::call("notna", vec![key.expr.clone()]));
            let there = there.collect::<Result<Vec<_>>>()?;
            let mut there = there.into_iter();
            if let Some(first) = there.next() {
                let predicate = there.try_fold(first, |all, next| Expr::call("and", vec![all, next]))?;
                input = Arc::new(Node::Filter { input, predicate });
            }
        }
        let by = if self.sorted {
            keys.iter().map(|key| ascending(key.expr.clone())).collect()
        } else {
            let call = WindowCall {
                function: "group_number".into(),
                args: Vec::new(),
                options: Vec::new(),
                by: keys.iter().map(|key| key.expr.clone()).collect(),
                dropna: false,
                params: Params::default(),
            };
            vec![ascending(Expr::window(call)?)]
        };
        Ok(Arc::new(Node::Sort { input, keys: by }))
    }
}

pub(super) fn ascending(expr: Expr) -> SortKey {
    SortKey { expr, descending: false, missing_first: false }
}

/// A scalar of a group over the aggregates of a grouping, which are added to.
fn finished(expr: &Expr, aggregates: &mut Vec<Aggregation>, taken: &mut HashSet<Arc<str>>) -> Result<Expr> {
    Ok(match expr {
        Expr::Window(call, dtype) => {
            if !call.is_aggregate() {
                return Err(Error::internal("a scalar of a group that has a value for each row"));
            }
            let known = aggregates.iter().find(|known| {
                known.function == call.function && known.args == call.args && known.params == call.params
            });
            if let Some(known) = known {
                return Ok(Expr::Column(known.name.clone(), known.dtype.clone()));
            }
            let name = unique(taken, "__aggregate");
            let column = Expr::Column(name.clone(), dtype.clone());
            aggregates.push(Aggregation {
                name,
                function: call.function.clone(),
                args: call.args.clone(),
                params: call.params.clone(),
                dtype: dtype.clone(),
            });
            column
        }
        Expr::Call { op, args, dtype } => {
            let args = args.iter().map(|arg| finished(arg, aggregates, taken)).collect::<Result<_>>()?;
            Expr::Call { op: op.clone(), args, dtype: dtype.clone() }
        }
        Expr::Column(..) => return Err(Error::internal("a scalar of a group that reads a column")),
        other => other.clone(),
    })
}
