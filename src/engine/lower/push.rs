//! Filters moved below what they need not wait for: fewer rows are joined, grouped and sorted.

use std::sync::Arc;

use super::pipeline::Pipeline;
use super::{Names, columns_of};
use crate::plan::lookup::LOOKUP;
use crate::plan::node::{Join, JoinColumn, JoinKind, JoinSide};
use crate::plan::{DType, Expr, Node};

/// Operators that cannot fail, whatever the rows: those that a filter kept from it may come to see them.
const SAFE: &[&str] = &[
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "and",
    "or",
    "xor",
    "not",
    "isna",
    "notna",
    "isin",
    "between",
    "key",
    LOOKUP,
    "str_contains",
    "str_contains_text",
    "str_startswith",
    "str_endswith",
    "str_slice",
    "str_len",
];
/// The same where they give floats: they end nowhere, and nothing is divided without one.
const SAFE_OF_FLOATS: &[&str] = &["add", "sub", "mul", "truediv", "neg"];
/// Larger expressions are left where they are: going through projections they might grow without end.
const LARGEST: usize = 256;

/// How far a filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far down as it can.
    Any,
    /// Into a scan, or nowhere.
    Scan,
}

/// The same plan with every filter as far down as it can go.
pub fn pushed(node: &Arc<Node>) -> Arc<Node> {
    if Pipeline::of(node).is_some() {
        return node.clone();
    }
    // Windows that a filter keeps the first rows of are found by their form, above a sort.
    let Ok(below) = node.map_inputs(&mut |input| Ok(pushed(input))) else { return node.clone() };
    let Node::Filter { input, predicate } = &below else { return Arc::new(below) };
    let mut conjuncts = Vec::new();
    split(predicate, &mut conjuncts);
    let mut input = input.clone();
    let mut stays = Vec::new();
    for conjunct in conjuncts {
        match push(&input, &conjunct, Reach::Any) {
            Some(pushed) => input = pushed,
            None => {
                input = implied_below(&input, &conjunct).unwrap_or(input);
                stays.push(conjunct);
            }
        }
    }
    let all = stays.into_iter().reduce(and);
    match all {
        None => input,
        Some(predicate) => Arc::new(Node::Filter { input, predicate }),
    }
}

/// Both, of two conditions. Where that cannot be said, the types are not those of conditions: it is said all the same,
/// and refused where it is compiled.
pub fn and(a: Expr, b: Expr) -> Expr {
    let dtype = a.dtype();
    Expr::Call { op: "and".into(), args: vec![a, b], dtype }
}

pub fn split(predicate: &Expr, conjuncts: &mut Vec<Expr>) {
    match predicate {
        Expr::Call { op, args, .. } if &**op == "and" => args.iter().for_each(|arg| split(arg, conjuncts)),
        other => conjuncts.push(other.clone()),
    }
}

/// May be computed for rows that it would not have seen where it was.
fn is_movable(expr: &Expr) -> bool {
    is_safe(expr) && expr.size() <= LARGEST
}

/// Cannot fail.
pub fn is_safe(expr: &Expr) -> bool {
    match expr {
        Expr::Column(..) | Expr::Literal(_) | Expr::Table(_) => true,
        Expr::Call { op, args, dtype } => {
            let floats = matches!(dtype, DType::Float32 | DType::Float64);
            let safe = SAFE.contains(&&**op) || floats && SAFE_OF_FLOATS.contains(&&**op);
            safe && args.iter().all(is_safe)
        }
        Expr::Scalar(..) | Expr::Window(..) => false,
    }
}

/// The rows of `node` that `predicate` keeps, with the filter somewhere below; `None` where it can go nowhere.
pub fn push(node: &Arc<Node>, predicate: &Expr, reach: Reach) -> Option<Arc<Node>> {
    if !is_movable(predicate) || predicate.is_constant() {
        return None;
    }
    if Pipeline::of(node).is_some() {
        return Some(Arc::new(Node::Filter { input: node.clone(), predicate: predicate.clone() }));
    }
    let made = match &**node {
        Node::Filter { input, predicate: above } => {
            Node::Filter { input: push(input, predicate, reach)?, predicate: above.clone() }
        }
        Node::Project { input, columns } => {
            let below = over(predicate, columns)?;
            Node::Project { input: push(input, &below, reach)?, columns: columns.clone() }
        }
        Node::Sort { input, keys } => {
            Node::Sort { input: place(input, predicate, reach)?, keys: keys.clone() }
        }
        // Groups go or stay as a whole.
        Node::Group { input, keys, aggregates, sorted, dropna } if !keys.is_empty() => {
            let below = over(predicate, keys)?;
            let (keys, aggregates) = (keys.clone(), aggregates.clone());
            let input = place(input, &below, reach)?;
            Node::Group { input, keys, aggregates, sorted: *sorted, dropna: *dropna }
        }
        Node::Distinct { input, subset, keep } => {
            let whole = columns_of([predicate]).iter().all(|name| subset.contains(name));
            if !whole {
                return None;
            }
            Node::Distinct { input: place(input, predicate, reach)?, subset: subset.clone(), keep: *keep }
        }
        Node::Join(join) => Node::Join(Box::new(push_join(join, predicate, reach)?)),
        _ => return None,
    };
    Some(Arc::new(made))
}

/// As [`push`], right above the node where it can go no further and may go there.
fn place(node: &Arc<Node>, predicate: &Expr, reach: Reach) -> Option<Arc<Node>> {
    if !is_movable(predicate) {
        return None;
    }
    let here = || Arc::new(Node::Filter { input: node.clone(), predicate: predicate.clone() });
    push(node, predicate, reach).or_else(|| (reach == Reach::Any).then(here))
}

