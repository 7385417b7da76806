//! Any of our aggregates as an aggregate of DataFusion's, so that its operators run the same functions:
//! where ours do not apply (they spill), and to check ours against.
//!
//! The arguments are the aggregate's. One that is `ordered` takes one more at the end, the rows' positions
//! as int64; one without arguments (`size`) takes any one column, for DataFusion cannot count rows alone.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use parking_lot::Mutex;

use super::{Aggregate, Batch, Reduce, arrow_type};
use crate::error::Error;
use crate::plan::DType;
use crate::plan::node::Params;

/// `aggregate` over columns of these types, for DataFusion.
pub fn udaf(
    aggregate: &'static dyn Aggregate,
    args: Vec<DType>,
    params: Params,
) -> crate::error::Result<AggregateUDF> {
    let result = arrow_type(&aggregate.infer(&args, &params)?)?;
    let state = super::state_types(aggregate, &args, &params)?;
    let mut types = args.iter().map(arrow_type).collect::<crate::error::Result<Vec<_>>>()?;
    if aggregate.ordered() {
        types.push(DataType::Int64);
    }
    let signature = if types.is_empty() {
        Signature::any(1, Volatility::Immutable)
    } else {
        Signature::exact(types, Volatility::Immutable)
    };
    let name = format!("chunked_{}", aggregate.name());
    Ok(AggregateUDF::new_from_impl(Udaf { aggregate, args, params, result, state, signature, name }))
}

struct Udaf {
    aggregate: &'static dyn Aggregate,
    args: Vec<DType>,
    params: Params,
    result: DataType,
    state: Vec<DataType>,
    signature: Signature,
    /// Not DataFusion's own names: by those it recognises `min` and its like, and would filter scans by
    /// its own rules about them.
    name: String,
}

impl fmt::Debug for Udaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.aggregate.name()).field(&self.args).field(&self.params).finish()
    }
}

// The rest follows from these three.
impl PartialEq for Udaf {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate.name() == other.aggregate.name()
            && self.args == other.args
            && self.params == other.params
    }
}

impl Eq for Udaf {}

impl Hash for Udaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aggregate.name().hash(state);
        self.args.hash(state);
    }
}

impl Udaf {
    fn running(&self) -> Result<Running> {
        Ok(Running {
            aggregate: self.aggregate,
            args: self.args.clone(),
            params: self.params.clone(),
            reduce: super::create(self.aggregate, &self.args, &self.params)?,
            num_groups: 0,
            groups: Vec::new(),
        })
    }
}

impl AggregateUDFImpl for Udaf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single(Mutex::new(self.running()?))))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let fields = self.state.iter().enumerate().map(|(position, data_type)| {
            let name = format_state_name(args.name, &position.to_string());
            Arc::new(Field::new(name, data_type.clone(), true))
        });
        Ok(fields.collect())
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.running()?))
    }

    /// Positions say the order; the order in which rows come does not matter.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// A `Reduce` and the number of its groups.
struct Running {
    aggregate: &'static dyn Aggregate,
    args: Vec<DType>,
    params: Params,
    reduce: Box<dyn Reduce>,
    num_groups: usize,
    /// Group numbers in our width, kept to spare an allocation a batch.
    groups: Vec<u32>,
}

impl Running {
    fn fresh(&self) -> Result<Box<dyn Reduce>> {
        Ok(super::create(self.aggregate, &self.args, &self.params)?)
    }

    fn narrow(&mut self, groups: &[usize]) -> Result<()> {
        if groups.iter().any(|&group| group > u32::MAX as usize) {
            return Err(Error::internal("an aggregate cannot hold more than 2^32 groups").into());
        }
        self.groups.clear();
        self.groups.extend(groups.iter().map(|&group| group as u32));
        Ok(())
    }

    /// Takes in rows for the groups in `self.groups`.
    fn update(&mut self, values: &[ArrayRef], num_groups: usize) -> Result<()> {
        self.num_groups = self.num_groups.max(num_groups);
        let takes = self.args.len();
        Ok(update(self.aggregate, takes, self.reduce.as_mut(), values, &self.groups, self.num_groups)?)
    }

    /// The whole state, with a row for every group.
    fn whole_state(&mut self) -> Result<Vec<ArrayRef>> {
        let state = self.reduce.state()?;
        if state.iter().any(|column| column.len() != self.num_groups) {
            return Err(Error::internal(format!(
                "`{}` has not as many rows of state as there are groups",
                self.aggregate.name()
            ))
            .into());
        }
        Ok(state)
    }

