//! Redaction by property: whatever the encoding, whatever the pieces.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

fn redactor(values: &[String]) -> Redactor {
    let redactor = Redactor::default();
    for value in values {
        redactor.add(&SecretValue::new(value.as_str()));
    }
    redactor
}

fn percent(text: &str, upper: bool, all: bool) -> String {
    let escape = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' if !all => (byte as char).to_string(),
            _ => escape(byte),
        })
        .collect()
}

fn unicode(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn entities(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#x27;")
}

/// In lines, if it is so long that somebody may do that.
fn wrapped(text: &str) -> String {
    if text.len() < 64 {
        return text.to_owned();
    }
    let lines: Vec<_> = text.as_bytes().chunks(19).map(String::from_utf8_lossy).collect();
    lines.join("\r\n")
}

/// A value as somebody may have written it.
fn written(value: &str, way: usize) -> String {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    match way % 18 {
        0 => value.to_owned(),
        1 => STANDARD.encode(value),
        2 => URL_SAFE.encode(value),
        3 => STANDARD.encode(format!("x{value}yz")),
        4 => URL_SAFE.encode(format!("xy{value}z")),
        5 => percent(value, true, false),
        6 => percent(value, false, false),
        7 => percent(value, true, true),
        8 => json(value),
        9 => unicode(value),
        10 => hex(value),
        11 => hex(value).to_ascii_uppercase(),
        12 => entities(value),
        13 => percent(&STANDARD.encode(value), true, false),
        14 => json(&json(value)),
        15 => wrapped(&STANDARD.encode(format!("before {value} behind"))),
        16 => percent(&wrapped(&STANDARD.encode(value)), false, false),
        _ => value.replace(' ', "+"),
    }
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9+/=_-]{6,80}", "[ -~]{8,24}", "[a-c]{4,8}", "[äöß€😀a-z\"'&<%\\\\]{8,20}"]
}

fn noise() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~\n]{0,30}", "[a-c.…]{0,8}", "[a-c%\\\\&]{0,12}", "[äß€😀 ]{0,6}"]
}

/// A text with values in it, and what it is made of.
fn texts() -> impl Strategy<Value = (Vec<String>, String)> {
    (
        prop::collection::vec(values(), 1..4),
        prop::collection::vec((noise(), any::<usize>(), any::<usize>()), 0..6),
    )
        .prop_map(|(values, parts)| {
            let mut text = String::new();
            for (noise, which, way) in parts {
                text.push_str(&noise);
                text.push_str(&written(&values[which % values.len()], way));
            }
            (values, text)
        })
}

proptest! {
    #[test]
    fn a_value_is_found_in_whatever_way_it_is_written(
        value in values(),
        way in 0usize..18,
        before in "[A-Z .:=\n]{0,9}",
        after in "[A-Z .:;\n]{0,9}",
    ) {
        prop_assume!(value.trim() == value);
        let redactor = redactor(std::slice::from_ref(&value));
        let text = format!("{before}{}{after}", written(&value, way));
        let clean = redactor.text(&text);
        prop_assert!(clean.contains(MARK), "{text:?} became {clean:?}");
        // Nothing of it is left in its own letters.
        prop_assert!(!clean.contains(value.as_str()), "{text:?} became {clean:?}");
    }

    #[test]
    fn what_is_left_of_a_value_that_was_cut_off_is_taken_out(
        value in "[a-zA-Z0-9+/]{12,40}",
        way in prop::sample::select(vec![0_usize, 1, 2, 10, 11]),
        cut in 8usize..12,
        mark in prop_oneof!["[.]{3}", "…"],
    ) {
        let redactor = redactor(std::slice::from_ref(&value));
        let left: String = written(&value, way).chars().take(cut).collect();
        let clean = redactor.text(&format!("a text: {left}{mark} and more")).into_owned();
        prop_assert!(clean.starts_with("a text: ***"), "{left:?} became {clean:?}");
        prop_assert!(clean.ends_with(&format!("{mark} and more")), "{clean:?}");
    }

    #[test]
    fn pieces_become_what_the_whole_becomes(
        (values, text) in texts(),
        cuts in prop::collection::vec(0usize..400, 0..12),
    ) {
        let redactor = redactor(&values);
        let automaton = redactor.automaton().unwrap();
        let mut cuts: Vec<usize> =
            cuts.into_iter().map(|cut| cut.min(text.len())).filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.push(text.len());
        cuts.sort_unstable();
        let mut stream = stream::Stream::default();
        let mut given = String::new();
        let mut at = 0;
        for cut in cuts {
            given.push_str(&stream.feed(Some(&automaton), &text[at..cut]));
            at = cut;
        }
        given.push_str(&stream.finish(Some(&automaton)));
        prop_assert_eq!(given, redactor.text(&text));
    }

    #[test]
    fn what_is_no_value_stays(text in "[g-z \n]{0,80}") {
        let redactor = redactor(&["A-SECRET-OF-LETTERS".to_owned()]);
        prop_assert_eq!(redactor.text(&text), text.as_str());
    }

    #[test]
    fn a_stream_gives_out_all_but_what_may_be_a_value(text in "[a-z \n]{0,80}") {
        let redactor = redactor(&["ABCDEFGH-IJKL".to_owned()]);
        let automaton = redactor.automaton().unwrap();
        let mut stream = stream::Stream::default();
        prop_assert_eq!(stream.feed(Some(&automaton), &text), text.as_str());
        prop_assert_eq!(stream.feed(Some(&automaton), "ABCD"), "");
        prop_assert_eq!(stream.feed(Some(&automaton), "?"), "ABCD?");
    }
}

