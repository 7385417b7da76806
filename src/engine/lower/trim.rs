//! Plans without the columns and row numbers that nobody reads.

use std::sync::Arc;

use super::{Names, columns_of};
use crate::plan::{Expr, Node};

/// The same rows with the columns of `needed` (at least).
pub fn trimmed(node: &Arc<Node>, needed: &Names) -> Arc<Node> {
    let with = |exprs: &mut dyn Iterator<Item = &Expr>| -> Names {
        let mut names = needed.clone();
        names.extend(columns_of(exprs));
        names
    };
    Arc::new(match &**node {
        Node::Project { input, columns } => {
            let columns: Vec<_> = columns.iter().filter(|(name, _)| needed.contains(name)).cloned().collect();
            let below = columns_of(columns.iter().map(|(_, expr)| expr));
            Node::Project { input: trimmed(input, &below), columns }
        }
        Node::Filter { input, predicate } => {
            let below = with(&mut [predicate].into_iter());
            Node::Filter { input: trimmed(input, &below), predicate: predicate.clone() }
        }
        Node::RowNumber { input, name } => {
            if !needed.contains(name) {
                return trimmed(input, needed);
            }
            let mut below = needed.clone();
            below.remove(name);
            Node::RowNumber { input: trimmed(input, &below), name: name.clone() }
        }
        Node::Window { input, calls } => {
            let calls: Vec<_> = calls.iter().filter(|(name, _)| needed.contains(name)).cloned().collect();
            if calls.is_empty() {
                return trimmed(input, needed);
            }
            let mut below = needed.clone();
            calls.iter().for_each(|(name, _)| {
                below.remove(name);
            });
            below.extend(columns_of(calls.iter().flat_map(|(_, call)| call.exprs())));
            Node::Window { input: trimmed(input, &below), calls }
        }
        Node::Group { input, keys, aggregates, sorted, dropna } => {
            let exprs = keys.iter().map(|(_, expr)| expr);
            let below = columns_of(exprs.chain(aggregates.iter().flat_map(|aggregate| &aggregate.args)));
            let (keys, aggregates) = (keys.clone(), aggregates.clone());
            let input = trimmed(input, &below);
            Node::Group { input, keys, aggregates, sorted: *sorted, dropna: *dropna }
        }
        Node::Sort { input, keys } => {
            let below = with(&mut keys.iter().map(|key| &key.expr));
            Node::Sort { input: trimmed(input, &below), keys: keys.clone() }
        }
        Node::Draw { input, counts, draw } => {
            let input = trimmed(input, &[counts.clone()].into());
            Node::Draw { input, counts: counts.clone(), draw: draw.clone() }
        }
        Node::Limit { input, rows } => Node::Limit { input: trimmed(input, needed), rows: *rows },
        Node::Slice { input, start, stop } => {
            Node::Slice { input: trimmed(input, needed), start: *start, stop: *stop }
        }
        Node::Distinct { input, subset, keep } => {
            let mut below = needed.clone();
            below.extend(subset.iter().cloned());
            Node::Distinct { input: trimmed(input, &below), subset: subset.clone(), keep: *keep }
        }
        Node::Explode { input, lists, keep_empty, place } => {
            let mut below = needed.clone();
            place.iter().for_each(|name| {
                below.remove(name);
            });
            below.extend(lists.iter().cloned());
            let (lists, place) = (lists.clone(), place.clone());
            Node::Explode { input: trimmed(input, &below), lists, keep_empty: *keep_empty, place }
        }
        Node::Join(join) => {
            let mut join = join.clone();
            join.columns.retain(|column| needed.contains(&column.name));
            let (mut left, mut right): (Names, Names) = (
                columns_of(join.keys.iter().map(|(left, _)| left)),
                columns_of(join.keys.iter().map(|(_, right)| right)),
            );
            for column in &join.columns {
                match column.from {
                    crate::plan::node::JoinSide::Left => left.insert(column.column.clone()),
                    crate::plan::node::JoinSide::Right => right.insert(column.column.clone()),
                    crate::plan::node::JoinSide::Which => false,
                };
            }
            join.left = trimmed(&join.left, &left);
            join.right = trimmed(&join.right, &right);
            Node::Join(join)
        }
        Node::Concat { inputs, fields } => {
            let fields: Arc<[_]> =
                fields.iter().filter(|field| needed.contains(&field.name)).cloned().collect();
            let below: Names = fields.iter().map(|field| field.name.clone()).collect();
            let inputs = inputs.iter().map(|input| trimmed(input, &below)).collect();
            Node::Concat { inputs, fields }
        }
        Node::Scan { .. } | Node::Unit | Node::Sql { .. } | Node::Fill { .. } | Node::Scope { .. } => {
            return node.clone();
        }
    })
}
