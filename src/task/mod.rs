//! The task document: what a client may ask for, how it is checked, and which of it runs today.
//!
//! `parse` judges the whole contract and returns a normalised `TaskSpec`; `supported` then refuses what is
//! right but does not run yet. Both work on plain data: what JSON cannot hold comes as a marker (`value`).

mod fields;
mod kind;
mod operations;
mod parse;
#[cfg(test)]
mod properties;
mod reading;
mod section;
mod spec;
mod store_options;
mod supported;
#[cfg(test)]
mod tests;
mod value;

pub use fields::{
    Field, INPUT, OPTIONS, OUTPUT, Preset, READ, Runs, SQL, SQL_TABLE, TASK, TYPES, TypeRow, describe,
};
pub use kind::Kind;
pub use operations::Registered;
pub use parse::parse;
pub use reading::read_options;
pub use spec::{
    Callable, ChunkSize, Combine, Foreign, Input, Items, Key, Mode, OnError, OperationRef, Options, Output,
    OutputMode, Priority, Progress, SourceRef, SourceSpec, Sql, SqlTable, Tags, TaskSpec, TaskType,
};
pub use supported::supported;
pub use value::{At, parse_bytes};

use crate::error::Result;

/// An `output` by itself, in normal form: checked, with defaults filled in.
pub fn output(given: serde_json::Value) -> Result<serde_json::Value> {
    let at = At::new(&given, "output");
    match &given {
        serde_json::Value::Object(dict) => section::section(OUTPUT, None, dict.clone(), &at),
        _ => Err(section::missing("output.url", "where to write")),
    }
}
