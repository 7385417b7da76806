//! What is right but does not run yet: refused by name, before any work.

use serde::Serialize;
use serde_json::Value;

use super::fields::{Field, INPUT, OPTIONS, OUTPUT, Runs};
use super::spec::{ChunkSize, Combine, Input, Mode, OnError, OperationRef, Options, TaskSpec, TaskType};
use super::value::{invalid, shortened};
use crate::error::{CODES, Error, Result};
use crate::names::nearest;

/// Refuses the first part of a task that this version does not run.
pub fn supported(spec: &TaskSpec) -> Result<()> {
    for field in INPUT {
        judge("input", field, input_value(spec, field.key)?)?;
    }
    if let Some(output) = &spec.output {
        let output = plain(output)?;
        OUTPUT.iter().try_for_each(|field| judge("output", field, output.get(field.key).cloned()))?;
        let native = matches!(spec.input, Input::Source(_)) || matches!(spec.operation, OperationRef::Sql(_));
        if !native {
            let hint = "Write files in the operation, or keep the results and write them yourself";
            return Err(refused("output of a task that is not over a source", None).hint(hint));
        }
    }
    let options = plain(&spec.options)?;
    OPTIONS.iter().try_for_each(|field| judge("options", field, options.get(field.key).cloned()))?;
    only_for(spec)?;
    means_something(spec)?;
    if let Input::Source(_) = &spec.input {
        if spec.kind == TaskType::Recursive {
            return splits_rows(spec);
        }
        if matches!(spec.operation, OperationRef::Steps(_)) {
            return Err(
                refused("input.steps", None).hint("Over a source, give one operation that does all steps")
            );
        }
        let native = spec.combine == Combine::Auto
            && !matches!(spec.kind, TaskType::MapReduce | TaskType::ParallelInference);
        if spec.options.mode != Mode::Python && native {
            return in_workers(&options, spec.output.is_some());
        }
    }
    Ok(())
}

/// The operation of a recursive task over a source gets all of its rows, and says itself how they are split.
fn splits_rows(spec: &TaskSpec) -> Result<()> {
    let hint = "Leave it out: the operation returns `split(inputs, combine=...)`";
    if spec.chunk_size != ChunkSize::Auto {
        let why = "is not for a recursive task, whose operation splits the rows itself";
        return wrong("input.chunkSize", why, hint);
    }
    if spec.combine != Combine::Auto {
        let why = "is not for a recursive task: each split has its own";
        return wrong("input.combine", why, hint);
    }
    if spec.options.mode == Mode::Native {
        let why = "\"native\" is not for a recursive task, whose operation runs in workers";
        return wrong("options.mode", why, "Leave it out");
    }
    if spec.output.is_some() {
        let why = "is not for a recursive task, whose answer is whatever the operation returned";
        return wrong("output", why, "Write the answer yourself");
    }
    Ok(())
}

fn wrong(path: &str, why: &str, hint: &'static str) -> Result<()> {
    Err(invalid(path, format!("{path} {why}")).hint(hint))
}

fn default_of(option: &str) -> Option<Value> {
    OPTIONS.iter().find(|field| field.key == option).and_then(|field| field.default.value())
}

/// What is given has to mean something beside the rest: nothing is taken and then ignored.
fn means_something(spec: &TaskSpec) -> Result<()> {
    let options = &spec.options;
    let over_rows = matches!(spec.input, Input::Source(_));
    if options.mode == Mode::Native && !over_rows && !matches!(spec.operation, OperationRef::Sql(_)) {
        let why = "\"native\" is for operations on sources; those on items and values run in workers";
        return wrong("options.mode", why, "Leave it out");
    }
    if !options.secrets.is_empty() && matches!(spec.operation, OperationRef::Sql(_)) {
        let why = "is for operations that run in workers, and a query runs natively";
        return wrong("options.secrets", why, "Leave it out: stores take secrets from `storage_options`");
    }
    if options.max_failures.is_some() && options.on_error == OnError::Fail {
        let why = "means nothing where the first failure ends the run";
        return wrong("options.maxFailures", why, "Add `onError: \"skip\"`, \"collect\" or \"dead_letter\"");
    }
    policies(options)?;
    if spec.max_wait_ms.is_some() {
        shares(spec)?;
    }
    if spec.kind == TaskType::Sequential
        && matches!(spec.input, Input::Items(_))
        && spec.chunk_size != ChunkSize::Auto
    {
        let why = "means nothing for the items of a sequential task, of which one runs at a time";
        return wrong("input.chunkSize", why, "Leave it out, or make it a parallel task");
    }
    let a_list = match spec.combine {
        Combine::List => true,
        Combine::Auto => !over_rows,
        Combine::Concat | Combine::Callable(_) => false,
    };
    if options.on_error == OnError::Collect && (spec.kind == TaskType::MapReduce || !a_list) {
        let why = "\"collect\" puts errors in a list of results, and this task's answer is none";
        return wrong("options.onError", why, "Say \"skip\": `run.failures()` has the errors");
    }
    Ok(())
}

