//! Mergeable aggregates: empty, update, state, merge, finish. One file each and one line in the list below.

mod collect;
pub mod combined;
mod count;
mod extreme;
mod extreme_text;
mod held;
mod kept;
mod kernel;
mod locate;
mod logical;
mod mean;
pub mod moments;
mod nunique;
mod pairs;
mod pick;
mod prod;
mod quantile;
mod select;
mod strict;
mod sum;
#[cfg(test)]
mod tests;
pub mod udaf;
mod variance;

pub use sum::TwoSum;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, IntervalUnit};

use crate::error::{Result, misused, not_decomposable};
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

    /// [`Self::merge`] for states whose rows can be large: `proceed` is asked now and then, and its error ends it.
    fn merge_while(
        &mut self,
        state: &[ArrayRef],
        groups: &[u32],
        num_groups: usize,
        _proceed: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        self.merge(state, groups, num_groups)
    }

    /// The answer, one row a group, for `num_groups` groups (more than were ever updated is possible:
    /// those are empty). Leaves nothing behind.
    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef>;

    /// Bytes held.
    fn size(&self) -> usize;

    /// A group's state is a few numbers: merging it costs about as much as adding a row.
    fn is_flat(&self) -> bool {
        false
    }
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

    /// Has a rule of its own for missing values where they are not skipped: else its answer is missing there.
    fn keeps_missing(&self) -> bool {
        false
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>>;

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>>;
}

/// A fresh state of an aggregate, whatever its parameters say about missing values.
pub fn create(aggregate: &dyn Aggregate, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
    let reduce = aggregate.create(args, params)?;
    Ok(if params.skipna || aggregate.keeps_missing() { reduce } else { strict::Strict::boxed(reduce) })
}

/// The types of what a state of [`create`] is as Arrow arrays.
pub fn state_types(aggregate: &dyn Aggregate, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
    let mut types = aggregate.state_types(args, params)?;
    if !params.skipna && !aggregate.keeps_missing() {
        types.push(DataType::Boolean);
    }
    Ok(types)
}

/// Every aggregate there is.
pub const AGGREGATES: &[&dyn Aggregate] = &[
    &sum::Sum,
    &mean::Mean,
    &count::Count,
    &count::Size,
    &extreme::Extreme::<false>,
    &extreme::Extreme::<true>,
    &variance::Variance(variance::Answer::Deviation),
    &variance::Variance(variance::Answer::Variance),
    &variance::Variance(variance::Answer::Error),
    &moments::Shape(moments::Answer::Skew),
    &moments::Shape(moments::Answer::Kurtosis),
    &prod::Product,
    &quantile::Quantile { median: true },
    &quantile::Quantile { median: false },
    &pairs::Pairwise { correlation: true, finite: false },
    &pairs::Pairwise { correlation: false, finite: false },
    &pairs::Pairwise { correlation: true, finite: true },
    &pairs::Pairwise { correlation: false, finite: true },
    &locate::Locate::<false>,
    &locate::Locate::<true>,
    &nunique::Nunique,
    &pick::Pick::<false, false>,
    &pick::Pick::<true, false>,
    &pick::Pick::<false, true>,
    &pick::Pick::<true, true>,
    &logical::Logical::<false>,
    &logical::Logical::<true>,
    &collect::Collect,
];

pub fn find(name: &str) -> Result<&'static dyn Aggregate> {
    AGGREGATES
        .iter()
        .copied()
        .find(|aggregate| aggregate.name() == name)
        .ok_or_else(|| not_decomposable(format!("there is no native aggregate `{name}`")).hint("Aggregates are sum, mean, min, max, count, std, median, quantile, nunique and others of pandas; compute with these"))
}

/// The one argument that all aggregates but `size` take.
fn one_argument<'a>(aggregate: &dyn Aggregate, args: &'a [DType]) -> Result<&'a DType> {
    match args {
        [dtype] => Ok(dtype),
        _ => Err(misused(format!("`{}` takes one column, not {}", aggregate.name(), args.len()))),
    }
}

/// `state_types` by asking a fresh aggregate for its state.
fn state_types_of(aggregate: &dyn Aggregate, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
    let state = aggregate.create(args, params)?.state()?;
    Ok(state.iter().map(|column| column.data_type().clone()).collect())
}

/// The Arrow type of a column; nested types are known by their name.
fn arrow_type(dtype: &DType) -> Result<DataType> {
    match (dtype.arrow(), dtype) {
        (Some(data_type), _) => Ok(data_type),
        (None, DType::Opaque(name)) if name == "interval" => Ok(DataType::Interval(IntervalUnit::YearMonth)),
        (None, other) => other.to_string().parse().map_err(|_| {
            not_decomposable(format!("a column of type {other} cannot go through an aggregate here"))
                .hint("Leave the column out, or convert it with `astype` first")
        }),
    }
}

/// Any aggregate of a column that holds nothing, where the answer is nothing too.
#[derive(Default)]
struct Nothing {
    groups: usize,
}

impl Reduce for Nothing {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        self.groups = self.groups.max(batch.num_groups);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![new_null_array(&DataType::Null, std::mem::take(&mut self.groups))])
    }

    fn merge(&mut self, _state: &[ArrayRef], _groups: &[u32], num_groups: usize) -> Result<()> {
        self.groups = self.groups.max(num_groups);
        Ok(())
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.groups = 0;
        Ok(new_null_array(&DataType::Null, num_groups))
    }

    fn size(&self) -> usize {
        0
    }
}
