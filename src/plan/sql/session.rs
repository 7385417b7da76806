//! A DataFusion session that knows its functions and these tables, and nothing of files.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, SessionStateDefaults};
use datafusion::prelude::SessionConfig;

use crate::error::{Error, Result};

pub fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_round_robin_repartition(false);
    let options = config.options_mut();
    // Names are brought to the spelling that the tables have before they get here.
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.collect_spans = true;
    // Scans do not take filters that are known only later.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    config
}

pub fn state(tables: Vec<(Arc<str>, Arc<dyn TableProvider>)>, config: SessionConfig) -> Result<SessionState> {
    let functions = SessionStateDefaults::default_table_functions();
    let functions = functions.into_iter().map(|function| (function.name().to_owned(), function));
    let scalar = SessionStateDefaults::default_scalar_functions().into_iter();
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(scalar.map(super::large::counted).collect())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_functions(functions.collect())
        .build();
    // What `now()` is.
    state.mark_start_execution();
    let schema = state.schema_for_ref(super::PARTITION)?;
    for (name, table) in tables {
        if schema.register_table(name.to_string(), table)?.is_some() {
            return Err(Error::internal(format!("two tables named `{name}`")));
        }
    }
    Ok(state)
}
