//! From a document to a `TaskSpec`: the whole contract is checked before anything is said to be unsupported.

use serde_json::{Map, Value, json};

use super::fields::{EXCLUSIVE, Field, INPUT, NEEDS, OPENING, OPERATIVE, OPTIONS, TASK};
use super::operations::{self, Registered};
use super::section::{complete, find, missing, section, walk};
use super::spec::{OperationRef, TaskSpec, TaskType};
use super::value::{At, invalid};
use crate::error::{Error, Result};

/// Checks a task document against the contract and brings it to normal form.
///
/// The first fault in the order of the document is the one reported; what is missing comes after what is
/// wrong. An input is judged once the type is known.
pub fn parse(document: &Value, registered: &[Registered]) -> Result<TaskSpec> {
    let root = At::new(document, "");
    let dict = root.dict().ok_or_else(|| root.wrong_type("a dict"))?;
    let kind = dict.get("type").and_then(Value::as_str).and_then(TaskType::of);
    let mut task = Map::new();
    let mut input = None;
    walk(&root, dict, TASK, None, |field, at| {
        match (field.key, kind) {
            ("input", Some(kind)) => input = Some(read_input(&at, kind, dict.get("operation"))?),
            ("input", None) => {}
            _ => {
                task.insert(field.key.to_owned(), field.check(&at)?);
            }
        }
        Ok(())
    })?;
    complete(&mut task, TASK, None, &root)?;
    if task.get("options").is_none_or(Value::is_null) {
        task.insert("options".into(), section(OPTIONS, None, Map::new(), &At::new(&Value::Null, "options"))?);
    }
    let kind = kind.ok_or_else(|| Error::internal("a checked task has no type"))?;
    let input = match input {
        Some(input) => input,
        None if kind.row().structured && !brings_tables(task.get("operation")) => {
            return Err(missing("input", "a dict with source or items"));
        }
        None => Parts::own(Value::Null),
    };
    assemble(task, input, registered)
}

