//! Lowering of joins to our own operator.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema};

use super::sideways::Sideways;
use super::{Grouping, Lowering, MOST_PLACED, Names, POSITION, Plan};
use crate::engine::join::exec::{JoinExec, JoinOrder, JoinSpec};
use crate::engine::join::output::{Keeps, Origin};
use crate::engine::ordered::{OrderedExec, Pass};
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
        Ok(Arc::new(self.join_exec(join, needed, JoinOrder::Rows)?.0))
    }

    /// The same for whoever does not ask for its rows' order.
    pub(super) fn join_any_order(&self, join: &Join, needed: &Names) -> Result<Plan> {
        if self.merging && join.is_merged() {
            return self.join(join, needed);
        }
        Ok(Arc::new(self.join_exec(join, needed, JoinOrder::Any)?.0))
    }

    /// A join with its rows' order as a column, for whoever asks for nothing else of it; none of one that is merged.
    pub(super) fn join_placed(&self, join: &Join, needed: &Names) -> Result<Option<Plan>> {
        if self.merging && join.is_merged() {
            return Ok(None);
        }
        let (exec, placed) = self.join_exec(join, needed, JoinOrder::Place(POSITION.into()))?;
        Ok(Some(match placed {
            true => Arc::new(exec),
            false => Arc::new(OrderedExec::new(Arc::new(exec), Pass::Number(POSITION.into()))),
        }))
    }

    /// The operator, and whether it tells its rows' order under the name that is asked for.
    fn join_exec(&self, join: &Join, needed: &Names, order: JoinOrder) -> Result<(JoinExec, bool)> {
        let kept: Vec<&JoinColumn> =
            join.columns.iter().filter(|column| needed.contains(&column.name)).collect();
        // The side whose order leads streams; the other one is collected.
        let swapped = join.kind == JoinKind::Right;
        let (probe_side, build_side) =
            if swapped { (JoinSide::Right, JoinSide::Left) } else { (JoinSide::Left, JoinSide::Right) };
        let Sideways { inputs: [probe, build], filters: [probe_filters, build_filters], begin } =
            self.sideways(join, [probe_side, build_side]);
        let (keeps, unmatched) = match join.kind {
            JoinKind::Inner | JoinKind::Cross => (Keeps::Matched, false),
            JoinKind::Left | JoinKind::Right => (Keeps::All, false),
            JoinKind::Outer => (Keeps::All, true),
            JoinKind::Semi => (Keeps::WithPartner, false),
            JoinKind::Anti => (Keeps::WithoutPartner, false),
        };
        // Of a key at most one row is collected, or none comes out: their order is nobody's.
        let any_order = match keeps {
            Keeps::WithPartner | Keeps::WithoutPartner => true,
            Keeps::Matched | Keeps::All => !unmatched && has_distinct_keys(join, build_side),
        };
        let probe = self.side(join, (probe_side, &probe), &kept, false)?;
        let build = self.side(join, (build_side, &build), &kept, any_order)?;
        let (probe_schema, build_schema) = (probe.plan.schema(), build.plan.schema());
        let mut columns = Vec::with_capacity(kept.len());
        let mut fields = Vec::with_capacity(kept.len());
        for (number, column) in kept.iter().enumerate() {
            let (from, arrow) = if column.from == JoinSide::Which {
                (if swapped { Origin::Which(2, 1) } else { Origin::Which(1, 2) }, DataType::Int8)
            } else if column.from == probe_side {
                let place = probe_schema.index_of(&carried(join, column, number))?;
                (Origin::Probe(place), probe_schema.field(place).data_type().clone())
            } else {
                let place = build_schema.index_of(&carried(join, column, number))?;
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
        let partitions = probe.plan.properties().partitioning.partition_count() + usize::from(unmatched);
        // All partitions are at work at the same time.
        let placed = order.place().is_some() && partitions <= MOST_PLACED * self.threads;
        let order = match order {
            JoinOrder::Place(_) if !placed => JoinOrder::Rows,
            order => order,
        };
        let spec = JoinSpec {
            keeps,
            order,
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
        Ok((JoinExec::new(probe.plan, build.plan, spec, control, self.threads), placed))
    }

    fn side(
        &self,
        join: &Join,
        (side, input): (JoinSide, &Arc<Node>),
        kept: &[&JoinColumn],
        any_order: bool,
    ) -> Result<Side> {
        let mut columns = side_columns(join, side, kept);
        let carried: Vec<String> =
            kept.iter().enumerate().map(|(number, column)| carried(join, column, number)).collect();
        columns.retain(|(name, _)| is_key(name) || carried.iter().any(|carried| **carried == **name));
        let names: Names = columns.iter().map(|(name, _)| name.clone()).collect();
        let node = Arc::new(Node::Project { input: input.clone(), columns });
        let plan = if any_order { self.lower_any_order(&node, &names)? } else { self.lower(&node, &names)? };
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

fn is_key(name: &str) -> bool {
    name.starts_with("key")
}

/// What a column that is kept is called in its side: where it is a key as it is, it is there already.
fn carried(join: &Join, column: &JoinColumn, number: usize) -> String {
    let is_key = |(left, right): &(Expr, Expr)| {
        let key = if column.from == JoinSide::Left { left } else { right };
        matches!(key, Expr::Column(name, dtype) if *name == column.column && *dtype == column.dtype)
    };
    join.keys.iter().position(is_key).map_or_else(|| value(number), key_name)
}

/// Whether no two rows of a side have the same keys, as they are groups of these and perhaps of others' choice.
fn has_distinct_keys(join: &Join, side: JoinSide) -> bool {
    let (mut node, left) = match side {
        JoinSide::Left => (&join.left, true),
        _ => (&join.right, false),
    };
    let keys = join.keys.iter().map(|(of_left, of_right)| if left { of_left } else { of_right });
    let mut names: Vec<Arc<str>> = keys.filter_map(column_name).collect();
    loop {
        node = match &**node {
            Node::Project { input, columns } => {
                let below = |name: &Arc<str>| {
                    let (_, expr) = columns.iter().find(|(column, _)| column == name)?;
                    column_name(expr)
                };
                names = names.iter().filter_map(below).collect();
                input
            }
            Node::RowNumber { input, name } => {
                names.retain(|column| column != name);
                input
            }
            Node::Filter { input, .. } => input,
            Node::Group { keys, .. } => {
                return keys.iter().all(|(name, key)| names.contains(name) && !key.dtype().is_float());
            }
            _ => return false,
        };
    }
}

fn column_name(expr: &Expr) -> Option<Arc<str>> {
    match expr {
        Expr::Column(name, _) => Some(name.clone()),
        _ => None,
    }
}

pub(super) fn value(number: usize) -> String {
    format!("value{number}")
}
