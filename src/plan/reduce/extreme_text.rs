//! `min` and `max` of strings (by code point, as pandas) and of binary values (by byte).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::kernel::{argument, check, column, grow};
use super::{Batch, Reduce};
use crate::error::Result;

pub fn create(max: bool, result: DataType) -> Box<dyn Reduce> {
    Box::new(Text { max, result, best: Vec::new(), bytes: 0 })
}

/// The best value of each group, in a buffer of its own that is written over when a better one comes:
/// of n values in random order that happens about ln n times.
struct Text {
    max: bool,
    result: DataType,
    best: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl Text {
    fn offer(&mut self, values: &ArrayRef, groups: &[u32], num_groups: usize) -> Result<()> {
        grow(&mut self.best, num_groups, None);
        check(groups, values.len(), self.best.len())?;
        // UTF-8 orders by byte as it does by code point. A view cast to binary shares its buffers.
        let values = cast(values, &DataType::BinaryView)?;
        let values = values.as_binary_view();
        for (row, &group) in groups.iter().enumerate() {
            if values.is_null(row) {
                continue;
            }
            let value = values.value(row);
            match &mut self.best[group as usize] {
                Some(best) => {
                    let better = if self.max { value > best.as_slice() } else { value < best.as_slice() };
                    if better {
                        let before = best.capacity();
                        best.clear();
                        best.extend_from_slice(value);
                        self.bytes += best.capacity() - before;
                    }
                }
                empty => {
                    self.bytes += value.len();
                    *empty = Some(value.to_vec());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let mut builder = BinaryViewBuilder::with_capacity(self.best.len());
        for best in std::mem::take(&mut self.best) {
            builder.append_option(best);
        }
        self.bytes = 0;
        let values: ArrayRef = Arc::new(builder.finish());
        Ok(cast(&values, &self.result)?)
    }
}

impl Reduce for Text {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        self.offer(argument(&batch, 0)?, batch.groups, batch.num_groups)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take()?])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        self.offer(column(state, 0)?, groups, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        self.best.resize(num_groups, None);
        self.take()
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<Vec<u8>>>() + self.bytes
    }
}
