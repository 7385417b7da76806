//! Lowering of joins to our own operator.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema};

use super::sideways::Sideways;
use super::{Grouping, Lowering, Names, Plan};
use crate::engine::join::exec::{JoinExec, JoinSpec};
use crate::engine::join::output::{Keeps, Origin};
use crate::error::{Error, Result};
use crate::plan::node::{Join, JoinColumn, JoinKind, JoinSide};
use crate::plan::{Expr, Node};

/// One side with what is needed of it.
struct Side {
    plan: Plan,
    keys: Vec<usize>,
}

impl Lowering {
    pub(super) fn join(&self, join: &Join, needed: &Names) -> Result<Plan> {
        if self.merging
            && let Some(plan) = self.join_spilling(join, needed)?
        {
            return Ok(plan);
        }
        let kept: Vec<&JoinColumn> =
            join.columns.iter().filter(|column| needed.contains(&column.name)).collect();
        // The side whose order leads streams; the other one is collected.
        let swapped = join.kind == JoinKind::Right;
        let (probe_side, build_side) =
            if swapped { (JoinSide::Right, JoinSide::Left) } else { (JoinSide::Left, JoinSide::Right) };
        let Sideways { inputs: [probe, build], filters: [probe_filters, build_filters], begin } =
            self.sideways(join, [probe_side, build_side]);
        let probe = self.side(join, (probe_side, &probe), &kept)?;
        let build = self.side(join, (build_side, &build), &kept)?;
        let (keeps, unmatched) = match join.kind {
            JoinKind::Inner | JoinKind::Cross => (Keeps::Matched, false),
            JoinKind::Left | JoinKind::Right => (Keeps::All, false),
            JoinKind::Outer => (Keeps::All, true),
            JoinKind::Semi => (Keeps::WithPartner, false),
            JoinKind::Anti => (Keeps::WithoutPartner, false),
        };
        let (probe_schema, build_schema) = (probe.plan.schema(), build.plan.schema());
        let mut columns = Vec::with_capacity(kept.len());
        let mut fields = Vec::with_capacity(kept.len());
        for (number, column) in kept.iter().enumerate() {
            let (from, arrow) = if column.from == JoinSide::Which {
                (if swapped { Origin::Which(2, 1) } else { Origin::Which(1, 2) }, DataType::Int8)
            } else if column.from == probe_side {
                let place = probe_schema.index_of(&value(number))?;
                (Origin::Probe(place), probe_schema.field(place).data_type().clone())
            } else {
                let place = build_schema.index_of(&value(number))?;
                (Origin::Build(place), build_schema.field(place).data_type().clone())
            };
            columns.push(from);
            fields.push(ArrowField::new(&*column.name, arrow, true));
        }
        for (a, b) in probe.keys.iter().zip(&build.keys) {
            let (a, b) = (probe_schema.field(*a).data_type(), build_schema.field(*b).data_type());
            if a != b {
                return Err(Error::internal(format!("a join of a key of {a} with one of {b}")));
            }
        }
        let (left, right): (Vec<_>, Vec<_>) =
            join.keys.iter().map(|(left, right)| (left.to_string(), right.to_string())).unzip();
        let (left, right) = (left.join(", "), right.join(", "));
        let on = if left == right { left.clone() } else { format!("{left} = {right}") };
        let left_unique = join.unique.0.then_some(("left", left));
        let right_unique = join.unique.1.then_some(("right", right));
        let (probe_unique, build_unique) =
            if swapped { (right_unique, left_unique) } else { (left_unique, right_unique) };
        let spec = JoinSpec {
            keeps,
            unmatched,
            probe_keys: probe.keys,
            build_keys: build.keys,
            columns,
            schema: Arc::new(Schema::new(fields)),
            probe_unique,
            build_unique,
            begin,
            probe_filters,
            build_filters,
            short: self.grouping == Grouping::Spilling,
            display: format!("{} join on {on}", format!("{:?}", join.kind).to_lowercase()),
        };
        let (spec, control) = (Arc::new(spec), self.control.clone());
        Ok(Arc::new(JoinExec::new(probe.plan, build.plan, spec, control, self.threads)))
    }

    fn side(&self, join: &Join, (side, input): (JoinSide, &Arc<Node>), kept: &[&JoinColumn]) -> Result<Side> {
        let columns = side_columns(join, side, kept);
        let names: Names = columns.iter().map(|(name, _)| name.clone()).collect();
        let plan = self.lower(&Arc::new(Node::Project { input: input.clone(), columns }), &names)?;
        let schema = plan.schema();
        let keys = (0..join.keys.len()).map(|number| Ok(schema.index_of(&key_name(number))?));
        Ok(Side { keys: keys.collect::<Result<_>>()?, plan })
    }
}

/// The keys of a side, and what is kept of it.
pub(super) fn side_columns(join: &Join, side: JoinSide, kept: &[&JoinColumn]) -> Vec<(Arc<str>, Expr)> {
    let keys = join.keys.iter().map(|(left, right)| if side == JoinSide::Left { left } else { right });
    let keys = keys.enumerate().map(|(number, key)| (key_name(number), key.clone()));
    let values = kept.iter().enumerate().filter(|(_, column)| column.from == side);
    let values = values
        .map(|(number, column)| (value(number), Expr::Column(column.column.clone(), column.dtype.clone())));
    keys.chain(values).map(|(name, expr)| (name.into(), expr)).collect()
}

pub(super) fn key_name(number: usize) -> String {
    format!("key{number}")
}

pub(super) fn value(number: usize) -> String {
    format!("value{number}")
}
