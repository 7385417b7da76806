//! Row groups that are not opened because none of their keys can be one of the other side of a join.
//!
//! What the other side's keys are is known while the run goes on: each morsel is looked at when its turn comes.

use arrow::datatypes::DataType;
use parquet::file::statistics::Statistics;

use super::scan::{Morsel, Scan};
use crate::io::location::Place;
use crate::io::source::Source;
use crate::plan::Expr;
use crate::plan::lookup::{Found, is_key_filter};

/// A column of the source that is a key of a join, and what is known of the other side's keys.
pub struct KeyColumn {
    column: usize,
    keys: Found,
}

impl KeyColumn {
    /// The columns that these conditions ask for keys of another side.
    pub fn all<'a>(source: &Source, conditions: impl Iterator<Item = &'a Expr>) -> Vec<Self> {
        let asked = conditions.filter(|condition| is_key_filter(condition)).filter_map(|condition| {
            let Expr::Call { args, .. } = condition else { return None };
            let [Expr::Column(name, _), Expr::Table(table)] = args.as_slice() else { return None };
            let column = source.columns().iter().position(|column| column.field.name == *name)?;
            // Types whose statistics are what the keys are compared as.
            matches!(
                source.columns()[column].arrow,
                DataType::Int8
                    | DataType::Int16
                    | DataType::Int32
                    | DataType::Int64
                    | DataType::Date32
                    | DataType::Timestamp(..)
            )
            .then(|| Self { column, keys: table.found.clone() })
        });
        asked.collect()
    }
}

impl Scan {
    /// Whether opening a morsel waits for a network.
    pub fn is_remote(&self, morsel: &Morsel) -> bool {
        match &self.source {
            Source::Parquet(source) => matches!(source.files[morsel.file].file.place, Place::Remote(..)),
            Source::Files(_) | Source::Memory(_) => false,
        }
    }

    /// Whether no row of a morsel can have a partner, by the statistics of its row group.
    pub fn rules_out(&self, morsel: &Morsel) -> bool {
        self.keys.iter().any(|key| self.apart(key, morsel).unwrap_or(false))
    }

    fn apart(&self, key: &KeyColumn, morsel: &Morsel) -> Option<bool> {
        let Source::Parquet(source) = &self.source else { return None };
        let (least, most) = key.keys.0.as_ref()?.range()?;
        let file = &source.files[morsel.file];
        let leaf = file.leaf(key.column).filter(|_| !file.widens(&source.columns, key.column))?;
        let statistics = file.footer.row_group(morsel.row_group).column(leaf).statistics()?;
        // A missing key may have a partner that is missing as well.
        if statistics.null_count_opt()? > 0 {
            return None;
        }
        let (low, high) = match statistics {
            Statistics::Int32(values) => (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?)),
            Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
            _ => return None,
        };
        Some(high < least || most < low)
    }
}
