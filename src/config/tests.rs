//! Settings: what wins, what is refused, and that table and struct agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Map, Value, json};

use super::*;
use crate::error::{Code, Error};
use crate::task::Progress;

fn resolve(overrides: Value, env: &[(&str, &str)]) -> Result<Settings, Error> {
    let overrides = overrides.as_object().cloned().unwrap_or_default();
    Settings::resolve(&overrides, |key| {
        env.iter().find(|(name, _)| *name == key).map(|(_, text)| (*text).to_owned())
    })
}

#[test]
fn defaults() {
    let settings = resolve(json!({}), &[]).unwrap();
    assert!(settings.threads >= 1 && settings.memory_limit > 1_000_000);
    assert_eq!(settings.spill_dir, std::env::temp_dir());
    assert_eq!((settings.batch_rows, settings.io_threads), (16_384, 2));
    assert_eq!((settings.progress, settings.grouping), (Progress::Auto, Grouping::Auto));
}

#[test]
fn given_beats_environment_beats_default() {
    let env = [
        ("RLM_THREADS", "3"),
        ("RLM_MEMORY_LIMIT", "2GiB"),
        ("RLM_PROGRESS", "off"),
        ("RLM_IO_THREADS", " "),
        ("RLM_GROUPING", "datafusion"),
    ];
    let settings = resolve(json!({}), &env).unwrap();
    assert_eq!((settings.threads, settings.memory_limit, settings.io_threads), (3, 2 << 30, 2));
    assert_eq!((settings.progress, settings.grouping), (Progress::Off, Grouping::Datafusion));
    let given = json!({ "threads": 5, "memory_limit": "512MB", "progress": "auto", "grouping": null });
    let settings = resolve(given, &env).unwrap();
    assert_eq!((settings.threads, settings.memory_limit), (5, 512_000_000));
    assert_eq!((settings.progress, settings.grouping), (Progress::Auto, Grouping::Datafusion));
}

#[test]
fn wrong_settings_are_refused_where_they_stand() {
    let cases = [
        (json!({ "thread": 2 }), &[][..], "thread", Some("threads")),
        (json!({ "memoryLimit": 2 }), &[], "memoryLimit", Some("memory_limit")),
        (json!({ "threads": 0 }), &[], "threads", None),
        (json!({ "threads": true }), &[], "threads", None),
        (json!({ "grouping": "datafuson" }), &[], "grouping", Some("datafusion")),
        (json!({ "memory_limit": "12 parsecs" }), &[], "memory_limit", None),
        (json!({ "spill_dir": "" }), &[], "spill_dir", None),
        (json!({}), &[("RLM_THREADS", "many")], "RLM_THREADS", None),
        (json!({}), &[("RLM_PROGRESS", "aut")], "RLM_PROGRESS", Some("auto")),
    ];
    for (overrides, env, path, nearest) in cases {
        let error = resolve(overrides, env).expect_err(path);
        assert_eq!(error.code(), Code::InvalidTask);
        assert_eq!(error.details()["path"], path);
        assert_eq!(error.details().get("nearest").and_then(Value::as_str), nearest, "{error}");
        assert!(error.advice().is_some());
    }
}

#[test]
fn the_table_and_the_struct_agree() {
    let written = serde_json::to_value(resolve(json!({}), &[]).unwrap()).unwrap();
    let mut fields: Vec<&String> = written.as_object().unwrap().keys().collect();
    let mut keys: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    fields.sort();
    keys.sort_unstable();
    assert_eq!(fields, keys);
    for setting in SETTINGS {
        assert_eq!(setting.env, format!("RLM_{}", setting.key.to_uppercase()));
        let given = Map::from_iter([(setting.key.to_owned(), setting.default.value())]);
        assert!(resolve(given.into(), &[]).is_ok(), "the default of {} is a value of its kind", setting.key);
    }
    assert_eq!(describe().as_array().unwrap().len(), SETTINGS.len());
}
