//! What DataFusion says of a query, in our words: with the place in the text and the nearest name.

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::text::{NOWHERE, at};
use crate::error::{Code, Error};
use crate::names;

/// An error of planning: the query is wrong.
pub fn planning(error: DataFusionError) -> Error {
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| span.start);
    let place = place.map_or(NOWHERE, |start| Location { line: start.line, column: start.column });
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => of_names(schema, place),
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => match inner.find_root()
        {
            DataFusionError::SchemaError(schema, _) => of_names(schema, place),
            other => said(other, place),
        },
        DataFusionError::Collection(errors) => match errors.first().map(DataFusionError::find_root) {
            Some(DataFusionError::SchemaError(schema, _)) => of_names(schema, place),
            Some(first) => said(first, place),
            None => said(&error, place),
        },
        DataFusionError::External(inner) if inner.is::<Error>() => error.into(),
        DataFusionError::External(inner) => at(
            place,
            &format!("the SQL cannot be planned: {}", bare(&inner.to_string()).trim_end_matches(':')),
        ),
        DataFusionError::Internal(message) => {
            let first = message.lines().next().unwrap_or_default();
            Error::internal(format!("the query could not be planned: {first}"))
        }
        other => said(other, place),
    }
}

/// An error that is about a function that there is none of.
pub fn unknown_function(error: &DataFusionError, state: &SessionState) -> Option<Error> {
    let message = error.message();
    let name = message.split_once("Invalid function '")?.1.split_once('\'')?.0;
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| span.start);
    let place = place.map_or(NOWHERE, |start| Location { line: start.line, column: start.column });
    let error = at(place, &format!("there is no function `{name}`")).detail("function", name);
    // Sorted: the nearest of several is the same one every time. Aggregates are meant most often.
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let mut known = sorted(state.aggregate_functions().keys().cloned().collect());
    known.extend(sorted(state.scalar_functions().keys().cloned().collect()));
    known.extend(sorted(state.window_functions().keys().cloned().collect()));
    Some(match names::nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => error.hint(format!("Did you mean `{nearest}`?")).detail("nearest", nearest),
        None => error.hint("The functions are those of Apache DataFusion"),
    })
}

/// A message without the class of error before it.
fn bare(message: &str) -> &str {
    let message = message.lines().next().unwrap_or_default();
    let message = message.strip_prefix("Execution error: ").unwrap_or(message);
    message.trim_end_matches('.')
}

fn said(error: &DataFusionError, place: Location) -> Error {
    let message = error.message();
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_end_matches('.');
    let rest: Vec<&str> = lines.collect();
    if first.starts_with("Projections require unique") {
        return at(place, "two columns of a SELECT have the same name").hint("Name one of them with AS");
    }
    if let Some((_, column)) = first.split_once("GROUP BY").and_then(|_| first.split_once("column \"")) {
        let column = column.split('"').next().unwrap_or_default();
        return at(place, &format!("`{column}` is neither grouped by nor aggregated"))
            .hint("Add it to GROUP BY, or say which of a group's values is meant, such as min(...)");
    }
    let message = match error {
        DataFusionError::NotImplemented(_) => format!("the SQL asks for what is not supported: {first}"),
        _ => format!("the SQL cannot be planned: {first}"),
    };
    let error = at(place, &message);
    if rest.is_empty() { error } else { error.hint(rest.join(" ")) }
}

fn of_names(error: &SchemaError, place: Location) -> Error {
    let mismatch = |message: String, column: &str| {
        let placed = at(place, &message);
        let error = Error::new(Code::SchemaMismatch, placed.sentence().to_owned()).detail("column", column);
        placed.details().iter().fold(error, |error, (key, value)| error.detail(key, value.clone()))
    };
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let error = mismatch(format!("there is no column `{}`", written(field)), &field.name);
            let all: Vec<&str> = valid_fields.iter().map(|field| field.name.as_str()).collect();
            let shown = all.iter().take(20).copied().collect::<Vec<_>>().join(", ");
            match names::nearest(&field.name, all.iter().copied()) {
                // The name is right: it is the table before it that is not.
                Some(nearest) if *nearest == field.name => {
                    let owners: Vec<String> =
                        valid_fields.iter().filter(|valid| valid.name == nearest).map(written).collect();
                    error
                        .hint(format!("Did you mean `{}`?", owners.join("` or `")))
                        .detail("nearest", nearest)
                }
                Some(nearest) => error
                    .hint(format!("Did you mean `{nearest}`? The columns are {shown}"))
                    .detail("nearest", nearest),
                None if all.is_empty() => error,
                None => error.hint(format!("The columns are {shown}")),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            mismatch(format!("several tables have a column `{}`", field.name), &field.name)
                .hint(format!("Write the table before it: `table.{}`", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            mismatch(format!("two columns are named `{name}`"), name).hint("Name one of them with AS")
        }
    }
}

fn written(column: &Column) -> String {
    column.relation.as_ref().map_or_else(|| column.name.clone(), |table| format!("{table}.{}", column.name))
}

/// An error while a query runs: a value it cannot be computed for, unless it is one of ours.
pub fn execution(error: DataFusionError) -> Error {
    let met = |said: String| {
        Error::new(
            Code::OperationFailed,
            format!("the query met a value that it cannot be computed for: {}", bare(&said)),
        )
        .hint("Leave such rows out with WHERE, or use CASE, NULLIF or TRY_CAST")
    };
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match &**arrow {
            ArrowError::DivideByZero => met("a division by zero".to_owned()),
            ArrowError::ArithmeticOverflow(said)
            | ArrowError::CastError(said)
            | ArrowError::ComputeError(said)
            | ArrowError::InvalidArgumentError(said)
            | ArrowError::ParseError(said) => met(said.clone()),
            _ => error.into(),
        },
        DataFusionError::Execution(said) => met(said.clone()),
        // Arguments that a function looks at when it begins.
        DataFusionError::Plan(_) | DataFusionError::NotImplemented(_) => said(error.find_root(), NOWHERE),
        DataFusionError::External(other) if !other.is::<Error>() => met(other.to_string()),
        _ => error.into(),
    }
}
