//! What no column of a source may have: a name or a type that nothing can be done with.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;

use super::SourceColumn;
use crate::error::{Code, Error, Result};

/// Refuses a column that could be opened, and would fail later; with the file that has it, if one has.
pub fn column(column: &SourceColumn, owner: impl FnOnce() -> Option<Arc<str>>) -> Result<()> {
    let name = &*column.field.name;
    let Err(error) = named(name).and_then(|()| typed(&column.arrow)) else { return Ok(()) };
    let owner = owner().map_or_else(|| "the source".to_owned(), |file| format!("`{file}`"));
    let told = format!("the column `{}` of {owner} {}", name.escape_debug(), error.sentence());
    let told = Error::new(error.code(), told).detail("column", name);
    Err(match error.advice() {
        Some(advice) => told.hint(advice.to_owned()),
        None => told,
    })
}

/// Arrow hands names out as texts that end with the first zero byte.
fn named(name: &str) -> Result<()> {
    if !name.contains('\0') {
        return Ok(());
    }
    Err(refused(format!("is named `{}`: there is a zero byte in it", name.escape_debug()))
        .hint("Rename it where it comes from, or leave it out: `columns` in `readOptions`"))
}

fn typed(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) if zone.parse::<Tz>().is_err() => {
            Err(refused(format!("has times in the zone `{zone}`, which nobody knows"))
                .hint("Give it a zone such as `Europe/Berlin`, or an offset such as `+01:00`"))
        }
        // How many rows such a column has cannot be told from its bytes.
        DataType::FixedSizeBinary(0) => {
            Err(refused("has values of 0 bytes each, as its type says".to_owned())
                .hint("Leave it out, or make it `binary`"))
        }
        DataType::Dictionary(_, values) => typed(values),
        DataType::RunEndEncoded(_, field)
        | DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => typed(field.data_type()),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| {
            named(field.name())?;
            typed(field.data_type())
        }),
        _ => Ok(()),
    }
}

/// What is wrong with a column, as it goes on behind its name.
fn refused(what: String) -> Error {
    Error::new(Code::SchemaMismatch, what)
}
