//! Patterns: which engine reads them, and what they find.

#![allow(clippy::unwrap_used)]

use super::pattern::{Pattern, Place};

fn found(pattern: &str, text: &str) -> Option<(usize, usize)> {
    Pattern::new(pattern, 0).unwrap().find_at(text, 0).unwrap()
}

#[test]
fn patterns_find_what_python_finds() {
    assert_eq!(found("b+", "abbc"), Some((1, 3)));
    assert_eq!(found("a$", "ba\n"), Some((1, 2)));
    assert_eq!(found(r"a\Z", "ba\n"), None);
    assert_eq!(found(r"\w+", "é\u{301}x"), Some((0, 2)));
    assert_eq!(found(r"\bx", "éx"), None);
    assert_eq!(found(r"\s", "a\x1c"), Some((1, 2)));
    assert_eq!(found(r"[^\W\d]+", "12ab3"), Some((2, 4)));
    assert_eq!(
        found(
            r"(?x) a # one
        b",
            "ab"
        ),
        Some((0, 2))
    );
    assert_eq!(found(r"(?<=a)b", "bab"), Some((2, 3)));
    assert_eq!(found(r"a(?!b)", "abac"), Some((2, 3)));
    assert_eq!(found(r"(.)\1", "abccd"), Some((2, 4)));
    assert_eq!(found(r"(?P<x>.)-(?P=x)$", "a-b-b\n"), Some((2, 5)));
    assert_eq!(found(r"a++b", "aaab"), Some((0, 4)));
    assert_eq!(found(r"(?=.)é\b", "é\u{301}x"), Some((0, 2)));
    assert_eq!(found(r"(?>ab|a)c", "ac"), Some((0, 2)));
    assert_eq!(found(r"[]\-a]+", "x]-a"), Some((1, 4)));
    assert_eq!(found("(?i)STRASSE", "strasse"), Some((0, 7)));
    assert_eq!(found("a{2}", "aaa"), Some((0, 2)));
    assert_eq!(found("a{x", "a{x"), Some((0, 3)));
    assert_eq!(found(r"\x41\u0042\103", "ABC"), Some((0, 3)));
}

#[test]
fn what_is_a_word_to_some_engines_only_fails() {
    let pattern = Pattern::new(r"\bx", 0).unwrap();
    assert!(pattern.is_match("é x").unwrap());
    assert!(pattern.is_match("é\u{301} x").is_err());
}

#[test]
fn an_end_before_or_behind_a_newline_fails() {
    assert!(Pattern::new(r"a[\s\S]*$", 0).unwrap().find_at("ab\n", 0).is_err());
    assert_eq!(found("a.*$", "ab\n"), Some((0, 2)));
}

#[test]
fn texts_with_anything_between_do_not_cross_lines() {
    let pattern = Pattern::new("special.*requests", 0).unwrap();
    assert!(pattern.is_match("a special set of requests").unwrap());
    assert!(!pattern.is_match("requests special").unwrap());
    assert!(!pattern.is_match("special\nrequests").unwrap());
    assert!(pattern.is_match("special\nspecial requests").unwrap());
}

#[test]
fn what_may_be_empty_is_known() {
    for (pattern, empty) in [
        ("a*", true),
        ("a+", false),
        ("a?b", false),
        ("(a|)", true),
        ("a|b", false),
        ("^", true),
        ("", true),
        ("(?=a)", true),
        ("(?<=a)b", false),
        ("(a*)+", true),
        ("(ab)+", false),
        ("a{0,2}", true),
        ("a{2}", false),
    ] {
        assert_eq!(Pattern::new(pattern, 0).unwrap().may_be_empty(), empty, "{pattern}");
    }
}

#[test]
fn whole_texts_are_matched() {
    let all = Pattern::placed("a|ab", 0, Place::All).unwrap();
    assert!(all.is_match("ab").unwrap() && !all.is_match("abc").unwrap());
    let beginning = Pattern::placed("a|b", 0, Place::Beginning).unwrap();
    assert!(beginning.is_match("bc").unwrap() && !beginning.is_match("cb").unwrap());
}

#[test]
fn what_no_engine_has_is_refused() {
    for pattern in [
        "(?(1)a|b)",
        r"\N{DASH}",
        r"\B",
        "a{,3}",
        "[[:alpha:]]",
        "(?iL)a",
        "(a",
        "a**",
        r"\8",
        r"a$\n",
        r"a$|b\Z",
        r"(?i)(a)\1",
    ] {
        assert!(Pattern::new(pattern, 0).is_err(), "{pattern}");
    }
}