#[test]
fn neighbours_and_repetitions_leave_nothing_behind() {
    let redactor =
        redactor(&["aaaa".to_owned(), "hunter2-password".to_owned(), "ter2-password-and-more".to_owned()]);
    assert_eq!(redactor.text("aaaaaaaaaaaaa"), MARK);
    assert_eq!(redactor.text("xhunter2-password-and-morey"), format!("x{MARK}y"));
    assert_eq!(redactor.text("hunter2-passwordhunter2-password"), format!("{MARK}{MARK}"));
    let automaton = redactor.automaton().unwrap();
    let mut stream = stream::Stream::default();
    let given: String = (0..1_000).map(|_| stream.feed(Some(&automaton), "a")).collect();
    assert_eq!(given + &stream.finish(Some(&automaton)), MARK);
}

#[test]
fn long_texts_are_looked_through_in_pieces() {
    let redactor = redactor(&["hunter2-password".to_owned()]);
    for at in [PIECE - 20, PIECE - 8, PIECE - 1, PIECE, 2 * PIECE - 5] {
        for written in ["hunter2-password", "hunter2%2Dpassword"] {
            let text = format!("{}{written}{}", "ä.".repeat(at / 3), "€".repeat(PIECE));
            let clean = format!("{}{MARK}{}", "ä.".repeat(at / 3), "€".repeat(PIECE));
            assert_eq!(redactor.text(&text), clean);
        }
    }
}

#[test]
fn lines_of_a_key_and_wrapped_base64_are_found() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n";
    let redactor = redactor(&[key.to_owned()]);
    assert_eq!(redactor.text("line: AQEFAASCBKcwggSjAgEAAoIB."), "line: ***.");
    assert_eq!(redactor.text(key.trim()), MARK);
    assert_eq!(redactor.text("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
    let encoded = STANDARD.encode(key);
    let wrapped = format!("{}\n{}\n", &encoded[..76], &encoded[76..]);
    assert_eq!(redactor.text(&wrapped), format!("{MARK}\n"));
}

#[test]
fn values_that_nobody_holds_are_let_go_in_the_end() {
    let redactor = Redactor::default();
    let held = SecretValue::new("the value that is held");
    redactor.add(&held);
    for number in 0..RETIRED + 10 {
        redactor.add(&SecretValue::new(format!("value number {number:06}")));
    }
    assert_eq!(redactor.text("the value that is held"), MARK);
    assert_eq!(redactor.text("value number 000000"), "value number 000000");
    assert_eq!(redactor.text(&format!("value number {:06}", RETIRED + 9)), MARK);
}

#[test]
fn data_and_errors_are_cleaned_as_a_whole() {
    let value = SecretValue::new("planted-in-an-error");
    add(&value);
    let cause = crate::error::Cause {
        type_name: "ValueError".to_owned(),
        message: "planted-in-an-error".to_owned(),
        traceback: "raise planted-in-an-error".to_owned(),
        pickled: None,
    };
    let given = Error::new(crate::error::Code::Internal, "has planted-in-an-error")
        .hint("not planted-in-an-error")
        .detail("list", serde_json::json!(["planted-in-an-error", { "planted-in-an-error": 1 }]))
        .caused_by(Some(Arc::new(cause)));
    let clean = error(given);
    assert!(!format!("{clean:?}").contains("planted"), "{clean:?}");
    assert_eq!(clean.to_string(), "has ***. not ***");
}
