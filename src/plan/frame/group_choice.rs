//! Rows that a function of a group chose or put in order: `lambda g: g.nlargest(2, "x")`, for all groups at once.

use std::collections::HashSet;
use std::sync::Arc;

use super::scope::ascending;
use super::{Column, Frame, Groups, Index, Kind, Label, other_rows, unique};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::{Expr, Literal};
use crate::plan::node::{Aggregation, Node, Params, SortKey};
use crate::plan::window::WindowCall;

impl Groups {
    /// As [`Groups::enter`], with the labels of the rows as columns of their own, which rows keep wherever they go.
    pub fn enter_labelled(&self, frame: &Frame) -> Result<Frame> {
        self.without_bins("apply")?;
        if !self.frame.same_rows(frame) {
            return Err(other_rows());
        }
        let (input, levels) = frame.labelled();
        let by = self.keys.iter().map(|key| key.expr.clone()).collect();
        let domain = Arc::new(Node::Scope { input, by, dropna: self.dropna });
        Ok(Frame { domain, index: Index::Levels(levels), ..frame.clone() })
    }

    /// The rows that a function gave of each group, one group's after the other's: under the keys and their own labels,
    /// or, where `keyed` is false, under their labels alone. Then they are in the order of all rows if every group kept all
    /// of its rows in their order, as pandas has it.
    pub fn chosen(&self, inside: &Frame, result: &Frame, keyed: bool) -> Result<Frame> {
        if result.kind == Kind::Scalar || !self.sorted || !self.as_index {
            return Err(not_decomposable(
                "rows chosen of groups that are not in order, or have no index of keys",
            )
            .hint("Leave `sort=False` and `as_index=False` out, and call `reset_index()` on the result"));
        }
        let (node, by) = over_all_groups(&result.domain, inside)?;
        let node = self.without_missing(node, &by)?;
        let levels = match &result.index {
            Index::Levels(levels) | Index::Grouped(levels) => levels.clone(),
            Index::Range => vec![Column { label: Label::None, expr: place(&by, true)? }],
        };
        let frame = Frame { domain: node, index: Index::Levels(levels), ..result.clone() };
        let keys = self.keys.iter().zip(by);
        let keys: Vec<Column> = keys.map(|(key, expr)| Column { label: key.label.clone(), expr }).collect();
        let count = frame.columns.len();
        let all = frame.columns.iter().chain(&keys).cloned().collect();
        let (node, levels, mut columns) = frame.like(all, frame.kind.clone()).materialised();
        let keys = columns.split_off(count);
        let (order, levels) = if keyed {
            let order = keys.iter().map(|key| ascending(key.expr.clone())).collect();
            (order, keys.into_iter().chain(levels).collect())
        } else {
            (vec![self.own_order(inside, result, &node, &keys, &levels)?], levels)
        };
        let domain = Arc::new(Node::Sort { input: node, keys: order });
        Ok(Frame { domain, index: Index::Levels(levels), columns, kind: frame.kind })
    }

    /// By group; by label if all rows are there as they were.
    fn own_order(
        &self,
        inside: &Frame,
        result: &Frame,
        node: &Arc<Node>,
        keys: &[Column],
        levels: &[Column],
    ) -> Result<SortKey> {
        let ([label], true) = (levels, self.frame.in_label_order() && result.index != Index::Range) else {
            return Err(unordered());
        };
        if label.expr.dtype() != DType::Int64 {
            return Err(unordered());
        }
        let by: Vec<Expr> = keys.iter().map(|key| key.expr.clone()).collect();
        let call = |function: &str, args: Vec<Expr>, options| {
            Expr::window(WindowCall {
                function: function.into(),
                args,
                options,
                by: by.clone(),
                dropna: false,
                params: Params::default(),
            })
        };
        let largest = call("cummax", vec![label.expr.clone()], Vec::new())?;
        let turned = Expr::call("lt", vec![label.expr.clone(), largest])?;
        let whole = self.without_missing(self.of_scope(inside)?, &self.own_keys())?;
        let same =
            Expr::call("eq", vec![counted(node, "size", Vec::new())?, counted(&whole, "size", Vec::new())?])?;
        let zero = Expr::Literal(Literal::Int(0));
        let straight = Expr::call("eq", vec![counted(node, "sum", vec![turned])?, zero])?;
        let untouched = Expr::call("and", vec![same, straight])?;
        let options = vec![Literal::Bool(true), Literal::Bool(false)];
        let number = call("ngroup", by.clone(), options)?;
        Ok(ascending(Expr::call("where", vec![untouched, label.expr.clone(), number])?))
    }

    fn own_keys(&self) -> Vec<Expr> {
        self.keys.iter().map(|key| key.expr.clone()).collect()
    }

    fn of_scope(&self, inside: &Frame) -> Result<Arc<Node>> {
        match &*inside.domain {
            Node::Scope { input, .. } => Ok(input.clone()),
            _ => Err(Error::internal("a group that is none")),
        }
    }

