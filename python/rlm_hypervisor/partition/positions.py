"""Rows by position: `p.tail(n)`, `p.iloc[2:7]`, `p["x"].iloc[-3:]`."""

from __future__ import annotations

from typing import Any, NoReturn

from rlm_hypervisor._text import clipped
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
            refuse(
                f"`{call}[{clipped(rows)}]` picks single rows by position, which is not native",
                "Take a slice or a list of them: `p.iloc[3:4]`, `p.iloc[[3]]`",
                call=call,
            )
        if rows.step not in (None, 1):
            refuse(f"`{call}` with a step is not native", "Filter on a column of row numbers", call=call)
        if rows == slice(None):
            return self._owner.copy()
        start, stop = place(call, rows.start, 0), place(call, rows.stop, None)
        return type(self._owner)(self._owner._frame.slice(start, stop))

    def __getitem__(self, key: Any) -> Any:
        if not hasattr(self._owner, "columns"):
            return self._rows(key[0] if isinstance(key, tuple) and len(key) == 1 else key, "Series.iloc")
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        chosen = self._rows(rows, "DataFrame.iloc")
        labels = list(self._owner.columns)
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
