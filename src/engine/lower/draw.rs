//! Lowering of rows that are chosen by place.

use std::sync::Arc;

use super::{Lowering, Plan};
use crate::engine::draw_exec::DrawExec;
use crate::error::Result;
use crate::plan::Node;
use crate::plan::draw::Draw;

impl Lowering {
    pub(super) fn draw(&self, input: &Arc<Node>, counts: &Arc<str>, draw: &Draw) -> Result<Plan> {
        let plan = self.lower(input, &[counts.clone()].into())?;
        let column = plan.schema().index_of(counts)?;
        Ok(Arc::new(DrawExec::new(plan, column, Arc::new(draw.clone()), self.control.clone())))
    }
}
