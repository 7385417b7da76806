"""Random pipelines: two to six steps of plain pandas code, tracked by type so that most of them mean something.

A pipeline prints as the function it is. Columns whose values are not exact (quotients, deviations) are "rough":
they are carried to the answer, where floats are compared within the bound, but nothing is sorted, grouped or
filtered by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tests.oracle._pipeline_steps import FURTHER, NUMERIC, ORDERED, Draw, State, pick as _pick, some as _some

COMPARABLE = (*NUMERIC, "str", "time")


@dataclass(frozen=True)
class Pipeline:
    """A function of a partition `p`, as source text."""

    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        lines = "".join(f"    {step}\n" for step in self.steps)
        return f"def operation(p):\n{lines}"

    @property
    def operation(self) -> Callable[[Any], Any]:
        space: dict[str, Any] = {"pd": pd}
        exec(compile(self.text, "<pipeline>", "exec"), space)
        function: Callable[[Any], Any] = space["operation"]
        return function

    def __repr__(self) -> str:
        return "\n" + self.text


def _constant(draw: Draw, kind: str) -> str:
    if kind == "str":
        return str(_pick(draw, ['"a"', '"b"', '"ключ"', '""']))
    if kind == "time":
        return f'pd.Timestamp("2024-02-29 {draw(st.integers(0, 23)):02}:00:00")'
    if kind == "int":
        return str(draw(st.integers(-3, 3)))
    return str(draw(st.integers(-12, 12)) / 4)


def _term(draw: Draw, state: State) -> str:
    """One condition, without `and` and `or`."""
    form = _pick(draw, ["compare", "compare", "columns", "missing", "isin", "between", "flag", "mean"])
    comparable, numeric, flags = state.of(*COMPARABLE), state.of(*NUMERIC), state.of("bool")
    if form == "flag" and flags:
        return f'p["{_pick(draw, flags)}"]'
    if form == "columns" and len(numeric) > 1:
        a, b = _pick(draw, numeric), _pick(draw, numeric)
        return f'(p["{a}"] {_pick(draw, ["<", ">=", "=="])} p["{b}"])'
    if form == "between" and numeric:
        low = draw(st.integers(-3, 1))
        return f'p["{_pick(draw, numeric)}"].between({low}, {low + 3})'
    if form == "mean" and "x" in numeric:
        return f'(p["x"] >= p["x"].{_pick(draw, ["min", "mean", "max"])}())'
    if not comparable:
        return f'p["{_pick(draw, state.columns)}"].notna()'
    name = _pick(draw, comparable)
    kind = state.columns[name]
    if form == "missing":
        return f'p["{name}"].{_pick(draw, ["isna", "notna"])}()'
    if form == "isin" and kind in ("str", "int"):
        values = ", ".join(_constant(draw, kind) for _ in range(draw(st.integers(1, 3))))
        return f'p["{name}"].isin([{values}])'
    return (
        f'(p["{name}"] {_pick(draw, ["<", "<=", "<=", ">", ">=", ">=", "==", "!="])} {_constant(draw, kind)})'
    )


def _filter(draw: Draw, state: State) -> str:
    mask = _term(draw, state)
    if draw(st.booleans()):
        mask = f"{mask} {_pick(draw, '&|')} {_pick(draw, ['', '~'])}{_term(draw, state)}"
    return f"p = p[{mask}]"


def _assign(draw: Draw, state: State) -> str:
    numeric = state.of(*NUMERIC)
    strings = state.of("str")
    forms = (
        ["constant"] + ["number"] * 2 * bool(numeric) + ["fill"] * bool(numeric) + ["text"] * bool(strings)
    )
    form = _pick(draw, forms)
    name = state.new()
    if form == "number":
        a = _pick(draw, numeric)
        symbol = _pick(draw, ["+", "-", "*", "/"])
        b, right = _pick(draw, numeric), ""
        if draw(st.booleans()):
            right, kind = f'p["{b}"]', state.columns[b]
        else:
            kind = _pick(draw, ["int", "float"])
            right = _constant(draw, kind)
        kinds = {state.columns[a], kind}
        value = f'p["{a}"] {symbol} {right}'
        exact = "int" if kinds == {"int"} else "float" if "single" not in kinds else "rough"
        state.columns[name] = "rough" if symbol == "/" else exact
    elif form == "fill":
        a = _pick(draw, numeric)
        value = f'p["{a}"].fillna({_constant(draw, "int" if state.columns[a] == "int" else "float")})'
        state.columns[name] = state.columns[a]
    elif form == "text":
        a = _pick(draw, strings)
        value = _pick(draw, [f'p["{a}"] + "-"', f'p["{a}"].fillna("none")'])
        state.columns[name] = "str"
    else:
        kind = _pick(draw, ["int", "float", "str"])
        value = _constant(draw, kind)
        state.columns[name] = kind
    return str(_pick(draw, [f'p["{name}"] = {value}', f"p = p.assign({name}={value})"]))


def _select(draw: Draw, state: State) -> str:
    names = _some(draw, list(state.columns), 5)
    state.columns = {name: state.columns[name] for name in names}
    return f"p = p[{names!r}]"


def _drop(draw: Draw, state: State) -> str:
    if len(state.columns) < 2:
        return "p = p.copy()"
    name = _pick(draw, state.columns)
    del state.columns[name]
    return f'p = p.drop(columns="{name}")'


def _rename(draw: Draw, state: State) -> str:
    old, new = _pick(draw, state.columns), state.new()
    state.columns = {new if name == old else name: kind for name, kind in state.columns.items()}
    return f'p = p.rename(columns={{"{old}": "{new}"}})'


def _sort(draw: Draw, state: State) -> str:
    if not (usable := state.of(*ORDERED)):
        return "p = p.head(20)"
    by = _some(draw, usable, 2)
    ascending = [draw(st.booleans()) for _ in by]
    # With several keys of which a float one descends, pandas 3.1 puts inf before the missing ones that are to be first.
    odd = len(by) > 1 and any(state.columns[name] in ("float", "single") for name in by)
    last = "" if odd else _pick(draw, ["", ', na_position="first"'])
    return f"p = p.sort_values({by!r}, ascending={ascending!r}{last})"


def _head(draw: Draw, _state: State) -> str:
    return f"p = p.head({draw(st.integers(0, 12))})"


def _distinct(draw: Draw, state: State) -> str:
    if not (usable := state.of(*ORDERED)):
        return "p = p.head(20)"
    return (
        f"p = p.drop_duplicates({_some(draw, usable, 2)!r}, keep={_pick(draw, ['first', 'last', False])!r})"
    )


def _largest(draw: Draw, state: State) -> str:
    # On missing values pandas' own nlargest depends on how many there are; ints have none here.
    if not (usable := state.of("int")):
        return "p = p.head(20)"
    return (
        f'p = p.{_pick(draw, ["nlargest", "nsmallest"])}({draw(st.integers(1, 6))}, "{_pick(draw, usable)}")'
    )


def _reset(_draw: Draw, _state: State) -> str:
    return "p = p.reset_index(drop=True)"


def _group(draw: Draw, state: State) -> str:
    usable = state.of(*ORDERED)
    if not usable:
        return "p = p.head(20)"
    keys = _some(draw, usable, 2)
    values = [
        name for name in state.columns if name not in keys and state.columns[name] not in ("rough", "bool")
    ]
    items, kinds = [], {}
    for name in _some(draw, values, 3) if values else []:
        kind = state.columns[name]
        function = _pick(
            draw, _FUNCTIONS if kind in NUMERIC else ["min", "max", "count", "nunique", "first", "last"]
        )
        new = state.new()
        items.append(f'{new}=("{name}", "{function}")')
        kinds[new] = _RESULT.get(function, kind)
    if not items:
        new = state.new()
        items, kinds = [f'{new}=("{keys[0]}", "size")'], {new: "int"}
    flags = "".join(f", {flag}=False" for flag in ("sort", "dropna") if draw(st.booleans()))
    state.columns = {key: state.columns[key] for key in keys} | kinds
    if draw(st.booleans()):
        return f"p = p.groupby({keys!r}{flags}).agg({', '.join(items)}).reset_index()"
    return f"p = p.groupby({keys!r}{flags}, as_index=False).agg({', '.join(items)})"


_FUNCTIONS = ["sum", "mean", "min", "max", "count", "nunique", "first", "last", "size", "std"]
_RESULT = {"count": "int", "nunique": "int", "size": "int", "mean": "rough", "std": "rough"}

_STEPS = [
    _filter,
    _filter,
    _assign,
    _assign,
    _select,
    _drop,
    _rename,
    _sort,
    _head,
    _distinct,
    _largest,
    _reset,
    _group,
]
_FURTHER = [step.make for step in FURTHER if step.available]


def _step(draw: Draw, state: State) -> str:
    """One of the steps; where there is nothing it could be done with, a copy."""
    return _pick(draw, [*_STEPS, *_FURTHER])(draw, state) or "p = p.copy()"


def _end(draw: Draw, state: State) -> str:
    """The last line: the frame, a column, a group-by's series, a scalar."""
    numeric, keys = state.of(*NUMERIC), state.of(*ORDERED)
    form = _pick(draw, ["frame", "frame", "column", "series", "scalar"])
    if form == "column":
        return f'return p["{_pick(draw, state.columns)}"]'
    if form == "scalar" and numeric:
        return f'return p["{_pick(draw, numeric)}"].{_pick(draw, ["sum", "mean", "min", "max", "count", "nunique"])}()'
    if form == "series" and numeric and keys:
        flags = "".join(f", {flag}=False" for flag in ("sort", "dropna") if draw(st.booleans()))
        function = _pick(draw, ["sum", "mean", "min", "max", "count", "first", "size"])
        return f'return p.groupby({_some(draw, keys, 2)!r}{flags})["{_pick(draw, numeric)}"].{function}()'
    return "return p"


@st.composite
def pipelines(draw: Draw) -> Pipeline:
    """Two to six steps, the last of which says what is returned."""
    state = State()
    steps = [_step(draw, state) for _ in range(draw(st.integers(1, 5)))]
    return Pipeline((*steps, _end(draw, state)))


REFUSALS: tuple[str, ...] = ()
"""Parts of NOT_DECOMPOSABLE messages that are accepted where pandas has an answer; each is a documented limit."""
