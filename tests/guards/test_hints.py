"""Every NOT_DECOMPOSABLE error that is made in Rust says by a hint what to do instead."""

from __future__ import annotations

import re

from tests.guards._sources import name, rust

_CHARACTER = re.compile(r"'(?:\\.|[^\\'])'")


def _closing(code: str, at: int) -> int:
    """Where the bracket that opens at a place closes; texts are passed over."""
    depth = 0
    while at < len(code):
        here = code[at]
        if here == '"':
            at += 1
            while code[at] != '"':
                at += 2 if code[at] == "\\" else 1
        elif here == "'" and (found := _CHARACTER.match(code, at)):
            at = found.end() - 1
        elif here in "([{":
            depth += 1
        elif here in ")]}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise AssertionError("a bracket is not closed")


def without_hint(code: str) -> list[int]:
    """The lines of calls of `not_decomposable` that no `.hint(...)` follows."""
    found = []
    for made in re.finditer(r"(?<!fn )\bnot_decomposable\(", code):
        after = _closing(code, made.end() - 1) + 1
        while method := re.match(r"\s*\.(\w+)\(", code[after:]):
            if method[1] == "hint":
                break
            after = _closing(code, after + method.end() - 1) + 1
        else:
            found.append(code.count("\n", 0, made.start()) + 1)
    return found


def test_each_says_what_to_do() -> None:
    bare = {name(path): lines for path, code in rust() if (lines := without_hint(code))}
    assert not bare, "add `.hint(...)`: the nearest native way, or what to give instead"


def test_all_are_made_by_the_one_function() -> None:
    made = [name(path) for path, code in rust() if re.search(r"new\(\s*Code::NotDecomposable", code)]
    assert made == ["src/error.rs"]


def test_the_reader_is_right() -> None:
    code = """
        not_decomposable("a ) in text \\" and more")
        not_decomposable(format!("{}", f(')'))).detail("x", 1).hint("do")
        not_decomposable("b").detail("x", 1)
        pub fn not_decomposable(message: &str) -> Error {}
    """
    assert without_hint(code) == [2, 4]
