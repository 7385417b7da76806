"""Writes the reference pages of docs/ from the tables in the code; `--check` fails when one is out of date."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rlm_hypervisor import _core

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTE = "<!-- Written by `make docs` from {origin}. Do not edit. -->"

Row = dict[str, Any]


def code(text: object) -> str:
    return f"`{text}`"


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(cell(value) for value in line) + " |" for line in lines]


def page(title: str, origin: str, *blocks: Sequence[str]) -> str:
    """A page: title, note, and its blocks with one empty line between them."""
    parts = [[f"# {title}"], [NOTE.format(origin=origin)], *blocks]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def constant(value: object) -> str:
    """A default as Python would write it."""
    return code(json.dumps(value) if isinstance(value, str) else repr(value))


# docs/errors.md


def errors(described: Row) -> str:
    rows = [
        (
            code(row["code"]),
            code(row["class"]),
            code(row["builtin"]),
            "yes" if row["retryable"] else "no",
            row["meaning"],
        )
        for row in described["errors"]
    ]
    return page(
        "Errors",
        "src/error.rs",
        [
            "Everything the package raises is an `RLMError` with `code`, `message`, `retryable`, `task_id` and",
            "`details`. Each code has a class of its own, which is also the built-in exception that it resembles,",
            "so that `except FileNotFoundError` works as in any other program. Where your own function raised,",
            "its exception is the `__cause__`.",
        ],
        [
            "*Retryable* says whether the same call may succeed when it is made again unchanged. The list is",
            "closed; codes of parts that do not run in this version are in it already.",
        ],
        table(["Code", "Class", "Also a", "Retryable", "Meaning"], rows),
        ["All classes are in `rlm_hypervisor.errors`."],
    )


# docs/settings.md


def setting_default(row: Row) -> str:
    return row["defaultFrom"] or constant(row["default"])


def settings(described: Row) -> str:
    rows = [
        (
            code(row["key"]),
            row["kind"],
            setting_default(row),
            code(row["env"]),
            sentence(row["meaning"]),
        )
        for row in described["settings"]
    ]
    return page(
        "Settings",
        "src/config/settings.rs",
        [
            "What holds for all runs of a client. A setting is given to the client,",
            '`RLMClient(threads=4, memory_limit="4GB")`, or in the environment; what is given to the client wins.',
            "An unknown name or an impossible value is refused when the client is made.",
        ],
        table(["Setting", "Value", "Default", "Environment", "Meaning"], rows),
        [
            "How an object store is reached is no setting: the usual `AWS_*`, `GOOGLE_*` and `AZURE_*` variables",
            "count, and `RLMClient(storage_options={...})` goes before them.",
        ],
    )


# docs/task.md


def runs(row: Row) -> str:
    """From which version a key works, or which of its values do."""
    state = row["runs"]
    if not state["today"]:
        return "not yet"
    if state["values"] == "all":
        return f"since {state['since']}"
    values = ", ".join(code(json.dumps(value)) for value in state["values"])
    return f"since {state['since']}: {values}"


def key_default(row: Row) -> str:
    if row["required"]:
        return "required"
    return "" if row["default"] is None else constant(row["default"])


def keys(rows: Sequence[Row], every_type: int) -> list[str]:
    lines = []
    for row in rows:
        name = code(row["key"])
        if row["snake"] != row["key"]:
            name += f" or {code(row['snake'])}"
        meaning = sentence(row["meaning"])
        if len(row["types"]) < every_type:
            meaning += " Only for " + ", ".join(code(name) for name in row["types"]) + "."
        lines.append((name, row["kind"], key_default(row), runs(row), meaning))
    return table(["Key", "Value", "Default", "Runs", "Meaning"], lines)


def task(described: Row) -> str:
    tables = described["task"]
    types = [(code(row["name"]), runs(row), sentence(row["meaning"])) for row in tables["types"]]
    count = len(tables["types"])
    return page(
        "Task documents",
        "src/task/fields.rs",
        [
            "A task is a dict, checked as a whole before anything runs. Unknown keys, wrong types and values out of",
            "range are refused with the path (`input.chunkSize`) and the nearest right name. Keys are written in",
            "camelCase or snake_case; the same key in both is an error.",
        ],
        [
            "The whole contract is checked today, more than runs today: *not yet* in a table means that giving the",
            "key (or another value than the default) is refused by name, never ignored.",
        ],
        ["## Types"],
        table(["`type`", "Runs", "Meaning"], types),
        ["## The task"],
        keys(tables["task"], count),
        ["## `input`"],
        keys(tables["input"], count),
        ["## `input.readOptions`"],
        [
            "How files of text are read; [the guide](guide/reading.md) has examples, and says which format takes what. "
            "Every format takes `columns`."
        ],
        keys(tables["readOptions"], count),
        ["## An `operation` that is a query"],
        keys(tables["sql"], count),
        ["### A table of a query"],
        keys(tables["sqlTable"], count),
        ["## `options`"],
        keys(tables["options"], count),
        ["## `output`"],
        keys(tables["output"], count),
    )


# docs/pandas-surface.md


OWNERS = {
    "DataFrame": "A partition, as a DataFrame",
    "Series": "A column, as a Series",
    "DataFrameGroupBy": "A partition's groups, as a DataFrameGroupBy",
    "SeriesGroupBy": "A column's groups, as a SeriesGroupBy",
    "Rolling": "Windows of so many rows, as a Rolling",
    "Expanding": "Windows of all rows up to each, as an Expanding",
    "ExponentialMovingWindow": "Windows with weights that decay, as an ExponentialMovingWindow",
    "StringMethods": "A column's `str`, as StringMethods",
    "ListAccessor": "A column's `list`",
    "StructAccessor": "A column's `struct`",
    "DatetimeProperties": "The accessor `dt` of times",
    "Resampler": "A partition's or column's bins of time, as a Resampler",
    "TimedeltaProperties": "The accessor `dt` of spans",
}


def names(listed: Iterable[str]) -> str:
    return " ".join(code(name) for name in sorted(listed, key=str.lower))


def surface(_: Row) -> str:
    from rlm_hypervisor.partition.surface import ADVICE, SURFACES, native, refused

    blocks: list[list[str]] = []
    for owner in SURFACES:
        blocks += [[f"## {OWNERS[owner]}"], [names(native(owner))]]
    advised = [
        (code(f"{owner}.{name}"), sentence(ADVICE[name]))
        for owner in SURFACES
        for name in sorted(refused(owner) & set(ADVICE), key=str.lower)
    ]
    others = [
        f"- {owner}: {names(refused(owner) - set(ADVICE))}"
        for owner in SURFACES
        if refused(owner) - set(ADVICE)
    ]
    return page(
        "The pandas surface",
        "python/rlm_hypervisor/partition/surface.py",
        [
            "What an operation may do with its partition, and get what pandas 3 would give on the whole data.",
            'Beside the names below, a partition takes `p["x"]`, `p.x`, `p[["x", "y"]]`, `p[condition]` and',
            '`p["x"] = ...`; columns take arithmetic, comparisons, `&`, `|`, `^` and `~`, with other columns,',
            'constants and whole-column results such as `p["x"].mean()`.',
        ],
        [
            "Column names and types are known while the operation is called; values and row counts are not. So",
            '`if p["x"].sum() > 3:` and `for value in p["x"]` are refused. Everything else that pandas has is refused',
            "by name with `NOT_DECOMPOSABLE`, before anything runs. So are keyword arguments that are not",
            "supported: none is ignored.",
        ],
        *blocks,
        ["## Instead of what is refused"],
        table(["pandas", "Instead"], advised),
        ["## Also refused"],
        ["Best done on the answer, `result.to_pandas()`:"],
        others,
    )


PAGES = {"errors.md": errors, "settings.md": settings, "task.md": task, "pandas-surface.md": surface}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page would change")
    check = parser.parse_args().check
    described = _core.describe()
    stale = 0
    for name, render in PAGES.items():
        path = DOCS / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = render(described)
        if old == new:
            continue
        stale += 1
        if check:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"docs/{name}", "the code", "", "", 1, ""
            )
            print("\n".join(lines))
        else:
            path.write_text(new, encoding="utf-8")
            print(f"wrote docs/{name}")
    if check and stale:
        print("Pages are out of date: run `make docs` (or `python scripts/docs.py`).", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
