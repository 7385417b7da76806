//! Window functions: over rows as they come by where that can be, else over all of them held in memory.

pub mod exec;
mod keys;
pub mod top;

use std::sync::Arc;

use arrow::datatypes::DataType;

use crate::plan::eval::Program;
use crate::plan::window::Window;

/// What is computed of which rows, without saying where they come from.
pub struct WindowSpec {
    /// Arguments and keys, each once.
    pub exprs: Vec<Program>,
    /// The Arrow type of each.
    pub types: Vec<DataType>,
    /// Which of the expressions make groups, and whether rows with a missing key are in none.
    pub partitions: Vec<(Vec<usize>, bool)>,
    pub calls: Vec<Call>,
    /// Places of the input's columns that go on as they are.
    pub kept: Vec<usize>,
}

pub struct Call {
    pub name: Arc<str>,
    pub window: Box<dyn Window>,
    /// Which of the expressions it is of.
    pub args: Vec<usize>,
    /// Which of the partitions it is within; none for all rows.
    pub partition: Option<usize>,
    pub arrow: DataType,
}

impl WindowSpec {
    /// No call looks at a later row, nor at more earlier ones than can be held.
    fn goes_by_steps(&self) -> bool {
        self.calls.iter().all(|call| {
            call.window.running().is_some()
                || call.partition.is_none() && call.window.look_back().is_some_and(|rows| rows <= LOOK_BACK)
        })
    }
}

/// Functions that look at more rows back than this get all of them.
const LOOK_BACK: usize = 64 * 1024;
