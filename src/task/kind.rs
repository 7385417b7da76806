//! Kinds of value a key may hold: what is wanted in words, and the check that brings a value to normal form.

use serde_json::{Map, Value, json};

use super::fields::{Field, SQL, SQL_TABLE};
use super::reading;
use super::section;
use super::store_options;
use super::value::{At, Marker, parse_bytes};
use crate::error::{Error, Result};
use crate::names;

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any string.
    Text,
    /// A string that is not blank.
    Name,
    /// A list of names.
    Names,
    /// A name or a list of at least one.
    NameOrNames,
    Choice(&'static [&'static str]),
    /// As `Choice`, or a callable.
    ChoiceOrCallable(&'static [&'static str]),
    Int {
        min: u64,
        max: u64,
    },
    Bool,
    /// An amount of memory: an integer of bytes, or a string with a unit.
    Bytes {
        min: u64,
    },
    /// The word, or the other kind.
    Or(&'static str, &'static Kind),
    /// A list of strings, or a dict of strings.
    Tags,
    /// A callable, a registered name, or SQL.
    Operation,
    /// A list of at least one operation.
    Operations,
    /// A column, columns, or a callable.
    Key,
    /// A place or Arrow data, or a list of them.
    Source,
    /// A dict of table names and sources.
    Tables,
    /// A dict of options of stores, with secrets by name.
    StoreOptions,
    /// A list, or another iterable.
    Items,
    /// A dict with keys of its own; a bare string stands for the named key, where one is given.
    Section {
        fields: &'static [Field],
        short: Option<&'static str>,
    },
    /// Judged by the rules of the task's type.
    Input,
    /// A dict of read options.
    Reading,
    /// One character; or none, where that means something.
    Char {
        may_be_empty: bool,
    },
    /// True, or False or None.
    Header,
    /// Words for missing values.
    MissingValues,
    /// Names of types.
    Types,
    /// Columns of dates, with formats.
    Dates,
}

impl Kind {
    /// What is wanted, to follow "must be".
    pub fn wanted(&self) -> String {
        match self {
            Self::Text => "a string".into(),
            Self::Name => "a string that is not empty".into(),
            Self::Names => "a list of strings".into(),
            Self::NameOrNames => "a string or a list of strings".into(),
            Self::Choice(choices) => format!("one of {}", quoted(choices)),
            Self::ChoiceOrCallable(choices) => format!("one of {} or a callable", quoted(choices)),
            Self::Int { min, max: u64::MAX } => format!("an integer of at least {min}"),
            Self::Int { min, max } => format!("an integer from {min} to {max}"),
            Self::Bool => "True or False".into(),
            Self::Bytes { min } => {
                format!("a number of bytes of at least {min}, or a string such as \"512MB\" or \"2GiB\"")
            }
            Self::Or(word, kind) => format!("\"{word}\" or {}", kind.wanted()),
            Self::Tags => "a list of strings, or a dict of strings".into(),
            Self::Operation => "a callable, the name of a registered operation, or a dict with `sql`".into(),
            Self::Operations => "a list of callables or names of registered operations".into(),
            Self::Key => "a column name, a list of column names or a callable".into(),
            Self::Source => {
                "a path or URL, Arrow data (pandas, polars, pyarrow, DuckDB), or a list of these".into()
            }
            Self::Tables => "a dict of table names, each with a source or a dict with `source`".into(),
            Self::StoreOptions => store_options::WANTED.into(),
            Self::Items => "a list or another iterable".into(),
            Self::Section { short: Some(key), .. } => format!("a dict, or a string (its {key})"),
            Self::Section { short: None, .. } => "a dict".into(),
            Self::Input => "a dict with the input's keys, or the user's own value".into(),
            Self::Reading => "a dict".into(),
            Self::Char { may_be_empty: false } => "one character (ASCII)".into(),
            Self::Char { may_be_empty: true } => "one character (ASCII), or \"\" for none".into(),
            Self::Header => "True, or False or None".into(),
            Self::MissingValues => "a string, a number, or a list of these".into(),
            Self::Types => "the name of a type, or a dict of column names and types".into(),
            Self::Dates => "a column name, a list of these, or a dict of column names and formats".into(),
        }
    }

