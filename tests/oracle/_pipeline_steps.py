"""Further steps of random pipelines: windows, text, times, choices, joins and stacking.

A step names what it needs of our classes and is drawn only where that is native; `UNAVAILABLE` says which are not,
and a test keeps that list true. Values that a missing value would turn into another type in pandas (integers and
flags) are only made where none can be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from rlm_hypervisor import RLMClient
from rlm_hypervisor.partition import surface
from rlm_hypervisor.partition.pandas_functions import FUNCTIONS

Draw = Callable[[st.SearchStrategy[Any]], Any]

KINDS = {
    "k": "str",
    "g": "int",
    "x": "float",
    "y": "float",
    "i": "int",
    "f": "single",
    "b": "bool",
    "t": "time",
    "s": "str",
}
NUMERIC = ("int", "float", "single")
ORDERED = (*NUMERIC, "str", "time", "bool")
SURE = ("int", "bool")
"""Kinds of which no value is missing in the tables."""


@dataclass
class State:
    """What is known of `p` between two steps: its columns and their kinds."""

    columns: dict[str, str] = field(default_factory=lambda: dict(KINDS))
    made: int = 0
    numbered: bool = True
    """Whether the index is certainly a plain numbering or rows of it, each once."""

    def of(self, *kinds: str) -> list[str]:
        return [name for name, kind in self.columns.items() if kind in kinds]

    def new(self) -> str:
        self.made += 1
        return f"n{self.made}"

    def add(self, kind: str) -> str:
        name = self.new()
        self.columns[name] = kind
        return name


def pick(draw: Draw, values: Iterable[Any]) -> Any:
    return draw(st.sampled_from(list(values)))


def some(draw: Draw, values: list[str], most: int) -> list[str]:
    chosen: list[str] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True))
    return chosen


def running(draw: Draw, state: State) -> str | None:
    """A value that depends on earlier or later rows."""
    if not (floats := state.of("float")):
        return None
    a = pick(draw, floats)
    call, kind = pick(
        draw,
        [
            ("cumsum()", "float"),
            ("cummax()", "float"),
            ("cummin()", "float"),
            ("diff()", "float"),
            ("ffill()", "float"),
            ("bfill()", "float"),
            (f"shift({draw(st.integers(-3, 3))})", "float"),
            ("shift(1, fill_value=0.0)", "float"),
            (f'rank(method="{pick(draw, ["average", "min", "max", "first", "dense"])}")', "float"),
            ("rank(pct=True)", "rough"),
        ],
    )
    return f'p["{state.add(kind)}"] = p["{a}"].{call}'


def running_in_groups(draw: Draw, state: State) -> str | None:
    """The same within groups."""
    floats, keys = state.of("float"), state.of(*ORDERED)
    if not floats or not keys:
        return None
    a = pick(draw, floats)
    by = some(draw, [key for key in keys if key != a] or keys, 2)
    # Not cumsum: after two infinities pandas has NaN (docs/dtypes.md).
    call = pick(
        draw,
        ["cummin()", "cummax()", "shift()", "shift(-1)", "diff()", "ffill()", 'rank(method="min")'],
    )
    return f'p["{state.add("float")}"] = p.groupby({by!r})["{a}"].{call}'


def broadcast(draw: Draw, state: State) -> str | None:
    """A group's aggregate beside each of its rows, or a filter by it."""
    floats, keys = state.of("float"), state.of(*ORDERED)
    if not floats or not keys:
        return None
    a = pick(draw, floats)
    by = some(draw, [key for key in keys if key != a] or keys, 2)
    function = pick(draw, ["sum", "min", "max", "mean", "first", "last"])
    value = f'p.groupby({by!r})["{a}"].transform("{function}")'
    exact = function in ("min", "max", "first", "last")
    if exact and draw(st.booleans()):
        return f'p = p[p["{a}"] {pick(draw, ["==", "<", ">="])} {value}]'
    return f'p["{state.add("float" if exact or function == "sum" else "rough")}"] = {value}'


def numbering(draw: Draw, state: State) -> str | None:
    """The number of a row within its group."""
    if not (keys := state.of(*SURE)):
        return None
    flags = pick(draw, ["", "ascending=False"])
    by = some(draw, keys, 2)
    return f'p["{state.add("int")}"] = p.groupby({by!r}).cumcount({flags})'


def ends_of_groups(draw: Draw, state: State) -> str | None:
    """The first or last rows of every group."""
    if not (keys := state.of(*ORDERED)):
        return None
    by = some(draw, keys, 2)
    return f"p = p.groupby({by!r}).{pick(draw, ['head', 'tail'])}({draw(st.integers(0, 3))})"


def choose(draw: Draw, state: State) -> str | None:
    """`where`, `mask`, `clip`."""
    if not (floats := state.of("float")):
        return None
    a = pick(draw, floats)
    bound = draw(st.integers(-8, 8)) / 4
    form = pick(draw, ["where", "mask", "clip", "where_none"])
    if form == "clip":
        value = f'p["{a}"].clip({bound}, {bound + 2})'
    elif form == "where_none":
        value = f'p["{a}"].where(p["{a}"] > {bound})'
    else:
        b = pick(draw, [f'p["{name}"]' for name in floats] + ["0.5"])
        value = f'p["{a}"].{form}(p["{a}"] > {bound}, {b})'
    return f'p["{state.add("float")}"] = {value}'


