//! Lowering of groupings to DataFusion's operator, which spills: the fallback of ours, and its oracle.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::sort::as_key;
use super::{Lowering, POSITION, Plan, columns_of, compiled};
use crate::error::Result;
use crate::plan::node::{Aggregation, Params, SortKey};
use crate::plan::reduce::{self, udaf};
use crate::plan::{DType, Expr, Node};

/// The column by which groups are put in order of first appearance.
const FIRST: &str = "__first";

impl Lowering {
    pub(super) fn group_by_datafusion(
        &self,
        input: &Arc<Node>,
        keys: &[(Arc<str>, Expr)],
        aggregates: &[Aggregation],
        sorted: bool,
        dropna: bool,
    ) -> Result<Plan> {
        let position = Expr::column(POSITION, DType::Int64);
        let mut aggregates = aggregates.to_vec();
        if !sorted && !keys.is_empty() {
            aggregates.push(first());
        }

        // Keys and arguments as columns of their own.
        let mut columns: Vec<(Arc<str>, Expr)> = Vec::new();
        for (name, expr) in keys {
            columns.push((name.clone(), as_key(expr)?));
        }
        let mut arguments = Vec::new();
        for (number, aggregate) in aggregates.iter().enumerate() {
            let mut args = aggregate.args.clone();
            if reduce::find(&aggregate.function)?.ordered() {
                args.push(position.clone());
            }
            if args.is_empty() {
                // DataFusion cannot count rows by no column at all.
                args.push(Expr::Literal(crate::plan::Literal::Bool(true)));
            }
            let mut names = Vec::new();
            for (place, arg) in args.into_iter().enumerate() {
                let name: Arc<str> = format!("__arg{number}_{place}").into();
                columns.push((name.clone(), arg));
                names.push(name);
            }
            arguments.push(names);
        }
        let plan = self.lower(input, &columns_of(columns.iter().map(|(_, expr)| expr)))?;
        // Orders that are kept spare its operators memory.
        let columns = compiled(&columns, &plan.schema())?;
        let mut plan: Plan = Arc::new(ProjectionExec::try_new(columns, plan)?);
        if dropna {
            for (name, _) in keys {
                let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new_with_schema(name, &plan.schema())?);
                plan = Arc::new(FilterExec::try_new(Arc::new(IsNotNullExpr::new(column)), plan)?);
            }
        }

        let schema = plan.schema();
        let functions = aggregates
            .iter()
            .zip(&arguments)
            .map(|(aggregate, names)| function(aggregate, names, &schema))
            .collect::<Result<Vec<_>>>()?;
        let by = |schema: &Schema| -> Result<Vec<(Arc<dyn PhysicalExpr>, String)>> {
            let column = |name: &Arc<str>| -> Result<(Arc<dyn PhysicalExpr>, String)> {
                Ok((Arc::new(Column::new_with_schema(name, schema)?), name.to_string()))
            };
            keys.iter().map(|(name, _)| column(name)).collect()
        };
        let none = vec![None; functions.len()];
        let group_by = PhysicalGroupBy::new_single(by(&schema)?);
        let partial: Plan = Arc::new(AggregateExec::try_new(
            AggregateMode::Partial,
            group_by,
            functions.clone(),
            none.clone(),
            plan,
            schema.clone(),
        )?);
        let group_by = PhysicalGroupBy::new_single(by(&partial.schema())?);
        // Not repartitioned by hash and finished in parallel: DataFusion 55's RepartitionExec can wait for ever when
        // it spills (apache/datafusion#24883), and to spill is what this is for.
        let collected: Plan = Arc::new(CoalescePartitionsExec::new(partial));
        let mode = AggregateMode::Final;
        let grouped: Plan =
            Arc::new(AggregateExec::try_new(mode, group_by, functions, none, collected, schema)?);
        if keys.is_empty() {
            return Ok(grouped);
        }
        self.arranged(grouped, keys, sorted)
    }

    /// Groups in order: what spills gives them in none.
    fn arranged(&self, grouped: Plan, keys: &[(Arc<str>, Expr)], sorted: bool) -> Result<Plan> {
        let key = |name: &Arc<str>, dtype: DType| SortKey {
            expr: Expr::Column(name.clone(), dtype),
            descending: false,
            missing_first: false,
        };
        let by = if sorted {
            keys.iter().map(|(name, expr)| key(name, expr.dtype())).collect()
        } else {
            vec![key(&FIRST.into(), DType::Int64)]
        };
        super::sort::sorted(grouped, &by, None, false, self)
    }
}

/// Where a group's first row is.
fn first() -> Aggregation {
    Aggregation {
        name: FIRST.into(),
        function: "min".into(),
        args: vec![Expr::column(POSITION, DType::Int64)],
        params: Params::default(),
        dtype: DType::Int64,
    }
}

fn function(
    aggregate: &Aggregation,
    arguments: &[Arc<str>],
    schema: &Arc<Schema>,
) -> Result<Arc<AggregateFunctionExpr>> {
    let types = aggregate.args.iter().map(Expr::dtype).collect();
    let function = udaf::udaf(reduce::find(&aggregate.function)?, types, aggregate.params.clone())?;
    let args = arguments
        .iter()
        .map(|name| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, schema)?)) })
        .collect::<Result<Vec<_>>>()?;
    let built = AggregateExprBuilder::new(Arc::new(function), args)
        .schema(schema.clone())
        .alias(aggregate.name.to_string())
        .build()?;
    Ok(Arc::new(built))
}
