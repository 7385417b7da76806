//! What the columns of an answer are called: as the query names them, else by what it wrote.

use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr};

use super::text::Written;

/// One label for each column, in order.
pub fn labels(query: &Query, schema: &DFSchema, written: &Written) -> Vec<String> {
    let mut labels: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let Some(select) = first_select(&query.body) else { return labels };
    let items = &select.projection;
    let wild =
        |item: &SelectItem| !matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    // What a `*` stands for is not counted here: the items before the first and after the last one are.
    let first = items.iter().position(wild).unwrap_or(items.len());
    let last = items.iter().rposition(wild).map_or(items.len(), |last| items.len() - 1 - last);
    if first == items.len() && labels.len() != items.len() || first.max(last) > labels.len() {
        return labels;
    }
    for (label, item) in labels.iter_mut().zip(&items[..first]) {
        rename(label, item, written);
    }
    if first < items.len() {
        for (label, item) in labels.iter_mut().rev().zip(items.iter().rev().take(last)) {
            rename(label, item, written);
        }
    }
    labels
}

fn rename(label: &mut String, item: &SelectItem, written: &Written) {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {}
        SelectItem::UnnamedExpr(expr) => *label = expr.to_string(),
        SelectItem::ExprWithAlias { alias, .. } => {
            let start = alias.span.start;
            if let Some(alias) = written.get(&(start.line, start.column)) {
                label.clone_from(alias);
            }
        }
        _ => {}
    }
}

/// The part of a query that names its columns.
fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}
