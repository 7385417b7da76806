//! Scalars in rows and columns: the answers of `p.sum()` and of aggregates by name.

use std::sync::Arc;

use super::super::dtype::DType;
use super::super::expr::Expr;
use super::super::label::Label;
use super::super::node::Node;
use super::super::op::promote::promote;
use super::{Cells, Frame, Index, Kind};
use crate::error::{Error, Result, not_decomposable};

impl Frame {
    /// Scalars in rows and columns.
    pub fn cells(
        index: Vec<Label>,
        columns: Option<Vec<Label>>,
        cells: Vec<Vec<Option<Frame>>>,
    ) -> Result<Self> {
        let width = columns.as_ref().map_or(1, Vec::len);
        if cells.iter().flatten().flatten().any(Frame::is_of_group) {
            return Err(not_decomposable("a value of a group was used outside of the function of the group")
                .hint("Compute with it within the function, or give it back and use the answer"));
        }
        let cells = cells
            .into_iter()
            .map(|row| {
                let row = row.iter().map(|cell| cell.as_ref().map(|cell| cell.value().cloned()).transpose());
                let row: Vec<Option<Expr>> = row.collect::<Result<_>>()?;
                if row.len() == width {
                    Ok(row)
                } else {
                    Err(Error::internal("cells in rows of unequal length"))
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let kind = Kind::Cells(Cells { index, columns, name: Label::None, cells });
        Ok(Self { domain: Arc::new(Node::Unit), index: Index::Range, columns: Vec::new(), kind })
    }
}

impl Cells {
    /// The type that holds every cell of a column; None where there is none.
    pub fn common(&self, place: usize) -> Option<DType> {
        let mut common: Option<DType> = None;
        for cell in self.cells.iter().filter_map(|row| row.get(place).and_then(Option::as_ref)) {
            let dtype = cell.dtype();
            common = Some(match common {
                None => dtype,
                Some(so_far) if so_far == dtype => so_far,
                // Not even booleans and numbers are of one type.
                Some(so_far) if so_far == DType::Bool || dtype == DType::Bool => return None,
                Some(so_far) => promote(&so_far, &dtype)?,
            });
        }
        Some(common.unwrap_or(DType::Float64))
    }
}
