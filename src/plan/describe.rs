//! Nodes as a person reads them, for `explain()`.

use super::expr::Expr;
use super::node::Node;

impl Node {
    /// One line a node, the input below and further in.
    pub fn describe(&self, depth: usize, text: &mut String) {
        let list = |exprs: &mut dyn Iterator<Item = &Expr>| {
            exprs.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let line = match self {
            Node::Scan { fields, .. } => format!("scan of {} columns", fields.len()),
            Node::Unit => "one row".to_owned(),
            Node::Project { columns, .. } => {
                let columns = columns.iter().map(|(name, expr)| match expr {
                    Expr::Column(column, _) if column == name => name.to_string(),
                    _ => format!("{name} = {expr}"),
                });
                format!("columns {}", columns.collect::<Vec<_>>().join(", "))
            }
            Node::Draw { .. } => "rows that are chosen by place".to_owned(),
            Node::Filter { predicate, .. } => format!("keep {predicate}"),
            Node::RowNumber { .. } => "number the rows".to_owned(),
            Node::Group { keys, aggregates, sorted, .. } => {
                let calls = aggregates
                    .iter()
                    .map(|aggregate| format!("{}({})", aggregate.function, list(&mut aggregate.args.iter())));
                let calls = calls.collect::<Vec<_>>().join(", ");
                match keys.as_slice() {
                    [] => format!("aggregate {calls}"),
                    keys => {
                        let order = if *sorted { "in order of the keys" } else { "in order of appearance" };
                        format!("group by {}: {calls}, {order}", list(&mut keys.iter().map(|(_, expr)| expr)))
                    }
                }
            }
            Node::Sort { keys, .. } => {
                let keys = keys
                    .iter()
                    .map(|key| format!("{}{}", key.expr, if key.descending { " descending" } else { "" }));
                format!("sort by {}", keys.collect::<Vec<_>>().join(", "))
            }
            Node::Fill { freq, .. } => format!("with the bins of {freq} that no row is in"),
            Node::Limit { rows, .. } => format!("first {rows} rows"),
            Node::Window { calls, .. } => {
                let calls = calls.iter().map(|(name, call)| format!("{name} = {call}"));
                format!("over the rows: {}", calls.collect::<Vec<_>>().join(", "))
            }
            Node::Sql { query, tables, .. } => {
                let tables = tables.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", ");
                let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("SQL over {tables}: {query}")
            }
            Node::Slice { start, stop: None, .. } => format!("rows from {start}"),
            Node::Slice { start, stop: Some(stop), .. } => format!("rows from {start} to {stop}"),
            Node::Scope { by, .. } => format!("each group by {}", list(&mut by.iter())),
            Node::Distinct { subset, keep, .. } => {
                format!("without duplicates of {} (keep {keep:?})", subset.join(", "))
            }
            Node::Explode { lists, .. } => format!("a row for each value of {}", lists.join(", ")),
            Node::Join(join) => {
                let keys = join.keys.iter().map(|(left, right)| format!("{left} = {right}"));
                let keys = keys.collect::<Vec<_>>().join(" and ");
                let on = if keys.is_empty() { String::new() } else { format!(" on {keys}") };
                format!("{} join{on}", format!("{:?}", join.kind).to_lowercase())
            }
            Node::Concat { inputs, .. } => format!("{} tables one after the other", inputs.len()),
        };
        text.push_str(&"  ".repeat(depth));
        text.push_str(&line);
        text.push('\n');
        for input in self.inputs() {
            input.describe(depth + 1, text);
        }
    }
}
