//! Pieces of split texts: one piece, or their number, needs no list.

use crate::plan::{Expr, Literal};

/// The same call without the list that would be made for it.
pub fn fused(op: &str, args: &[Expr]) -> Option<(&'static str, Vec<Expr>)> {
    let Some(Expr::Call { op: inner, args: split, .. }) = args.first() else { return None };
    if &**inner != "str_split" {
        return None;
    }
    match (op, &args[1..]) {
        ("list_len", []) => Some(("str_split_count", split.clone())),
        ("list_get", [number @ Expr::Literal(Literal::Int(_)), Expr::Literal(Literal::Bool(false))]) => {
            Some(("str_split_part", split.iter().chain([number]).cloned().collect()))
        }
        _ => None,
    }
}
