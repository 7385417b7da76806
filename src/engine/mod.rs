//! Execution of plans: aggregates, grouping, scanning in chunks, and the lowering to physical plans.

pub mod common;
pub mod control;
mod explode_exec;
mod fill_exec;
pub mod group;
pub mod join;
pub mod keep;
pub mod lower;
pub mod memory;
pub mod morsels;
mod node_exec;
pub mod ordered;
pub mod owned_exec;
pub mod physical_expr;
mod placed_exec;
pub mod predicate;
pub mod sample;
pub mod scalars;
pub mod scan;
pub mod scan_exec;
pub mod shared_pool;
mod slice;
pub mod sort;
pub mod sql_exec;
mod stop_exec;
pub mod wide;
pub mod window;
