"""Times plus and minus pandas' offsets: `p["t"] + pd.DateOffset(months=1)`, `p["t"] + pd.offsets.MonthEnd(0)`."""

from __future__ import annotations

import datetime
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse

_ENDS = {"MonthEnd": "last", "MonthBegin": "first"}
_FIXED = ("Hour", "Minute", "Second", "Milli", "Micro", "Nano")
_SPANS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")


def is_offset(value: object) -> bool:
    """A `pd.DateOffset` or one of `pd.offsets`."""
    return (
        type(value).__module__.partition(".")[0] == "pandas"
        and hasattr(value, "freqstr")
        and hasattr(value, "rollback")
    )


def moved(column: Any, offset: Any, backwards: bool) -> Any:
    """The times of a column moved by an offset, by the clocks of its zone."""
    sign = -1 if backwards else 1
    name = type(offset).__name__
    if name in _FIXED:
        nanos = sign * offset.nanos
        if nanos % 1000 == 0:
            return apply("add", column, datetime.timedelta(microseconds=nanos // 1000))
    if column.dtype.kind == "M" and not offset.normalize:
        if name in _ENDS:
            return _by_clock(column, sign * offset.n, _ENDS[name], datetime.timedelta())
        if name == "Day":
            return _by_clock(column, 0, "same", sign * datetime.timedelta(days=offset.n))
        if name == "DateOffset" and set(offset.kwds) <= {"years", "months", *_SPANS}:
            given = {key: sign * offset.n * value for key, value in offset.kwds.items()}
            months = 12 * given.pop("years", 0) + given.pop("months", 0)
            return _by_clock(column, months, "same", datetime.timedelta(**given))
    refuse(
        f"a column of type {column.dtype} plus or minus `{clipped(offset)}` is not native",
        "Native are `pd.DateOffset(months=..., days=...)`, `MonthEnd`, `MonthBegin`, `Day`, `Hour`, `Minute`, ...",
    )


def _by_clock(column: Any, months: int, day: str, span: datetime.timedelta) -> Any:
    _, zoned, rest = str(column.dtype).partition(", ")
    clocks = apply("dt_tz_naive", column) if zoned else column
    if months or day != "same":
        clocks = apply("dt_add_months", clocks, months, day)
    if span:
        clocks = apply("add", clocks, span)
    return apply("dt_tz_localize", clocks, rest[:-1], "raise", "raise") if zoned else clocks
