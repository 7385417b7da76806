"""Windows of so much time: what `rolling("7D", on="t")` is given, and the times it is about."""

from __future__ import annotations

import datetime
import re
from typing import Any, NamedTuple

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.datetimes import frequency
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.refusal import is_label, missing_column, refuse

_NANOSECONDS = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_PART = re.compile(r"\s*(\d*)\s*(D|h|min|s|ms|us|ns)(?![A-Za-z])\s*")


class Times(NamedTuple):
    """Where the windows' times are."""

    column: _core.Frame
    on: Any
    """The label of the column; None where it is the index."""
    selected: bool = False
    """Columns were selected from the windows: then `on` is no column of its own."""


def is_span(window: object) -> bool:
    """Whether windows are of time."""
    offset = type(window).__module__.startswith("pandas.") and hasattr(window, "freqstr")
    return isinstance(window, str | datetime.timedelta) or offset


def nanoseconds(call: str, window: object) -> int:
    """A fixed span of time."""
    text = frequency(window, call)
    total, place = 0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            refuse(
                f"`{call}` with a window of `{clipped(window)}` is not native: it is no fixed span of time",
                "Write it in days, hours, minutes or less: `'7D'`, `'90min'`",
                call=call,
            )
        total += int(part[1] or 1) * _NANOSECONDS[part[2]]
        place = part.end()
    if total <= 0:
        refuse(
            f"`{call}` takes a window of more than no time", "Give a span above 0, such as '7D'", call=call
        )
    return total


def ticks(call: str, times: _core.Frame, width: int) -> int:
    """Nanoseconds in the unit of the times."""
    dtype = DType(times.dtypes[0])
    unit = str(dtype).partition("[")[2].partition("]")[0].partition(",")[0]
    if dtype.kind not in "Mm" or unit not in _NANOSECONDS:
        refuse(
            f"`{call}` with a window of time needs times, and these are {dtype}",
            "Name the column of times: `on='t'`",
            call=call,
        )
    found, rest = divmod(width, _NANOSECONDS[unit])
    if rest:
        refuse(
            f"`{call}` with a window that is no whole number of {unit}, the unit of the times",
            "Convert the times first: `p['t'].dt.as_unit('ns')`",
            call=call,
        )
    return found


def times_of(frame: _core.Frame, on: Any, call: str) -> Times:
    """The column `on`, or the index."""
    if on is None:
        names = frame.index_names
        if names is None or len(names) != 1:
            refuse(
                f"`{call}` with a window of time needs an index of times",
                "Name the column of times, `on='t'`, or set it as index first: `p.set_index('t')`",
                call=call,
            )
        return Times(frame.level(0), None)
    if not is_label(on):
        refuse(
            f"`{call}` takes a column's label for `on`, not `{clipped(on)}`",
            "Name the column of times: `on='t'`",
            call=call,
        )
    if frame.kind != "frame" or on not in frame.columns:
        raise missing_column(on, frame.columns if frame.kind == "frame" else [], f"`{call}`")
    return Times(frame.column(on), on)
