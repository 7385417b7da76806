//! Execution of plans: aggregates, grouping, scanning in chunks, and the lowering to physical plans.

pub mod eval;
pub mod physical_expr;
pub mod reduce;
