//! Lowering of sorts, and of `drop_duplicates` to a grouping.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use super::{Grouping, Lowering, Names, POSITION, Plan, columns_of, project, virtual_column};
use crate::engine::owned_exec::OwnedExec;
use crate::engine::physical_expr;
use crate::engine::sort::exec::SortedExec;
use crate::error::{Error, Result};
use crate::plan::node::{Aggregation, Keep, Params, SortKey};
use crate::plan::{DType, Expr, Node};

/// Of so many parts of the memory limit a sort is expected to need one, if DataFusion's is to do it: it is faster, and
/// at its limit it may fail where ours goes to disk. Numbers of rows are estimates.
const SMALL: f64 = 4.0;

/// Bytes of a value that is as long as it likes.
const LONG: usize = 48;

impl Lowering {
    /// Whether the rows of a node are expected to be far from what memory there is, and did not lack any before.
    pub(super) fn sorts_within_memory(&self, rows: &Arc<Node>, schema: &Schema) -> bool {
        let width = |field: &Arc<Field>| field.data_type().primitive_width().unwrap_or(LONG);
        let bytes = self.rows(rows) * schema.fields().iter().map(width).sum::<usize>() as f64;
        self.grouping == Grouping::Own && !self.merging && bytes * SMALL <= self.control.memory.limit() as f64
    }

    /// A stable sort: the rows' positions are the last key.
    pub(super) fn sort(
        &self,
        input: &Arc<Node>,
        keys: &[SortKey],
        needed: &Names,
        fetch: Option<usize>,
    ) -> Result<Plan> {
        let mut below: Names = needed.clone();
        below.extend(columns_of(keys.iter().map(|key| &key.expr)));
        below.insert(POSITION.into());
        let plan = match fetch {
            None => self.lower_placed(input, &below)?,
            Some(_) => self.lower(input, &below)?,
        };
        let schema = plan.schema();
        let position =
            SortKey { expr: Expr::column(POSITION, DType::Int64), descending: false, missing_first: false };
        let keys: Vec<SortKey> = keys.iter().cloned().chain([position]).collect();
        let small = self.sorts_within_memory(input, &schema);
        let sorted = sorted(plan, &keys, fetch, small, self)?;
        let columns: Vec<_> = needed
            .iter()
            .filter_map(|name| {
                let field = schema.field_with_name(name).ok()?;
                Some((name.clone(), Expr::Column(name.clone(), DType::from_arrow(field.data_type()))))
            })
            .collect();
        project(sorted, &columns)
    }
}

/// A plan's rows in the order of keys that tell all of them apart. `small` ones do not come near the memory limit.
pub(super) fn sorted(
    plan: Plan,
    keys: &[SortKey],
    fetch: Option<usize>,
    small: bool,
    lowering: &Lowering,
) -> Result<Plan> {
    let schema = plan.schema();
    let mut exprs = Vec::with_capacity(keys.len());
    for key in keys {
        let expr = as_key(&key.expr)?;
        let options = SortOptions { descending: key.descending, nulls_first: key.missing_first };
        exprs.push(PhysicalSortExpr::new(physical_expr::physical_expr(&expr, &schema)?, options));
    }
    if fetch.is_none() && !small && SortedExec::supports(&exprs, &plan)? {
        let plan = Arc::new(OwnedExec::new(plan));
        return Ok(Arc::new(SortedExec::new(plan, exprs, lowering.control.clone(), lowering.threads)));
    }
    let ordering = LexOrdering::new(exprs).ok_or_else(|| Error::internal("a sort without keys"))?;
    // Of rows of which only the first are kept, none are held long.
    let plan: Plan = if fetch.is_some() { plan } else { Arc::new(OwnedExec::new(plan)) };
    let several = plan.properties().partitioning.partition_count() > 1;
    let sort = SortExec::new(ordering.clone(), plan).with_preserve_partitioning(several).with_fetch(fetch);
    if !several {
        return Ok(Arc::new(sort));
    }
    // The keys tell all rows apart: the merge has no ties to break.
    let merge = SortPreservingMergeExec::new(ordering, Arc::new(sort)).with_round_robin_repartition(false);
    Ok(Arc::new(merge.with_fetch(fetch)))
}

/// A value as a sort key or group key: NaN is missing, and both zeros are one.
pub(super) fn as_key(expr: &Expr) -> Result<Expr> {
    if expr.dtype().is_float() { Expr::call("key", vec![expr.clone()]) } else { Ok(expr.clone()) }
}

/// `drop_duplicates` as a grouping by `subset` that picks whole rows by their position.
pub(super) fn distinct(
    input: &Arc<Node>,
    subset: &[Arc<str>],
    keep: Keep,
    needed: &Names,
) -> Result<Arc<Node>> {
    let position = Expr::column(POSITION, DType::Int64);
    let fields = input.fields();
    let column = |name: &Arc<str>| -> Result<Expr> {
        if virtual_column(name) {
            return Ok(Expr::Column(name.clone(), DType::Int64));
        }
        let field = fields.iter().find(|field| field.name == *name);
        let field =
            field.ok_or_else(|| Error::internal(format!("no column `{name}` to tell rows apart by")))?;
        Ok(Expr::Column(name.clone(), field.dtype.clone()))
    };
    let keys = subset
        .iter()
        .enumerate()
        .map(|(number, name)| Ok((format!("__key{number}").into(), column(name)?)))
        .collect::<Result<Vec<(Arc<str>, Expr)>>>()?;
    let pick = match keep {
        Keep::First | Keep::None => "row_first",
        Keep::Last => "row_last",
    };
    let mut aggregates = Vec::new();
    for name in needed.iter().filter(|name| &***name != POSITION) {
        let expr = column(name)?;
        let dtype = expr.dtype();
        let params = Params::default();
        aggregates.push(Aggregation {
            name: name.clone(),
            function: pick.into(),
            args: vec![expr],
            params,
            dtype,
        });
    }
    let extra = |name: &str, function: &str, args: Vec<Expr>| Aggregation {
        name: name.into(),
        function: function.into(),
        args,
        params: Params::default(),
        dtype: DType::Int64,
    };
    match keep {
        Keep::First => {}
        Keep::Last => aggregates.push(extra("__last", "max", vec![position])),
        Keep::None => aggregates.push(extra("__rows", "size", Vec::new())),
    }
    let numbered = Arc::new(Node::RowNumber { input: input.clone(), name: POSITION.into() });
    let grouped = Arc::new(Node::Group { input: numbered, keys, aggregates, sorted: false, dropna: false });
    Ok(match keep {
        Keep::First => grouped,
        Keep::Last => {
            let expr = Expr::column("__last", DType::Int64);
            let key = SortKey { expr, descending: false, missing_first: false };
            Arc::new(Node::Sort { input: grouped, keys: vec![key] })
        }
        Keep::None => {
            let once = Expr::call(
                "eq",
                vec![Expr::column("__rows", DType::Int64), Expr::Literal(crate::plan::Literal::Int(1))],
            )?;
            Arc::new(Node::Filter { input: grouped, predicate: once })
        }
    })
}
