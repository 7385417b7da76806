//! A value of a document together with its path, and how values are named to the user.

use serde_json::{Map, Value};

use super::spec::{Callable, Foreign};
use crate::error::{Code, Error};

/// A value and where it stands: `options.retries`, `input.source[2]`; empty for the document itself.
#[derive(Debug, Clone)]
pub struct At<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> At<'a> {
    pub fn new(value: &'a Value, path: impl Into<String>) -> Self {
        Self { value, path: path.into() }
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn index(&self, position: usize, value: &'a Value) -> At<'a> {
        At::new(value, format!("{}[{position}]", self.path))
    }

    /// The dict that stands here; a marker is not one.
    pub fn dict(&self) -> Option<&'a Map<String, Value>> {
        if Marker::of(self.value).is_some() { None } else { self.value.as_object() }
    }

    /// Refusal that names the value's type only: right wherever the value may be private.
    pub fn wrong_type(&self, wanted: &str) -> Error {
        self.refuse(wanted, type_name(self.value))
    }

    /// Refusal that shows the value, where it is short and plain.
    pub fn wrong_value(&self, wanted: &str) -> Error {
        let shown = match self.value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("{:?}", shortened(text)),
            _ => return self.wrong_type(wanted),
        };
        self.refuse(wanted, shown).detail("given", given(self.value))
    }

    fn refuse(&self, wanted: &str, shown: String) -> Error {
        let subject = if self.path.is_empty() { "a task" } else { &self.path };
        invalid(&self.path, format!("{subject} must be {wanted}, and is {shown}"))
            .detail("given", type_name(self.value))
    }
}

/// An INVALID_TASK about what stands at `path`.
pub fn invalid(path: &str, message: String) -> Error {
    Error::new(Code::InvalidTask, message).detail("path", path)
}

/// What the caller puts in place of a value that JSON cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    Callable(Callable),
    Arrow(Foreign),
    Object(Foreign),
}

impl Marker {
    pub fn of(value: &Value) -> Option<Marker> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        let (tag, inner) = object.iter().next()?;
        let id = inner.get("id")?.as_u64()?;
        let text = |key| Some(inner.get(key)?.as_str()?.to_owned());
        match tag.as_str() {
            "$callable" => Some(Self::Callable(Callable { name: text("name")?, id })),
            "$arrow" => Some(Self::Arrow(Foreign { type_name: text("type")?, id })),
            "$object" => Some(Self::Object(Foreign { type_name: text("type")?, id })),
            _ => None,
        }
    }
}

/// What a value is, in the caller's words.
pub fn type_name(value: &Value) -> String {
    match (Marker::of(value), value) {
        (Some(Marker::Callable(callable)), _) => format!("the callable {}", callable.name),
        (Some(Marker::Arrow(foreign) | Marker::Object(foreign)), _) => format!("a {}", foreign.type_name),
        (None, Value::Null) => "None".into(),
        (None, Value::Bool(true)) => "True".into(),
        (None, Value::Bool(false)) => "False".into(),
        (None, Value::Number(number)) if number.is_f64() => "a float".into(),
        (None, Value::Number(_)) => "an integer".into(),
        (None, Value::String(text)) if text.trim().is_empty() => "an empty string".into(),
        (None, Value::String(_)) => "a string".into(),
        (None, Value::Array(list)) if list.is_empty() => "an empty list".into(),
        (None, Value::Array(_)) => "a list".into(),
        (None, Value::Object(_)) => "a dict".into(),
    }
}

/// A value as the details of an error hold it: itself where short and plain, else its type.
fn given(value: &Value) -> Value {
    match value {
        Value::String(text) => shortened(text).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        _ => type_name(value).into(),
    }
}

pub fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Bytes as people write them: `512MB` (powers of 1000), `2GiB` (powers of 1024), `1.5 GB`, `1048576`.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (base, power) = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => (1u64, 0),
        "kb" => (1000, 1),
        "mb" => (1000, 2),
        "gb" => (1000, 3),
        "tb" => (1000, 4),
        "kib" => (1024, 1),
        "mib" => (1024, 2),
        "gib" => (1024, 3),
        "tib" => (1024, 4),
        _ => return None,
    };
    let unit = base.pow(power);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    // A fraction of a byte is rounding; beyond 2^53 nobody means it.
    (bytes <= 9_007_199_254_740_992.0).then_some(bytes.round() as u64)
}
