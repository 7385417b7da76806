//! What a query may not hold, however deep: what writes or locks, parameters, and clauses that would be ignored.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    GroupByExpr, Query, Select, SetExpr, Spanned, TableFactor, Value, ValueWithSpan, Visitor,
};

use super::depth::DEEPEST;
use super::text::{at, not_a_query};
use crate::error::Error;

#[derive(Default)]
pub struct Reads {
    tables: usize,
}

type Flow = ControlFlow<Box<Error>>;

/// Refuses a clause that DataFusion's front end would take and do nothing about.
fn refused(clause: &str, part: &impl Spanned) -> Flow {
    let error = at(part.span().start, &format!("the SQL asks for what is not supported: {clause}"));
    ControlFlow::Break(Box::new(error.hint("Leave it out")))
}

impl Visitor for Reads {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        let kind = match &*query.body {
            SetExpr::Insert(_) => "INSERT",
            SetExpr::Update(_) => "UPDATE",
            SetExpr::Delete(_) => "DELETE",
            SetExpr::Merge(_) => "MERGE",
            _ if !query.locks.is_empty() => "SELECT FOR UPDATE",
            _ if query.for_clause.is_some() => return refused("FOR", query),
            _ if query.settings.is_some() => return refused("SETTINGS", query),
            _ if query.format_clause.is_some() => return refused("FORMAT", query),
            _ => return ControlFlow::Continue(()),
        };
        ControlFlow::Break(Box::new(not_a_query(kind, query.span().start)))
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        let modifiers = match &select.group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
        };
        match select {
            _ if select.into.is_some() => {
                ControlFlow::Break(Box::new(not_a_query("SELECT INTO", select.span().start)))
            }
            _ if modifiers => refused("GROUP BY ... WITH; write ROLLUP (...) or CUBE (...)", select),
            _ if select.prewhere.is_some() => refused("PREWHERE", select),
            _ if !select.connect_by.is_empty() => refused("CONNECT BY", select),
            _ if !select.distribute_by.is_empty() => refused("DISTRIBUTE BY", select),
            _ if select.value_table_mode.is_some() => refused("SELECT AS STRUCT or AS VALUE", select),
            _ if select.select_modifiers.is_some() => refused("modifiers of SELECT", select),
            _ if select.exclude.is_some() => refused("EXCLUDE after the columns", select),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> Flow {
        self.tables += 1;
        if self.tables > DEEPEST {
            let error = at(table.span().start, &format!("the SQL joins more than {DEEPEST} tables"));
            return ControlFlow::Break(Box::new(error.hint("Split the query")));
        }
        match table {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                refused("TABLESAMPLE", table)
            }
            TableFactor::Table { version: Some(_), .. } => refused("a version of a table", table),
            TableFactor::Table { with_ordinality: true, .. } => refused("WITH ORDINALITY", table),
            TableFactor::Table { json_path: Some(_), .. } => refused("a path into a table", table),
            TableFactor::Table { partitions, .. } if !partitions.is_empty() => {
                refused("PARTITION of a table", table)
            }
            TableFactor::Table { with_hints, index_hints, .. }
                if !with_hints.is_empty() || !index_hints.is_empty() =>
            {
                refused("hints for a table", table)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> Flow {
        match &value.value {
            Value::Placeholder(name) => {
                let error = at(value.span.start, &format!("the SQL has a parameter, `{name}`"));
                ControlFlow::Break(Box::new(error.hint("Write the value into the query")))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