    /// The words that may be given, where they are few.
    pub fn choices(&self) -> &'static [&'static str] {
        match self {
            Self::Choice(choices) | Self::ChoiceOrCallable(choices) => choices,
            _ => &[],
        }
    }

    /// A text, of an environment variable for one, as the value it is meant to be; `check` has the last word.
    pub fn from_text(&self, text: &str) -> Value {
        let text = text.trim();
        let read = match self {
            Self::Int { .. } => text.parse::<u64>().ok().map(Value::from),
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true.into()),
                "false" | "no" | "off" | "0" => Some(false.into()),
                _ => None,
            },
            Self::Or(word, kind) if text != *word => return kind.from_text(text),
            _ => None,
        };
        read.unwrap_or_else(|| text.into())
    }

    /// The value in normal form, or why it is wrong.
    pub fn check(&self, at: &At<'_>) -> Result<Value> {
        let value = at.value;
        match self {
            Self::Text if value.is_string() => Ok(value.clone()),
            Self::Name => Ok(self.name(at)?.into()),
            Self::Names => self.names(at),
            Self::NameOrNames if value.is_string() => Ok(json!([self.name(at)?])),
            Self::NameOrNames => at_least_one(self.names(at)?, self, at),
            Self::Choice(choices) => choose(choices, self, at),
            Self::ChoiceOrCallable(choices) => match Marker::of(value) {
                Some(Marker::Callable(callable)) => Ok(json!({ "callable": callable })),
                _ => choose(choices, self, at),
            },
            Self::Int { min, max } => match value.as_u64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(number.into()),
                _ => Err(unquoted(at.wrong_value(&self.wanted()), value)),
            },
            Self::Bool if value.is_boolean() => Ok(value.clone()),
            Self::Bytes { min } => {
                let bytes = value.as_str().map_or_else(|| value.as_u64(), parse_bytes);
                match bytes.filter(|bytes| bytes >= min) {
                    Some(bytes) => Ok(bytes.into()),
                    None => Err(at.wrong_value(&self.wanted())),
                }
            }
            Self::Or(word, _) if value.as_str() == Some(word) => Ok(value.clone()),
            // The inner kind alone would forget the word when it says what is wanted.
            Self::Or(word, kind) => {
                let suggestion = value.as_str().and_then(|given| names::nearest(given, [*word]));
                kind.check(at).map_err(|_| {
                    let error = with_nearest(at.wrong_value(&self.wanted()), suggestion);
                    if matches!(kind, Self::Int { .. }) { unquoted(error, value) } else { error }
                })
            }
            Self::Tags => match at.dict() {
                Some(tags) if tags.values().all(Value::is_string) => Ok(value.clone()),
                Some(tags) => {
                    let wrong = tags.iter().find(|(_, tag)| !tag.is_string());
                    Err(wrong.map_or_else(
                        || at.wrong_type(&self.wanted()),
                        |(key, tag)| At::new(tag, at.path_of(key)).wrong_type("a string"),
                    ))
                }
                None => self.names(at),
            },
            Self::Operation => self.operation(at),
            Self::Operations => {
                let steps = self.list(at, |step| Self::Operation.check(step))?;
                Ok(json!({ "steps": at_least_one(steps, self, at)? }))
            }
            Self::Key => match Marker::of(value) {
                Some(Marker::Callable(callable)) => Ok(json!({ "callable": callable })),
                _ if value.is_string() || value.is_array() => {
                    Ok(json!({ "columns": Self::NameOrNames.check(at)? }))
                }
                _ => Err(at.wrong_type(&self.wanted())),
            },
            Self::Source if value.is_array() => at_least_one(self.list(at, one_source)?, self, at),
            Self::Source => Ok(json!([one_source(at)?])),
            Self::Tables => tables(at),
            Self::StoreOptions => store_options::check(at),
            Self::Items => match (Marker::of(value), value) {
                (Some(Marker::Arrow(foreign) | Marker::Object(foreign)), _) => {
                    Ok(json!({ "object": foreign }))
                }
                (None, Value::Array(_)) => Ok(Map::from_iter([("list".to_owned(), value.clone())]).into()),
                _ => Err(at.wrong_type(&self.wanted())),
            },
            Self::Section { fields, short } => match (short, at.dict()) {
                (Some(key), None) if value.is_string() => {
                    section::section(fields, None, Map::from_iter([((*key).to_owned(), value.clone())]), at)
                }
                (_, Some(dict)) => section::section(fields, None, dict.clone(), at),
                _ => Err(at.wrong_type(&self.wanted())),
            },
            Self::Input => Ok(value.clone()),
            Self::Reading => reading::read_options(value, &at.path),
            Self::Char { may_be_empty } => reading::character(at, *may_be_empty, &self.wanted()),
            Self::Header => reading::header(at, &self.wanted()),
            Self::MissingValues => reading::missing_values(at, &self.wanted()),
            Self::Types => reading::types(at, &self.wanted()),
            Self::Dates => reading::dates(at, &self.wanted()),
            Self::Text | Self::Bool => Err(at.wrong_type(&self.wanted())),
        }
    }

    fn name(&self, at: &At<'_>) -> Result<String> {
        match at.value.as_str() {
            Some(name) if !name.trim().is_empty() => Ok(name.to_owned()),
            _ => Err(at.wrong_type(&self.wanted())),
        }
    }

    fn names(&self, at: &At<'_>) -> Result<Value> {
        self.list(at, |name| Self::Name.check(name))
    }

    fn list(&self, at: &At<'_>, element: impl Fn(&At<'_>) -> Result<Value>) -> Result<Value> {
        let list = at.value.as_array().ok_or_else(|| at.wrong_type(&self.wanted()))?;
        list.iter().enumerate().map(|(position, value)| element(&at.index(position, value))).collect()
    }

    fn operation(&self, at: &At<'_>) -> Result<Value> {
        match (Marker::of(at.value), at.value) {
            (Some(Marker::Callable(callable)), _) => Ok(json!({ "callable": callable })),
            (None, Value::String(_)) => Ok(json!({ "named": self.name(at)? })),
            (None, Value::Object(dict)) => query(dict, at),
            _ => Err(at.wrong_type(&self.wanted())),
        }
    }
}

