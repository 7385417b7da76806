//! Lowering of groupings to our own operator.

use std::collections::HashMap;
use std::sync::Arc;

use super::pipeline::Pipeline;
use super::{Grouping, Lowering, POSITION, Plan, arrow_of, columns_of};
use crate::engine::group::exec::{GroupExec, GroupInput, GroupWork};
use crate::engine::group::{AggregateSpec, GroupOrder, GroupSpec, KeySpec};
use crate::error::{Error, Result};
use crate::plan::eval::Program;
use crate::plan::node::Aggregation;
use crate::plan::reduce;
use crate::plan::{DType, Expr, Node};

impl Lowering {
    pub(super) fn group(
        &self,
        input: &Arc<Node>,
        keys: &[(Arc<str>, Expr)],
        aggregates: &[Aggregation],
        (order, dropna): (GroupOrder, bool),
    ) -> Result<Plan> {
        let sorted = order != GroupOrder::Appearance;
        if self.grouping == Grouping::DataFusion {
            self.control.grouped_by("datafusion");
            return self.group_by_datafusion(input, keys, aggregates, sorted, dropna);
        }
        self.control.grouped_by("own");
        let position = Expr::column(POSITION, DType::Int64);
        let ordered = aggregates.iter().map(|a| reduce::find(&a.function)).collect::<Result<Vec<_>>>()?;
        let positions = !sorted && !keys.is_empty() || ordered.iter().any(|function| function.ordered());
        let key_exprs = keys.iter().map(|(_, expr)| expr);
        let mut exprs: Vec<&Expr> = key_exprs.chain(aggregates.iter().flat_map(|a| &a.args)).collect();
        if positions {
            exprs.push(&position);
        }

        let (group_input, schema, predicate, exprs) = match Pipeline::of(input) {
            Some(pipeline) => {
                let exprs: Vec<Expr> = exprs.into_iter().map(|expr| pipeline.over_scan(expr)).collect();
                let dictionaries = only_keys(&exprs, keys.len(), &pipeline.predicates);
                let (scan, predicate) =
                    self.open_scan(&pipeline, &exprs.iter().collect::<Vec<_>>(), &dictionaries)?;
                let schema = scan.schema();
                (GroupInput::Scan(scan), schema, predicate, exprs)
            }
            None => {
                // Without places, no aggregate asks what comes before what.
                let plan = self.lower_any_order(input, &columns_of(exprs.iter().copied()))?;
                let schema = plan.schema();
                (GroupInput::Plan(plan), schema, None, exprs.into_iter().cloned().collect())
            }
        };

        let mut programs =
            exprs.iter().map(|expr| Program::new(expr, &schema)).collect::<Result<Vec<_>>>()?.into_iter();
        let mut next = || programs.next().ok_or_else(|| Error::internal("an expression went missing"));
        let mut work = GroupWork { predicate, keys: Vec::new(), args: Vec::new(), positions: None };
        for _ in keys {
            work.keys.push(next()?);
        }
        for aggregate in aggregates {
            work.args.push(aggregate.args.iter().map(|_| next()).collect::<Result<_>>()?);
        }
        if positions {
            work.positions = Some(next()?);
        }
        let key_specs = keys
            .iter()
            .zip(&exprs)
            .map(|((name, _), expr)| Ok(KeySpec { name: name.clone(), arrow: arrow_of(expr, &schema)? }))
            .collect::<Result<Vec<_>>>()?;
        let mut args = exprs[keys.len()..].iter();
        let mut specs = Vec::with_capacity(aggregates.len());
        for aggregate in aggregates {
            let own: Vec<&Expr> = args.by_ref().take(aggregate.args.len()).collect();
            let arrow = match (aggregate.dtype.arrow(), own.first()) {
                (Some(arrow), _) => arrow,
                // What is only carried along comes out as it went in.
                (None, Some(arg)) => arrow_of(arg, &schema)?,
                (None, None) => return Err(Error::internal("an aggregate of nothing with an opaque type")),
            };
            let exprs = aggregate.args.clone();
            let params = aggregate.params.clone();
            specs.push(AggregateSpec::new(
                aggregate.name.clone(),
                &aggregate.function,
                exprs,
                params,
                arrow,
            )?);
        }
        let spec = GroupSpec { keys: key_specs, aggregates: specs, order, dropna };
        let display = display(keys, aggregates);
        let exec = GroupExec::new(group_input, work, spec, self.control.clone(), self.threads, display)?;
        if self.grouping != Grouping::Spilling || keys.is_empty() {
            return Ok(Arc::new(exec));
        }
        match exec.spilling() {
            Some(exec) => Ok(Arc::new(exec)),
            None => {
                self.control.grouped_by("datafusion");
                self.group_by_datafusion(input, keys, aggregates, sorted, dropna)
            }
        }
    }
}

/// The string columns that are keys as they are and nothing else: these may stay dictionaries.
fn only_keys(exprs: &[Expr], keys: usize, predicates: &[Expr]) -> Vec<Arc<str>> {
    let mut uses: HashMap<Arc<str>, usize> = HashMap::new();
    for expr in exprs.iter().chain(predicates) {
        expr.each_column(&mut |name| *uses.entry(name.clone()).or_default() += 1);
    }
    let bare = exprs[..keys].iter().filter_map(|key| match key {
        Expr::Column(name, DType::Str) if uses.get(name) == Some(&1) => Some(name.clone()),
        _ => None,
    });
    bare.collect()
}

pub(super) fn display(keys: &[(Arc<str>, Expr)], aggregates: &[Aggregation]) -> String {
    let keys: Vec<_> = keys.iter().map(|(_, expr)| expr.to_string()).collect();
    let aggregates: Vec<_> = aggregates
        .iter()
        .map(|aggregate| {
            let args: Vec<_> = aggregate.args.iter().map(ToString::to_string).collect();
            format!("{}({})", aggregate.function, args.join(", "))
        })
        .collect();
    if keys.is_empty() {
        aggregates.join(", ")
    } else {
        format!("{} by {}", aggregates.join(", "), keys.join(", "))
    }
}
