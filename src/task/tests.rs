//! The task contract by example: what is accepted, refused, named, and not run yet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Map, Value, json};

use super::*;
use crate::error::{Code, Error, Result};

fn registered() -> Vec<Registered> {
    let known = [
        ("count_words", "Count the words of a text"),
        ("process_partition", "Aggregate by category"),
        ("train", "Train one model"),
        ("Train_all", "Train all models"),
    ];
    known.map(|(name, description)| Registered { name: name.into(), description: description.into() }).into()
}

pub(super) fn read(document: Value) -> Result<TaskSpec> {
    parse(&document, &registered())
}

pub(super) fn refused(document: Value) -> Error {
    let shown = document.to_string();
    read(document).err().unwrap_or_else(|| panic!("accepted: {shown}"))
}

pub(super) fn callable(id: u64) -> Value {
    json!({ "$callable": { "name": "process_partition", "id": id } })
}

pub(super) fn arrow() -> Value {
    json!({ "$arrow": { "type": "pandas.DataFrame", "id": 4 } })
}

pub(super) fn object() -> Value {
    json!({ "$object": { "type": "datetime.datetime", "id": 5 } })
}

/// The seed job, with more in its input, in its options or at the top.
fn seed(place: &str, more: Value) -> Value {
    let mut document = json!({
        "type": "parallel",
        "description": "Aggregate by category",
        "input": { "source": "s3://bucket/data", "operation": callable(3), "chunkSize": 10000 },
        "options": {},
    });
    let at = if place.is_empty() { &mut document } else { &mut document[place] };
    at.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[test]
fn the_seed_job() {
    let spec = read(seed("", json!({}))).unwrap();
    assert_eq!(spec.kind, TaskType::Parallel);
    assert_eq!(spec.operation, OperationRef::Callable(Callable { name: "process_partition".into(), id: 3 }));
    let sources = vec![SourceRef::Url("s3://bucket/data".into())];
    assert_eq!(
        spec.input,
        Input::Source(SourceSpec { sources, format: None, storage_options: None, read_options: None })
    );
    assert_eq!((spec.chunk_size, spec.combine.clone()), (ChunkSize::Rows(10_000), Combine::Auto));
    assert_eq!((spec.options.retries, spec.options.mode), (0, Mode::Auto));
    supported(&spec).unwrap();
}

/// A query without a source, with more keys.
fn query(more: Value) -> Value {
    let mut document = json!({ "type": "parallel", "operation": { "sql": "select 1" } });
    document["operation"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[test]
fn queries() {
    let sql = |spec: TaskSpec| match spec.operation {
        OperationRef::Sql(sql) => sql,
        other => panic!("{other:?}"),
    };
    let spec = read(seed("input", json!({ "operation": { "sql": "select 1" } }))).unwrap();
    supported(&spec).unwrap();
    assert_eq!(sql(spec), Sql { query: "select 1".into(), tables: vec![] });
    let spec = read(query(json!({ "tables": { "b": "b.parquet", "a": [arrow(), arrow()] } }))).unwrap();
    supported(&spec).unwrap();
    assert_eq!(spec.input, Input::Value(Value::Null));
    let tables = sql(spec).tables;
    assert_eq!(tables.iter().map(|table| table.sources.len()).sum::<usize>(), 3);
    let spec = json!({ "type": "parallel", "input": { "operation": { "sql": "select 1", "tables": { "a": "x" } } } });
    supported(&read(spec).unwrap()).unwrap();
    assert_eq!(refused(query(json!({}))).details()["path"], "input");
    assert_eq!(refused(query(json!({ "tables": {} }))).details()["path"], "input");
}

#[test]
fn values_in_normal_form() {
    let options = json!({
        "timeoutMs": 1500, "memoryLimit": "1.5 GB", "tags": {"team": "a"}, "progress": false, "parallelism": 2,
    });
    let options = read(seed("options", options)).unwrap().options;
    assert_eq!((options.timeout_ms, options.memory_limit), (Some(1500), Some(1_500_000_000)));
    assert_eq!((options.progress, options.parallelism), (Some(Progress::Off), Some(2)));
    assert_eq!(options.tags, Tags::Map([("team".to_owned(), "a".to_owned())].into()));
    let spec = read(seed("input", json!({ "source": [arrow(), "a.parquet"], "chunkSize": "auto" }))).unwrap();
    let frame = Foreign { type_name: "pandas.DataFrame".into(), id: 4 };
    let sources = vec![SourceRef::Arrow(frame), SourceRef::Url("a.parquet".into())];
    assert_eq!(
        spec.input,
        Input::Source(SourceSpec { sources, format: None, storage_options: None, read_options: None })
    );
    assert_eq!(spec.chunk_size, ChunkSize::Auto);
    let output = read(seed("", json!({ "output": "s3://out/x" }))).unwrap().output.unwrap();
    assert_eq!((output.url.as_str(), output.mode), ("s3://out/x", OutputMode::Error));
    let output = json!({ "output": { "url": "x", "partition_by": "day", "mode": "append" } });
    assert_eq!(read(seed("", output)).unwrap().output.unwrap().partition_by, ["day"]);
    for (text, bytes) in [
        ("512MB", Some(512_000_000)),
        ("2GiB", Some(2 << 30)),
        (" 3 kib ", Some(3072)),
        ("1048576", Some(1 << 20)),
        ("1.1GB", Some(1_100_000_000)),
        ("99999999999TB", None),
        ("GB", None),
        ("1.2.3GB", None),
        ("-1GB", None),
        ("2G", None),
        ("", None),
    ] {
        assert_eq!(parse_bytes(text), bytes, "{text}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_path() {
    let cases = [
        (json!([]), "", None),
        (callable(1), "", None),
        (json!({}), "type", None),
        (json!({ "type": "paralel" }), "type", Some("parallel")),
        (json!({ "type": "mapReduce" }), "type", Some("map_reduce")),
        (json!({ "type": "parallel" }), "input", None),
        (json!({ "type": "parallel", "input": "x" }), "input", None),
        (json!({ "type": "parallel", "operation": callable(1), "input": {} }), "input.source", None),
        (json!({ "type": "sequential", "operation": callable(1), "option": {} }), "option", Some("options")),
        (seed("input", json!({ "chunksize": 1 })), "input.chunksize", Some("chunkSize")),
        (seed("input", json!({ "chunk": 1 })), "input.chunk", Some("chunkSize")),
        (seed("input", json!({ "chunk_size": 1 })), "input.chunk_size", None),
        (seed("input", json!({ "chunkSize": 0 })), "input.chunkSize", None),
        (seed("input", json!({ "chunkSize": true })), "input.chunkSize", None),
        (seed("input", json!({ "chunkSize": 1.0 })), "input.chunkSize", None),
        (seed("input", json!({ "chunkSize": null })), "input.chunkSize", None),
        (seed("input", json!({ "chunkSize": "Auto" })), "input.chunkSize", Some("auto")),
        (seed("input", json!({ "items": [1] })), "input.items", None),
        (seed("input", json!({ "map": callable(1) })), "input.map", None),
        (seed("input", json!({ "source": [] })), "input.source", None),
        (seed("input", json!({ "source": ["a", 3] })), "input.source[1]", None),
        (seed("input", json!({ "source": object() })), "input.source", None),
        (seed("input", json!({ "source": callable(1) })), "input.source", None),
        (seed("input", json!({ "source": arrow(), "format": "csv" })), "input.format", None),
        (seed("input", json!({ "format": "parket" })), "input.format", Some("parquet")),
        (seed("input", json!({ "combine": "concta" })), "input.combine", Some("concat")),
        (seed("input", json!({ "operation": null })), "input.operation", None),
        (seed("input", json!({ "operation": { "sql": "" } })), "input.operation.sql", None),
        (seed("input", json!({ "operation": { "sq": "select 1" } })), "input.operation.sq", Some("sql")),
        (seed("input", json!({ "operation": {} })), "input.operation.sql", None),
        (query(json!({ "table": {} })), "operation.table", Some("tables")),
        (query(json!({ "tables": [] })), "operation.tables", None),
        (query(json!({ "tables": { "a": 3 } })), "operation.tables.a", None),
        (query(json!({ "tables": { "a": ["x", {}] } })), "operation.tables.a[1]", None),
        (query(json!({ "tables": { "": "x" } })), "operation.tables.", None),
        (query(json!({ "tables": { "Partition": "x" } })), "operation.tables.Partition", None),
        (query(json!({ "tables": { "a": "x", "A": "y" } })), "operation.tables.a", None),
        (seed("", json!({ "operation": callable(4) })), "input.operation", None),
        (seed("", json!({ "timeoutMs": 4 })), "timeoutMs", None),
        (seed("", json!({ "output": {} })), "output.url", None),
        (seed("", json!({ "output": { "url": "x", "mode": "overwite" } })), "output.mode", Some("overwrite")),
        (seed("options", json!({ "timeoutMs": -1 })), "options.timeoutMs", None),
        (seed("options", json!({ "timeoutMs": 0 })), "options.timeoutMs", None),
        (seed("options", json!({ "retries": "x" })), "options.retries", None),
        (seed("options", json!({ "retries": 1_000_000 })), "options.retries", None),
        (seed("options", json!({ "priority": "hihg" })), "options.priority", Some("high")),
        (seed("options", json!({ "memoryLimit": "1 potato" })), "options.memoryLimit", None),
        (seed("options", json!({ "memoryLimit": 12 })), "options.memoryLimit", None),
        (seed("options", json!({ "cache": 1 })), "options.cache", None),
        (seed("options", json!({ "idempotencyKey": " " })), "options.idempotencyKey", None),
        (seed("options", json!({ "tags": ["a", 1] })), "options.tags[1]", None),
        (seed("options", json!({ "tags": { "a": 1 } })), "options.tags.a", None),
        (seed("options", json!({ "progress": "yes" })), "options.progress", None),
    ];
    for (document, path, nearest) in cases {
        let shown = document.to_string();
        let error = refused(document);
        assert_eq!(error.code(), Code::InvalidTask, "{shown}");
        assert_eq!(error.details()["path"], path, "{error}");
        assert_eq!(error.details().get("nearest").and_then(Value::as_str), nearest, "{error}");
        assert!(path.is_empty() || error.advice().is_some(), "no advice: {error}");
    }
}

#[test]
fn how_a_refusal_reads() {
    let error = refused(seed("input", json!({ "chunksize": 1 }))).to_string();
    assert!(
        error.starts_with("input.chunksize is not a key of a parallel task. Did you mean \"chunkSize\"?")
    );
    let error = refused(seed("input", json!({ "chunkSize": true }))).to_string();
    assert!(error.starts_with("input.chunkSize must be \"auto\" or an integer of at least 1, and is True."));
    let error = refused(seed("input", json!({ "chunk_size": 1 }))).to_string();
    assert!(error.contains("input.chunkSize and input.chunk_size are two spellings"), "{error}");
    let error = refused(seed("", json!({ "timeoutMs": 1 }))).to_string();
    assert!(error.contains("It belongs in `options`"), "{error}");
    let error = refused(seed("input", json!({ "setup": callable(1) }))).to_string();
    assert!(error.contains("It belongs to tasks of type parallel_inference"), "{error}");
    let error = refused(seed("options", json!({ "retries": "3" }))).to_string();
    assert!(error.contains("Write 3, as an integer"), "{error}");
}

#[test]
fn a_refusal_shows_no_private_value() {
    for (place, more) in [
        ("options", json!({ "secrets": { "TOKEN": "hunter2" } })),
        ("options", json!({ "secrets": "hunter2" })),
        ("input", json!({ "source": { "url": "s3://key:hunter2@bucket" } })),
        ("", json!({ "output": ["s3://key:hunter2@bucket"] })),
        ("", json!({ "operation": { "password": "hunter2" } })),
    ] {
        let error = refused(seed(place, more));
        let details = serde_json::to_string(&error).unwrap();
        assert!(!error.to_string().contains("hunter2") && !details.contains("hunter2"), "{error}");
    }
}

#[test]
fn an_operation_by_name_or_description() {
    let find = |description: Value| {
        let document = json!({ "type": "parallel", "description": description, "input": { "source": "a" } });
        read(document).map(|spec| match spec.operation {
            OperationRef::Named(name) => name,
            other => panic!("{other:?}"),
        })
    };
    for (description, name) in [
        ("count_words", "count_words"),
        ("Aggregate by category", "process_partition"),
        ("aggregate BY category", "process_partition"),
        ("train_all", "Train_all"),
        ("train", "train"),
        ("please count the words of a text, quickly", "count_words"),
        ("Process Partition", "process_partition"),
        ("by category", "process_partition"),
    ] {
        assert_eq!(find(description.into()).expect(description), name);
    }
    let ambiguous = find("train one model, or train all models".into()).expect_err("two fit");
    assert_eq!(ambiguous.code(), Code::OperationNotFound, "{ambiguous}");
    assert_eq!(ambiguous.details()["candidates"], json!(["train", "Train_all"]));
}

#[test]
fn an_operation_that_is_not_there() {
    let task = |description: Value| json!({ "type": "parallel", "description": description, "input": { "source": "a" } });
    for (document, words) in [
        (task("train all models, train one".into()), &["fits several", "train", "Train_all"][..]),
        (task("sort things".into()), &["fits none", "count_words"]),
        (task(Value::Null), &["names no operation", "count_words"]),
        (
            seed("input", json!({ "operation": "count_word" })),
            &["Did you mean \"count_words\"", "Registered:"],
        ),
        (seed("input", json!({ "operation": "zzz" })), &["\"zzz\"", "Registered:"]),
        (
            json!({ "type": "sequential", "input": { "steps": [callable(1), "tran"] } }),
            &["input.steps[1]", "\"train\""],
        ),
    ] {
        let error = refused(document);
        assert_eq!(error.code(), Code::OperationNotFound, "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    let error = parse(&task("x".into()), &[]).expect_err("nothing is registered");
    assert!(error.to_string().contains("No operation is registered"), "{error}");
}

#[test]
fn an_input_is_structured_or_the_users_own() {
    let own = json!({ "n": 10, "when": object(), "deep": [{ "chunkSize": "mine" }] });
    for kind in ["sequential", "recursive"] {
        for value in [own.clone(), json!(7), json!([1, 2]), arrow(), Value::Null] {
            let spec =
                read(json!({ "type": kind, "operation": callable(1), "input": value.clone() })).unwrap();
            assert_eq!(spec.input, Input::Value(value));
        }
        let spec = read(json!({ "type": kind, "input": { "operation": callable(1) } })).unwrap();
        assert_eq!(spec.input, Input::Value(Value::Null));
        let error = refused(json!({ "type": kind, "input": { "operation": callable(1), "n": 10 } }));
        assert_eq!(error.details()["path"], "input.n");
        assert!(error.to_string().contains("put `operation` at the top"), "{error}");
    }
    let steps = json!({ "type": "sequential", "input": { "steps": [callable(1), "train"], "items": [1] } });
    let spec = read(steps).unwrap();
    assert_eq!(spec.input, Input::Items(Items::List(vec![json!(1)])));
    assert!(matches!(spec.operation, OperationRef::Steps(steps) if steps.len() == 2));
    let reduced = json!({ "map": "train", "reduce": callable(2), "key": "day", "items": object() });
    let spec = read(json!({ "type": "map_reduce", "input": reduced })).unwrap();
    assert_eq!(spec.operation, OperationRef::Named("train".into()));
    assert_eq!(spec.key, Some(Key::Columns(vec!["day".into()])));
    assert!(matches!(spec.input, Input::Items(Items::Object(_))) && spec.reduce.is_some());
    for (kind, input, path) in [
        ("map_reduce", json!({ "source": "a", "map": callable(1) }), "input.map"),
        ("map_reduce", json!({ "source": "a", "map": callable(1), "operation": callable(2) }), "input.map"),
        ("sequential", json!({ "steps": [callable(1)], "chunkSize": 5 }), "input.chunkSize"),
        ("sequential", json!({ "steps": [] }), "input.steps"),
        ("recursive", json!({ "steps": [callable(1)] }), "input.steps"),
    ] {
        assert_eq!(refused(json!({ "type": kind, "input": input })).details()["path"], path);
    }
}

#[test]
fn what_only_workers_do_is_refused_where_there_may_be_none() {
    for (key, value) in [
        ("retries", json!(2)),
        ("onError", json!("skip")),
        ("priority", json!("high")),
        ("secrets", json!(["TOKEN"])),
    ] {
        let options = |mode: &str| json!({ key: value, "mode": mode });
        for mode in ["auto", "native"] {
            let spec = read(seed("options", options(mode))).unwrap();
            let error = supported(&spec).unwrap_err();
            assert_eq!(error.details()["path"], format!("options.{key}"), "{error}");
        }
        supported(&read(seed("options", options("python"))).unwrap()).unwrap();
    }
}

#[test]
fn a_recursive_task_over_a_source_splits_its_rows_itself() {
    let given = |input: Value, more: Value| {
        let mut document = json!({ "type": "recursive", "operation": callable(1), "input": input });
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        supported(&read(document).unwrap())
    };
    given(json!({ "source": "a" }), json!({})).unwrap();
    for (input, more, path) in [
        (json!({ "source": "a", "chunkSize": 5 }), json!({}), "input.chunkSize"),
        (json!({ "source": "a", "combine": "list" }), json!({}), "input.combine"),
        (json!({ "source": "a" }), json!({ "options": { "mode": "native" } }), "options.mode"),
        (json!({ "source": "a" }), json!({ "output": { "url": "b.parquet" } }), "output"),
    ] {
        let error = given(input, more).unwrap_err();
        assert_eq!(error.details()["path"], path, "{error}");
    }
}

/// A right value for a key, and never its default.
pub(super) fn sample(field: &Field) -> Value {
    match field.kind {
        Kind::Choice(choices) => choices[choices.len() - 1].into(),
        Kind::ChoiceOrCallable(_) | Kind::Operation | Kind::Key => callable(1),
        Kind::Int { min, .. } => (min + 1).into(),
        Kind::Bool => true.into(),
        Kind::Bytes { .. } => "2GiB".into(),
        Kind::Or(_, Kind::Int { min, .. }) => (min + 1).into(),
        Kind::Or(..) => false.into(),
        Kind::Names | Kind::Items | Kind::Tags => json!(["a"]),
        Kind::Tables => json!({ "a": "a" }),
        Kind::StoreOptions => json!({ "aws_region": "a" }),
        Kind::Operations => json!([callable(1)]),
        Kind::Text | Kind::Name | Kind::NameOrNames | Kind::Source => "a".into(),
        Kind::Section { fields, .. } => {
            fields.iter().map(|f| (f.key.to_owned(), sample(f))).collect::<Map<_, _>>().into()
        }
        Kind::Input => json!({ "source": "a" }),
        Kind::Reading => READ.iter().map(|f| (f.key.to_owned(), sample(f))).collect::<Map<_, _>>().into(),
        Kind::Char { .. } => ";".into(),
        Kind::Header => false.into(),
        Kind::MissingValues => json!(["-"]),
        Kind::Types => json!({ "a": "int64" }),
        Kind::Dates => json!({ "a": "%Y" }),
    }
}

#[test]
fn the_tables_and_the_types_agree() {
    for (position, row) in TYPES.iter().enumerate() {
        assert_eq!((row.kind as usize, serde_json::to_value(row.kind).unwrap()), (position, json!(row.name)));
    }
    let defaults = serde_json::to_value(read(seed("", json!({}))).unwrap()).unwrap();
    for field in OPTIONS {
        assert_eq!(defaults["options"].get(field.key), field.default.value().as_ref(), "{}", field.key);
        let mut options = Map::from_iter([(field.key.to_owned(), sample(field))]);
        // What some tasks take alone is given to one that does.
        options.entry("mode").or_insert_with(|| "python".into());
        let mut document = seed("options", options.into());
        match field.key {
            "maxFailures" => document["options"]["onError"] = "skip".into(),
            "backoffMs" | "maxBackoffMs" | "retryOn" | "doNotRetry" => {
                document["options"]["retries"] = 1.into()
            }
            _ => {}
        }
        if matches!(field.key, "cache" | "maxDepth") {
            document["type"] = "recursive".into();
            document["input"] = 1.into();
            document["operation"] = callable(1);
        }
        let spec = read(document).unwrap();
        assert_eq!(supported(&spec).is_ok(), matches!(field.runs, Runs::Since(_)), "{}", field.key);
        if let Some(default) = field.default.value() {
            let spec =
                read(seed("options", Map::from_iter([(field.key.to_owned(), default)]).into())).unwrap();
            supported(&spec).unwrap();
        }
    }
    assert_eq!(defaults["options"].as_object().unwrap().len(), OPTIONS.len());
    for field in INPUT.iter().filter(|field| field.taken_by(Some(TaskType::Parallel))) {
        let mut input = json!({ "operation": callable(1), "source": "a" });
        if field.key == "items" {
            input = json!({ "operation": callable(1) });
        }
        input[field.key] = sample(field);
        let spec = read(json!({ "type": "parallel", "input": input })).unwrap();
        assert_eq!(supported(&spec).is_ok(), matches!(field.runs, Runs::Since(_)), "{}", field.key);
    }
    let output = TASK.iter().find(|field| field.key == "output").unwrap();
    let spec = read(seed("", json!({ "output": sample(output) }))).unwrap();
    assert_eq!(serde_json::to_value(spec.output).unwrap().as_object().unwrap().len(), OUTPUT.len());
    let tables = describe();
    assert_eq!(tables["types"].as_array().unwrap().len(), 6);
    assert_eq!(tables["options"][0]["snake"], "timeout_ms");
}
