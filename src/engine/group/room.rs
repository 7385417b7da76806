//! What is known before rows are grouped: how many there are, and what room there is for their groups.

use std::sync::Arc;

use datafusion::execution::disk_manager::DiskManager;

/// What is known of the rows before any is read.
#[derive(Clone, Copy, Default)]
pub struct Expected {
    /// How many there are, before filters.
    pub count: Option<u64>,
    /// Above all of their positions.
    pub end: Option<u64>,
}

/// The memory that there is, and what is beside it.
pub struct Room {
    /// Where groups may go that it has no room for.
    pub disk: Option<Arc<DiskManager>>,
    /// It is short from the start.
    pub short: bool,
    /// Bytes of it in all.
    pub limit: Option<usize>,
    /// Threads that add rows.
    pub threads: usize,
}
