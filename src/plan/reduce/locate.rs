//! `idxmin` and `idxmax`: the second argument (a row's label, or its position) where the first is smallest or
//! largest; of several such rows the first one's. Missing where a group has no value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};

use super::extreme::Ranked;
use super::kept::Kept;
use super::kernel::{argument, check, column, grow, primitive, retype, with_number};
use super::{Aggregate, Batch, Reduce};
use crate::error::{Error, Result, misused, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

/// `idxmax`, or `idxmin`.
pub struct Locate<const MAX: bool>;

impl<const MAX: bool> Aggregate for Locate<MAX> {
    fn name(&self) -> &'static str {
        if MAX { "idxmax" } else { "idxmin" }
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        let name = self.name();
        let [value, label] = args else {
            return Err(misused(format!("`{name}` takes a column and its labels")));
        };
        match value {
            value if !value.is_simple() || matches!(value, DType::Str | DType::Binary) => {
                Err(not_decomposable(format!("`{name}` of a column of type {value} is not native"))
                    .hint("Sort by it, and take the first row: `p.sort_values('column').head(1)`"))
            }
            _ => Ok(label.clone()),
        }
    }

    fn ordered(&self) -> bool {
        true
    }

    fn keeps_missing(&self) -> bool {
        true
    }

    fn state_types(&self, args: &[DType], params: &Params) -> Result<Vec<DataType>> {
        super::state_types_of(self, args, params)
    }

    fn create(&self, args: &[DType], params: &Params) -> Result<Box<dyn Reduce>> {
        let label = self.infer(args, params)?;
        Ok(match &args[0] {
            DType::Date => Located::<Date32Type, MAX>::boxed(&label),
            DType::Timestamp(..) | DType::Duration(_) => Located::<Int64Type, MAX>::boxed(&label),
            DType::Decimal(..) => Located::<Decimal128Type, MAX>::boxed(&label),
            dtype => with_number!(
                dtype,
                T => Located::<T, MAX>::boxed(&label),
                _ => return Err(Error::internal("a location was asked for in a type that is refused"))
            ),
        })
    }
}

/// For each group its best value, the position of the row that has it, and that row's label.
struct Located<T: ArrowPrimitiveType, const MAX: bool> {
    best: Vec<Option<(T::Native, i64)>>,
    kept: Kept,
}

impl<T: ArrowPrimitiveType<Native: Ranked>, const MAX: bool> Located<T, MAX> {
    fn boxed(label: &DType) -> Box<dyn Reduce> {
        Box::new(Self { best: Vec::new(), kept: Kept::new(label) })
    }

    fn offer(
        &mut self,
        values: &PrimitiveArray<T>,
        labels: &ArrayRef,
        positions: &[i64],
        groups: &[u32],
        num_groups: usize,
    ) -> Result<()> {
        grow(&mut self.best, num_groups, None);
        check(groups, values.len(), self.best.len())?;
        if positions.len() != groups.len() || labels.len() != groups.len() {
            return Err(Error::internal("an ordered aggregate needs one position a row"));
        }
        let bests = &mut self.best;
        self.kept.offer(labels, groups, num_groups, |group, row| {
            let (value, position) = (values.value(row), positions[row]);
            if values.is_null(row) || value.is_missing() {
                return false;
            }
            let better = match bests[group] {
                None => true,
                Some((best, at)) => {
                    let (value, best) = (value.one_zero(), best.one_zero());
                    let ahead = if MAX { value > best } else { value < best };
                    ahead || value == best && position < at
                }
            };
            if better {
                bests[group] = Some((value, position));
            }
            better
        })
    }
}

impl<T: ArrowPrimitiveType<Native: Ranked>, const MAX: bool> Reduce for Located<T, MAX> {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let values = primitive::<T>(argument(&batch, 0)?)?;
        let positions =
            batch.positions.ok_or_else(|| Error::internal("an ordered aggregate got no positions"))?;
        self.offer(&values, argument(&batch, 1)?, positions, batch.groups, batch.num_groups)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let best = std::mem::take(&mut self.best);
        let labels = self.kept.take(best.len())?;
        let values: PrimitiveArray<T> = best.iter().map(|best| best.map(|(value, _)| value)).collect();
        let positions: Int64Array = best.iter().map(|best| best.map(|(_, position)| position)).collect();
        Ok(vec![Arc::new(values), Arc::new(positions), labels])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        let values = retype(column(state, 0)?.clone(), &T::DATA_TYPE)?;
        let values = primitive::<T>(&values)?;
        let positions = primitive::<Int64Type>(column(state, 1)?)?;
        self.offer(&values, column(state, 2)?, positions.values(), groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.best.clear();
        self.kept.take(num_groups)
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<(T::Native, i64)>>() + self.kept.size()
    }
}
