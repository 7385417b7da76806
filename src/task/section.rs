//! One dict of a document against its table: spellings, unknown keys, values, defaults.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::fields::{self, Field};
use super::spec::TaskType;
use super::value::{At, invalid, shortened};
use crate::error::{Error, Result};
use crate::names;

/// Calls `each` with every key's field and value, in the order of the document.
///
/// A key that the table does not have, or has for other types of task only, or that stands there in both
/// spellings, is refused where it is met. `taker` is the task's type, where the table depends on it.
pub fn walk<'a>(
    at: &At<'_>,
    dict: &'a Map<String, Value>,
    table: &'static [Field],
    taker: Option<TaskType>,
    mut each: impl FnMut(&'static Field, At<'a>) -> Result<()>,
) -> Result<()> {
    let mut seen = HashMap::new();
    for (spelling, value) in dict {
        let path = at.path_of(spelling);
        let field = find(table, spelling)
            .filter(|field| field.taken_by(taker))
            .ok_or_else(|| unknown(&path, spelling, table, taker))?;
        if let Some(other) = seen.insert(field.key, spelling) {
            let message = format!("{} and {path} are two spellings of one key", at.path_of(other));
            return Err(invalid(&path, message).hint("Keep one of them").detail("given", spelling.as_str()));
        }
        each(field, At::new(value, path)).map_err(|error| explained(error, field))?;
    }
    Ok(())
}

/// A dict in normal form: camelCase keys, checked values, defaults filled in.
pub fn section(
    table: &'static [Field],
    taker: Option<TaskType>,
    dict: Map<String, Value>,
    at: &At<'_>,
) -> Result<Value> {
    let mut normal = Map::new();
    walk(at, &dict, table, taker, |field, at| {
        normal.insert(field.key.to_owned(), field.check(&at)?);
        Ok(())
    })?;
    complete(&mut normal, table, taker, at)?;
    Ok(normal.into())
}

/// Fills in the defaults of the keys that are not there, and refuses if one of them has to be.
pub fn complete(
    normal: &mut Map<String, Value>,
    table: &'static [Field],
    taker: Option<TaskType>,
    at: &At<'_>,
) -> Result<()> {
    for field in table.iter().filter(|field| field.taken_by(taker)) {
        if normal.contains_key(field.key) {
            continue;
        }
        if field.required() {
            return Err(missing(&at.path_of(field.key), &field.kind.wanted()));
        }
        if let Some(default) = field.default.value() {
            normal.insert(field.key.to_owned(), default);
        }
    }
    Ok(())
}

pub fn missing(path: &str, wanted: &str) -> Error {
    invalid(path, format!("{path} is missing")).hint(format!("Give {path}: {wanted}"))
}

/// The field of a key in either spelling.
pub fn find(table: &'static [Field], key: &str) -> Option<&'static Field> {
    table.iter().find(|field| field.key == key || (key.contains('_') && names::snake(field.key) == key))
}

/// An error without advice gets what the key means.
fn explained(error: Error, field: &Field) -> Error {
    if error.advice().is_some() {
        return error;
    }
    error.hint(format!("`{}` is: {}", field.key, field.meaning))
}

fn unknown(path: &str, key: &str, table: &'static [Field], taker: Option<TaskType>) -> Error {
    let allowed: Vec<&str> =
        table.iter().filter(|field| field.taken_by(taker)).map(|field| field.key).collect();
    let kind = taker.map(|taker| format!("{} ", taker.name())).unwrap_or_default();
    let path = shortened(path);
    let noun = match table.first().map(|field| field.key) {
        Some("sql") => "not a key of a query".to_owned(),
        Some("source") if table.len() == fields::SQL_TABLE.len() => "not a key of a table".to_owned(),
        Some("sep") => "no read option".to_owned(),
        _ => format!("not a key of a {kind}task"),
    };
    let error = invalid(&path, format!("{path} is {noun}"))
        .detail("given", shortened(key))
        .detail("allowed", allowed.clone());
    let called =
        fields::OTHER_NAMES.iter().filter(|(_, ours)| allowed.contains(ours) && allowed.contains(&"sep"));
    let nearest = names::nearest(key, allowed.iter().copied()).or_else(|| {
        let other = names::nearest(key, called.clone().map(|(theirs, _)| *theirs))?;
        called.clone().find(|(theirs, _)| *theirs == other).map(|(_, ours)| *ours)
    });
    let advice = match (find(table, key), nearest, fields::home_of(key)) {
        (Some(field), ..) => format!("It belongs to tasks of type {}", field.types_text()),
        (None, Some(nearest), _) => format!("Did you mean \"{nearest}\"?"),
        (None, None, Some(home)) => format!("It belongs in {home}"),
        (None, None, None) => String::new(),
    };
    let error = match nearest {
        Some(nearest) => error.detail("nearest", nearest),
        None => error,
    };
    let gap = if advice.is_empty() {
        ""
    } else if advice.ends_with('?') {
        " "
    } else {
        ". "
    };
    error.hint(format!("{advice}{gap}Allowed here: {}", allowed.join(", ")))
}
