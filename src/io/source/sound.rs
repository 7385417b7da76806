//! What no column of a source may have: a name or a type that nothing can be done with.

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;

use super::SourceColumn;
use crate::error::{Code, Error, Result};

/// Refuses a column that could be opened, and would fail later.
pub fn column(column: &SourceColumn) -> Result<()> {
    let name = &*column.field.name;
    named(name, name)?;
    typed(name, &column.arrow)
}

/// Arrow hands names out as texts that end with the first zero byte.
fn named(column: &str, name: &str) -> Result<()> {
    if !name.contains('\0') {
        return Ok(());
    }
    Err(refused(column, &format!("is named `{}`: there is a zero byte in it", name.escape_debug()))
        .hint("Rename it where it comes from, or leave it out: `columns` in `readOptions`"))
}

fn typed(column: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) if zone.parse::<Tz>().is_err() => {
            Err(refused(column, &format!("has times in the zone `{zone}`, which nobody knows"))
                .hint("Give it a zone such as `Europe/Berlin`, or an offset such as `+01:00`"))
        }
        // How many rows such a column has cannot be told from its bytes.
        DataType::FixedSizeBinary(0) => Err(refused(column, "has values of 0 bytes each, as its type says")
            .hint("Leave it out, or make it `binary`")),
        DataType::Dictionary(_, values) => typed(column, values),
        DataType::RunEndEncoded(_, field)
        | DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => typed(column, field.data_type()),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| {
            named(column, field.name())?;
            typed(column, field.data_type())
        }),
        _ => Ok(()),
    }
}

fn refused(column: &str, what: &str) -> Error {
    let shown = column.escape_debug();
    Error::new(Code::SchemaMismatch, format!("the column `{shown}` of the source {what}"))
        .detail("column", column)
}