/// Batches that are shared between runs are no run's own, to be put together or kept.
fn shares(spec: &TaskSpec) -> Result<()> {
    let hint = "Leave one of them out";
    if matches!(spec.combine, Combine::Concat | Combine::Callable(_)) {
        let why = "shares batches between runs, and `combine` puts a run's own batches together";
        return wrong("input.maxWaitMs", why, "Leave one of them out; the answer is a list of the results");
    }
    if spec.options.idempotency_key.is_some() {
        let why = "shares batches between runs, and `idempotencyKey` keeps a run's own batches";
        return wrong("input.maxWaitMs", why, hint);
    }
    if spec.options.on_error == OnError::DeadLetter {
        let why = "shares batches between runs, and \"dead_letter\" puts a run's own batches aside";
        return wrong("input.maxWaitMs", why, "Say \"skip\" or \"collect\", or leave one of them out");
    }
    Ok(())
}

/// What is said of attempts and of time has to fit together.
fn policies(options: &Options) -> Result<()> {
    let of_retries = [
        ("backoffMs", default_of("backoffMs") != Some(options.backoff_ms.into())),
        ("maxBackoffMs", default_of("maxBackoffMs") != Some(options.max_backoff_ms.into())),
        ("retryOn", options.retry_on.is_some()),
        ("doNotRetry", !options.do_not_retry.is_empty()),
    ];
    if let Some((key, _)) = of_retries.iter().find(|(_, given)| *given && options.retries == 0) {
        let why = "means nothing without `retries`";
        return wrong(&format!("options.{key}"), why, "Add `retries`, or leave it out");
    }
    for (key, names) in
        [("retryOn", options.retry_on.as_deref()), ("doNotRetry", Some(&*options.do_not_retry))]
    {
        // What looks like a code has to be one; names of exceptions are the user's own.
        let code = |name: &&String| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let codes = || CODES.iter().map(|info| info.name);
        let unknown = |name: &&String| !codes().any(|code| code == name.as_str());
        if let Some(name) = names.unwrap_or_default().iter().filter(code).find(unknown) {
            let path = format!("options.{key}");
            let message = format!("{path} names \"{}\", which is no code of an error", shortened(name));
            let hint = match nearest(name, codes()) {
                Some(near) => format!("Did you mean \"{near}\"? Exceptions go by the names of their classes"),
                None => format!(
                    "Codes: {}. Exceptions go by the names of their classes",
                    codes().collect::<Vec<_>>().join(", ")
                ),
            };
            return Err(invalid(&path, message).hint(hint));
        }
    }
    if let (Some(soft), Some(hard)) = (options.soft_timeout_ms, options.chunk_timeout_ms)
        && soft >= hard
    {
        let why = "is no warning where `chunkTimeoutMs` comes first";
        return wrong("options.softTimeoutMs", why, "Make it less than `chunkTimeoutMs`");
    }
    Ok(())
}

/// What means something for one type of task alone.
fn only_for(spec: &TaskSpec) -> Result<()> {
    let recursive = spec.kind == TaskType::Recursive;
    if spec.options.cache && !recursive {
        return wrong("options.cache", "is for recursive tasks in this version", "Leave it out");
    }
    if !recursive && default_of("maxDepth") != Some(spec.options.max_depth.into()) {
        return wrong("options.maxDepth", "is for recursive tasks", "Leave it out");
    }
    if recursive && spec.options.on_error != OnError::Fail {
        let why = "of a recursive task can only be \"fail\": an input that failed has no result to combine";
        return wrong("options.onError", why, "Catch the error in the operation, and return a value for it");
    }
    if recursive && spec.options.idempotency_key.is_some() {
        let why = "is not for recursive tasks: what a tree has done so far is not kept";
        return wrong(
            "options.idempotencyKey",
            why,
            "Leave it out, or let the operation keep its own results",
        );
    }
    if spec.kind == TaskType::MapReduce && spec.options.on_error == OnError::DeadLetter {
        let why =
            "of a map_reduce task cannot be \"dead_letter\": what is mapped later has no place in an answer";
        return wrong("options.onError", why, "Say \"skip\": `run.failures()` has the errors");
    }
    if spec.kind == TaskType::MapReduce && spec.reduce.is_none() {
        return wrong(
            "input.reduce",
            "is missing",
            "Give a function of the values of one key, or of key and values",
        );
    }
    if recursive && matches!(spec.input, Input::Items(_)) {
        let hint = "Give one value as `input` and `operation` at the top; it may be a list that the operation splits";
        return wrong("input.items", "is not for recursive tasks, which run on one value", hint);
    }
    Ok(())
}

