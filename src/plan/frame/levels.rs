//! The index: which columns are its levels, their names, and rows in order of some of them.

use std::sync::Arc;

use super::rows::ordered;
use super::scope::Scope;
use super::{Column, Frame, Index, Key, Kind, Label, other_rows};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::expr::{Expr, Literal};
use crate::plan::node::{Node, Params, ROW, SortKey};
use crate::plan::window::WindowCall;

impl Frame {
    /// The levels as expressions over the rows; `None` where the rows are numbered from 0 and are no source's.
    fn explicit_levels(&self) -> Option<Vec<Column>> {
        match (&self.index, &*self.domain) {
            (Index::Levels(levels) | Index::Grouped(levels), _) => Some(levels.clone()),
            (Index::Range, Node::Scan { .. }) => {
                Some(vec![Column { label: Label::None, expr: Expr::column(ROW, DType::Int64) }])
            }
            (Index::Range, _) => None,
        }
    }

    /// A level of the index as a series of the same rows.
    pub fn level(&self, number: usize) -> Result<Self> {
        let Some(levels) = self.explicit_levels() else { return self.numbers() };
        let level = levels.get(number).cloned().ok_or_else(|| Error::internal("no such level"))?;
        Ok(self.like(vec![level], Kind::Series))
    }

    /// The rows' numbers from 0, as a series.
    fn numbers(&self) -> Result<Self> {
        if !matches!(Scope::of(&self.domain), Ok(None)) {
            return Err(not_decomposable(
                "the labels of a group's rows are their numbers, which are not known here",
            )
            .hint("Make them a column before the groupby: `p = p.reset_index()`"));
        }
        let call = WindowCall {
            function: "cumcount".into(),
            args: Vec::new(),
            options: vec![Literal::Bool(true)],
            by: Vec::new(),
            dropna: false,
            params: Params::default(),
        };
        let number = Column { label: Label::None, expr: Expr::window(call)? };
        Ok(self.like(vec![number], Kind::Series))
    }

    /// Columns, or series of the same rows, as the index, after the levels there are where `append` says so.
    pub fn set_index(&self, keys: Vec<Key>, drop: bool, append: bool) -> Result<Self> {
        let mut keyed = self.clone();
        let mut places = Vec::with_capacity(keys.len());
        for key in keys {
            match key {
                Key::Label(label) => places.push(self.place(&label)?),
                Key::Series(series) => {
                    let expr = series.value()?.clone();
                    if !self.same_rows(&series) {
                        return Err(other_rows());
                    }
                    places.push(keyed.columns.len());
                    keyed.columns.push(Column { label: series.columns[0].label.clone(), expr });
                }
            }
        }
        let (domain, mut levels, columns) = match keyed.explicit_levels() {
            _ if !append => (keyed.domain.clone(), Vec::new(), keyed.columns),
            Some(levels) => (keyed.domain.clone(), levels, keyed.columns),
            None => keyed.materialised(),
        };
        levels.extend(places.iter().filter_map(|place| columns.get(*place).cloned()));
        let kept = columns.into_iter().take(self.columns.len()).enumerate();
        let kept = kept.filter(|(place, _)| !(drop && places.contains(place))).map(|(_, column)| column);
        Ok(Self { domain, index: Index::Levels(levels), columns: kept.collect(), kind: self.kind.clone() })
    }

    /// The same rows under an index of these names.
    pub fn with_level_names(&self, names: &[Label]) -> Result<Self> {
        let (domain, mut levels, columns) = match self.explicit_levels() {
            Some(levels) => (self.domain.clone(), levels, self.columns.clone()),
            None => self.materialised(),
        };
        if levels.len() != names.len() {
            return Err(Error::new(
                Code::SchemaMismatch,
                format!("the index has {} level(s), and {} name(s) were given", levels.len(), names.len()),
            ));
        }
        for (level, name) in levels.iter_mut().zip(names) {
            level.label = name.clone();
        }
        Ok(Self { domain, index: self.index.with(levels), columns, kind: self.kind.clone() })
    }

    /// Some levels of the index as leading columns, or nowhere; the others stay.
    pub fn reset_levels(&self, numbers: &[usize], drop: bool, name: Label) -> Result<Self> {
        let Some(levels) = self.explicit_levels().filter(|levels| numbers.len() < levels.len()) else {
            return self.reset_index(drop, name);
        };
        let mut columns = self.columns.clone();
        if self.kind == Kind::Series && !drop {
            for column in &mut columns {
                column.label = match (&name, &column.label) {
                    (Label::None, Label::None) => Label::Int(0),
                    (Label::None, own) => own.clone(),
                    (new, _) => new.clone(),
                };
            }
        }
        let (mut kept, mut leading) = (Vec::new(), Vec::new());
        for (number, level) in levels.into_iter().enumerate() {
            if !numbers.contains(&number) {
                kept.push(level);
                continue;
            }
            let label = match level.label {
                Label::None => Label::str(format!("level_{number}")),
                label => label,
            };
            if !drop && columns.iter().any(|column| column.label == label) {
                return Err(Error::new(
                    Code::SchemaMismatch,
                    format!("reset_index cannot insert {label}: a column of that name is there already"),
                )
                .hint("Rename one of them first, or pass drop=True"));
            }
            leading.push(Column { label, expr: level.expr });
        }
        let kind = if drop { self.kind.clone() } else { Kind::Frame };
        if !drop {
            leading.append(&mut columns);
            columns = leading;
        }
        Ok(Self { domain: self.domain.clone(), index: self.index.with(kept), columns, kind })
    }

    /// Stable, by these levels in this order.
    pub fn sort_levels(&self, numbers: &[usize], ascending: &[bool], missing_first: bool) -> Result<Self> {
        let (input, levels, columns) = self.materialised();
        let mut keys = Vec::with_capacity(numbers.len());
        for (position, number) in numbers.iter().enumerate() {
            let level = levels.get(*number).ok_or_else(|| Error::internal("no such level"))?;
            ordered(level)?;
            let ascending = ascending.get(position).or(ascending.first()).copied().unwrap_or(true);
            keys.push(SortKey { expr: level.expr.clone(), descending: !ascending, missing_first });
        }
        Ok(self.over(Arc::new(Node::Sort { input, keys }), levels, columns))
    }

    /// A series of the rows that a condition chose, as one of all rows; its values elsewhere have no meaning.
    /// `None` where the series is not that, or depends on which rows were chosen.
    pub fn unfiltered(&self, whole: &Frame, mask: &Frame) -> Option<Self> {
        let (Node::Filter { input, predicate }, Ok(expr), Ok(wanted)) =
            (&*self.domain, self.value(), mask.value())
        else {
            return None;
        };
        if expr.has_window() {
            return None;
        }
        let (predicate, expr) = match &**input {
            _ if Arc::ptr_eq(input, &whole.domain) => (predicate.clone(), expr.clone()),
            Node::Project { input: base, columns } if Arc::ptr_eq(base, &whole.domain) => {
                let replace = |name: &str| {
                    columns.iter().find(|(known, _)| &**known == name).map(|(_, expr)| expr.clone())
                };
                (predicate.substitute(&replace), expr.substitute(&replace))
            }
            _ => return None,
        };
        let column = Column { label: self.columns[0].label.clone(), expr };
        (predicate == *wanted).then(|| whole.like(vec![column], Kind::Series))
    }
}
