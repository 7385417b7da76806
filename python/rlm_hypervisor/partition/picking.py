"""Single values by their place or label: `p["x"].iloc[0]`, `s.loc["a"]`, `p.at["a", "x"]`; rows in order of a list of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import is_label, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.replacing import nothing
from rlm_hypervisor.partition.scalar import Scalar, Summary

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_PLAIN = (
    "int",
    "uint",
    "float",
    "bool",
    "str",
    "datetime",
    "timedelta",
    "date",
    "decimal",
    "binary",
    "object",
)
MOST_LABELS = 500
"""Of a list that rows are put in order by; longer ones are tables, to be merged with."""


def _column(frame: _core.Frame) -> Column:
    from rlm_hypervisor.partition.column import Column

    return Column(frame)


def _single(rows: Column, message: str) -> Scalar:
    """The value of the only row; the end of the run where there is none, or more than one."""
    if not rows._frame.dtypes[0].startswith(_PLAIN):
        refuse(
            f"{message.partition(':')[0]} of a column of {rows._frame.dtypes[0]} gives lists or structs, not one value",
            "Take a value of each list, `.str[0]`, or a field, `.struct.field(...)`",
        )
    value = rows._reduce("row_first")
    return apply("ensure", value, rows.size == 1, message)  # type: ignore[no-any-return]


def at_place(column: Any, place: int, call: str) -> Scalar:
    """The value of the row at a place; negative ones count from the end."""
    rows = column._frame.slice(place, None if place == -1 else place + 1)
    return _single(_column(rows), f"`{call}[{place}]`: there is no row at that place")


def is_row_label(key: Any) -> bool:
    """A single label of rows: a text, a number, a time, or a tuple of them for several levels."""
    if isinstance(key, Operators):
        return key._frame.kind == "scalar"
    if isinstance(key, slice) or hasattr(key, "_takes_operators") or labels_of(key) is not None:
        return isinstance(key, tuple)
    return not callable(key) and not isinstance(key, bool) and key is not Ellipsis


def _labelled(frame: _core.Frame, key: Any, call: str) -> Any:
    """The condition that a row has this label."""
    levels = len(frame.index_names or [None])
    parts = list(key) if isinstance(key, tuple) else [key]
    if len(parts) != levels:
        refuse(
            f"`{call}[{clipped(key)}]` of an index of {levels} level(s) would give several rows",
            "Select rows by a condition: `p[p['key'] == 'a']` after `reset_index()`",
            call=call,
        )
    found: Any = None
    for number, part in enumerate(parts):
        if isinstance(part, str) and frame.level(number).dtypes[0].startswith(("datetime", "timedelta")):
            refuse(
                f"`{call}[{part!r}]` of an index of times may be one row or a span of them in pandas",
                "Name one time, `pd.Timestamp(...)`, or select by a condition: `p[p['t'] >= '2024-02-01']`",
                call=call,
            )
        value = part if isinstance(part, Operators) else constant(part, f"`{call}`")
        here = apply("eq", _column(frame.level(number)), value)
        found = here if found is None else found & here
    return found


def at_label(column: Any, key: Any, call: str) -> Scalar:
    """The value of the only row that has this label."""
    rows = _column(column._frame.filter(_labelled(column._frame, key, call)._frame))
    return _single(rows, f"`{call}[{clipped(key)}]`: there is no row with that label, or more than one")


def or_default(column: Any, key: Any, default: Any) -> Any:
    """The value of the row that has this label, or the default where there is none."""
    call = "Series.get"
    rows = _column(column._frame.filter(_labelled(column._frame, key, call)._frame))
    value = rows._reduce("row_first")
    value = apply("ensure", value, rows.size <= 1, f"`{call}({clipped(key)})`: several rows have that label")
    if nothing(default):
        return value
    return apply("select", rows.size == 1, value, default)


def is_row_labels(key: Any) -> bool:
    """A column of labels of rows, such as `idxmax` of groups gives."""
    return isinstance(key, Operators) and key._frame.kind == "series" and key._frame.dtypes[0] != "bool"


def at_labels(frame: _core.Frame, labels: Any, call: str) -> _core.Frame:
    """The rows with the labels that a column has, in its order; a run fails where there is no row of a label."""
    if len(frame.index_names or [None]) > 1:
        refuse(
            f"`{call}` of an index of several levels is not native", "Call `reset_index()` first", call=call
        )
    (name,) = frame.index_names or [None]
    known = _column(labels._frame.lookup(frame.level(0), True)).all()
    checked = apply("ensure", labels, known, f"`{call}`: there is no row with some of the labels")
    at = ("rlm", "at")
    whole = frame.to_frame(("rlm", "value")) if frame.kind == "series" else frame
    rows: _core.Frame = checked._frame.to_frame(at).reset_index(True)
    rows = rows.merge(whole, "inner", [at], None, (None, None), None, False, (False, False))
    rows = rows.set_index([at], True, False).with_level_names([name])
    if frame.kind == "series":
        return rows.column(("rlm", "value")).with_name(frame.columns[0])
    return rows


class Row(Summary):
    """A single row of a partition: its values by label of the column."""

    __slots__ = ("_place",)

    def __init__(
        self, labels: Sequence[Any], cells: list[list[Scalar | None]], name: Any, place: str
    ) -> None:
        super().__init__(labels, None, cells, name)
        self._place = place

    def core(self) -> _core.Frame:
        """The core's form of it; its name is the label of the row, which has to be known."""
        if self._place:
            refuse(
                f"`{self._place}` was returned, a row whose label is not known while tracing",
                "Return it as a partition of one row: `p.iloc[[0]]`, `p.head(1)`",
            )
        return super().core()

    def _each(self, op: str, other: object, reflected: bool) -> Any:
        if getattr(other, "_takes_operators", False):
            return NotImplemented
        refuse("arithmetic with a whole row is not native", "Compute with its values: `row['x'] * 2`")


