//! Aggregates as window functions: every row gets the value of its group.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use super::{Groups, PIECE, Proceed, Window};
use crate::error::Result;
use crate::plan::DType;
use crate::plan::node::Params;
use crate::plan::reduce::{self, Aggregate, Batch};

pub struct Whole {
    pub aggregate: &'static dyn Aggregate,
    pub args: Vec<DType>,
    pub params: Params,
}

impl Window for Whole {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        let mut reduce = reduce::create(self.aggregate, &self.args, &self.params)?;
        let ordered = self.aggregate.ordered();
        for (range, ids) in groups.pieces(PIECE) {
            proceed()?;
            let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(range.start, range.len())).collect();
            let positions: Option<Vec<i64>> = ordered.then(|| range.clone().map(|row| row as i64).collect());
            reduce.update(Batch {
                args: &args,
                groups: &ids,
                num_groups: groups.count(),
                positions: positions.as_deref(),
            })?;
        }
        let values = reduce.finish(groups.count())?;
        let ids = match groups.ids() {
            Some(ids) => UInt32Array::from(ids.to_vec()),
            None => UInt32Array::from(vec![0; groups.rows()]),
        };
        Ok(take(&values, &ids, None)?)
    }
}
