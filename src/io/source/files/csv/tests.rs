//! Parts of a CSV file against the whole of it.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use proptest::prelude::*;

use super::super::data::{Data, Opening};
use super::{Dialect, LONGEST, Missing, Part, Records, Unread};

const PLAIN: Dialect = Dialect { separator: b',', quote: Some(b'"'), escape: None, comment: None };
const RICH: Dialect = Dialect { escape: Some(b'\\'), comment: Some(b'#'), ..PLAIN };

fn unread<'a>(data: &'a Data, dialect: Dialect, part: u64, missing: &'a Missing) -> Unread<'a> {
    Unread { data, dialect, columns: 2, inferred: vec![0, 1], missing, part }
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
