//! Values of read options: characters, words for missing values, types of columns, formats of dates.

use serde_json::{Map, Value, json};

use super::fields::READ;
use super::section;
use super::value::{At, Marker, invalid};
use crate::error::Result;

/// Read options in normal form: only those that are given. `path` is where errors say they stand.
pub fn read_options(value: &Value, path: &str) -> Result<Value> {
    let at = At::new(value, path);
    if value.is_null() {
        return Ok(json!({}));
    }
    let dict = at.dict().ok_or_else(|| at.wrong_type("a dict"))?;
    let mut normal = Map::new();
    section::walk(&at, dict, READ, None, |field, at| {
        let checked = field.check(&at)?;
        if !checked.is_null() {
            normal.insert(field.key.to_owned(), checked);
        }
        Ok(())
    })?;
    Ok(normal.into())
}

/// One character of one byte: fields are cut at bytes.
pub fn character(at: &At<'_>, may_be_empty: bool, wanted: &str) -> Result<Value> {
    match at.value.as_str() {
        Some("") if may_be_empty => Ok("".into()),
        Some(text) if text.len() == 1 && !matches!(text, "\n" | "\r" | "\0") => Ok(text.into()),
        _ => Err(at.wrong_value(wanted)),
    }
}

/// True; or False or, as in pandas, None where no line has the names.
pub fn header(at: &At<'_>, wanted: &str) -> Result<Value> {
    match at.value {
        Value::Null => Ok(false.into()),
        Value::Bool(_) => Ok(at.value.clone()),
        Value::Number(_) => {
            Err(at.wrong_value(wanted).hint("Lines before the names are left out by `skipRows`"))
        }
        _ => Err(at.wrong_type(wanted)),
    }
}

/// A text or number, or a list of them, as texts.
pub fn missing_values(at: &At<'_>, wanted: &str) -> Result<Value> {
    let text = |at: &At<'_>| -> Result<String> {
        match at.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(at.wrong_type("a string or a number")),
        }
    };
    match at.value {
        Value::Array(values) => {
            let texts = values.iter().enumerate().map(|(place, value)| text(&at.index(place, value)));
            Ok(json!(texts.collect::<Result<Vec<_>>>()?))
        }
        Value::String(_) | Value::Number(_) => Ok(json!([text(at)?])),
        Value::Object(_) => Err(at
            .wrong_type(wanted)
            .hint("Words for missing values hold for all columns; for one of them, replace its values in the operation")),
        _ => Err(at.wrong_type(wanted)),
    }
}

/// The name of a type for all columns, or for each of some; Python's and numpy's classes stand for their names.
pub fn types(at: &At<'_>, wanted: &str) -> Result<Value> {
    let name = |at: &At<'_>, wanted: &str| match (Marker::of(at.value), at.value) {
        (Some(Marker::Callable(class)), _) => Ok(class.name.into()),
        (None, Value::String(name)) => Ok(name.clone().into()),
        (Some(_), _) => Err(at.wrong_type(wanted).hint("Give the type by its name: `str(dtype)`")),
        _ => Err(at.wrong_type(wanted)),
    };
    match at.dict() {
        Some(dict) => dict
            .iter()
            .map(|(column, value)| {
                Ok((column.clone(), name(&At::new(value, at.path_of(column)), "the name of a type")?))
            })
            .collect::<Result<Map<_, _>>>()
            .map(Value::from),
        None => name(at, wanted),
    }
}

/// Columns of dates, each with its format or none.
pub fn dates(at: &At<'_>, wanted: &str) -> Result<Value> {
    let columns: Map<String, Value> = match (at.value, at.dict()) {
        (Value::String(column), _) => Map::from_iter([(column.clone(), Value::Null)]),
        (Value::Array(columns), _) => columns
            .iter()
            .enumerate()
            .map(|(place, column)| match column.as_str() {
                Some(column) => Ok((column.to_owned(), Value::Null)),
                None => Err(at.index(place, column).wrong_type("the name of a column")),
            })
            .collect::<Result<_>>()?,
        (_, Some(formats)) => {
            for (column, format) in formats {
                if !format.is_string() && !format.is_null() {
                    let at = At::new(format, at.path_of(column));
                    return Err(at.wrong_type("a format such as \"%d.%m.%Y\", or None for ISO 8601"));
                }
            }
            formats.clone()
        }
        _ => return Err(at.wrong_type(wanted)),
    };
    if columns.is_empty() {
        return Err(invalid(&at.path, format!("{} names no column", at.path)).hint("Leave it out"));
    }
    Ok(columns.into())
}
