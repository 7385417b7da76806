"""Columns of different rows brought together by the labels of the rows, as pandas does it in arithmetic and assignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition.refusal import refuse

ARITHMETIC = frozenset(("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"))
"""The operators before which pandas brings columns together; comparisons and logic it refuses, or answers oddly."""

_ADVICE = (
    "Put both in order of the index first, `.sort_index()` of a groupby or of counts; "
    "or bring them together by a column: `p.merge(q, on='key')`"
)


def _is_number(dtype: str) -> bool:
    return dtype.startswith(("int", "uint", "float"))


def united(columns: Sequence[_core.Frame], call: str) -> list[_core.Frame]:
    """The columns over all labels that any of them has, in order of the labels; as they are if their rows are the same.

    pandas keeps the order of the rows if all have the same labels, and puts them in order otherwise. So that it makes
    no difference, each has to be in order of its labels already, which must be known while tracing.
    """
    if all(columns[0].same_rows(other) for other in columns[1:]):
        return list(columns)
    parts: list[tuple[_core.Frame, _core.Frame]] = []
    for number, column in enumerate(columns):
        label = ("rlm", number)
        for place, (first, frame) in enumerate(parts):
            if first.same_rows(column):
                parts[place] = (first, frame.assign(label, column))
                break
        else:
            parts.append((column, column.to_frame(label)))
    levels = {len(first.index_names or [None]) for first, _ in parts}
    if len(levels) > 1 or not all(_core.in_label_order(first) for first, _ in parts):
        refuse(
            f"{call} of columns of different rows, which pandas brings together by their labels, is native where "
            "the rows of both are known to be in order of their labels, each of which is there once",
            _ADVICE,
            call=call.strip("`"),
        )
    names = [list(first.index_names or [None]) for first, _ in parts]
    if any(other != names[0] for other in names):
        refuse(
            f"{call} of columns whose indexes are called {names[0]!r} and "
            f"{next(other for other in names if other != names[0])!r}: what pandas calls the result depends on the rows",
            "Give both the same name: `.rename_axis('key')`",
            call=call.strip("`"),
        )
    for number in range(levels.pop()):
        kinds = [first.level(number).dtypes[0] for first, _ in parts]
        if len({kind.rstrip("0123456789") for kind in kinds}) > 1 and not all(map(_is_number, kinds)):
            refuse(
                f"{call} of columns whose rows have labels of different types, {' and '.join(dict.fromkeys(kinds))}",
                "Give both the same index, or bring them together by a column: `p.merge(q, on='key')`",
                call=call.strip("`"),
            )
    whole = parts[0][1]
    for _, frame in parts[1:]:
        whole = whole.merge(frame, "outer", None, None, (None, None), None, False, (False, False))
    return [
        whole.column(("rlm", number)).with_name(column.columns[0]) for number, column in enumerate(columns)
    ]


def together(args: list[Any], call: str) -> list[Any]:
    """The arguments of an operator, columns of different rows brought together."""
    series = [arg for arg in args if isinstance(arg, _core.Frame) and arg.kind == "series"]
    if len(series) < 2 or series[0].same_rows(series[1]):
        return args
    found = iter(united(series, call))
    return [next(found) if isinstance(arg, _core.Frame) and arg.kind == "series" else arg for arg in args]


def by_labels(rows: _core.Frame, values: _core.Frame, call: str) -> _core.Frame:
    """The value that the other column has for the label of each row; missing where it has none.

    A label that it has twice fails the task.
    """
    if rows.same_rows(values):
        return values
    if len(rows.index_names or [None]) > 1 or len(values.index_names or [None]) > 1:
        refuse(
            f"{call} of a column of other rows, by an index of several levels, is not native",
            "Call `reset_index()` on both, and merge: `p.merge(q, on=[...], how='left')`",
            call=call.strip("`"),
        )
    return rows.level(0).lookup(values, False).with_name(values.columns[0])
