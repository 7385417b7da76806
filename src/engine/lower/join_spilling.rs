//! Lowering of joins of which neither side fits in memory: both are sorted by key, merged by DataFusion's operator,
//! and what comes out is put back in order. All of these spill.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion::common::{JoinType, NullEquality, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CaseExpr, Column, IsNullExpr, Literal};
use datafusion::physical_plan::joins::SortMergeJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::join::{key_name, side_columns, value};
use super::sort::{as_key, sorted};
use super::{Lowering, Names, POSITION, Plan, project};
use crate::error::Result;
use crate::plan::node::{Join, JoinColumn, JoinKind, JoinSide, SortKey};
use crate::plan::{DType, Expr, Node};

/// Where a row of the side that leads, and of the other one, has its place.
const PLACES: [&str; 2] = ["__place", "__place_of_other"];

/// Ends of the names of the two sides' columns: those of values are numbered through, those of keys are not.
const ENDS: [&str; 2] = ["", "_of_other"];

impl Lowering {
    /// Nothing for a join that is not merged: one without keys, and one whose keys are to be unique.
    pub(super) fn join_spilling(&self, join: &Join, needed: &Names) -> Result<Option<Plan>> {
        if !join.is_merged() {
            return Ok(None);
        }
        let kept: Vec<&JoinColumn> =
            join.columns.iter().filter(|column| needed.contains(&column.name)).collect();
        let sides = match join.kind {
            JoinKind::Right => [(JoinSide::Right, &join.right), (JoinSide::Left, &join.left)],
            _ => [(JoinSide::Left, &join.left), (JoinSide::Right, &join.right)],
        };
        let kind = match join.kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left | JoinKind::Right => JoinType::Left,
            JoinKind::Outer => JoinType::Full,
            JoinKind::Semi => JoinType::LeftSemi,
            JoinKind::Anti => JoinType::LeftAnti,
            JoinKind::Cross => return Ok(None),
        };
        let leading = self.sorted_side(join, sides[0], &kept, 0)?;
        let other = self.sorted_side(join, sides[1], &kept, 1)?;
        let mut on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)> = Vec::new();
        for number in 0..join.keys.len() {
            let key = |plan: &Plan, end: usize| column(&(key_name(number) + ENDS[end]), &plan.schema());
            on.push((key(&leading, 0)?, key(&other, 1)?));
        }
        let options = vec![KEY_ORDER; on.len()];
        // A missing key meets a missing one, as in pandas.
        let equality = NullEquality::NullEqualsNull;
        let merged: Plan =
            Arc::new(SortMergeJoinExec::try_new(leading, other, on, None, kind, options, equality)?);
        let both = !matches!(join.kind, JoinKind::Semi | JoinKind::Anti);
        let places = if both { &PLACES[..] } else { &PLACES[..1] };
        let order: Vec<SortKey> = places.iter().map(|place| ascending(place, DType::Int64)).collect();
        let ordered = sorted(merged, &order, None, false, self)?;
        let schema = ordered.schema();
        let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
        for (number, wanted) in kept.iter().enumerate() {
            let expr = match wanted.from {
                JoinSide::Which => which(join.kind, &schema)?,
                JoinSide::Left | JoinSide::Right => column(&value(number), &schema)?,
            };
            columns.push((expr, wanted.name.to_string()));
        }
        Ok(Some(Arc::new(ProjectionExec::try_new(columns, ordered)?)))
    }

    /// One side's keys, values and places, in the order of the keys.
    fn sorted_side(
        &self,
        join: &Join,
        (side, input): (JoinSide, &Arc<Node>),
        kept: &[&JoinColumn],
        number: usize,
    ) -> Result<Plan> {
        let columns = side_columns(join, side, kept);
        let mut names: Names = columns.iter().map(|(name, _)| name.clone()).collect();
        names.insert(POSITION.into());
        let plan = self.lower_placed(
            &Arc::new(Node::Project { input: input.clone(), columns: columns.clone() }),
            &names,
        )?;
        let mut output: Vec<(Arc<str>, Expr)> = Vec::with_capacity(columns.len() + 1);
        let mut order = Vec::new();
        for (place, (name, expr)) in columns.iter().enumerate() {
            let found = Expr::Column(name.clone(), expr.dtype());
            if place < join.keys.len() {
                let key: Arc<str> = (key_name(place) + ENDS[number]).into();
                order.push(ascending(&key, expr.dtype()));
                output.push((key, as_key(&found)?));
            } else {
                output.push((name.clone(), found));
            }
        }
        output.push((PLACES[number].into(), Expr::column(POSITION, DType::Int64)));
        order.push(ascending(PLACES[number], DType::Int64));
        sorted(project(plan, &output)?, &order, None, false, self)
    }
}

/// The order in which [`ascending`] puts keys.
const KEY_ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

fn ascending(name: &str, dtype: DType) -> SortKey {
    SortKey { expr: Expr::Column(name.into(), dtype), descending: false, missing_first: false }
}

fn column(name: &str, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(Arc::new(Column::new_with_schema(name, schema)?))
}

/// 1 for rows of the left side alone, 2 for those of the right one, 3 for pairs.
fn which(kind: JoinKind, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let code = |code: i8| -> Arc<dyn PhysicalExpr> { Arc::new(Literal::new(ScalarValue::Int8(Some(code)))) };
    let (leading, other) = if kind == JoinKind::Right { (2, 1) } else { (1, 2) };
    let lacks = |place: &str| -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(IsNullExpr::new(column(place, schema)?)))
    };
    let cases = vec![(lacks(PLACES[1])?, code(leading)), (lacks(PLACES[0])?, code(other))];
    Ok(Arc::new(CaseExpr::try_new(None, cases, Some(code(3)))?))
}
