//! Grouping: our own hash aggregation, fused with the scan, over dense group numbers.
//!
//! Each thread keeps a [`table::GroupTable`]: every key column is interned to dense ids ([`intern`]), the ids
//! of several columns are paired to group numbers ([`pairs`]), and the aggregates hold plain arrays indexed by
//! group number. Of a dictionary-encoded Parquet column the codes serve as groups until the dictionary ends,
//! and each of its strings is interned once ([`codes`]). Threads that meet many groups do not keep them each for
//! itself: rows are split by the keys' hashes among tables that all threads share ([`collect`], [`shares`]). What
//! is left in the threads' own tables is merged into one, in parallel where there is much of it ([`merge`]).

mod appearance;
mod arrange;
pub mod ascending;
pub mod bytes;
pub mod codes;
pub mod collect;
mod direct;
mod estimate;
pub mod exec;
mod external;
pub mod fixed;
pub mod intern;
pub mod merge;
mod narrow;
mod numbers;
pub mod order;
mod packed;
pub mod pairs;
mod relief;
pub mod room;
pub mod rows;
pub mod scatter;
pub mod shares;
mod slots;
mod spill;
pub mod table;
mod words;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};

use crate::error::Result;
use crate::plan::node::Params;
use crate::plan::reduce::combined;
use crate::plan::reduce::{self, Aggregate, Reduce};
use crate::plan::{DType, Expr};

/// A limit between one way of doing a thing and another: low in builds for development, so that small tests take
/// both ways.
pub const fn limit(release: usize, development: usize) -> usize {
    if cfg!(debug_assertions) { development } else { release }
}

/// What is grouped by what, without saying where the rows come from.
pub struct GroupSpec {
    pub keys: Vec<KeySpec>,
    pub aggregates: Vec<AggregateSpec>,
    pub order: GroupOrder,
    pub dropna: bool,
}

/// In which order groups come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupOrder {
    Keys,
    /// That of their first rows.
    Appearance,
    /// Whoever takes them does not ask.
    Any,
}

impl GroupOrder {
    /// That of a plan.
    pub fn of(sorted: bool) -> Self {
        if sorted { Self::Keys } else { Self::Appearance }
    }
}

pub struct KeySpec {
    pub name: Arc<str>,
    pub arrow: DataType,
}

#[derive(Clone)]
pub struct AggregateSpec {
    pub name: Arc<str>,
    pub function: &'static dyn Aggregate,
    /// What it is taken of, to tell when two aggregates are of the same.
    pub exprs: Vec<Expr>,
    pub args: Vec<DType>,
    pub params: Params,
    pub arrow: DataType,
}

impl GroupSpec {
    pub fn schema(&self) -> SchemaRef {
        let keys = self.keys.iter().map(|key| (&key.name, &key.arrow));
        let aggregates = self.aggregates.iter().map(|aggregate| (&aggregate.name, &aggregate.arrow));
        let fields =
            keys.chain(aggregates).map(|(name, arrow)| ArrowField::new(&**name, arrow.clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    pub fn needs_first(&self) -> bool {
        self.order == GroupOrder::Appearance && !self.keys.is_empty()
    }

    /// The same groups by one key that all keys are packed into; a row with none is left out.
    fn packed(&self) -> Self {
        let key = KeySpec { name: "keys".into(), arrow: DataType::UInt64 };
        Self { keys: vec![key], aggregates: self.aggregates.clone(), order: self.order, dropna: true }
    }

    /// Which aggregates' arguments are looked at: those of the first of each unit.
    pub fn leaders(&self) -> Result<Vec<usize>> {
        Ok(self.units()?.iter().filter_map(|unit| unit.members.first().copied()).collect())
    }

    /// The aggregates as they are run: those of one column that go together, together.
    fn units(&self) -> Result<Vec<Unit>> {
        let mut units: Vec<Vec<usize>> = Vec::new();
        for (number, aggregate) in self.aggregates.iter().enumerate() {
            let with = units.iter_mut().find(|unit| {
                let first = &self.aggregates[unit[0]];
                first.exprs == aggregate.exprs
                    && first.family().is_some()
                    && first.family() == aggregate.family()
            });
            match with {
                Some(unit) => unit.push(number),
                None => units.push(vec![number]),
            }
        }
        let unit = |members: Vec<usize>| {
            let first = &self.aggregates[members[0]];
            let reduce = match (members.as_slice(), first.family()) {
                ([_, _, ..], Some(family)) => {
                    let several = members.iter().map(|member| {
                        let aggregate = &self.aggregates[*member];
                        (aggregate.function.name(), &aggregate.params)
                    });
                    combined::create(family, &several.collect::<Vec<_>>(), &first.args)?
                }
                _ => reduce::create(first.function, &first.args, &first.params)?,
            };
            Ok(Unit { members, reduce })
        };
        units.into_iter().map(unit).collect()
    }
}

/// Aggregates that share a state, and that state.
pub(super) struct Unit {
    /// Which of the aggregates; never empty.
    pub members: Vec<usize>,
    pub reduce: Box<dyn Reduce>,
}

impl Unit {
    /// The arguments of its aggregates (they are of the same), from those of all aggregates.
    pub fn args<'a>(&self, args: &'a [Vec<ArrayRef>]) -> &'a [ArrayRef] {
        self.members.first().and_then(|member| args.get(*member)).map_or(&[][..], Vec::as_slice)
    }
}

impl AggregateSpec {
    /// It looks at nothing but which values of its column there are, and shares that column with no other.
    fn only_counts(&self) -> bool {
        let float = self.args.iter().any(|dtype| matches!(dtype, DType::Float32 | DType::Float64));
        self.function.name() == "count" && !float && self.params.skipna && self.family().is_none()
    }

    fn family(&self) -> Option<combined::Family> {
        combined::family(self.function.name(), &self.args, &self.params)
    }

    pub fn new(
        name: Arc<str>,
        function: &str,
        exprs: Vec<Expr>,
        params: Params,
        arrow: DataType,
    ) -> Result<Self> {
        let args = exprs.iter().map(Expr::dtype).collect();
        Ok(Self { name, function: reduce::find(function)?, exprs, args, params, arrow })
    }
}
