"""Rows by position: `p.tail(n)`, `p.iloc[2:7]`, `p["x"].iloc[-3:]`."""

from __future__ import annotations

from typing import Any, NoReturn

from rlm_hypervisor.partition.operators import wrap
from rlm_hypervisor.partition.picking import Row, at_place, row_at_place
from rlm_hypervisor.partition.refusal import labels_of, only, refuse, whole_number


def place(call: str, part: object, default: int | None) -> int | None:
    """An end of a slice."""
    return default if part is None else whole_number(call, "position", part)


def places(call: str, listed: list[object]) -> list[int]:
    """Row positions, the last of which are negative, as a list."""
    return [whole_number(call, "position", at) for at in listed]


class ILoc:
    """What `p.iloc` and `p["x"].iloc` give: rows by a slice of positions, columns by position."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __call__(self, axis: Any = None) -> ILoc:
        """`p.iloc` itself; an axis that turns its key around is refused."""
        only("iloc", axis=(axis, None))
        return self

    def _rows(self, rows: Any, call: str) -> Any:
        if callable(rows) and not hasattr(rows, "_frame"):
            rows = rows(self._owner)
        listed = None if isinstance(rows, tuple) else labels_of(rows)
        if listed is not None and not any(isinstance(row, bool) for row in listed):
            return type(self._owner)(self._owner._frame.draw(places(call, listed)))
        if not isinstance(rows, slice):
            at = whole_number(call, "position", rows)
            if hasattr(self._owner, "columns"):
                return row_at_place(self._owner, at)
            return at_place(self._owner, at, call)
        step = place(call, rows.step, 1) or 0
        if step < 1:
            refuse(f"`{call}` with a step below 1 is not native", "Sort by a column, descending", call=call)
        if rows == slice(None):
            return self._owner.copy()
        start, stop = place(call, rows.start, 0), place(call, rows.stop, None)
        frame = self._owner._frame.slice(start, stop)
        if step > 1:
            number = wrap(frame.column(frame.columns[0]).window("cumcount", [True]))
            frame = frame.filter((number % step == 0)._frame)
        return type(self._owner)(frame)

    def __getitem__(self, key: Any) -> Any:
        if not hasattr(self._owner, "columns"):
            return self._rows(key[0] if isinstance(key, tuple) and len(key) == 1 else key, "Series.iloc")
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        labels = list(self._owner.columns)
        if isinstance(columns, int) and not isinstance(columns, bool):
            # One column first: of a single row it is a single value.
            return ILoc(self._owner[labels[columns]])._rows(rows, "DataFrame.iloc")
        chosen = self._rows(rows, "DataFrame.iloc")
        if isinstance(chosen, Row):
            if columns == slice(None):
                return chosen
            refuse(
                "`p.iloc[row, columns]` of a single row and several columns is not native",
                "`p.iloc[[0], [1, 2]]`",
            )
        if isinstance(columns, slice):
            return chosen if columns == slice(None) else chosen[labels[columns]]
        several = labels_of(columns)
        if several is not None and all(isinstance(at, int) and not isinstance(at, bool) for at in several):
            return chosen[[labels[at] for at in several]]
        return chosen[labels[whole_number("DataFrame.iloc", "position", columns)]]

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        refuse(
            "assigning by position (`iloc[...] = ...`) is not native",
            "Compute the column with a condition: `p['x'].where(condition, other)`",
            call="iloc",
        )