    /// The state of the groups that are to go; those that stay move to the front.
    fn split(&mut self, emit_to: EmitTo) -> Result<(Vec<ArrayRef>, usize)> {
        let state = self.whole_state()?;
        let first = match emit_to {
            EmitTo::All => self.num_groups,
            EmitTo::First(first) => first.min(self.num_groups),
        };
        let rest = self.num_groups - first;
        if rest > 0 {
            let staying: Vec<ArrayRef> = state.iter().map(|column| column.slice(first, rest)).collect();
            self.reduce.merge(&staying, &numbers(rest), rest)?;
        }
        self.num_groups = rest;
        Ok((state.iter().map(|column| column.slice(0, first)).collect(), first))
    }
}

fn numbers(count: usize) -> Vec<u32> {
    (0..count as u32).collect()
}

/// Hands rows to `reduce`, which takes the first `takes` of these columns as its arguments.
fn update(
    aggregate: &dyn Aggregate,
    takes: usize,
    reduce: &mut dyn Reduce,
    columns: &[ArrayRef],
    groups: &[u32],
    num_groups: usize,
) -> crate::error::Result<()> {
    let args = columns
        .get(..takes)
        .ok_or_else(|| Error::internal(format!("`{}` got too few columns", aggregate.name())))?;
    if !aggregate.ordered() {
        return reduce.update(Batch { args, groups, num_groups, positions: None });
    }
    let positions = columns
        .get(takes)
        .and_then(|column| column.as_primitive_opt::<Int64Type>())
        .filter(|positions| positions.null_count() == 0)
        .ok_or_else(|| Error::internal("an ordered aggregate takes the rows' positions last, as int64"))?;
    reduce.update(Batch { args, groups, num_groups, positions: Some(positions.values()) })
}

/// How many rows came in these columns.
fn rows(columns: &[ArrayRef]) -> Result<usize> {
    match columns.first() {
        Some(column) => Ok(column.len()),
        None => Err(Error::internal("rows came to an aggregate without columns").into()),
    }
}

fn unfiltered(filter: Option<&BooleanArray>) -> Result<()> {
    match filter {
        None => Ok(()),
        Some(_) => {
            Err(Error::internal("aggregates take no filter of their own; filter the rows before").into())
        }
    }
}

impl GroupsAccumulator for Running {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        unfiltered(opt_filter)?;
        self.narrow(group_indices)?;
        self.update(values, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        if emit_to == EmitTo::All {
            let num_groups = std::mem::take(&mut self.num_groups);
            return Ok(self.reduce.finish(num_groups)?);
        }
        let (state, rows) = self.split(emit_to)?;
        let mut going = self.fresh()?;
        going.merge(&state, &numbers(rows), rows)?;
        Ok(going.finish(rows)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(self.split(emit_to)?.0)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.narrow(group_indices)?;
        self.num_groups = self.num_groups.max(total_num_groups);
        Ok(self.reduce.merge(values, &self.groups, self.num_groups)?)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        unfiltered(opt_filter)?;
        let rows = rows(values)?;
        let mut each = self.fresh()?;
        update(self.aggregate, self.args.len(), each.as_mut(), values, &numbers(rows), rows)?;
        Ok(each.state()?)
    }

    fn size(&self) -> usize {
        self.reduce.size() + self.groups.capacity() * size_of::<u32>()
    }
}

/// The same over one group, for aggregation without keys. The lock is never contended: it makes `Sync`
/// what DataFusion wants so.
struct Single(Mutex<Running>);

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Single")
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let running = self.0.get_mut();
        running.groups.clear();
        running.groups.resize(rows(values)?, 0);
        running.update(values, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.get_mut().reduce.finish(1)?, 0)
    }

    fn size(&self) -> usize {
        let running = self.0.lock();
        running.reduce.size() + running.groups.capacity() * size_of::<u32>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let running = self.0.get_mut();
        // Without a row there is no group yet.
        running.num_groups = 1;
        let mut padded = running.fresh()?;
        let state = running.reduce.state()?;
        let rows = rows(&state)?;
        padded.merge(&state, &vec![0; rows], 1)?;
        padded.state()?.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let running = self.0.get_mut();
        let rows = rows(states)?;
        running.num_groups = 1;
        Ok(running.reduce.merge(states, &vec![0; rows], 1)?)
    }
}

#[cfg(test)]
#[path = "udaf_tests.rs"]
mod tests;
