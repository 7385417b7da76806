//! Bins of time of a frame's rows, as a key to group by.

use std::sync::Arc;

use super::{Column, Frame, Groups, Kind, Label};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::expr::{Expr, Literal};
use crate::plan::node::{Aggregation, Node, Params, SortKey};
use crate::plan::op::{Bins, Side};
use crate::plan::{DType, reduce};

impl Frame {
    /// A series of the labels of the bins that the times in `on` (none: the index) belong to.
    pub fn bins(
        &self,
        on: Option<&Label>,
        freq: &str,
        closed: Option<&str>,
        label: Option<&str>,
    ) -> Result<Self> {
        let column = self.times_to_bin(on)?;
        let DType::Timestamp(unit, tz) = column.expr.dtype() else {
            return Err(Error::new(
                Code::SchemaMismatch,
                format!("bins of time need times, and {} is {}", column.label, column.expr.dtype()),
            )
            .hint("Read the column with `pd.to_datetime(...)` first"));
        };
        let bins = Bins::new(freq, unit, tz.as_deref())?;
        let word = |side: Option<&str>| {
            let default = if bins.default_side() == Side::Right { "right" } else { "left" };
            Expr::Literal(Literal::Str(side.unwrap_or(default).to_owned()))
        };
        let mut args = vec![
            column.expr.clone(),
            Expr::Literal(Literal::Str(freq.to_owned())),
            word(closed),
            word(label),
        ];
        if bins.is_anchored()? {
            let times = self.like(vec![column.clone()], Kind::Series);
            args.push(
                times.reduce("min", &[], Params { grouped: false, ..Params::default() })?.value()?.clone(),
            );
        }
        let expr = Expr::call("dt_bin", args)?;
        Ok(self.like(vec![Column { label: column.label, expr }], Kind::Series))
    }

    fn times_to_bin(&self, on: Option<&Label>) -> Result<Column> {
        let levels = self.index.levels();
        match (on, levels) {
            (Some(label), _) => match self.place(label) {
                Ok(place) => Ok(self.columns[place].clone()),
                Err(error) => levels.iter().find(|level| level.label == *label).cloned().ok_or(error),
            },
            (None, [level]) => Ok(level.clone()),
            (None, _) => Err(Error::new(Code::SchemaMismatch, "the index is not one of times".to_owned())
                .hint("Name the column of times: `resample(\"D\", on=\"t\")`, `pd.Grouper(key=\"t\", freq=\"D\")`")),
        }
    }
}

impl Groups {
    /// The same, each group by bins of time of its own, of a frequency whose bins are the same wherever they begin.
    pub fn binned(
        &self,
        on: Option<&Label>,
        freq: &str,
        closed: Option<&str>,
        label: Option<&str>,
    ) -> Result<Self> {
        let bins = self.frame.bins(on, freq, closed, label)?;
        if is_anchored(bins.value()?) {
            return Err(not_decomposable(format!(
                "bins of {freq:?} of each group, which begin at its first day"
            ))
            .hint("Use bins that divide a day, such as '4h', or 'D'; or `pd.Grouper(key='t', freq=...)`"));
        }
        let mut groups = self.clone();
        groups.keys.push(bins.columns[0].clone());
        Ok(groups.filled(freq))
    }

    /// With the bins of time between the first and the last that no row belongs to.
    pub fn filled(mut self, freq: &str) -> Self {
        self.fill = Some(freq.into());
        self
    }

    /// Refuses what looks at the rows of a bin one by one.
    pub(super) fn without_bins(&self, what: &str) -> Result<()> {
        if self.fill.is_none() {
            return Ok(());
        }
        Err(not_decomposable(format!("`{what}` within bins of time: pandas sorts the rows"))
            .hint("Group by a rounded time instead: `p.groupby(p[\"t\"].dt.floor(\"D\"))`"))
    }

    /// The rows to group: by time where bins are filled and an aggregate looks at their order, as pandas has them.
    pub(super) fn rows_in_order(&self, domain: Arc<Node>, aggregates: &[Aggregation]) -> Result<Arc<Node>> {
        let mut ordered = false;
        for aggregate in aggregates {
            ordered |= reduce::find(&aggregate.function)?.ordered();
        }
        let (Some(_), true, Some(key)) = (&self.fill, ordered, self.keys.last()) else { return Ok(domain) };
        let Expr::Call { args, .. } = &key.expr else { return Ok(domain) };
        let Some(time) = args.first() else { return Ok(domain) };
        let within = aggregates.iter().flat_map(|aggregate| &aggregate.args);
        if within.chain([&key.expr]).any(Expr::has_window) {
            return Err(not_decomposable(
                "the first or last of values that depend on other rows, by bins of time",
            )
            .hint("Sort by time first, and group by a rounded time: `p[\"t\"].dt.floor(...)`"));
        }
        let key = SortKey { expr: time.clone(), descending: false, missing_first: false };
        Ok(Arc::new(Node::Sort { input: domain, keys: vec![key] }))
    }
}

/// The bins begin at the first time of all.
fn is_anchored(bins: &Expr) -> bool {
    matches!(bins, Expr::Call { args, .. } if args.len() > 4)
}