/// An `input`, taken apart.
struct Parts {
    /// `source`, `items` or `value`, ready for the spec.
    input: Map<String, Value>,
    /// The rest of its keys, in normal form.
    rest: Map<String, Value>,
    /// Where what runs is named, and under which of the `OPERATIVE` keys.
    operation: Option<(&'static str, String)>,
    structured: bool,
}

impl Parts {
    fn own(value: Value) -> Self {
        let input = Map::from_iter([("value".to_owned(), value)]);
        Self { input, rest: defaults(), operation: None, structured: false }
    }
}

fn defaults() -> Map<String, Value> {
    let kept = |field: &&Field| matches!(field.key, "chunkSize" | "combine");
    INPUT
        .iter()
        .filter(kept)
        .filter_map(|field| Some((field.key.to_owned(), field.default.value()?)))
        .collect()
}

/// What says how files are found and read.
const FOR_FILES: [&str; 3] = ["format", "storageOptions", "readOptions"];

/// `outer` is the operation at the top of the task.
fn read_input(at: &At<'_>, kind: TaskType, outer: Option<&Value>) -> Result<Parts> {
    let opening = |key: &String| find(INPUT, key).is_some_and(|field| OPENING.contains(&field.key));
    let dict = match at.dict() {
        Some(dict) if kind.row().structured || dict.keys().any(opening) => dict,
        _ if !kind.row().structured => return Ok(Parts::own(at.value.clone())),
        _ => return Err(at.wrong_type("a dict").hint(format!("Allowed here: {}", allowed(kind)))),
    };
    let mut rest = Map::new();
    let mut paths = Vec::new();
    let walked = walk(at, dict, INPUT, Some(kind), |field, at| {
        paths.push((field.key, at.path.clone()));
        rest.insert(field.key.to_owned(), field.check(&at)?);
        Ok(())
    });
    walked.map_err(|error| own_value_hint(error, kind))?;
    let path_of = |key: &str| paths.iter().find(|(given, _)| *given == key).map(|(_, path)| path.as_str());
    for [one, other] in EXCLUSIVE {
        if let (Some(one), Some(other)) = (path_of(one), path_of(other)) {
            return Err(
                invalid(other, format!("{one} and {other} exclude each other")).hint("Give one of them")
            );
        }
    }
    for (key, needed) in NEEDS {
        if let Some(path) = path_of(key).filter(|_| !needed.iter().any(|key| rest.contains_key(*key))) {
            let needed = needed.iter().map(|key| at.path_of(key)).collect::<Vec<_>>().join(" or ");
            return Err(invalid(path, format!("{path} means nothing without {needed}"))
                .hint(format!("Give {needed}, or leave {path} out")));
        }
    }
    let operation = OPERATIVE.iter().find_map(|key| Some((*key, path_of(key)?.to_owned())));
    let only_files = FOR_FILES.map(|key| path_of(key).map(str::to_owned));
    complete(&mut rest, INPUT, Some(kind), at)?;
    let for_files = FOR_FILES.map(|key| rest.remove(key).unwrap_or_default());
    let mut input = Map::new();
    if let Some(sources) = rest.remove("source") {
        for (path, given) in only_files.into_iter().zip(&for_files) {
            if let (Some(path), false, false) = (path, given.is_null(), names_a_file(&sources)) {
                return Err(invalid(&path, format!("{path} is for files, and the source is Arrow data"))
                    .hint(format!("Leave {path} out")));
            }
        }
        let [format, stores, reading] = for_files;
        let source = json!({
            "sources": sources, "format": format, "storageOptions": stores, "readOptions": reading,
        });
        input.insert("source".into(), source);
    } else if let Some(items) = rest.remove("items") {
        input.insert("items".into(), items);
    } else if kind.row().structured && !brings_tables(dict.get("operation").or(outer)) {
        return Err(missing(&at.path_of("source"), "the table to work on, or input.items: a list of values"));
    } else {
        input.insert("value".into(), Value::Null);
    }
    Ok(Parts { input, rest, operation, structured: true })
}

/// Whether an operation, as it is written or in normal form, is a query with tables of its own: it needs no source.
fn brings_tables(operation: Option<&Value>) -> bool {
    let query =
        operation.map(|operation| operation.get("sql").filter(|sql| sql.is_object()).unwrap_or(operation));
    let tables = query.and_then(|query| query.get("tables"));
    tables.is_some_and(|tables| match tables {
        Value::Object(tables) => !tables.is_empty(),
        Value::Array(tables) => !tables.is_empty(),
        _ => false,
    })
}

fn allowed(kind: TaskType) -> String {
    let keys = INPUT.iter().filter(|field| field.taken_by(Some(kind))).map(|field| field.key);
    keys.collect::<Vec<_>>().join(", ")
}

/// Someone may have put an operation beside values of their own.
fn own_value_hint(error: Error, kind: TaskType) -> Error {
    if kind.row().structured || !error.details().contains_key("allowed") {
        return error;
    }
    let advice = error.advice().unwrap_or_default().to_owned();
    error.hint(format!("{advice}. To hand over a dict of your own, put `operation` at the top of the task"))
}

fn names_a_file(sources: &Value) -> bool {
    sources.as_array().is_some_and(|sources| sources.iter().any(|source| source.get("url").is_some()))
}

fn assemble(mut task: Map<String, Value>, parts: Parts, registered: &[Registered]) -> Result<TaskSpec> {
    let Parts { input, mut rest, operation, structured } = parts;
    let mut path = if structured { "input.operation" } else { "operation" }.to_owned();
    if task.contains_key("operation") {
        if let Some((_, inner)) = operation {
            return Err(invalid(&inner, format!("operation and {inner} both say what to run"))
                .hint("Give one of them"));
        }
        "operation".clone_into(&mut path);
    } else if let Some((key, inner)) = operation {
        task.insert("operation".into(), rest.remove(key).unwrap_or_default());
        path = inner;
    } else {
        let found = operations::find(task.get("description").and_then(Value::as_str), &path, registered)?;
        task.insert("operation".into(), written(&found)?);
    }
    task.insert("input".into(), input.into());
    task.extend(rest);
    let spec: TaskSpec = serde_json::from_value(task.into())
        .map_err(|error| Error::internal(format!("a checked task does not fit its type: {error}")))?;
    operations::check(&spec.operation, &path, registered)?;
    let others = [("input.reduce", &spec.reduce), ("input.setup", &spec.setup)];
    for (path, operation) in others {
        operation.iter().try_for_each(|operation| operations::check(operation, path, registered))?;
    }
    Ok(spec)
}

fn written(operation: &OperationRef) -> Result<Value> {
    serde_json::to_value(operation)
        .map_err(|error| Error::internal(format!("an operation cannot be written: {error}")))
}
