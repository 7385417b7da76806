//! Parts of a CSV file against the whole of it.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use proptest::prelude::*;

use super::super::data::{Data, Opening};
use super::{LONGEST, Part, Records, Unread};

fn data(text: &str, opening: &Opening) -> Data {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Data::from_file(file, opening).unwrap()
}

/// Every record of some parts, each with its line.
fn records(data: &Data, parts: &[Part]) -> Vec<(u64, Vec<Vec<u8>>)> {
    let mut found = Vec::new();
    for part in parts {
        let cursor = data.reader(part.bytes.clone(), &Default::default());
        let mut records = Records::new(cursor, b',', part.line);
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
    fn parts_are_the_file(text in text(), part in 1_u64..64, threads in 1_usize..4) {
        let opening = Opening::default();
        let data = data(&text, &opening);
        let whole = Unread { data: &data, separator: b',', columns: 2, part: u64::MAX / 2 };
        let whole = [whole.part(0..data.size, 1, LONGEST).unwrap()];
        let parts = Unread { data: &data, separator: b',', columns: 2, part }.parts(0, 1, threads).unwrap();
        prop_assert_eq!(records(&data, &parts), records(&data, &whole));
        prop_assert_eq!(parts.iter().map(|part| part.rows).sum::<usize>(), whole[0].rows);
    }
}

#[test]
fn what_is_given_up_is_not_read_on() {
    let opening = Opening::default();
    let data = data("a,b\n1,2\n", &opening);
    let file = Unread { data: &data, separator: b',', columns: 2, part: 4 };
    assert!(file.parts(0, 1, 2).is_ok());
    drop(opening);
    assert!(file.parts(0, 1, 2).is_err_and(|fault| fault.to_string().contains("given up")));
}

#[test]
fn what_is_open_is_read_for_ever() {
    let opening = Opening::default();
    let data = data("a,b\n1,2\n", &opening);
    opening.done();
    assert!(Unread { data: &data, separator: b',', columns: 2, part: 4 }.parts(0, 1, 2).is_ok());
}