/// A predicate over these columns as one over what they are computed of.
fn over(predicate: &Expr, columns: &[(Arc<str>, Expr)]) -> Option<Expr> {
    let known = columns_of([predicate]).iter().all(|name| columns.iter().any(|(column, _)| column == name));
    let find = |name: &str| {
        let found = columns.iter().find(|(column, _)| **column == *name);
        found.map(|(_, expr)| expr.clone())
    };
    let below = predicate.substitute(&find);
    (known && is_movable(&below)).then_some(below)
}

/// Which sides' rows may be left out before they are joined.
fn may_filter(join: &Join, side: JoinSide) -> bool {
    // Rows that are looked at for being unique have to be there.
    let checked = if side == JoinSide::Left { join.unique.0 } else { join.unique.1 };
    let kinds: &[JoinKind] = match side {
        JoinSide::Left => &[JoinKind::Inner, JoinKind::Cross, JoinKind::Left, JoinKind::Semi, JoinKind::Anti],
        JoinSide::Right => &[JoinKind::Inner, JoinKind::Cross, JoinKind::Right],
        JoinSide::Which => &[],
    };
    !checked && kinds.contains(&join.kind)
}

fn push_join(join: &Join, predicate: &Expr, reach: Reach) -> Option<Join> {
    let names = columns_of([predicate]);
    let side =
        [JoinSide::Left, JoinSide::Right].into_iter().find(|side| is_of(&names, &join.columns, *side))?;
    if !may_filter(join, side) {
        return None;
    }
    let below = over(predicate, &columns_from(&join.columns, side))?;
    let mut join = join.clone();
    let other = of_other_side(&join, &below, side);
    let input = if side == JoinSide::Left { &mut join.left } else { &mut join.right };
    let here = place(input, &below, reach);
    let pushed = here.is_some();
    if let Some(here) = here {
        *input = here;
    }
    // Partners have the same key: what is asked of one side's may be asked of the other side's.
    let mut there = false;
    if let Some((other_side, expr)) = other
        && may_filter(&join, other_side)
    {
        let input = if other_side == JoinSide::Left { &mut join.left } else { &mut join.right };
        if let Some(filtered) = push(input, &expr, Reach::Scan) {
            *input = filtered;
            there = true;
        }
    }
    (pushed || reach == Reach::Scan && there).then_some(join)
}

fn is_of(names: &Names, columns: &[JoinColumn], side: JoinSide) -> bool {
    names.iter().all(|name| columns.iter().any(|column| column.name == *name && column.from == side))
}

/// The join's output columns of one side, as columns of that side.
fn columns_from(columns: &[JoinColumn], side: JoinSide) -> Vec<(Arc<str>, Expr)> {
    let of_side = columns.iter().filter(|column| column.from == side);
    of_side
        .map(|column| (column.name.clone(), Expr::Column(column.column.clone(), column.dtype.clone())))
        .collect()
}

/// A predicate over one side's keys alone as one over the other side's.
fn of_other_side(join: &Join, predicate: &Expr, side: JoinSide) -> Option<(JoinSide, Expr)> {
    let other = if side == JoinSide::Left { JoinSide::Right } else { JoinSide::Left };
    let pairs: Vec<(Arc<str>, Expr)> = join
        .keys
        .iter()
        .filter_map(|(left, right)| {
            let (own, others) = if side == JoinSide::Left { (left, right) } else { (right, left) };
            match (own, others) {
                (Expr::Column(name, dtype), Expr::Column(_, same)) if dtype == same => {
                    Some((name.clone(), others.clone()))
                }
                _ => None,
            }
        })
        .collect();
    Some((other, over(predicate, &pairs)?))
}

/// A join with weaker filters below it, which a filter above it implies for one side each: of `a | b` both must say
/// something of that side.
fn implied_below(node: &Arc<Node>, predicate: &Expr) -> Option<Arc<Node>> {
    match &**node {
        Node::Filter { input, predicate: above } => {
            let input = implied_below(input, predicate)?;
            Some(Arc::new(Node::Filter { input, predicate: above.clone() }))
        }
        Node::Join(join) => {
            let mut made = node.clone();
            let mut changed = false;
            for side in [JoinSide::Left, JoinSide::Right] {
                let weaker = implied(predicate, &|names| is_of(names, &join.columns, side));
                // The same once more would be no gain.
                let weaker = weaker.filter(|weaker| weaker != predicate);
                if let Some(pushed) = weaker.and_then(|weaker| push(&made, &weaker, Reach::Scan)) {
                    (made, changed) = (pushed, true);
                }
            }
            changed.then_some(made)
        }
        _ => None,
    }
}

fn implied(predicate: &Expr, known: &dyn Fn(&Names) -> bool) -> Option<Expr> {
    if !predicate.is_constant() && known(&columns_of([predicate])) {
        return Some(predicate.clone());
    }
    let Expr::Call { op, args, dtype } = predicate else { return None };
    let [a, b] = args.as_slice() else { return None };
    match (&**op, implied(a, known), implied(b, known)) {
        ("and" | "or", Some(a), Some(b)) => {
            Some(Expr::Call { op: op.clone(), args: vec![a, b], dtype: dtype.clone() })
        }
        ("and", Some(one), None) | ("and", None, Some(one)) => Some(one),
        _ => None,
    }
}