/// Options that say how user code is run in workers mean nothing to a native plan, which runs none.
const IN_WORKERS: &[&str] = &[
    "priority",
    "retries",
    "onError",
    "maxFailures",
    "backoffMs",
    "maxBackoffMs",
    "retryOn",
    "doNotRetry",
    "chunkTimeoutMs",
    "softTimeoutMs",
    "idempotencyKey",
    "secrets",
];

fn in_workers(options: &Value, writes: bool) -> Result<()> {
    let given = |field: &&Field| {
        // A key is for what is written as well.
        let meant = writes && field.key == "idempotencyKey";
        !meant && IN_WORKERS.contains(&field.key) && options.get(field.key).cloned() != field.default.value()
    };
    let Some(field) = OPTIONS.iter().find(given) else { return Ok(()) };
    let path = format!("options.{}", field.key);
    let message = format!(
        "{path} is for operations that run in workers, and one on a source runs natively where it can"
    );
    let hint = "Leave it out, or add `mode: \"python\"` to the options: then the operation is called on every chunk in a worker";
    Err(invalid(&path, message).hint(hint))
}

/// What the spec holds of a key of `input`; nothing where the default or another key does.
fn input_value(spec: &TaskSpec, key: &str) -> Result<Option<Value>> {
    Ok(match (key, &spec.input) {
        ("items", Input::Items(_)) => Some(Value::Bool(true)),
        ("format", Input::Source(source)) => Some(plain(&source.format)?),
        ("readOptions", Input::Source(source)) => source.read_options.clone(),
        ("combine", _) => Some(plain(&spec.combine)?),
        ("key", _) => spec.key.as_ref().map(plain).transpose()?,
        ("reduce", _) => spec.reduce.as_ref().map(plain).transpose()?,
        ("setup", _) => spec.setup.as_ref().map(plain).transpose()?,
        ("maxWaitMs", _) => Some(plain(&spec.max_wait_ms)?),
        ("steps", _) => matches!(spec.operation, OperationRef::Steps(_)).then_some(Value::Bool(true)),
        _ => None,
    })
}

fn judge(place: &str, field: &Field, value: Option<Value>) -> Result<()> {
    let Some(value) = value.filter(|value| Some(value) != field.default.value().as_ref()) else {
        return Ok(());
    };
    let path = format!("{place}.{}", field.key);
    match field.runs {
        Runs::Since(_) => Ok(()),
        Runs::Only(_, values) if value.as_str().is_some_and(|value| values.contains(&value)) => Ok(()),
        Runs::Only(_, values) => {
            Err(refused(&path, Some(&value)).hint(format!("Values that run: {}", values.join(", "))))
        }
        Runs::NotYet => {
            let table = match place {
                "input" => INPUT,
                "output" => OUTPUT,
                _ => OPTIONS,
            };
            let default = match field.default.value() {
                Some(default) if !default.is_null() => format!("Its default ({default}) is what runs. "),
                _ => String::new(),
            };
            let list = running(table.iter().map(|field| (field.key, field.runs)));
            Err(refused(&path, None).hint(format!("{default}Keys of `{place}` that run: {list}")))
        }
    }
}

fn refused(path: &str, value: Option<&Value>) -> Error {
    let subject = match value {
        Some(Value::String(word)) => format!("{path} \"{word}\""),
        Some(_) => format!("a callable as {path}"),
        None => path.to_owned(),
    };
    let message = format!("{subject} is part of the task contract but this version does not run it yet");
    invalid(path, message).detail("unsupported", path)
}

fn running(rows: impl Iterator<Item = (&'static str, Runs)>) -> String {
    let running = rows.filter(|(_, runs)| !matches!(runs, Runs::NotYet)).map(|(name, _)| name);
    running.collect::<Vec<_>>().join(", ")
}

fn plain(part: &impl Serialize) -> Result<Value> {
    serde_json::to_value(part).map_err(|error| Error::internal(format!("a task cannot be written: {error}")))
}
