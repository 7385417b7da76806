//! From a plan to a physical plan: DataFusion's operators where they keep the order, ours where they do not.

mod concat;
mod draw;
mod estimate;
mod explode;
mod fallback;
mod fill;
mod group;
mod join;
mod join_spilling;
pub mod needed;
mod pipeline;
mod prune;
mod prune_pages;
mod push;
mod semi;
mod sideways;
mod sort;
pub mod sql;
mod sql_filter;
mod top;
mod trim;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;

use self::pipeline::Pipeline;
use super::compute_exec::ComputeExec;
use super::control::Control;
use super::group::GroupOrder;
use super::ordered::{OrderedExec, Pass};
use super::physical_expr;
use super::placed_exec::PlacedExec;
use super::plans::{Key, Plans};
use crate::error::{Error, Result};
use crate::io::source::Sources;
use crate::plan::node::ROW;
use crate::plan::{DType, Expr, Node, window as windows};

/// The column by which operators know the order of their input's rows, where they ask for it.
pub const POSITION: &str = "__position";

/// Partitions for each thread that a sort is given side by side, at most.
const MOST_PLACED: usize = 2;

/// Which operator groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Ours, fused with the scan.
    Own,
    /// Ours, with groups going to disk when memory runs out, and sorted by an operator that spills as well.
    Spilling,
    /// DataFusion's, which spills.
    DataFusion,
}

/// What a lowering needs to know besides the plan.
#[derive(Clone)]
pub struct Lowering {
    pub sources: Sources,
    pub control: Arc<Control>,
    pub io: tokio::runtime::Handle,
    pub threads: usize,
    pub chunk_rows: usize,
    pub grouping: Grouping,
    /// Joins are of sorted sides, which spill.
    pub merging: bool,
    /// What planning came to before.
    pub plans: Arc<Plans>,
}

type Plan = Arc<dyn ExecutionPlan>;
type Names = BTreeSet<Arc<str>>;

impl Lowering {
    /// The physical plan that delivers these columns of a node, in this order, its partitions in order.
    pub fn columns(&self, node: &Arc<Node>, columns: &[(Arc<str>, Expr)]) -> Result<Plan> {
        let asked = Node::Project { input: node.clone(), columns: columns.to_vec() };
        let names: Names = columns.iter().map(|(name, _)| name.clone()).collect();
        let plan = self.prepared(asked, &names, |lowering, node| lowering.lower(node, &names))?;
        let order: Vec<_> = columns
            .iter()
            .map(|(name, expr)| (name.clone(), Expr::Column(name.clone(), expr.dtype())))
            .collect();
        let schema = plan.schema();
        let in_order = schema.fields().len() == order.len()
            && schema.fields().iter().zip(&order).all(|(field, (name, _))| *field.name() == **name);
        if in_order { Ok(plan) } else { project(plan, &order) }
    }

    /// Lowers a node whose window functions, columns and filters are where they belong: as it was kept, or made now.
    fn prepared(
        &self,
        asked: Node,
        names: &Names,
        lower: impl Fn(&Self, &Arc<Node>) -> Result<Plan>,
    ) -> Result<Plan> {
        let key = Key::of(&asked);
        if let Some(key) = &key
            && let Some(kept) = self.plans.rewritten(key)
        {
            self.control.kept_plan();
            let sources = self.sources.called(&key.sources, &kept.sources)?;
            return lower(&Self { sources, ..self.clone() }, &kept.node(key)?);
        }
        self.control.made_plan();
        let node = windows::extract::extract(&Arc::new(asked))?;
        let node = push::pushed(&trim::trimmed(&node, names));
        if let Some(key) = key {
            self.plans.keep_rewritten(key, &node);
        }
        lower(self, &node)
    }