/// `{"sql": ..., "tables": {...}}`.
fn query(dict: &Map<String, Value>, at: &At<'_>) -> Result<Value> {
    let mut keys = Map::new();
    section::walk(at, dict, SQL, None, |field, at| {
        keys.insert(field.key.to_owned(), field.check(&at)?);
        Ok(())
    })?;
    section::complete(&mut keys, SQL, None, at)?;
    let tables = keys.remove("tables").filter(|tables| !tables.is_null()).unwrap_or_else(|| json!([]));
    Ok(json!({ "sql": { "query": keys.remove("sql"), "tables": tables } }))
}

/// Each table's name and its sources, in the order of the document; names are the same whatever their case.
fn tables(at: &At<'_>) -> Result<Value> {
    let dict = at.dict().ok_or_else(|| at.wrong_type(&Kind::Tables.wanted()))?;
    let mut seen: Vec<String> = Vec::new();
    let mut tables = Vec::new();
    for (name, source) in dict {
        let path = at.path_of(name);
        let folded = name.to_lowercase();
        if name.trim().is_empty() || folded == "partition" {
            let why =
                if name.trim().is_empty() { "a table needs a name" } else { "`partition` is the source" };
            return Err(
                super::value::invalid(&path, format!("{path}: {why}")).hint("Give the table another name")
            );
        }
        if seen.contains(&folded) {
            let message = format!("{path}: there is another table of that name, but for case");
            return Err(super::value::invalid(&path, message).hint("Give one of them another name"));
        }
        seen.push(folded);
        tables.push(table(name, &At::new(source, path))?);
    }
    Ok(tables.into())
}

