//! Columns in and out: selecting, assigning, dropping, renaming, and moving the index.

use std::sync::Arc;

use super::{Arg, Column, Frame, Index, Kind, Label, other_rows};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::expr::Expr;

impl Frame {
    pub fn select(&self, labels: &[Label]) -> Result<Self> {
        let columns = labels.iter().map(|label| Ok(self.columns[self.place(label)?].clone()));
        Ok(self.like(columns.collect::<Result<_>>()?, Kind::Frame))
    }

    /// With the column replaced in its place, or added last.
    pub fn assign(&self, label: Label, value: Arg) -> Result<Self> {
        let expr = match value {
            Arg::Literal(literal) => Expr::Literal(literal),
            Arg::Frame(frame) => {
                let expr = frame.value()?.clone();
                let other_group = frame.is_of_group() && !Arc::ptr_eq(&self.domain, &frame.domain);
                if other_group || frame.kind == Kind::Series && !self.same_rows(&frame) {
                    return Err(other_rows());
                }
                expr
            }
        };
        let mut columns = self.columns.clone();
        match columns.iter_mut().find(|column| column.label == label) {
            Some(column) => column.expr = expr,
            None => columns.push(Column { label, expr }),
        }
        Ok(self.like(columns, Kind::Frame))
    }

    pub fn drop(&self, labels: &[Label]) -> Result<Self> {
        for label in labels {
            self.place(label)?;
        }
        let kept = self.columns.iter().filter(|column| !labels.contains(&column.label)).cloned();
        Ok(self.like(kept.collect(), Kind::Frame))
    }

    /// Labels that are not there are ignored.
    pub fn rename(&self, pairs: &[(Label, Label)]) -> Result<Self> {
        let renamed = self.columns.iter().map(|column| {
            let new = pairs.iter().find(|(old, _)| *old == column.label).map(|(_, new)| new.clone());
            Column { label: new.unwrap_or_else(|| column.label.clone()), expr: column.expr.clone() }
        });
        Ok(self.like(renamed.collect(), self.kind.clone()))
    }

    pub fn to_frame(&self, name: Label) -> Result<Self> {
        let expr = self.value()?.clone();
        Ok(self.like(vec![Column { label: name, expr }], Kind::Frame))
    }

    /// The index as leading columns, or nowhere; then rows are labelled from 0.
    pub fn reset_index(&self, drop: bool, name: Label) -> Result<Self> {
        if drop {
            return Ok(Self { index: Index::Range, ..self.clone() });
        }
        let (domain, levels, mut columns) = self.materialised();
        if self.kind == Kind::Series {
            if let Some(column) = columns.first_mut() {
                column.label = match (name, &column.label) {
                    (Label::None, Label::None) => Label::Int(0),
                    (Label::None, own) => own.clone(),
                    (new, _) => new,
                };
            }
        } else if name != Label::None {
            return Err(not_decomposable("reset_index(name=...) is for series")
                .hint("Leave `name` out, and rename columns: `p.rename(columns={'old': 'new'})`"));
        }
        let single = levels.len() == 1;
        let taken = |label: &Label| columns.iter().any(|column| column.label == *label);
        let mut leading = Vec::with_capacity(levels.len() + columns.len());
        for (number, level) in levels.into_iter().enumerate() {
            let label = match level.label {
                Label::None if single && !taken(&Label::str("index")) => Label::str("index"),
                Label::None => Label::str(format!("level_{number}")),
                label => label,
            };
            if taken(&label) {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!("reset_index cannot insert {label}: a column of that name is there already"),
                )
                .hint("Rename one of them first, or pass drop=True")
                .detail("column", label.arrow_name("")));
            }
            leading.push(Column { label, expr: level.expr });
        }
        leading.extend(columns);
        Ok(Self { domain, index: Index::Range, columns: leading, kind: Kind::Frame })
    }
}
