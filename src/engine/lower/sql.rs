//! Lowering of SQL: DataFusion plans the query, over tables that are scans of ours.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{
    Expr as SqlExpr, LogicalPlan, TableProviderFilterPushDown, TableSource, TableType,
};
use datafusion::physical_plan::ExecutionPlan;

use super::sql_filter::translated;
use super::{Grouping, Lowering, Plan};
use crate::engine::plans::{Manner, Plans, Query};
use crate::engine::sql_exec::SqlExec;
use crate::engine::stop_exec::stoppable;
use crate::error::{Error, Result, not_decomposable};
use crate::io::source::{Source, Sources};
use crate::plan::node::Field;
use crate::plan::op::lists::has_structs;
use crate::plan::{DType, Expr, Label, Node, frame, sql};

/// The frame that a query answers with. `tables` are whole sources.
pub fn frame(
    query: &str,
    tables: Vec<(Arc<str>, Arc<Node>)>,
    sources: &Sources,
    plans: &Plans,
) -> Result<frame::Frame> {
    let schemas = tables
        .iter()
        .map(|(name, node)| Ok((name.clone(), schema_of(node, sources)?)))
        .collect::<Result<Vec<_>>>()?;
    let asked = Query { text: query.into(), tables: schemas };
    let answers = plans.answers(&asked, || sql::on_large_stack(|| sql::check(query, &asked.tables)))?;
    let (fields, labels) = &*answers;
    let columns = fields.iter().zip(labels).map(|(field, label)| frame::Column {
        label: Label::Str(label.clone()),
        expr: Expr::Column(field.name.clone(), field.dtype.clone()),
    });
    let columns = columns.collect();
    let domain = Arc::new(Node::Sql { query: asked.text.clone(), tables, fields: fields.as_slice().into() });
    Ok(frame::Frame { domain, index: frame::Index::Range, columns, kind: frame::Kind::Frame })
}

