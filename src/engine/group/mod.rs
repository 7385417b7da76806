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
use crate::plan::DType;
use crate::plan::node::Params;
use crate::plan::reduce::{self, Aggregate, Reduce};

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

    fn reduces(&self) -> Result<Vec<Box<dyn Reduce>>> {
        self.aggregates
            .iter()
            .map(|aggregate| aggregate.function.create(&aggregate.args, &aggregate.params))
            .collect()
    }
}

impl AggregateSpec {
    pub fn new(
        name: Arc<str>,
        function: &str,
        args: Vec<DType>,
        params: Params,
        arrow: DataType,
    ) -> Result<Self> {
        Ok(Self { name, function: reduce::find(function)?, args, params, arrow })
    }
}
