//! The SQL front: a query over named tables, read, checked and planned by DataFusion's front end.
//!
//! Semantics are SQL's: three-valued logic, integer division, NaN a value like others.

mod depth;
mod errors;
mod fields;
mod labels;
mod large;
mod reads;
mod session;
mod settled;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::empty::EmptyTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement;

use super::dtype::DType;
use super::node::Field;
use crate::error::{Code, Error, Result};

pub use errors::execution;

/// The name of a task's source in its query.
pub const PARTITION: &str = "partition";

/// A query whose names and types are right, with tables to read from.
pub struct Planned {
    state: SessionState,
    logical: LogicalPlan,
    /// What the columns of the answer are called; not always different names.
    pub labels: Vec<String>,
}

/// Reads a query and finds out what its names mean.
pub fn planned(
    query: &str,
    tables: Vec<(Arc<str>, Arc<dyn TableProvider>)>,
    config: SessionConfig,
) -> Result<Planned> {
    let schemas: Vec<(Arc<str>, SchemaRef)> =
        tables.iter().map(|(name, table)| (name.clone(), table.schema())).collect();
    let (parsed, written) = text::parse(query, &schemas)?;
    let state = session::state(tables, config)?;
    let statement = Parsed::Statement(Box::new(Statement::Query(parsed.clone())));
    text::check_tables(&parsed, &statement, &schemas, &state)?;
    let logical = futures::executor::block_on(state.statement_to_plan(statement));
    let logical = logical.map_err(|error| {
        errors::unknown_function(&error, &state).unwrap_or_else(|| errors::planning(error))
    })?;
    let logical = fields::read_rightly(logical).map_err(errors::planning)?;
    let labels = labels::labels(&parsed, logical.schema(), &written);
    Ok(Planned { state, logical, labels })
}

impl Planned {
    /// The plan as it is run.
    pub fn physical(&self) -> Result<Arc<dyn ExecutionPlan>> {
        futures::executor::block_on(self.state.create_physical_plan(&self.logical)).map_err(errors::planning)
    }

    /// The plan as [`physical`] takes it; and whether it would be the same at any other time.
    pub fn optimised(&self, is_given: &dyn Fn(&Arc<dyn TableSource>) -> bool) -> Result<(LogicalPlan, bool)> {
        let settled = settled::is_settled(&self.logical, is_given).map_err(errors::planning)?;
        Ok((self.state.optimize(&self.logical).map_err(errors::planning)?, settled))
    }
}

/// What runs a plan that is optimised. `room` is what values of one batch may take.
pub fn physical(
    logical: &LogicalPlan,
    mut config: SessionConfig,
    room: u64,
) -> Result<Arc<dyn ExecutionPlan>> {
    config.options_mut().extensions.insert(large::Room(room));
    let state = session::state(Vec::new(), config)?;
    let made = state.query_planner().create_physical_plan(logical, &state);
    futures::executor::block_on(made).map_err(errors::planning)
}

/// Does the planning of a query on a stack that is large enough for the deepest ones.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("rlm-sql".to_owned()).stack_size(depth::STACK);
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread.map_err(|error| {
            Error::new(Code::OutOfMemory, format!("cannot start a thread to plan the query: {error}"))
        })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Error::internal("the engine panicked while it planned the query")))
    })
}

/// What a query over tables of these schemas answers: the columns, under names that differ, and their labels.
///
/// The whole way to a physical plan is made over tables without rows, so that what cannot be run is told now.
pub fn check(query: &str, tables: &[(Arc<str>, SchemaRef)]) -> Result<(Vec<Field>, Vec<String>)> {
    let empty = |schema: &SchemaRef| -> Arc<dyn TableProvider> { Arc::new(EmptyTable::new(schema.clone())) };
    let tables = tables.iter().map(|(name, schema)| (name.clone(), empty(schema))).collect();
    let planned = planned(query, tables, session::config(1))?;
    let physical = planned.physical()?;
    let found = physical.schema();
    let mut taken = std::collections::HashSet::new();
    let fields = planned.labels.iter().zip(found.fields()).map(|(label, field)| Field {
        name: super::frame::unique(&mut taken, label),
        dtype: DType::from_arrow(field.data_type()),
    });
    let fields = fields.collect();
    Ok((fields, planned.labels))
}

/// The settings of a session whose plans run on this many threads.
///
/// DataFusion 55's RepartitionExec can wait for ever when it spills (apache/datafusion#24883): where operators
/// may spill, nothing is repartitioned.
pub fn config(threads: usize, spills: bool) -> SessionConfig {
    let config = session::config(threads);
    if !spills {
        return config;
    }
    config.with_repartition_aggregations(false).with_repartition_joins(false).with_repartition_windows(false)
}

/// The Arrow type in which a column of a query's answer goes on: the plan's own for the type.
pub fn canonical(found: &DataType) -> DataType {
    DType::from_arrow(found).arrow().unwrap_or_else(|| found.clone())
}

/// An error that is a mistake of the query.
fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidTask, message.into()).detail("path", "operation.sql")
}
