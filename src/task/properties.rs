//! The task contract by property: spellings, slips of a letter, and any JSON at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::{arrow, callable, object, read, refused, sample};
use super::*;
use crate::error::Code;
use crate::names::snake;

/// A right document of any type, with any of the keys.
fn documents() -> impl Strategy<Value = Value> {
    (0..TYPES.len(), any::<u64>()).prop_map(|(row, bits)| {
        let row = &TYPES[row];
        let chosen = |table: &[Field], shift: u32, leave: &[&str]| -> Map<String, Value> {
            let kept = table
                .iter()
                .enumerate()
                .filter(|(at, field)| field.required() || (bits >> (shift + *at as u32)) & 1 == 1);
            kept.map(|(_, field)| field)
                .filter(|field| field.taken_by(Some(row.kind)) && !leave.contains(&field.key))
                .map(|field| (field.key.to_owned(), sample(field)))
                .collect()
        };
        let mut input = chosen(INPUT, 0, &["items", "operation", "map", "steps", "source", "key", "reduce"]);
        if input.contains_key("maxWaitMs") {
            // Which is for items alone.
            ["format", "storageOptions", "readOptions"].iter().for_each(|key| drop(input.remove(*key)));
            input.insert("items".into(), object());
        } else {
            input.insert("source".into(), "a".into());
        }
        let operation = if row.kind == TaskType::MapReduce { "map" } else { "operation" };
        input.insert(operation.into(), callable(1));
        if row.kind == TaskType::MapReduce {
            input.insert("reduce".into(), callable(2));
            input.insert("key".into(), "day".into());
        }
        let mut task = chosen(TASK, 16, &["type", "input", "operation", "options"]);
        task.insert("type".into(), row.name.into());
        task.insert("input".into(), input.into());
        task.insert("options".into(), chosen(OPTIONS, 24, &[]).into());
        task.into()
    })
}

/// Every key of the document's tables: where it stands, and itself.
fn keys_of(document: &Value) -> Vec<(&'static str, String)> {
    let keys = |place: &'static str, dict: &Value| -> Vec<(&'static str, String)> {
        let dict = dict.as_object().into_iter().flatten();
        dict.map(|(key, _)| (place, key.clone())).collect()
    };
    let mut all = keys("", document);
    for place in ["input", "options", "output"] {
        all.extend(keys(place, &document[place]));
    }
    all
}

fn rename(document: &mut Value, place: &str, from: &str, to: &str) {
    let dict = if place.is_empty() { document } else { &mut document[place] };
    let dict = dict.as_object_mut().unwrap();
    let value = dict.remove(from).unwrap();
    dict.insert(to.to_owned(), value);
}

fn misspelled(key: &str, edit: u8, at: usize, letter: char) -> String {
    let mut letters: Vec<char> = key.chars().collect();
    let at = at % letters.len();
    match edit {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letter),
        2 => letters[at] = letter,
        _ if at + 1 < letters.len() => letters.swap(at, at + 1),
        _ => letters.push(letter),
    }
    letters.into_iter().collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let tables = [TASK, INPUT, OUTPUT, OPTIONS];
    let mut words: Vec<String> =
        tables.iter().flat_map(|table| table.iter()).map(|f| f.key.to_owned()).collect();
    words.extend(words.clone().iter().map(|key| snake(key)));
    words.extend(TYPES.iter().map(|row| row.name.to_owned()));
    words.extend(
        ["$callable", "$arrow", "$object", "name", "id", "sql", "auto", "2GiB", "train"].map(Into::into),
    );
    let word = prop_oneof![4 => proptest::sample::select(words), 1 => any::<String>()].boxed();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        Just(callable(1)),
        Just(arrow()),
        Just(object()),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn right_documents_are_accepted_and_survive_writing(document in documents()) {
        let spec = read(document).unwrap();
        let written = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<TaskSpec>(&written).unwrap(), spec);
    }

    #[test]
    fn both_spellings_mean_the_same(document in documents()) {
        let mut other = document.clone();
        for (place, key) in keys_of(&document).into_iter().rev() {
            rename(&mut other, place, &key, &snake(&key));
        }
        prop_assert_eq!(read(other).unwrap(), read(document).unwrap());
    }

    #[test]
    fn a_misspelled_key_is_refused_and_its_right_name_offered(
        document in documents(), which: usize, edit in 0..4u8, at: usize, letter in "[a-zA-Z0-9_]", snaked: bool,
    ) {
        let mut document = document;
        let keys = keys_of(&document);
        let (place, key) = &keys[which % keys.len()];
        let spelled = if snaked { snake(key) } else { key.clone() };
        let wrong = misspelled(&spelled, edit, at, letter.chars().next().unwrap());
        prop_assume!(wrong != *key && wrong != snake(key));
        rename(&mut document, place, key, &wrong);
        // Without its opening keys an input of these types is the user's own.
        let free = matches!(document["type"].as_str(), Some("sequential" | "recursive"));
        let opened = document["input"].as_object().is_some_and(|i| i.keys().any(|k| fields::OPENING.contains(&k.as_str())));
        prop_assume!(!free || opened || *place != "input");
        let error = refused(document);
        let path = if place.is_empty() { wrong.clone() } else { format!("{place}.{wrong}") };
        prop_assert_eq!(error.code(), Code::InvalidTask);
        prop_assert_eq!(&error.details()["path"], &json!(path));
        prop_assert_eq!(&error.details()["nearest"], &json!(key));
    }

    #[test]
    fn any_json_is_judged(document in any_json(), typed in proptest::option::of(0..TYPES.len())) {
        let mut document = document;
        if let (Some(row), Some(dict)) = (typed, document.as_object_mut()) {
            dict.insert("type".into(), TYPES[row].name.into());
        }
        match read(document) {
            Ok(spec) => drop(supported(&spec)),
            Err(error) => prop_assert!(matches!(error.code(), Code::InvalidTask | Code::OperationNotFound), "{}", error),
        }
    }
}
