"""Random programs over two random tables, as source text: merges, groupings, pivots and lists on top of each other.

A program is made of its family and number alone, so that what fails is found again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from tests.oracle._program_pivots import listing, pivoting
from tests.oracle._program_steps import KEYS, TYPES, filtered, table


@dataclass(frozen=True)
class Program:
    """A function of two tables `p` and `q`."""

    seed: int
    text: str
    left: pa.Table
    right: pa.Table

    @property
    def operation(self) -> Callable[[Any, Any], Any]:
        space: dict[str, Any] = {"pd": pd}
        exec(compile(self.text, f"<program {self.seed}>", "exec"), space)
        found: Callable[[Any, Any], Any] = space["operation"]
        return found


def _aggregates(rng: random.Random, columns: dict[str, str], keys: list[str]) -> tuple[str, dict[str, str]]:
    items, kinds = [], {}
    for number in range(rng.randrange(1, 4)):
        free = [column for column in columns if column not in keys]
        if not free:
            break
        column = rng.choice(free)
        kind = columns[column]
        functions = {
            "x": ["sum", "mean", "min", "max", "count", "nunique", "first", "last", "median", "std", "size"],
            "r": ["count", "size"],
            "f": ["min", "max", "count", "nunique", "first", "last", "size"],
            "g": ["sum", "mean", "min", "max", "count", "nunique", "first", "last", "median", "var"],
            "u": ["min", "max", "count", "nunique", "first", "last"],
            "b": ["sum", "any", "all", "first", "last", "count"],
            "m": ["count", "first", "last"],
        }
        functions["h"] = functions["g"]
        function = rng.choice(
            functions.get(kind, ["min", "max", "count", "nunique", "first", "last", "size"])
        )
        name = f"{column[:1]}{number}{function}"
        items.append(f'{name}=("{column}", "{function}")')
        if function in ("count", "nunique", "size"):
            kinds[name] = "g"
        elif function in ("mean", "std", "var", "median"):
            kinds[name] = "r"
        elif function in ("any", "all"):
            kinds[name] = "b"
        elif function == "sum":
            kinds[name] = {"b": "g", "h": "g"}.get(kind, kind)
        else:
            kinds[name] = kind
    return ", ".join(items), kinds


def _group(
    rng: random.Random, columns: dict[str, str], name: str = "p", keep: list[str] | None = None
) -> str:
    usable = [column for column, kind in columns.items() if kind in KEYS]
    if not usable:
        return f"{name} = {name}.head(9)"
    keys = rng.sample(usable, min(len(usable), rng.choice([1, 1, 2, 3])))
    for column in keep or []:
        if column in columns and column not in keys:
            keys.append(column)
    flags = "".join(f", {flag}=False" for flag in ("sort", "dropna") if rng.random() < 0.35)
    text, kinds = _aggregates(rng, columns, keys)
    if not text:
        return f"{name} = {name}.head(9)"
    kept = {key: columns[key] for key in keys}
    columns.clear()
    columns.update(kept | kinds)
    if rng.random() < 0.5:
        return f"{name} = {name}.groupby({keys!r}{flags}, as_index=False).agg({text})"
    return f"{name} = {name}.groupby({keys!r}{flags}).agg({text}).reset_index()"


def _small(rng: random.Random, columns: dict[str, str], name: str) -> str:
    """Something before a merge."""
    if rng.random() < 0.4:
        return filtered(rng, columns, name)
    choice = rng.randrange(5)
    usable = [column for column, kind in columns.items() if kind in KEYS]
    if choice == 0:
        return _group(rng, columns, name)
    if choice == 1 and usable:
        return f"{name} = {name}.drop_duplicates({rng.sample(usable, 1)!r}, keep={rng.choice(['first', 'last', False])!r})"
    if choice == 2 and usable:
        by = rng.choice([c for c in usable if columns[c] not in ("f", "m", "b")] or usable)
        return f'{name} = {name}.sort_values("{by}", ascending={rng.random() < 0.5})'
    if choice == 3:
        return f"{name} = {name}.head({rng.randrange(30)})"
    return f"{name} = {name}.reset_index(drop=True)"


def _merge(rng: random.Random, columns: dict[str, str], other: dict[str, str], number: int) -> str:
    shared = [c for c in columns if c in other and columns[c] == other[c] and columns[c] in KEYS]
    pairs = [
        (a, b) for a in columns for b in other if columns[a] == other[b] and columns[a] in KEYS and a != b
    ]
    how = rng.choice(["inner", "inner", "left", "right", "outer"])
    extra = ""
    if rng.random() < 0.15:
        extra = ", sort=True" if how in ("inner", "left") else ""
    suffixes = ("", f"_q{number}")
    if pairs and (not shared or rng.random() < 0.3):
        a, b = rng.choice(pairs)
        on, gone = f'left_on="{a}", right_on="{b}"', set()
    elif shared:
        names = rng.sample(shared, min(len(shared), rng.choice([1, 1, 1, 2, 2, 3])))
        on, gone = f"on={names!r}", set(names)
    else:
        return "p = p.copy()"
    for column, kind in other.items():
        if column in gone:
            continue
        columns[f"{column}_q{number}" if column in columns else column] = kind
    return f'p = p.merge(q, {on}, how="{how}"{extra}, suffixes={suffixes!r})'


def _after(rng: random.Random, columns: dict[str, str]) -> str:
    choice = rng.randrange(8)
    usable = [column for column, kind in columns.items() if kind in KEYS]
    if choice < 3:
        return filtered(rng, columns)
    if choice < 5:
        return _group(rng, columns)
    if choice == 5 and usable:
        by = rng.choice(usable)
        if columns[by] != "f":
            return f'p = p.sort_values("{by}", ascending={rng.random() < 0.5}, na_position="{rng.choice(["first", "last"])}")'
    if choice == 6 and usable:
        return f"p = p.drop_duplicates({rng.sample(usable, min(2, len(usable)))!r}, keep={rng.choice(['first', 'last', False])!r})"
    if choice == 7 and len(columns) > 4:
        names = rng.sample(list(columns), rng.randrange(2, len(columns)))
        kept = {c: columns[c] for c in names}
        columns.clear()
        columns.update(kept)
        return f"p = p[{names!r}]"
    return filtered(rng, columns)


def merging(rng: random.Random) -> list[str]:
    """Merges with what comes before and after them."""
    columns, other = {c: c for c in TYPES}, {c: c for c in TYPES}
    if rng.random() < 0.7:
        for side in (columns, other):
            for c in rng.sample(list(side), rng.randrange(0, 7)):
                del side[c]
    lines = [f"p = p[{list(columns)!r}]", f"q = q[{list(other)!r}]"]
    for _ in range(rng.randrange(0, 2)):
        lines.append(_small(rng, columns, "p"))
    for _ in range(rng.randrange(0, 3)):
        lines.append(_small(rng, other, "q"))
    lines.append(_merge(rng, columns, other, 0))
    for _ in range(rng.randrange(0, 3)):
        lines.append(_after(rng, columns))
    if rng.random() < 0.35:
        lines.append(_small(rng, other, "q"))
        lines.append(_merge(rng, columns, other, 1))
        for _ in range(rng.randrange(0, 3)):
            lines.append(_after(rng, columns))
    return [*lines, "return p"]


def grouping(rng: random.Random) -> list[str]:
    """Groupings by keys of every type, on top of each other."""
    columns = {c: c for c in TYPES}
    lines = [filtered(rng, columns) for _ in range(rng.randrange(0, 2))]
    for _ in range(rng.randrange(1, 4)):
        lines.append(_group(rng, columns))
        if rng.random() < 0.5:
            lines.append(_after(rng, columns))
    return [*lines, "return p"]


FAMILIES: dict[str, Callable[[random.Random], list[str]]] = {
    "merge": merging,
    "group": grouping,
    "pivot": pivoting,
    "list": listing,
}


def program(family: str, seed: int) -> Program:
    """The program of that number."""
    rng = random.Random(f"{family} {seed}")
    lines = FAMILIES[family](rng)
    text = "def operation(p, q):\n" + "".join(f"    {line}\n" for line in lines)
    most = rng.choice([6, 15, 40, 120])
    return Program(seed, text, table(rng, most), table(rng, most))
