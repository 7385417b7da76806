//! Execution of plans: aggregates, grouping, scanning in chunks, and the lowering to physical plans.

pub mod control;
pub mod reduce;
pub mod scan;
