//! `ffill` and `bfill`: missing values from the nearest row before or after that has one.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use super::{Function, Groups, Proceed, Signature, Window, argument};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::Literal;
use crate::plan::op::operand::present;

/// Option: how many rows of a gap are filled at most, or null.
pub struct Fill {
    pub forward: bool,
}

impl Function for Fill {
    fn name(&self) -> &'static str {
        if self.forward { "ffill" } else { "bfill" }
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        match call.column(self.name())? {
            DType::Opaque(name) => Err(not_decomposable(format!("a column of type {name} cannot be filled"))
                .hint("Fill a part of it, or leave the column out: `p.drop(columns=[...])`")),
            dtype => Ok(dtype.clone()),
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let limit = match call.option(0) {
            Literal::Int(limit) => usize::try_from(*limit).unwrap_or(0),
            _ => usize::MAX,
        };
        Ok(Box::new(Filled { forward: self.forward, limit }))
    }
}

struct Filled {
    forward: bool,
    limit: usize,
}

impl Window for Filled {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        let values = argument(args, 0)?;
        let Some(there) = present(values)? else { return Ok(values.clone()) };
        let order = groups.by_group();
        let mut sources: Vec<Option<u32>> = vec![None; values.len()];
        for segment in groups.segments().windows(2) {
            proceed()?;
            let mut last: Option<(u32, usize)> = None;
            for step in 0..segment[1] - segment[0] {
                let place = if self.forward { segment[0] + step } else { segment[1] - 1 - step };
                let row = order.map_or(place, |order| order[place] as usize);
                if there.value(row) {
                    last = Some((row as u32, step));
                }
                // A row that stays missing keeps what it has.
                let source = last.filter(|(_, found)| step - found <= self.limit).map(|(source, _)| source);
                sources[row] = Some(source.unwrap_or(row as u32));
            }
        }
        Ok(take(values, &UInt32Array::from(sources), None)?)
    }

    fn look_back(&self) -> Option<usize> {
        (self.forward && self.limit < usize::MAX).then_some(self.limit)
    }
}