def row_at_place(partition: Any, place: int) -> Row:
    """A row by its place."""
    call = "DataFrame.iloc"
    labels = list(partition._frame.columns)
    cells: list[list[Scalar | None]] = [[at_place(partition[label], place, call)] for label in labels]
    return Row(labels, cells, None, f"p.iloc[{place}]")


def row_at_label(partition: Any, key: Any) -> Row:
    """A row by its label."""
    call = "DataFrame.loc"
    labels = list(partition._frame.columns)
    cells: list[list[Scalar | None]] = [[at_label(partition[label], key, call)] for label in labels]
    return Row(labels, cells, key, "" if is_label(key) else f"p.loc[{clipped(key)}]")


class At:
    """What `at` and `iat` give: single values."""

    __slots__ = ("_by_place", "_owner")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, owner: Any, by_place: bool) -> None:
        self._owner = owner
        self._by_place = by_place

    def __getitem__(self, key: Any) -> Scalar:
        owner, call = self._owner, "iat" if self._by_place else "at"
        if hasattr(owner, "columns"):
            if not isinstance(key, tuple) or len(key) != 2:
                refuse(f"`{call}` takes a row and a column", f"Write `p.{call}[row, column]`", call=call)
            key, column = key
            owner = owner.iloc[:, column] if self._by_place else owner[column]
        if self._by_place:
            return at_place(owner, whole_number(call, "position", key), call)
        return at_label(owner, key, call)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        refuse(
            "assigning a single value by `at` or `iat` is not native",
            "Assign by a condition: `p.loc[p['id'] == 7, 'x'] = 0`",
            call="at",
        )


def table_of(labels: list[Any], call: str) -> _core.Frame:
    """A row for each label, in a column called "label"."""
    rows = []
    for label in labels:
        rows.append(_core.Frame.record([], []).assign("label", constant(label, f"`{call}`")))
    return rows[0] if len(rows) == 1 else _core.Frame.concat(rows, True, False)


def reindexed(frame: _core.Frame, labels: Any, fill_value: Any, call: str) -> _core.Frame:
    """The rows that have the labels of a list, in its order; missing, or `fill_value`, where there is none.

    A label that the rows have twice fails the task.
    """
    listed = labels_of(labels)
    if not listed or len(listed) > MOST_LABELS or any(isinstance(label, tuple) for label in listed):
        refuse(
            f"`{call}` takes a list of 1 to {MOST_LABELS} labels of an index of one level, not `{clipped(labels)}`",
            "Merge with a table of the labels: `table.merge(p, on='key', how='left')`",
            call=call,
        )
    if len(frame.index_names or [None]) > 1:
        refuse(
            f"`{call}` of an index of several levels is not native", "Call `reset_index()` first", call=call
        )
    (name,) = frame.index_names or [None]
    rows = table_of(listed, call)
    label = rows.column("label")
    own = frame.level(0)
    there = label.lookup(own, True) if not nothing(fill_value) else None
    for column in frame.columns:
        found = label.lookup(frame.column(column), False)
        if there is not None:
            found = _core.Frame.call("where", [there, found, constant(fill_value, f"`{call}`")])
        rows = rows.assign(("rlm", column), found)
    rows = rows.set_index(["label"], True, False).with_level_names([name])
    rows = rows.rename([(("rlm", column), column) for column in frame.columns])
    return rows.column(frame.columns[0]).with_name(frame.columns[0]) if frame.kind == "series" else rows


class Picking:
    """The base of Column that gives single values."""

    __slots__ = ()

    @property
    def at(self) -> At:
        """A single value by the label of its row: `s.at["a"]`; a run fails where there is no such row, or several."""
        return At(self, False)

    @property
    def iat(self) -> At:
        """A single value by its place: `s.iat[0]`; a run fails where there is no such row."""
        return At(self, True)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of the row with this label, or `default` (by default a missing value) where there is none."""
        if not is_row_label(key):
            refuse(
                "`Series.get` takes a single label", "Select with `s[s.index.isin([...])]`", call="Series.get"
            )
        return or_default(self, key, default)

    def reindex(
        self,
        index: Any = None,
        *,
        axis: object = None,
        method: object = None,
        copy: object = None,
        level: object = None,
        fill_value: Any = None,
        limit: object = None,
        tolerance: object = None,
    ) -> Column:
        """The values of the rows with the labels of a list, in its order; `fill_value` where there is no such row."""
        call = "Series.reindex"
        only(
            call,
            axis=(axis, None, 0, "index"),
            method=(method, None),
            level=(level, None),
            limit=(limit, None),
        )
        only(call, tolerance=(tolerance, None), copy=(copy, None, True, False))
        return _column(reindexed(self._frame, index, fill_value, call))  # type: ignore[attr-defined]


class PickingFrame:
    """The base of Partition that gives single values."""

    __slots__ = ()

    @property
    def at(self) -> At:
        """A single value by the label of its row and its column: `p.at["a", "x"]`."""
        return At(self, False)

    @property
    def iat(self) -> At:
        """A single value by the places of its row and its column: `p.iat[0, 2]`."""
        return At(self, True)
