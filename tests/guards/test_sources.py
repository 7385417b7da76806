"""The source files: each says what it is for, none is too long, and none may panic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guards._sources import files, name, production, rust

LONGEST = 500
PYTHON = ("python", "tests", "benchmarks", "examples", "scripts", "docs")


@pytest.mark.parametrize("path", files(".rs", "src"), ids=name)
def test_rust_files_say_what_they_are_for(path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert re.match(r"//! \S.{8,}", first), f"{name(path)} begins with {first!r}"


@pytest.mark.parametrize("path", files(".py", *PYTHON) + files(".pyi", "python"), ids=name)
def test_python_files_say_what_they_are_for(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() or [""]
    first = lines[1] if lines[0].startswith("#!") else lines[0]
    assert re.match(r'"""\S.{8,}', first), f"{name(path)} begins with {first!r}"


@pytest.mark.parametrize("suffix", [".rs", ".py", ".pyi"])
def test_no_file_is_too_long(suffix: str) -> None:
    lengths = {
        name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(suffix, "src", "python", "tests")
    }
    assert not {path: lines for path, lines in lengths.items() if lines > LONGEST}


def test_nothing_in_the_product_panics_on_purpose() -> None:
    pattern = re.compile(r"\.unwrap\(\)|\.expect\(|\b(?:panic|todo|unimplemented|dbg)!")
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path, code in rust()
        for number, line in enumerate(code.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_reader_of_rust_files_is_right() -> None:
    text = """//! About.
use a; // .unwrap()
fn f() { x.y() }
#[cfg(test)]
mod outside;
#[cfg(test)]
mod tests {
    fn g() { x.unwrap() }
}
fn h() { z }
"""
    kept = production(text)
    assert "unwrap" not in kept
    assert "outside" not in kept
    assert "About" not in kept
    assert kept.splitlines()[2] == "fn f() { x.y() }"
    assert kept.splitlines()[9] == "fn h() { z }"


def test_no_print_in_the_product() -> None:
    pattern = re.compile(r"\be?print(?:ln)?!")
    found = [name(path) for path, code in rust() if pattern.search(code)]
    assert not found
    pattern = re.compile(r"^\s*print\(", re.MULTILINE)
    python = [path for path in files(".py", "python") if path.name not in ("cli.py", "__main__.py")]
    code = {
        path: re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in python
    }
    assert not [name(path) for path, text in code.items() if pattern.search(text)]
