//! Lowering of lists taken apart.

use std::sync::Arc;

use super::{Lowering, Names, Plan};
use crate::engine::explode_exec::{Explode, ExplodeExec};
use crate::error::Result;
use crate::plan::Node;

impl Lowering {
    pub(super) fn explode(
        &self,
        input: &Arc<Node>,
        lists: &[Arc<str>],
        keep_empty: bool,
        place: Option<&Arc<str>>,
        needed: &Names,
    ) -> Result<Plan> {
        let mut below = needed.clone();
        let place = place.filter(|name| below.remove(*name));
        // All of them: that they are as long as each other is looked at.
        below.extend(lists.iter().cloned());
        let plan = self.lower(input, &below)?;
        let schema = plan.schema();
        let lists = lists.iter().map(|name| Ok(schema.index_of(name)?)).collect::<Result<Vec<_>>>()?;
        let explode = Explode { lists, keep_empty, place: place.cloned() };
        Ok(Arc::new(ExplodeExec::new(plan, Arc::new(explode))?))
    }
}
