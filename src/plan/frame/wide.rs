//! Frames that come out wide: their columns are values found while they run.

use std::sync::Arc;

use super::{Column, Frame, Index, Kind, Label};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::Node;
use crate::plan::wide::{Fill, Wide};

impl Frame {
    /// One row of scalars.
    pub fn record(labels: Vec<Label>, scalars: &[Frame]) -> Result<Self> {
        let columns = labels.into_iter().zip(scalars).map(|(label, scalar)| {
            if scalar.kind != Kind::Scalar || scalar.is_of_group() {
                return Err(Error::internal("a record of what are no scalars"));
            }
            Ok(Column { label, expr: scalar.value()?.clone() })
        });
        let columns = columns.collect::<Result<_>>()?;
        Ok(Self { domain: Arc::new(Node::Unit), index: Index::Range, columns, kind: Kind::Frame })
    }

    /// This long frame, spread out. Its columns are those that `wide` speaks of.
    pub fn wide(&self, wide: Wide) -> Result<Self> {
        let values = wide.values.len() * if wide.options.fill == Fill::Nothing { 1 } else { 2 };
        let wanted =
            wide.rows.len() + wide.across.len() + usize::from(wide.options.margin.is_some()) + values;
        if self.kind != Kind::Frame || self.columns.len() != wanted {
            return Err(Error::internal("a wide table of other columns than it says"));
        }
        Ok(Self { index: Index::Range, kind: Kind::Wide(Box::new(wide)), ..self.clone() })
    }

    /// Whether the levels of the index may be those of groups. An error if these have no order.
    pub fn has_group_levels(&self) -> Result<bool> {
        let mut node = &self.domain;
        loop {
            match &**node {
                Node::Group { sorted, aggregates, .. } => {
                    let counts = aggregates.iter().any(|aggregate| &*aggregate.name == "__count");
                    if !sorted && !counts {
                        return Err(not_decomposable(
                            "the levels of groups in order of appearance cannot be told once they are results",
                        )
                        .hint("Group with sort=True, or use pivot_table(sort=False)"));
                    }
                    return Ok(true);
                }
                Node::Project { input, .. }
                | Node::Filter { input, .. }
                | Node::Window { input, .. }
                | Node::RowNumber { input, .. }
                | Node::Sort { input, .. }
                | Node::Limit { input, .. }
                | Node::Slice { input, .. }
                | Node::Fill { input, .. }
                | Node::Distinct { input, .. } => node = input,
                _ => return Ok(false),
            }
        }
    }
}
