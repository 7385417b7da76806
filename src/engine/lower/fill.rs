//! Lowering of bins without rows: what each aggregate is of nothing.

use std::sync::Arc;

use arrow::compute::cast;

use super::{Lowering, Plan};
use crate::engine::fill_exec::{Fill, FillExec};
use crate::engine::group::GroupOrder;
use crate::error::{Error, Result};
use crate::plan::op::Bins;
use crate::plan::{DType, Node, reduce};

impl Lowering {
    pub(super) fn fill(&self, input: &Arc<Node>, freq: &str) -> Result<Plan> {
        let Node::Group { input: below, keys, aggregates, sorted, dropna } = &**input else {
            return Err(Error::internal("bins are filled of groups only"));
        };
        let Some(((key, expr), others)) = keys.split_last() else {
            return Err(Error::internal("bins without a key"));
        };
        let DType::Timestamp(unit, tz) = expr.dtype() else {
            return Err(Error::internal("bins of no times"));
        };
        let plan = self.group(below, keys, aggregates, (GroupOrder::of(*sorted), *dropna))?;
        let schema = plan.schema();
        let mut empty = Vec::with_capacity(schema.fields().len());
        let mut place = None;
        let mut kept = Vec::with_capacity(others.len());
        for (number, field) in schema.fields().iter().enumerate() {
            if *field.name() == **key {
                place = Some(number);
                empty.push(arrow::array::new_null_array(field.data_type(), 1));
                continue;
            }
            if others.iter().any(|(name, _)| **name == *field.name()) {
                kept.push(number);
                empty.push(arrow::array::new_null_array(field.data_type(), 1));
                continue;
            }
            let aggregate = aggregates.iter().find(|aggregate| *aggregate.name == **field.name());
            let aggregate =
                aggregate.ok_or_else(|| Error::internal("a column of groups that is no aggregate"))?;
            let types: Vec<DType> = aggregate.args.iter().map(crate::plan::Expr::dtype).collect();
            let nothing = reduce::find(&aggregate.function)?.create(&types, &aggregate.params)?.finish(1)?;
            let same = nothing.data_type() == field.data_type();
            empty.push(if same { nothing } else { cast(&nothing, field.data_type())? });
        }
        let key = place.ok_or_else(|| Error::internal("groups without their key"))?;
        let bins = Bins::new(freq, unit, tz.as_deref())?;
        Ok(Arc::new(FillExec::new(plan, Arc::new(Fill { bins, unit, tz, key, kept, empty }))))
    }
}
