//! Mergeable aggregates: empty, update, state, merge, finish. One file each and one line in the list below.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// One batch of rows on its way into an aggregate.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The arguments, each in its type's Arrow form; none for `size`.
    pub args: &'a [ArrayRef],
    /// Row `i` belongs to group `groups[i]`.
    pub groups: &'a [u32],
    /// One past the highest group so far: state has this many rows after the update.
    pub num_groups: usize,
    /// Row `i`'s position in the order of the input; given to aggregates that are `ordered`. Batches
    /// reach an aggregate in any order.
    pub positions: Option<&'a [i64]>,
}

/// The running state of one aggregate over many groups.
///
/// For any split of the rows into batches, and any split of the batches over several `Reduce`s that are
/// merged in any order, the finished values are the same (float sums: within the bound in `sum.rs`).
pub trait Reduce: Send {
    fn update(&mut self, batch: Batch<'_>) -> Result<()>;

    /// The whole state as Arrow arrays of [`Aggregate::state_types`], one row a group. Leaves nothing behind.
    fn state(&mut self) -> Result<Vec<ArrayRef>>;

    /// Adds rows of another's state: row `i` goes to group `groups[i] < num_groups`.
    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()>;

    /// The answer, one row a group, for `num_groups` groups (more than were ever updated is possible:
    /// those are empty). Leaves nothing behind.
    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef>;

    /// Bytes held.
    fn size(&self) -> usize;
}

/// One aggregate function.
pub trait Aggregate: Sync {
    fn name(&self) -> &'static str;

    /// The result's type for these arguments, or why they are refused.
    fn infer(&self, args: &[DType], params: &Params) -> Result<DType>;

    /// Needs [`Batch::positions`].
    fn ordered(&self) -> bool {
        false
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>>;

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>>;
}

/// Every aggregate there is.
pub const AGGREGATES: &[&dyn Aggregate] = &[];

pub fn find(name: &str) -> Result<&'static dyn Aggregate> {
    AGGREGATES
        .iter()
        .copied()
        .find(|aggregate| aggregate.name() == name)
        .ok_or_else(|| not_decomposable(format!("there is no native aggregate `{name}`")))
}
