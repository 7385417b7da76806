//! Parts of a CSV file against the whole of it.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use proptest::prelude::*;
use serde_json::json;

use super::super::data::{Data, Opening};
use super::super::{Format, Room, With};
use super::{Csv, Dialect, LONGEST, Missing, Part, Records, Unread};
use crate::io::memory_store::Counted;
use crate::io::source::options::ReadOptions;

const PLAIN: Dialect = Dialect { separator: b',', quote: Some(b'"'), escape: None, comment: None };
const RICH: Dialect = Dialect { escape: Some(b'\\'), comment: Some(b'#'), ..PLAIN };

fn unread<'a>(data: &'a Data, dialect: Dialect, part: u64, missing: &'a Missing) -> Unread<'a> {
    Unread { data, dialect, columns: 2, inferred: vec![0, 1], missing, guess: None, part }
}

fn data(text: &str, opening: &Opening) -> Data {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Data::from_file(file, opening).unwrap()
}

/// Every record of some parts, each with its line.
fn records(data: &Data, parts: &[Part], dialect: Dialect) -> Vec<(u64, Vec<Vec<u8>>)> {
    let mut found = Vec::new();
    for part in parts {
        let cursor = data.reader(part.bytes.clone(), &Default::default());
        let mut records = Records::new(cursor, dialect, part.line);
        while let Some(record) = records.next().unwrap() {
            found.push((record.line, (0..record.len()).map(|place| record.get(place).to_vec()).collect()));
        }
    }
    found
}

/// A value as it may stand in a file: plain, in quotes, with quotes that mean nothing.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c0-9 ]{0,4}",
        "[a-c,\r\n]{0,12}".prop_map(|text| format!("\"{text}\"")),
        "[a-c,\n]{0,6}".prop_map(|text| format!("\"{text}\"\"\n\"\"{text}\"")),
        "[a-c]{1,3}\"[a-c]{0,3}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just("\r\n\r\n\n")];
    prop::collection::vec((value(), value(), end), 0..40)
        .prop_map(|rows| rows.iter().map(|(a, b, end)| format!("{a},{b}{end}")).collect())
}

proptest! {
    /// However small the parts, and wherever quotes lie across them, the records are those of the whole file.
    #[test]
    fn parts_are_the_file(text in text(), part in 1_u64..64, threads in 1_usize..4, rich in any::<bool>()) {
        let dialect = if rich { RICH } else { PLAIN };
        let text = if rich { text.replace('1', "\\\n").replace('2', "#").replace('3', "\\\"") } else { text };
        let (opening, missing) = (Opening::default(), Missing::default());
        let data = data(&text, &opening);
        let whole = unread(&data, dialect, u64::MAX / 2, &missing).part(0..data.size, 1, LONGEST);
        let parts = unread(&data, dialect, part, &missing).parts(0, 1, threads);
        let (Ok(whole), Ok(parts)) = (whole.map(|whole| [whole]), parts) else {
            // Rows that are long are long in both.
            prop_assert!(rich);
            return Ok(());
        };
        prop_assert_eq!(records(&data, &parts, dialect), records(&data, &whole, dialect));
        prop_assert_eq!(parts.iter().map(|part| part.rows).sum::<usize>(), whole[0].rows);
    }

    /// Where nothing is escaped and nothing is a comment, our tokenizer reads what `csv-core` reads.
    #[test]
    fn both_tokenizers_agree(text in text(), part in 1_u64..64) {
        let (opening, missing) = (Opening::default(), Missing::default());
        let data = data(&text, &opening);
        let ours = Dialect { escape: Some(b'\x01'), ..PLAIN };
        let read = |dialect| {
            let parts = unread(&data, dialect, part, &missing).parts(0, 1, 1).unwrap();
            let records = records(&data, &parts, dialect);
            // Lines of nothing but blanks are told apart later, or never made a record.
            records.into_iter().filter(|(_, fields)| fields.len() > 1 || !fields[0].trim_ascii().is_empty()).collect::<Vec<_>>()
        };
        prop_assert_eq!(read(PLAIN), read(ours));
    }
}

proptest! {
    /// Wherever the buffer ends, the records are the same, and where they end in the file.
    #[test]
    fn buffers_do_not_matter(text in text(), buffer in 1_usize..100, last in any::<bool>()) {
        let text = if last { text } else { text.trim_end_matches(['\r', '\n']).to_owned() };
        let opening = Opening::default();
        let data = data(&text, &opening);
        let read = |dialect, buffer| {
            let mut records = Records::buffered(data.reader(0..data.size, &Default::default()), dialect, 1, buffer);
            let mut found = Vec::new();
            loop {
                let Some(record) = records.next().unwrap() else { return found };
                let fields: Vec<_> = (0..record.len()).map(|place| record.get(place).to_vec()).collect();
                let line = record.line;
                records.skip_line_ends().unwrap();
                found.push((line, fields, records.at));
            }
        };
        let whole = read(PLAIN, 1 << 20);
        prop_assert_eq!(read(PLAIN, buffer), whole.clone());
        let ours: Vec<_> = read(Dialect { escape: Some(b'\x01'), ..PLAIN }, buffer);
        let told = |records: Vec<(u64, Vec<Vec<u8>>, u64)>| -> Vec<_> {
            let told = records.into_iter().filter(|(_, fields, _)| fields.len() > 1);
            told.map(|(line, fields, _)| (line, fields)).collect()
        };
        prop_assert_eq!(told(ours), told(whole));
    }
}

