"""Rows by several labels: `p.loc["2024-02"]`, `p.loc["a":"f"]`, `p.loc[["a", "b"]]`."""

from __future__ import annotations

import datetime
import re
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import apply, wrap
from rlm_hypervisor.partition.picking import MOST_LABELS, at_labels, table_of
from rlm_hypervisor.partition.refusal import labels_of, refuse

_TIME = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:[ T](\d\d):(\d\d))?(?::(\d\d))?")


def period_of(text: str) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Where the year, month, day, minute or second that a text names begins, and where the next one does."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    parts = [int(part) for part in found.groups() if part is not None]
    if len(parts) == 4 or any(found[place] is None and found[place + 1] is not None for place in range(1, 6)):
        return None
    try:
        start = datetime.datetime(*(parts + [1, 1][len(parts) - 1 :] if len(parts) < 3 else parts))  # type: ignore[arg-type]
        if len(parts) == 1:
            return start, start.replace(year=start.year + 1)
        if len(parts) == 2:
            return start, (start + datetime.timedelta(days=31)).replace(day=1)
        unit = {3: "days", 5: "minutes", 6: "seconds"}[len(parts)]
        return start, start + datetime.timedelta(**{unit: 1})
    except (ValueError, OverflowError):
        return None


def _is_times(labels: Any) -> bool:
    """Times without a zone, which texts can be read as."""
    dtype = str(labels._frame.dtypes[0])
    return dtype.startswith("datetime") and "," not in dtype


def _bound(labels: Any, end: Any, last: bool, call: str) -> Any:
    """The condition that a label is not before, or not after, an end of a slice."""
    if isinstance(end, str) and str(labels._frame.dtypes[0]).startswith(("datetime", "timedelta")):
        period = period_of(end) if _is_times(labels) else None
        if period is None:
            refuse(
                f"`{call}` with `{clipped(end)}` as an end of a slice of times",
                "Write it as '2024-02-01' or '2024-02-01 12:30', or give a `pd.Timestamp`",
                call=call,
            )
        return apply("lt", labels, period[1]) if last else apply("ge", labels, period[0])
    return apply("le" if last else "ge", labels, constant(end, f"`{call}`"))


def _in_slice(frame: _core.Frame, key: slice, call: str) -> _core.Frame:
    """Both ends included: by value where the rows are in order of their labels, else between the rows of both labels.

    A run fails where they are in no order and a label is not there, or in several places. Times that are written as
    text need rows in order.
    """
    if key.step is not None:
        refuse(
            f"`{call}` of a slice with a step is not native", "Take every n-th row: `.iloc[::n]`", call=call
        )
    labels: Any = wrap(frame.level(0))
    ends = [end for end in (key.start, key.stop) if end is not None]
    times = str(labels._frame.dtypes[0]).startswith(("datetime", "timedelta"))
    if ends and not (times and any(isinstance(end, str) for end in ends)):
        return frame.filter(_between(labels, key, call)._frame)
    said = f"`{call}` of a slice: the rows are not in order of their labels; call `sort_index()` first"
    condition = apply("ensure", True, labels.is_monotonic_increasing, said) & labels.notna()
    if key.start is not None:
        condition = condition & _bound(labels, key.start, False, call)
    if key.stop is not None:
        condition = condition & _bound(labels, key.stop, True, call)
    return frame.filter(condition._frame)


def _between(labels: Any, key: slice, call: str) -> Any:
    """The condition that a row is in a slice of labels."""
    number = labels._windowed("cumcount", True)
    up = down = labels.notna()
    placed: Any = True
    found: Any = True
    for end, last in ((key.start, False), (key.stop, True)):
        if end is None:
            continue
        value = constant(end, f"`{call}`")
        up = up & apply("le" if last else "ge", labels, value)
        down = down & apply("ge" if last else "le", labels, value)
        here = apply("eq", labels, value)
        at = apply("given", number, here)
        first, final = at.min(), at.max()
        placed = (number <= final if last else number >= first) & placed
        found = (final - first + 1 == here.sum()) & found
    rising, falling = labels.is_monotonic_increasing, labels.is_monotonic_decreasing
    said = (
        f"`{call}` of a slice: the rows are not in order of their labels, and an end of the slice is not there, or there "
        "in several places; call `sort_index()` first"
    )
    condition = apply("select", rising, up, falling, down, placed)
    return apply("ensure", condition, rising | falling | found, said)


def several(frame: _core.Frame, key: Any, call: str) -> _core.Frame | None:
    """The rows that a list of labels, a slice of labels, or a text that names a month or year stands for.

    None for anything else.
    """
    listed = None if isinstance(key, tuple) else labels_of(key)
    text = isinstance(key, str) and frame.dtypes and frame.index_names is not None
    if not isinstance(key, slice) and listed is None and not text:
        return None
    if len(frame.index_names or [None]) > 1:
        refuse(
            f"`{call}` of an index of several levels is not native", "Call `reset_index()` first", call=call
        )
    if isinstance(key, slice):
        return _in_slice(frame, key, call)
    if listed is None:
        labels: Any = wrap(frame.level(0))
        period = period_of(key) if _is_times(labels) else None
        if period is None or len(key) > 7:
            return None
        inside = apply("ge", labels, period[0]) & apply("lt", labels, period[1])
        there = apply(
            "ensure", inside.any(), inside.any(), f"`{call}[{key!r}]`: there is no row of that time"
        )
        return frame.filter((inside & there)._frame)
    if not listed or len(listed) > MOST_LABELS or any(isinstance(label, bool) for label in listed):
        refuse(
            f"`{call}` takes a list of 1 to {MOST_LABELS} labels, not `{clipped(key)}`",
            "Select rows with a condition: `p[p['x'] > 3]`, `p[p.index.isin([...])]`",
            call=call,
        )
    return at_labels(frame, wrap(table_of(listed, call).column("label")), call)