def known(draw: Draw, state: State) -> str | None:
    """Only rows of which something is known."""
    if not (names := state.of("str", "float", "time", "int")):
        return None
    how = pick(draw, ["any", "all"])
    return f'p = p.dropna(subset={some(draw, names, 3)!r}, how="{how}")'


def text(draw: Draw, state: State) -> str | None:
    """A method of text."""
    if not (strings := state.of("str")):
        return None
    a = pick(draw, strings)
    call, kind = pick(
        draw,
        [
            ("str.upper()", "str"),
            ("str.lower()", "str"),
            ("str.strip()", "str"),
            ("str[:3]", "str"),
            ("str.slice(1, -1)", "str"),
            ('str.replace("a", "ü", regex=False)', "str"),
            ('fillna("").str.len()', "int"),
            ('fillna("").str.contains("e", regex=False)', "bool"),
            ('fillna("").str.startswith("a")', "bool"),
        ],
    )
    return f'p["{state.add(kind)}"] = p["{a}"].{call}'


def time(draw: Draw, state: State) -> str | None:
    """A part of a time, or the time rounded."""
    if not (times := state.of("time")):
        return None
    a = pick(draw, times)
    if draw(st.booleans()):
        call = pick(draw, ['dt.floor("D")', 'dt.ceil("h")', "dt.normalize()"])
        return f'p["{state.add("time")}"] = p["{a}"].{call}'
    part = pick(draw, ["year", "month", "day", "hour", "dayofweek", "dayofyear", "quarter"])
    value = f'p["{a}"].fillna(pd.Timestamp("2024-02-29")).dt.{part}.astype("int64")'
    return f'p["{state.add("int")}"] = {value}'


def merged(draw: Draw, state: State) -> str | None:
    """A join with what the table itself aggregates to."""
    floats, keys = state.of("float"), state.of(*SURE, "str", "time")
    if not floats or not keys:
        return None
    a = pick(draw, floats)
    by = some(draw, keys, 2)
    flags = pick(draw, ["", ", dropna=False"])
    right = f'p.groupby({by!r}, as_index=False{flags}).agg({state.add("float")}=("{a}", "max"))'
    how = pick(draw, ["left", "inner"])
    state.numbered = True
    return f'p = p.merge({right}, on={by!r}, how="{how}")'


def stacked(draw: Draw, state: State) -> str | None:
    """The table above some of its own rows."""
    if not (ints := state.of("int")):
        return None
    state.numbered = False
    some_rows = f'p[p["{pick(draw, ints)}"] > {draw(st.integers(-2, 2))}]'
    flag = pick(draw, ["", ", ignore_index=True"])
    return f"p = pd.concat([p, {some_rows}]{flag})"


def last(draw: Draw, _state: State) -> str | None:
    return f"p = p.tail({draw(st.integers(0, 12))})"


@dataclass(frozen=True)
class Step:
    """A way to make one step, and the names it needs: `class.name`, `pandas.function` or `client.method`."""

    make: Callable[[Draw, State], str | None]
    needs: tuple[str, ...]

    @property
    def available(self) -> bool:
        return all(map(_native, self.needs))


def _native(name: str) -> bool:
    owner, _, method = name.partition(".")
    if owner == "pandas":
        return method in FUNCTIONS
    if owner == "client":
        return hasattr(RLMClient, method)
    return owner in surface.OURS and method in surface.native(owner)


FURTHER = [
    Step(running, tuple(f"Series.{name}" for name in ("cumsum", "shift", "diff", "ffill", "bfill", "rank"))),
    Step(running_in_groups, ("SeriesGroupBy.cumsum", "SeriesGroupBy.shift", "SeriesGroupBy.rank")),
    Step(broadcast, ("SeriesGroupBy.transform",)),
    Step(numbering, ("DataFrameGroupBy.cumcount",)),
    Step(ends_of_groups, ("DataFrameGroupBy.head", "DataFrameGroupBy.tail")),
    Step(choose, ("Series.where", "Series.mask", "Series.clip")),
    Step(known, ("DataFrame.dropna",)),
    Step(text, ("Series.str",)),
    Step(time, ("Series.dt",)),
    Step(merged, ("DataFrame.merge",)),
    Step(stacked, ("pandas.concat",)),
    Step(last, ("DataFrame.tail",)),
]

ENDS = {
    "median": ("Series.median",),
    "quantile(0.25)": ("Series.quantile",),
    "prod": ("Series.prod",),
    "skew": ("Series.skew",),
}
"""Further aggregates of a column at the end."""


def unavailable() -> list[str]:
    """The names of steps that cannot be drawn yet."""
    return [step.make.__name__ for step in FURTHER if not step.available]