/// Everything of a file, or why it cannot be read; twice, since what is kept is there once.
fn twice(
    text: &str,
    room: Option<Arc<Room>>,
    options: &ReadOptions,
) -> [Result<Option<RecordBatch>, String>; 2] {
    let opening = Opening::default();
    let data = data(text, &opening);
    opening.done();
    let with = With { spool: std::path::Path::new("/tmp"), threads: 2, options, room };
    let file = Csv.open(data, ".csv", &with).unwrap();
    let schema = file.schema();
    let wanted = |column: &usize| options.has_column(schema.field(*column).name());
    let columns: Vec<usize> = (0..schema.fields().len()).rev().filter(wanted).collect();
    let read = || {
        let mut batches: Vec<RecordBatch> = Vec::new();
        for part in 0..file.parts().len() {
            for batch in file.read(part, &columns, 7, &Default::default()).unwrap() {
                batches.push(batch.map_err(|fault| fault.to_string())?);
            }
        }
        let Some(first) = batches.first() else { return Ok(None) };
        Ok(Some(arrow::compute::concat_batches(&first.schema(), &batches).unwrap()))
    };
    [read(), read()]
}

/// Values whose type changes on the way.
fn typed() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        8 => (-20_i64..20).prop_map(|value| value.to_string()),
        1 => Just(String::new()),
        1 => Just("NA".to_owned()),
        1 => Just("-999".to_owned()),
        1 => Just("2.5".to_owned()),
    ];
    let rest = prop_oneof![
        6 => Just("7"), 1 => Just("18446744073709551615"), 1 => Just("1e3"), 1 => Just("true"), 1 => Just("a text of some length"),
        1 => Just("é"), 1 => Just("nan"), 1 => Just("-0"),
    ];
    let row = (value, rest.clone(), rest);
    let rows = prop::collection::vec(row, 0..700);
    rows.prop_map(|rows| {
        let change = rows.len() / 2;
        let rows = rows.iter().enumerate().map(|(at, (a, b, c))| {
            // The second column begins as integers.
            let b = if at < change { "7" } else { b };
            format!("{a},{b},{c}\n")
        });
        format!("a,b,c\n{}", rows.collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// What is parsed while types are looked for is what is parsed when they are known.
    #[test]
    fn values_that_are_kept_are_those_that_are_read(text in typed(), options in 0_usize..4) {
        let options = [
            json!({}),
            json!({ "naValues": ["-999", "7"] }),
            json!({ "dtype": { "a": "str", "b": "float64" } }),
            json!({ "keepDefaultNa": false, "columns": ["c", "a"] }),
        ][options].clone();
        let options = ReadOptions::of(options).unwrap();
        let memory = Arc::new(Counted::default());
        let room = Arc::new(Room::new(memory.clone(), 1 << 30));
        let kept = twice(&text, Some(room), &options);
        let plain = twice(&text, None, &options);
        prop_assert_eq!(&plain[0], &plain[1]);
        prop_assert_eq!(kept, plain);
        prop_assert_eq!(memory.kept(), 0);
    }
}

#[test]
fn values_are_kept_as_far_as_there_is_room() {
    let rows: String = (0..300_000).map(|row| format!("{row},{}.5,text {row}\n", row % 7)).collect();
    let text = format!("a,b,c\n{rows}");
    let memory = Arc::new(Counted::default());
    let options = ReadOptions::default();
    let opened = |bytes: usize| {
        let opening = Opening::default();
        let data = data(&text, &opening);
        opening.done();
        let room = Arc::new(Room::new(memory.clone(), bytes));
        let with =
            With { spool: std::path::Path::new("/tmp"), threads: 1, options: &options, room: Some(room) };
        Csv.open(data, ".csv", &with).unwrap()
    };
    let held = || memory.kept();
    let [kept, read] = twice(&text, Some(Arc::new(Room::new(memory.clone(), 1 << 30))), &options);
    assert!(kept.is_ok());
    assert_eq!(kept, read);
    assert_eq!(held(), 0);
    let file = opened(1 << 30);
    let all = held();
    assert!(all > 300_000 * 16 && file.parts().len() > 1);
    // One that is read is gone when its rows are.
    let mut rows = file.read(0, &[0, 2], 1_000, &Default::default()).unwrap();
    assert_eq!(held(), all);
    assert!(rows.next().is_some());
    drop(rows);
    assert!(held() < all && held() > 0);
    drop(file);
    assert_eq!(held(), 0);
    let file = opened(all - 1);
    assert!(held() > 0 && held() < all);
    drop(file);
    assert_eq!(held(), 0);
    drop(opened(0));
    assert_eq!(held(), 0);
}

#[test]
fn what_is_given_up_is_not_read_on() {
    let opening = Opening::default();
    let data = data("a,b\n1,2\n", &opening);
    let missing = Missing::default();
    let file = unread(&data, PLAIN, 4, &missing);
    assert!(file.parts(0, 1, 2).is_ok());
    drop(opening);
    assert!(file.parts(0, 1, 2).is_err_and(|fault| fault.to_string().contains("given up")));
}

#[test]
fn what_is_open_is_read_for_ever() {
    let opening = Opening::default();
    let data = data("a,b\n1,2\n", &opening);
    opening.done();
    assert!(unread(&data, PLAIN, 4, &Missing::default()).parts(0, 1, 2).is_ok());
}
