//! Window functions of a frame's columns: over all rows, or within groups.

use std::sync::Arc;

use super::scope::Scope;
use super::{Column, Frame, Groups, Index, Kind, Label, other_rows};
use crate::error::{Result, not_decomposable};
use crate::plan::expr::{Expr, Literal};
use crate::plan::node::{Node, Params};
use crate::plan::window::WindowCall;

/// What a window function is told.
#[derive(Debug, Clone)]
pub struct Told {
    pub function: String,
    pub options: Vec<Literal>,
    pub params: Params,
}

impl Frame {
    /// A series of the same rows: a window function of this one, and perhaps of another, over all rows.
    pub fn window(&self, other: Option<&Frame>, told: Told) -> Result<Self> {
        let args = self.with_other(self.value()?.clone(), other)?;
        let label = self.columns[0].label.clone();
        self.windowed(args, label, Vec::new(), false, told)
    }

    /// Arguments of a window function.
    fn with_other(&self, own: Expr, other: Option<&Frame>) -> Result<Vec<Expr>> {
        let Some(other) = other else { return Ok(vec![own]) };
        if !self.same_rows(other) {
            return Err(other_rows());
        }
        Ok(vec![own, other.value()?.clone()])
    }

    fn windowed(
        &self,
        args: Vec<Expr>,
        label: Label,
        by: Vec<Expr>,
        dropna: bool,
        told: Told,
    ) -> Result<Self> {
        let Told { function, options, params } = told;
        if let Some(scope) = Scope::of(&self.domain)? {
            if !by.is_empty() || !scope.is_whole() {
                return Err(not_decomposable(
                    "a function of neighbouring rows over some rows of a group is not native",
                )
                .hint("Filter the rows before the groupby"));
            }
            let expr = scope.call(&function, args, options, params)?;
            return Ok(self.like(vec![Column { label, expr }], Kind::Series));
        }
        let call = WindowCall { function: function.into(), args, options, by, dropna, params };
        let nested = call.args.first().is_some_and(|arg| !arg.dtype().is_simple());
        let expr = Expr::window(call)
            .map_err(|error| if nested { super::group::named(error, &label) } else { error })?;
        Ok(self.like(vec![Column { label, expr }], Kind::Series))
    }

    /// The same frame, its domain such that no expression depends on which other rows there are.
    pub(super) fn settled(&self) -> Self {
        let levels = self.index.levels();
        if !levels.iter().chain(&self.columns).any(|column| column.expr.has_window()) {
            return self.clone();
        }
        let mut taken = std::collections::HashSet::new();
        let mut columns = Vec::new();
        let mut place = |column: &Column, default: &str| {
            let name = super::unique(&mut taken, &column.label.arrow_name(default));
            columns.push((name.clone(), column.expr.clone()));
            Column { label: column.label.clone(), expr: Expr::Column(name, column.expr.dtype()) }
        };
        let index = match &self.index {
            Index::Range => Index::Range,
            Index::Levels(levels) | Index::Grouped(levels) => {
                self.index.with(levels.iter().map(|level| place(level, "__index")).collect())
            }
        };
        let kept = self.columns.iter().map(|column| place(column, "__value")).collect();
        let domain = Arc::new(Node::Project { input: self.domain.clone(), columns });
        Self { domain, index, columns: kept, kind: self.kind.clone() }
    }
}

impl Groups {
    /// A series of the frame's rows: a window function of `input`, and perhaps of another, or of nothing, within each
    /// group.
    pub fn window(&self, input: Option<&Frame>, other: Option<&Frame>, mut told: Told) -> Result<Frame> {
        self.without_bins(&told.function)?;
        let (args, label) = match input {
            // Groups are put in order by their keys; those that are left out are not counted.
            None if told.function == "ngroup" => {
                told.options.push(Literal::Bool(self.dropna));
                (self.keys.iter().map(|key| key.expr.clone()).collect(), Label::None)
            }
            None if told.function == "group_number" => {
                told.options.push(Literal::Bool(self.dropna));
                (Vec::new(), Label::None)
            }
            None => (Vec::new(), Label::None),
            Some(input) => {
                if !self.frame.same_rows(input) {
                    return Err(other_rows());
                }
                let args = self.frame.with_other(input.value()?.clone(), other)?;
                (args, input.columns[0].label.clone())
            }
        };
        let by = self.keys.iter().map(|key| key.expr.clone()).collect();
        self.frame.windowed(args, label, by, self.dropna, told)
    }
}
