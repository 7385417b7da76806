//! Lists taken apart: a row for each of their values.

use std::sync::Arc;

use super::{Column, Frame, Index, Label, fresh};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::node::Node;
use crate::plan::{DType, Expr};

impl Frame {
    /// A row for each value of the lists in these columns, under the label of the row it comes from. Lists that are
    /// empty or missing give one missing value if `keep_empty` says so, else no row.
    ///
    /// With `place` the index has one more level of that name: the value's place in its list.
    pub fn explode(&self, labels: &[Label], keep_empty: bool, place: Option<Label>) -> Result<Self> {
        let places = labels.iter().map(|label| self.place(label)).collect::<Result<Vec<_>>>()?;
        for place in &places {
            let column = &self.columns[*place];
            let dtype = column.expr.dtype();
            if !matches!(dtype, DType::List(_)) {
                return Err(not_decomposable(format!(
                    "`explode` takes lists apart, and column {} is {dtype}",
                    column.label
                ))
                .hint("Of structs take fields: `.struct.field(...)`, `.struct.explode()`"));
            }
        }
        // Each column for itself: another one may have the same values as lists.
        let (base, levels) = self.labelled();
        let (input, mut levels, mut columns) = self.projected(base, &levels);
        let mut lists = Vec::with_capacity(places.len());
        for place in places {
            let expr = &mut columns[place].expr;
            if let Expr::Column(name, dtype) = expr
                && let DType::List(item) = dtype
            {
                lists.push(name.clone());
                *dtype = (**item).clone();
            }
        }
        if lists.len() != labels.len() {
            return Err(Error::internal("a list went missing"));
        }
        let number = place.as_ref().map(|_| fresh("__place", &input));
        if let (Some(label), Some(name)) = (place, &number) {
            levels.push(Column { label, expr: Expr::Column(name.clone(), DType::Int64) });
        }
        let domain = Arc::new(Node::Explode { input, lists, keep_empty, place: number });
        Ok(Self { domain, index: Index::Levels(levels), columns, kind: self.kind.clone() })
    }
}
