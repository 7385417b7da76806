//! Lowering of the first rows of each group in some order, without sorting all rows.

use std::sync::Arc;

use datafusion::physical_plan::filter::FilterExec;

use super::sort::sorted;
use super::{Lowering, Names, POSITION, Plan, arrow_of, columns_of, project};
use crate::engine::ordered::{OrderedExec, Pass};
use crate::engine::physical_expr;
use crate::engine::window::top::{First, TopExec};
use crate::error::Result;
use crate::plan::eval::Program;
use crate::plan::node::SortKey;
use crate::plan::window::WindowCall;
use crate::plan::{DType, Expr, Literal, Node};

/// More rows of each group than this are found by sorting.
const MOST: i64 = 64;

impl Lowering {
    /// `cumcount() < n` over sorted rows: only rows that may be among these are sorted.
    pub(super) fn first_of_groups(
        &self,
        input: &Arc<Node>,
        predicate: &Expr,
        needed: &Names,
    ) -> Result<Option<Plan>> {
        let Node::Window { input: rows, calls } = &**input else { return Ok(None) };
        if needed.contains(POSITION) {
            // The rows have an order of their own.
            let mut others = needed.clone();
            others.remove(POSITION);
            let plan = self.first_of_groups(input, predicate, &others)?;
            return Ok(
                plan.map(|plan| -> Plan { Arc::new(OrderedExec::new(plan, Pass::Number(POSITION.into()))) })
            );
        }
        let (Node::Sort { input: below, keys }, [counted]) = (&**rows, calls.as_slice()) else {
            return Ok(None);
        };
        let (name, call) = counted;
        let Some(rows) = bound(predicate, name, call) else { return Ok(None) };
        let Some(key) = keys.first().filter(|key| First::takes(&key.expr.dtype())) else { return Ok(None) };
        if needed.contains(name) {
            return Ok(None);
        }
        let mut names = needed.clone();
        names.extend(columns_of(call.by.iter().chain(keys.iter().map(|key| &key.expr))));
        names.insert(POSITION.into());
        let plan = self.lower(below, &names)?;
        let schema = plan.schema();
        let programs = call.by.iter().map(|key| Program::new(key, &schema)).collect::<Result<Vec<_>>>()?;
        let types = call.by.iter().map(|key| arrow_of(key, &schema)).collect::<Result<Vec<_>>>()?;
        let shown: Vec<_> = call.by.iter().map(ToString::to_string).collect();
        let order = if key.descending { "largest" } else { "least" };
        let display = format!("the {rows} {order} {} by {}", key.expr, shown.join(", "));
        let first = First {
            keys: programs,
            types,
            dropna: call.dropna,
            rows,
            by: Program::new(&key.expr, &schema)?,
            dtype: key.expr.dtype(),
            descending: key.descending,
            missing_first: key.missing_first,
            // Missing values that come first have the code of the least value.
            ties: keys.len() > 1 || key.missing_first,
        };
        let plan: Plan = Arc::new(TopExec::new(plan, Arc::new(first), self.control.clone(), display));
        let position =
            SortKey { expr: Expr::column(POSITION, DType::Int64), descending: false, missing_first: false };
        let keys: Vec<SortKey> = keys.iter().cloned().chain([position]).collect();
        let small = self.sorts_within_memory(below, &schema);
        let plan = sorted(plan, &keys, None, small, self)?;
        let plan = self.window_over(plan, &[counted], &names)?;
        let predicate = physical_expr::physical_expr(predicate, &plan.schema())?;
        let plan: Plan = Arc::new(FilterExec::try_new(predicate, plan)?);
        let schema = plan.schema();
        let columns: Vec<_> = needed
            .iter()
            .filter_map(|name| {
                let field = schema.field_with_name(name).ok()?;
                Some((name.clone(), Expr::Column(name.clone(), DType::from_arrow(field.data_type()))))
            })
            .collect();
        Ok(Some(project(plan, &columns)?))
    }
}

/// How many rows of each group are kept.
fn bound(predicate: &Expr, name: &str, call: &WindowCall) -> Option<usize> {
    let Expr::Call { op, args, .. } = predicate else { return None };
    let [Expr::Column(column, _), Expr::Literal(Literal::Int(rows))] = args.as_slice() else { return None };
    let counts =
        &*call.function == "cumcount" && call.options == [Literal::Bool(true)] && !call.by.is_empty();
    let first = &**op == "lt" && **column == *name && counts && (0..=MOST).contains(rows);
    first.then(|| usize::try_from(*rows).ok()).flatten()
}