    /// The same as [`Self::lower`], for operators that ask [`POSITION`] for nothing but the rows' order: partitions stay
    /// as they are.
    fn lower_placed(&self, node: &Arc<Node>, needed: &Names) -> Result<Plan> {
        if Pipeline::of(node).is_some() || !needed.contains(POSITION) {
            return self.lower(node, needed);
        }
        match &**node {
            Node::Project { input, columns } => self.project_over(input, columns, needed, Self::lower_placed),
            Node::Filter { .. } => self.lower(node, needed),
            Node::RowNumber { input, name } if !needed.contains(name) => self.lower_placed(input, needed),
            _ => {
                let mut below = needed.clone();
                below.remove(POSITION);
                if let Node::Join(join) = &**node
                    && let Some(plan) = self.join_placed(join, &below)?
                {
                    return Ok(plan);
                }
                let plan = self.lower(node, &below)?;
                // All partitions are at work at the same time.
                if plan.properties().partitioning.partition_count() > MOST_PLACED * self.threads {
                    return Ok(Arc::new(OrderedExec::new(plan, Pass::Number(POSITION.into()))));
                }
                Ok(Arc::new(PlacedExec::new(plan, POSITION.into())))
            }
        }
    }

    /// The same as [`Self::lower`], for operators that ask for no order of rows: groups come out as they lie, and
    /// rows of joins on disk as they are made.
    fn lower_any_order(&self, node: &Arc<Node>, needed: &Names) -> Result<Plan> {
        if Pipeline::of(node).is_some() || needed.contains(POSITION) {
            return self.lower(node, needed);
        }
        match &**node {
            Node::Project { input, columns } => {
                self.project_over(input, columns, needed, Self::lower_any_order)
            }
            Node::RowNumber { input, name } if !needed.contains(name) => self.lower_any_order(input, needed),
            Node::Group { input, keys, aggregates, dropna, .. } => {
                self.group(input, keys, aggregates, (GroupOrder::Any, *dropna))
            }
            Node::Join(join) => self.join_any_order(join, needed),
            _ => self.lower(node, needed),
        }
    }

    /// The columns of `needed` over a node that is lowered so.
    fn project_over(
        &self,
        input: &Arc<Node>,
        columns: &[(Arc<str>, Expr)],
        needed: &Names,
        lower: fn(&Self, &Arc<Node>, &Names) -> Result<Plan>,
    ) -> Result<Plan> {
        let mut kept: Vec<_> = columns.iter().filter(|(name, _)| needed.contains(name)).cloned().collect();
        if needed.contains(POSITION) {
            kept.push((POSITION.into(), Expr::column(POSITION, DType::Int64)));
        }
        let below = columns_of(kept.iter().map(|(_, expr)| expr));
        project(lower(self, input, &below)?, &kept)
    }

