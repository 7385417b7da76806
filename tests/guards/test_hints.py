"""Every NOT_DECOMPOSABLE error says what to do instead: those made in Rust by a hint, those in Python by their advice."""

from __future__ import annotations

import ast
import re

from tests.guards._sources import files, name, rust

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


_SAYING_NO = ("refuse", "_refuse", "refusal", "refuse_value", "sentence")
"""What is called to say no, besides the method `fail`: with what happened, and what to do."""


def without_advice(code: str) -> list[int]:
    """The lines of refusals in Python that have no advice, or an empty one."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        named = isinstance(node.func, ast.Name) and node.func.id in _SAYING_NO
        if named or (isinstance(node.func, ast.Attribute) and node.func.attr == "fail"):
            given = dict(enumerate(node.args)) | {k.arg: k.value for k in node.keywords}
            advice = given.get(1, given.get("advice"))
            if advice is None or (isinstance(advice, ast.Constant) and not str(advice.value or "").strip()):
                found.append(node.lineno)
    return sorted(found)


def test_each_of_python_says_what_to_do() -> None:
    texts = {name(path): path.read_text(encoding="utf-8") for path in files(".py", "python")}
    texts = {path: text for path, text in texts.items() if "/partition/" in path}
    assert len(texts) > 50
    bare = {path: lines for path, text in texts.items() if (lines := without_advice(text))}
    assert not bare, "say as the second argument what to do: the nearest native way, or what to give instead"


def test_all_of_python_are_made_by_the_one_function() -> None:
    made = [
        name(path)
        for path in files(".py", "python")
        if re.search(r"\bNotDecomposableError\((?!RLMError)", path.read_text(encoding="utf-8"))
    ]
    assert made == ["python/rlm_hypervisor/partition/refusal.py"]


def test_the_reader_of_python_is_right() -> None:
    code = """
refuse("a")
refuse("b", "do")
refuse("c", "", call="x")
path.fail(f"{d}", "")
refuse("e", advice=f"{hint}")
refuse("f", "do" if x else "")
refuse(what, None)
"""
    assert without_advice(code) == [2, 4, 5, 8]


def test_the_reader_is_right() -> None:
    code = """
        not_decomposable("a ) in text \\" and more")
        not_decomposable(format!("{}", f(')'))).detail("x", 1).hint("do")
        not_decomposable("b").detail("x", 1)
        pub fn not_decomposable(message: &str) -> Error {}
    """
    assert without_hint(code) == [2, 4]
