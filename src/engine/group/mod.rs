//! Grouping: our own hash aggregation, fused with the scan, over dense group numbers.
//!
//! Each thread keeps a [`table::GroupTable`]: every key column is interned to dense ids ([`intern`]), the ids
//! of several columns are paired to group numbers ([`pairs`]), and the aggregates hold plain arrays indexed by
//! group number. A dictionary-encoded Parquet column is interned once per dictionary; after that a row costs
//! one look-up in a small array. Tables are merged by the keys' hashes, in parallel ([`merge`]).

pub mod bytes;
pub mod exec;
pub mod fixed;
pub mod intern;
pub mod merge;
pub mod order;
pub mod pairs;
pub mod rows;
pub mod table;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};

use crate::error::Result;
use crate::plan::node::Params;
use crate::plan::reduce::combined;
use crate::plan::reduce::{self, Aggregate, Reduce};
use crate::plan::{DType, Expr};

/// What is grouped by what, without saying where the rows come from.
pub struct GroupSpec {
    pub keys: Vec<KeySpec>,
    pub aggregates: Vec<AggregateSpec>,
    pub sorted: bool,
    pub dropna: bool,
}

pub struct KeySpec {
    pub name: Arc<str>,
    pub arrow: DataType,
}

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
        !self.sorted && !self.keys.is_empty()
    }

    /// The aggregates as they are run: those of one column that go together, together.
    fn units(&self) -> Result<Vec<Unit>> {
        let mut units: Vec<Vec<usize>> = Vec::new();
        for (number, aggregate) in self.aggregates.iter().enumerate() {
            let with = units.iter_mut().find(|unit| {
                let first = &self.aggregates[unit[0]];
                first.exprs == aggregate.exprs && first.combines() && aggregate.combines()
            });
            match with {
                Some(unit) => unit.push(number),
                None => units.push(vec![number]),
            }
        }
        let unit = |members: Vec<usize>| {
            let reduce = match members.as_slice() {
                [only] => {
                    let aggregate = &self.aggregates[*only];
                    aggregate.function.create(&aggregate.args, &aggregate.params)?
                }
                several => {
                    let names: Vec<_> =
                        several.iter().map(|member| self.aggregates[*member].function.name()).collect();
                    combined::create(&names)?
                }
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

impl AggregateSpec {
    fn combines(&self) -> bool {
        combined::takes(self.function.name(), &self.args, &self.params)
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
