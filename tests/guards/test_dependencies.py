"""Dependencies: modules point one way, Python stays behind its door, licences are ones we may ship."""

from __future__ import annotations

import json
import re
from pathlib import Path

import tomllib

from tests.conftest import ROOT
from tests.guards._sources import SRC, cargo, files, name, rust

ALLOWED: dict[str, set[str]] = {
    "error": set(),
    "names": set(),
    "allocated": set(),
    "memory": set(),
    "secrets": {"error", "names"},
    "task": {"error", "names", "secrets"},
    "config": {"error", "names", "task"},
    "plan": {"error", "names", "memory", "config"},
    "io": {"error", "names", "config", "plan", "secrets"},
    "engine": {"error", "config", "memory", "plan", "io"},
    "worker": {"error", "config", "plan", "io", "task", "secrets"},
    "runtime": {"memory", "error", "config", "plan", "io", "task", "engine", "worker", "secrets", "store"},
    "store": {"error", "config", "task", "secrets"},
    "observe": {"error", "config", "task", "secrets"},
    "control": {"error", "config", "task", "runtime", "store", "observe", "secrets"},
    "python": {
        "allocated",
        "error",
        "names",
        "config",
        "task",
        "plan",
        "io",
        "engine",
        "worker",
        "runtime",
        "secrets",
        "store",
        "observe",
        "control",
    },
}
"""Which module of `src/` may use which: python -> control -> runtime -> engine, worker -> io, plan, task -> error."""


def _module(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".rs")


def _uses(code: str) -> set[str]:
    found = set(re.findall(r"\bcrate::(\w+)", code))
    for group in re.findall(r"\bcrate::\{([^;]*)\}", code):
        found |= set(re.findall(r"(?:^|,)\s*(\w+)", re.sub(r"\{[^{}]*\}", "", group)))
    return found


def test_every_module_is_in_the_table() -> None:
    modules = {_module(path) for path in files(".rs", "src")} - {"lib"}
    assert modules <= set(ALLOWED), "a new module needs a place in the table"


def test_modules_point_one_way() -> None:
    wrong = [
        f"{name(path)} uses crate::{used}"
        for path, code in rust()
        if (module := _module(path)) != "lib"
        for used in sorted(_uses(code) & set(ALLOWED))
        if used != module and used not in ALLOWED[module]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_circle() -> None:
    left = dict(ALLOWED)
    while left:
        free = [module for module, uses in left.items() if not uses & set(left)]
        assert free, f"a circle among {sorted(left)}"
        left = {module: uses for module, uses in left.items() if module not in free}


def test_braces_are_read() -> None:
    assert _uses("use crate::{error::Error, plan::{a, b}, io};") == {"error", "plan", "io"}
    assert _uses("let x = crate::task::parse();") == {"task"}


def test_pyo3_stays_in_its_folder() -> None:
    found = [name(path) for path, code in rust() if _module(path) != "python" and re.search(r"\bpyo3", code)]
    assert not found, "only src/python may know PyO3"


def test_the_core_builds_without_python() -> None:
    tree = cargo("tree", "--locked", "--no-default-features", "--edges", "normal", "--prefix", "none")
    crates = {line.split()[0] for line in tree.splitlines() if line.strip()}
    assert "arrow" in crates
    assert not {crate for crate in crates if "pyo3" in crate or crate.startswith("python")}


LICENCES = frozenset(tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))["licenses"]["allow"])
"""The list that `cargo deny` goes by, where it is installed."""


def permitted(expression: str) -> bool:
    """Whether an SPDX expression (AND, OR, WITH, parentheses, the old slash) can be met from the list."""
    terms = re.split(r"\s+(AND|OR)\s+|([()])", expression.replace("/", " OR "))
    words = {"AND": " and ", "OR": " or ", "(": "(", ")": ")"}
    parts = [words.get(term) or str(term.strip() in LICENCES) for term in terms if term and term.strip()]
    return bool(eval("".join(parts), {"__builtins__": {}}))


def test_expressions_of_licences_are_read() -> None:
    assert permitted("MIT")
    assert permitted("MIT/Apache-2.0")
    assert permitted("GPL-3.0 OR MIT")
    assert permitted("(MIT OR GPL-3.0) AND Unicode-3.0")
    assert permitted("Apache-2.0 WITH LLVM-exception OR GPL-2.0")
    assert not permitted("GPL-3.0")
    assert not permitted("MIT AND GPL-3.0")
    assert not permitted("(GPL-2.0)")


def test_every_crate_has_a_licence_we_may_ship() -> None:
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--features", "python"))
    wrong = {
        f"{crate['name']} {crate['version']}": crate["license"]
        for crate in metadata["packages"]
        if not permitted(crate["license"] or "none")
    }
    assert not wrong
    assert len(metadata["packages"]) > 100
