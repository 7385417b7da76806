//! Which queries mean the same whenever they are planned, so that their plan may be kept.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, Volatility};

/// Whether nothing in a plan depends on when it is made: it reads none but given tables, and calls no function such as
/// `now()` or `random()`.
pub fn is_settled(
    logical: &LogicalPlan,
    is_given: &dyn Fn(&Arc<dyn TableSource>) -> bool,
) -> DataFusionResult<bool> {
    let mut settled = ControlFlow::Continue(());
    logical.apply_with_subqueries(|plan| {
        let mut known = is_known(plan, is_given);
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                known &= is_constant_in_time(expr);
                Ok(if known { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        if known {
            return Ok(TreeNodeRecursion::Continue);
        }
        settled = ControlFlow::Break(());
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(settled.is_continue())
}

fn is_known(plan: &LogicalPlan, is_given: &dyn Fn(&Arc<dyn TableSource>) -> bool) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => is_given(&scan.source),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => true,
        _ => false,
    }
}

/// The expression itself; what is within it is looked at by itself.
fn is_constant_in_time(expr: &Expr) -> bool {
    let immutable = |volatility: Volatility| volatility == Volatility::Immutable;
    match expr {
        Expr::ScalarFunction(call) => immutable(call.func.signature().volatility),
        Expr::AggregateFunction(call) => immutable(call.func.signature().volatility),
        Expr::WindowFunction(call) => immutable(call.fun.signature().volatility),
        Expr::HigherOrderFunction(call) => immutable(call.func.signature().volatility),
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::GroupingSet(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => true,
        _ => false,
    }
}
