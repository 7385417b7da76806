//! `skipna=False`: any aggregate whose answer is missing for a group in which a value is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;

use super::kernel::{check, column, grow};
use super::pick::present;
use super::{Batch, Reduce};
use crate::error::{Error, Result};

/// Another aggregate's state, and beside it which groups had a missing value.
pub struct Strict {
    inner: Box<dyn Reduce>,
    missing: Vec<bool>,
}

impl Strict {
    pub fn boxed(inner: Box<dyn Reduce>) -> Box<dyn Reduce> {
        Box::new(Self { inner, missing: Vec::new() })
    }
}

impl Reduce for Strict {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        grow(&mut self.missing, batch.num_groups, false);
        for values in batch.args {
            let Some(present) = present(values)? else { continue };
            check(batch.groups, values.len(), self.missing.len())?;
            for (row, &group) in batch.groups.iter().enumerate() {
                if present.is_null(row) {
                    self.missing[group as usize] = true;
                }
            }
        }
        self.inner.update(batch)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let mut state = self.inner.state()?;
        let rows = state.first().map_or(0, |column| column.len());
        let mut missing = std::mem::take(&mut self.missing);
        missing.resize(rows, false);
        state.push(Arc::new(BooleanArray::from(missing)));
        Ok(state)
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        self.merge_while(state, groups, num_groups, &|| Ok(()))
    }

    fn merge_while(
        &mut self,
        state: &[ArrayRef],
        groups: &[u32],
        num_groups: usize,
        proceed: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let own = column(state, state.len().saturating_sub(1))?
            .as_boolean_opt()
            .ok_or_else(|| Error::internal("a strict state without its marks"))?;
        grow(&mut self.missing, num_groups, false);
        check(groups, own.len(), self.missing.len())?;
        for (row, &group) in groups.iter().enumerate() {
            self.missing[group as usize] |= own.value(row);
        }
        self.inner.merge_while(&state[..state.len() - 1], groups, num_groups, proceed)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        let mut missing = std::mem::take(&mut self.missing);
        missing.resize(num_groups, false);
        Ok(nullif(&self.inner.finish(num_groups)?, &BooleanArray::from(missing))?)
    }

    fn size(&self) -> usize {
        self.inner.size() + self.missing.capacity()
    }

    fn is_flat(&self) -> bool {
        self.inner.is_flat()
    }
}