/// A table's sources, alone or in a dict with what says how their files are found and read.
fn table(name: &str, at: &At<'_>) -> Result<Value> {
    let Some(dict) = at.dict() else {
        return Ok(json!({ "name": name, "sources": Kind::Source.check(at)?, "format": null }));
    };
    let mut given: Vec<(&str, String)> = Vec::new();
    let mut keys = Map::new();
    section::walk(at, dict, SQL_TABLE, None, |field, at| {
        let checked = field.check(&at)?;
        if !checked.is_null() {
            given.push((field.key, at.path.clone()));
        }
        keys.insert(field.key.to_owned(), checked);
        Ok(())
    })?;
    section::complete(&mut keys, SQL_TABLE, None, at)?;
    let sources = keys.remove("source").unwrap_or_default();
    let in_files =
        sources.as_array().is_some_and(|sources| sources.iter().any(|source| source.get("url").is_some()));
    if let Some((_, path)) = given.iter().find(|(key, _)| !in_files && *key != "source") {
        return Err(super::value::invalid(path, format!("{path} is for files, and the table is Arrow data"))
            .hint(format!("Leave {path} out")));
    }
    keys.insert("name".into(), name.into());
    keys.insert("sources".into(), sources);
    Ok(keys.into())
}

fn one_source(at: &At<'_>) -> Result<Value> {
    let wanted = "a path or URL, or Arrow data (pandas, polars, pyarrow, DuckDB)";
    match (Marker::of(at.value), at.value) {
        (Some(Marker::Arrow(foreign)), _) => Ok(json!({ "arrow": foreign })),
        (None, Value::String(url)) if !url.trim().is_empty() => Ok(json!({ "url": url })),
        (Some(Marker::Object(_)), _) => Err(at
            .wrong_type(wanted)
            .hint("It has no Arrow capsule (`__arrow_c_stream__`); convert it first")),
        (None, Value::Object(_) | Value::Array(_)) => Err(at
            .wrong_type(wanted)
            .hint("Make it a data frame first, or give a list of values as input.items")),
        _ => Err(at.wrong_type(wanted)),
    }
}

fn choose(choices: &'static [&'static str], kind: &Kind, at: &At<'_>) -> Result<Value> {
    match at.value.as_str() {
        Some(given) if choices.contains(&given) => Ok(given.into()),
        Some(given) => {
            let nearest = names::nearest(given, choices.iter().copied());
            Err(with_nearest(at.wrong_value(&kind.wanted()), nearest).detail("allowed", choices.to_vec()))
        }
        None => Err(at.wrong_type(&kind.wanted()).detail("allowed", choices.to_vec())),
    }
}

fn with_nearest(error: Error, nearest: Option<&str>) -> Error {
    match nearest {
        Some(nearest) => error.hint(format!("Did you mean \"{nearest}\"?")).detail("nearest", nearest),
        None => error,
    }
}

/// A number in quotes, or with a decimal point, is a slip worth naming.
fn unquoted(error: Error, value: &Value) -> Error {
    let meant = match value {
        Value::String(text) => text.trim().parse::<u64>().ok(),
        Value::Number(number) => {
            number.as_f64().filter(|n| n.fract() == 0.0 && *n >= 1.0 && *n < 1e15).map(|n| n as u64)
        }
        _ => None,
    };
    match meant {
        Some(meant) if !value.is_u64() => error.hint(format!("Write {meant}, as an integer")),
        _ => error,
    }
}

fn at_least_one(list: Value, kind: &Kind, at: &At<'_>) -> Result<Value> {
    let empty = list.as_array().is_some_and(Vec::is_empty);
    if empty { Err(at.wrong_type(&kind.wanted())) } else { Ok(list) }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
