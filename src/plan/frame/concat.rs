//! Frames one after the other: pandas' concat along the rows, its columns, types and index.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Column, Frame, Index, Kind, Label, unique};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::node::{Field, Node};
use crate::plan::op::promote::promote;
use crate::plan::{DType, Expr, Literal};

impl Frame {
    /// The rows of frames, or of series, one after the other. Columns that one has not are missing there;
    /// with `inner` only those come out that all have.
    pub fn concat(frames: &[Frame], ignore_index: bool, inner: bool) -> Result<Self> {
        let [first, ..] = frames else {
            return Err(not_decomposable("concat of nothing").hint("Give at least one table or column"));
        };
        let series = first.kind == Kind::Series;
        let plain = |frame: &Frame| matches!(frame.kind, Kind::Frame | Kind::Series);
        if !frames.iter().all(|frame| plain(frame) && (frame.kind == Kind::Series) == series) {
            return Err(not_decomposable("concat of frames and series together")
                .hint("Make frames of the series: `to_frame()`"));
        }
        // Series are put together whatever they are called.
        let name = first.columns.first().map_or(Label::None, |column| column.label.clone());
        let same = frames.iter().all(|frame| frame.columns.first().is_some_and(|c| c.label == name));
        let name = if same { name } else { Label::None };
        let mut labels: Vec<Label> = Vec::new();
        if series {
            labels.push(name);
        } else {
            for frame in frames {
                let mut own = HashSet::new();
                for column in &frame.columns {
                    if !own.insert(&column.label) {
                        return Err(not_decomposable(format!(
                            "concat of a frame with several columns {}",
                            column.label
                        ))
                        .hint("Rename them so that each name is there once"));
                    }
                    if !labels.contains(&column.label) {
                        labels.push(column.label.clone());
                    }
                }
            }
            if inner {
                let everywhere = |label: &Label| {
                    frames.iter().all(|frame| frame.columns.iter().any(|c| c.label == *label))
                };
                labels.retain(everywhere);
            }
        }
        let parts: Vec<_> = frames.iter().map(Frame::materialised).collect();
        let depth = parts[0].1.len();
        if !ignore_index && parts.iter().any(|(_, levels, _)| levels.len() != depth) {
            return Err(not_decomposable("concat of frames whose indexes have different numbers of levels")
                .hint("Pass ignore_index=True, or `reset_index()` first"));
        }

        // Per output column what each frame has in its place.
        let mut wanted: Vec<(Label, Vec<Option<&Expr>>)> = Vec::new();
        if !ignore_index {
            for level in 0..depth {
                let own = parts.iter().map(|(_, levels, _)| &levels[level]);
                let label = parts[0].1[level].label.clone();
                let same = own.clone().all(|column| column.label == label);
                let label = if same { label } else { Label::None };
                wanted.push((label, own.map(|column| Some(&column.expr)).collect()));
            }
        }
        for label in &labels {
            let exprs = parts.iter().map(|(_, _, columns)| {
                let found = if series { columns.first() } else { columns.iter().find(|c| c.label == *label) };
                found.map(|column| &column.expr)
            });
            wanted.push((label.clone(), exprs.collect()));
        }

        let mut taken = HashSet::new();
        let mut fields = Vec::with_capacity(wanted.len());
        let mut out = Vec::with_capacity(wanted.len());
        let mut projections: Vec<Vec<(Arc<str>, Expr)>> = parts.iter().map(|_| Vec::new()).collect();
        for (label, exprs) in &wanted {
            let dtype = together(label, exprs)?;
            let name = unique(&mut taken, &label.arrow_name("value"));
            for (expr, projection) in exprs.iter().zip(&mut projections) {
                projection.push((name.clone(), of_type(*expr, &dtype)?));
            }
            fields.push(Field { name: name.clone(), dtype: dtype.clone() });
            out.push(Column { label: label.clone(), expr: Expr::Column(name, dtype) });
        }
        let inputs = parts
            .iter()
            .zip(projections)
            .map(|((input, _, _), columns)| Arc::new(Node::Project { input: input.clone(), columns }));
        let domain = Arc::new(Node::Concat { inputs: inputs.collect(), fields: fields.into() });
        let columns = out.split_off(if ignore_index { 0 } else { depth });
        let index = if ignore_index { Index::Range } else { Index::Levels(out) };
        Ok(Self { domain, index, columns, kind: first.kind.clone() })
    }
}

/// The type of a column that is put together. One that is missing somewhere is of what it is elsewhere.
fn together(label: &Label, exprs: &[Option<&Expr>]) -> Result<DType> {
    let mut common: Option<DType> = None;
    for expr in exprs.iter().flatten() {
        let dtype = expr.dtype();
        common = Some(match common {
            None | Some(DType::Null) => dtype,
            Some(so_far) if dtype == DType::Null || so_far == dtype => so_far,
            // pandas makes objects of booleans and numbers, not numbers.
            Some(so_far) => promote(&so_far, &dtype)
                .filter(|_| (so_far == DType::Bool) == (dtype == DType::Bool))
                .ok_or_else(|| {
                    not_decomposable(format!(
                        "concat of column {label} of types {so_far} and {dtype}, which have no type in common"
                    ))
                    .hint("Convert one of them first with `astype`")
                })?,
        });
    }
    common.ok_or_else(|| Error::internal("a column that no frame has"))
}

fn of_type(expr: Option<&Expr>, dtype: &DType) -> Result<Expr> {
    let name = || Expr::Literal(Literal::Str(dtype.to_string()));
    match expr {
        Some(expr) if expr.dtype() == *dtype => Ok(expr.clone()),
        Some(expr) => Expr::call("astype", vec![expr.clone(), name()]),
        None if *dtype == DType::Null => Ok(Expr::Literal(Literal::Null)),
        None => Ok(Expr::Literal(Literal::Typed(Box::new(Literal::Null), dtype.clone()))),
    }
}