/// The Arrow schema of a node's columns: a source's own where types are only carried along.
fn schema_of(node: &Node, sources: &Sources) -> Result<SchemaRef> {
    let found: &[_] = match node {
        Node::Scan { source, .. } => sources.get(*source).map_or(&[], Source::columns),
        _ => &[],
    };
    let arrow = |field: &Field| -> Result<DataType> {
        match (field.dtype.arrow(), found.iter().find(|column| column.field.name == field.name)) {
            (Some(arrow), _) => Ok(arrow),
            (None, Some(column)) => Ok(column.arrow.clone()),
            (None, None) => Err(not_decomposable(format!(
                "column `{}` ({}) cannot be given to a query here",
                field.name, field.dtype
            ))
            .hint("Leave it out before the query, or take a part of it that is a number, text or time")),
        }
    };
    let fields = node
        .fields()
        .iter()
        .map(|field| Ok(ArrowField::new(&*field.name, arrow(field)?, true)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

impl Lowering {
    pub(super) fn sql(
        &self,
        query: &Arc<str>,
        tables: &[(Arc<str>, Arc<Node>)],
        fields: &[Field],
    ) -> Result<Plan> {
        let schemas = tables
            .iter()
            .map(|(name, node)| Ok((name.clone(), schema_of(node, &self.sources)?)))
            .collect::<Result<Vec<_>>>()?;
        let spills = self.grouping == Grouping::DataFusion;
        let asked =
            (Query { text: query.clone(), tables: schemas }, Manner { threads: self.threads, spills });
        let physical = sql::on_large_stack(|| {
            let logical = self.optimised(asked)?;
            let room = self.control.memory.limit();
            sql::physical(&self.filled(&logical, tables)?, sql::config(self.threads, spills), room)
        })?;
        if spills && repartitions(physical.as_ref()) {
            return Err(Error::internal("a query that may spill is repartitioned"));
        }
        let physical = stoppable(physical, &self.control)?;
        let found = physical.schema();
        if found.fields().len() != fields.len() {
            return Err(Error::internal("a query has other columns than when it was checked"));
        }
        let columns = fields.iter().zip(found.fields());
        let columns = columns
            .map(|(field, found)| ArrowField::new(&*field.name, sql::canonical(found.data_type()), true));
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        Ok(Arc::new(SqlExec::new(physical, schema)))
    }
}

impl Lowering {
    /// The plan of a query over tables that have no rows yet: as it was kept, or made now.
    fn optimised(&self, asked: (Query, Manner)) -> Result<Arc<LogicalPlan>> {
        if let Some(kept) = self.plans.query(&asked) {
            self.control.kept_plan();
            return Ok(kept);
        }
        self.control.made_plan();
        let (Query { text, tables }, Manner { threads, spills }) = &asked;
        let tables = tables.iter().map(|(name, schema)| {
            let table = SqlTable { name: name.clone(), schema: schema.clone(), rows: None };
            (name.clone(), Arc::new(table) as Arc<dyn TableProvider>)
        });
        let planned = sql::planned(text, tables.collect(), sql::config(*threads, *spills))?;
        let (logical, settled) = planned.optimised(&|source| empty(source).is_some())?;
        let logical = Arc::new(logical);
        if settled {
            self.plans.keep_query(asked, &logical);
        }
        Ok(logical)
    }

    /// The same plan over tables with rows.
    fn filled(&self, logical: &LogicalPlan, tables: &[(Arc<str>, Arc<Node>)]) -> Result<LogicalPlan> {
        let filled = logical.clone().transform_up_with_subqueries(|plan| {
            let LogicalPlan::TableScan(mut scan) = plan else { return Ok(Transformed::no(plan)) };
            let Some((name, schema)) = empty(&scan.source) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let node = tables.iter().find(|(known, _)| *known == name).map(|(_, node)| node.clone());
            let node = node.ok_or_else(|| Error::internal("a query over a table that is not there"))?;
            let table = SqlTable { name, schema, rows: Some((node, self.clone())) };
            scan.source = provider_as_source(Arc::new(table));
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        })?;
        Ok(filled.data)
    }
}

/// The name and the columns of a table of ours that has no rows yet.
fn empty(source: &Arc<dyn TableSource>) -> Option<(Arc<str>, SchemaRef)> {
    let provider = source_as_provider(source).ok()?;
    let table = provider.downcast_ref::<SqlTable>()?;
    table.rows.is_none().then(|| (table.name.clone(), table.schema.clone()))
}

fn repartitions(plan: &dyn ExecutionPlan) -> bool {
    plan.name() == "RepartitionExec" || plan.children().iter().any(|child| repartitions(child.as_ref()))
}

/// A table of a query: a plan of ours, lowered with the columns and filters that the query needs.
struct SqlTable {
    name: Arc<str>,
    schema: SchemaRef,
    /// None while the query is planned: what is kept of it holds no rows.
    rows: Option<(Arc<Node>, Lowering)>,
}

impl fmt::Debug for SqlTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlTable({})", self.name)
    }
}

impl SqlTable {
    fn dtype_of(&self, name: &str) -> Option<DType> {
        let field = self.schema.field_with_name(name).ok()?;
        Some(DType::from_arrow(field.data_type()))
    }

    fn lowered(&self, projection: Option<&Vec<usize>>, filters: &[SqlExpr]) -> Result<Plan> {
        let rows = self.rows.clone();
        let (mut node, lowering) = rows.ok_or_else(|| Error::internal("a table of a query without rows"))?;
        for filter in filters {
            let predicate = translated(filter, &|name| self.dtype_of(name))?
                .ok_or_else(|| Error::internal(format!("a filter that was not offered: {filter}")))?;
            node = Arc::new(Node::Filter { input: node, predicate });
        }
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns: Vec<_> = projection
            .unwrap_or(&all)
            .iter()
            .map(|place| self.schema.field(*place))
            .map(|field| {
                let name: Arc<str> = field.name().as_str().into();
                let dtype = DType::from_arrow(field.data_type());
                let nested = has_structs(&dtype);
                let column = Expr::Column(name.clone(), dtype);
                // DataFusion reads fields without a look at whether the struct is there.
                let column = if nested { Expr::call("struct_settled", vec![column])? } else { column };
                Ok((name, column))
            })
            .collect::<Result<_>>()?;
        lowering.columns(&node, &columns)
    }
}

#[async_trait]
impl TableProvider for SqlTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[SqlExpr],
        _: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self.lowered(projection, filters)?)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&SqlExpr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let offered = filters.iter().map(|filter| {
            Ok(match translated(filter, &|name| self.dtype_of(name))? {
                Some(_) => TableProviderFilterPushDown::Exact,
                None => TableProviderFilterPushDown::Unsupported,
            })
        });
        offered.collect()
    }
}