    /// The physical plan of a node with the columns of `needed` (at least; [`POSITION`] may be one of them).
    fn lower(&self, node: &Arc<Node>, needed: &Names) -> Result<Plan> {
        if let Some(pipeline) = Pipeline::of(node) {
            return self.scan(&pipeline, needed);
        }
        // An operator that makes an order of its own is numbered afterwards.
        if needed.contains(POSITION) && !matches!(&**node, Node::Project { .. } | Node::Filter { .. }) {
            let mut below = needed.clone();
            below.remove(POSITION);
            let plan = self.lower(node, &below)?;
            return Ok(Arc::new(OrderedExec::new(plan, Pass::Number(POSITION.into()))));
        }
        match &**node {
            Node::Scan { .. } => Err(Error::internal("a scan that is no pipeline")),
            Node::Unit => Ok(Arc::new(PlaceholderRowExec::new(Arc::new(Schema::empty())))),
            Node::Draw { input, counts, draw } => self.draw(input, counts, draw),
            Node::Project { input, columns } => self.project_over(input, columns, needed, Self::lower),
            Node::Filter { input, predicate } => {
                if let Some(plan) = self.first_of_groups(input, predicate, needed)? {
                    return Ok(plan);
                }
                let mut below = needed.clone();
                below.extend(columns_of([predicate]));
                let plan = self.lower(input, &below)?;
                let predicate = physical_expr::physical_expr(predicate, &plan.schema())?;
                Ok(Arc::new(FilterExec::try_new(predicate, plan)?))
            }
            Node::RowNumber { input, name } => {
                let mut below = needed.clone();
                below.remove(name);
                let plan = self.lower(input, &below)?;
                if !needed.contains(name) {
                    return Ok(plan);
                }
                Ok(Arc::new(OrderedExec::new(plan, Pass::Number(name.clone()))))
            }
            Node::Window { input, calls } => self.window(input, calls, needed),
            Node::Group { input, keys, aggregates, sorted, dropna } => {
                self.group(input, keys, aggregates, (GroupOrder::of(*sorted), *dropna))
            }
            Node::Sql { query, tables, fields } => self.sql(query, tables, fields),
            Node::Fill { input, freq } => self.fill(input, freq),
            Node::Sort { input, keys } => self.sort(input, keys, needed, None),
            Node::Scope { .. } => Err(crate::error::not_decomposable(
                "a value of a group was used outside of the function of the group",
            )
            .hint("Compute with it within the function, or give it back and use the answer")),
            Node::Slice { input, start, stop } => {
                let plan = self.lower(input, needed)?;
                Ok(Arc::new(OrderedExec::new(plan, Pass::Slice(*start, *stop))))
            }
            Node::Limit { input, rows } => match &**input {
                Node::Sort { input, keys } if *rows > 0 => self.sort(input, keys, needed, Some(*rows)),
                _ => {
                    let plan = self.lower(input, needed)?;
                    Ok(Arc::new(OrderedExec::new(plan, Pass::First(*rows))))
                }
            },
            Node::Distinct { input, subset, keep } => {
                self.lower(&sort::distinct(input, subset, *keep, needed)?, needed)
            }
            Node::Explode { input, lists, keep_empty, place } => {
                self.explode(input, lists, *keep_empty, place.as_ref(), needed)
            }
            Node::Concat { inputs, fields } => self.concat(inputs, fields, needed),
            Node::Join(join) => self.join(join, needed),
        }
    }
}

/// The columns that expressions read.
fn columns_of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Names {
    let mut names = Names::new();
    for expr in exprs {
        expr.each_column(&mut |name| {
            names.insert(name.clone());
        });
    }
    names
}

/// Computes expressions over a plan's columns.
fn project(plan: Plan, columns: &[(Arc<str>, Expr)]) -> Result<Plan> {
    let exprs = compiled(columns, &plan.schema())?;
    Ok(Arc::new(ComputeExec::new(plan, exprs)?))
}

/// Expressions over the columns of a schema, ready to be computed, and their names.
fn compiled(columns: &[(Arc<str>, Expr)], schema: &Schema) -> Result<Vec<(Arc<dyn PhysicalExpr>, String)>> {
    let exprs = columns.iter();
    exprs.map(|(name, expr)| Ok((physical_expr::physical_expr(expr, schema)?, name.to_string()))).collect()
}

/// The Arrow type of an expression over a schema: its `DType`'s form, or that of the column it is.
fn arrow_of(expr: &Expr, schema: &Schema) -> Result<DataType> {
    if let Expr::Column(name, _) = expr {
        return Ok(schema.field_with_name(name)?.data_type().clone());
    }
    expr.dtype()
        .arrow()
        .ok_or_else(|| Error::internal(format!("an expression of type {} is computed", expr.dtype())))
}

fn schema_of(columns: &[(Arc<str>, Expr)], input: &Schema) -> Result<SchemaRef> {
    let fields = columns
        .iter()
        .map(|(name, expr)| Ok(ArrowField::new(&**name, arrow_of(expr, input)?, true)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// What the virtual columns of a scan are called there.
fn virtual_column(name: &str) -> bool {
    name == ROW || name == POSITION
}