    /// Without the rows that belong to no group.
    fn without_missing(&self, node: Arc<Node>, by: &[Expr]) -> Result<Arc<Node>> {
        if !self.dropna {
            return Ok(node);
        }
        by.iter().try_fold(node, |input, key| {
            let predicate = Expr::call("notna", vec![key.clone()])?;
            Ok(Arc::new(Node::Filter { input, predicate }))
        })
    }
}

fn unordered() -> Error {
    not_decomposable(
        "rows chosen of groups with `group_keys=False`, where the rows' labels are not their numbers",
    )
    .hint("Leave `group_keys=False` out, and drop the keys: `.droplevel(0)`, `.reset_index(drop=True)`")
}

/// An aggregate of all rows of a node.
fn counted(input: &Arc<Node>, function: &str, args: Vec<Expr>) -> Result<Expr> {
    let params = Params { grouped: false, ..Params::default() };
    let types: Vec<DType> = args.iter().map(Expr::dtype).collect();
    let dtype = crate::plan::reduce::find(function)?.infer(&types, &params)?;
    let aggregate =
        Aggregation { name: "value".into(), function: function.into(), args, params, dtype: dtype.clone() };
    let node = Node::Group {
        input: input.clone(),
        keys: Vec::new(),
        aggregates: vec![aggregate],
        sorted: true,
        dropna: true,
    };
    Ok(Expr::Scalar(Arc::new(node), dtype))
}

/// A row's place among those of its group, from the first or from the last one.
fn place(by: &[Expr], from_start: bool) -> Result<Expr> {
    Expr::window(WindowCall {
        function: "cumcount".into(),
        args: Vec::new(),
        options: vec![Literal::Bool(from_start)],
        by: by.to_vec(),
        dropna: false,
        params: Params::default(),
    })
}

fn compared(op: &str, expr: Expr, number: i64) -> Result<Expr> {
    Expr::call(op, vec![expr, Expr::Literal(Literal::Int(number))])
}

/// What is done to the rows of a group, done to those of all groups: the rows, and the keys over them.
fn over_all_groups(node: &Arc<Node>, inside: &Frame) -> Result<(Arc<Node>, Vec<Expr>)> {
    if Arc::ptr_eq(node, &inside.domain) {
        return match &**node {
            Node::Scope { input, by, .. } => Ok((input.clone(), by.clone())),
            _ => Err(Error::internal("a group that is none")),
        };
    }
    Ok(match &**node {
        Node::Project { input, columns } => {
            let (input, by) = over_all_groups(input, inside)?;
            let mut columns = columns.clone();
            let mut taken: HashSet<Arc<str>> = columns.iter().map(|(name, _)| name.clone()).collect();
            let mut keys = Vec::with_capacity(by.len());
            for key in by {
                let name = unique(&mut taken, "__key");
                keys.push(Expr::Column(name.clone(), key.dtype()));
                columns.push((name, key));
            }
            (Arc::new(Node::Project { input, columns }), keys)
        }
        Node::Filter { input, predicate } => {
            let (input, by) = over_all_groups(input, inside)?;
            (Arc::new(Node::Filter { input, predicate: predicate.clone() }), by)
        }
        Node::Sort { input, keys } => {
            let (input, by) = over_all_groups(input, inside)?;
            (Arc::new(Node::Sort { input, keys: keys.clone() }), by)
        }
        Node::Limit { input, rows } => {
            let (input, by) = over_all_groups(input, inside)?;
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            let predicate = compared("lt", place(&by, true)?, rows)?;
            (Arc::new(Node::Filter { input, predicate }), by)
        }
        Node::Slice { input, start, stop } => {
            let (input, by) = over_all_groups(input, inside)?;
            let mut predicate = match start {
                start if *start >= 0 => compared("ge", place(&by, true)?, *start)?,
                start => compared("lt", place(&by, false)?, -start)?,
            };
            if let Some(stop) = stop {
                let before = match stop {
                    stop if *stop >= 0 => compared("lt", place(&by, true)?, *stop)?,
                    stop => compared("ge", place(&by, false)?, -stop)?,
                };
                predicate = Expr::call("and", vec![predicate, before])?;
            }
            (Arc::new(Node::Filter { input, predicate }), by)
        }
        Node::Distinct { input, subset, keep } => {
            let (input, by) = over_all_groups(input, inside)?;
            let mut subset = subset.clone();
            for key in &by {
                let Expr::Column(name, _) = key else {
                    return Err(not_decomposable(
                        "dropping duplicates within groups by a computed key is not native",
                    )
                    .hint(
                        "Assign the key as a column first: `p = p.assign(key=...)`, and group by its name",
                    ));
                };
                subset.push(name.clone());
            }
            (Arc::new(Node::Distinct { input, subset, keep: *keep }), by)
        }
        _ => {
            return Err(not_decomposable(
                "a function of a group gave rows that are not those of the group, which is not native",
            )
            .hint("Give back a scalar of the group, a column of its rows, or some of its rows: `g.nlargest(2, 'x')`"));
        }
    })
}
