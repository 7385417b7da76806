"""`pd.to_datetime` and `pd.to_timedelta` of columns and partitions, while an operation is traced."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, missing_column, only, refuse

_UNITS = ("s", "ms", "us", "ns", "m", "min", "h", "D")
_PARTS = {"hour": "h", "minute": "m", "second": "s", "ms": "ms", "us": "us", "ns": "ns"}
_ALIASES = {
    "years": "year",
    "months": "month",
    "days": "day",
    "hours": "hour",
    "hh": "hour",
    "minutes": "minute",
    "seconds": "second",
    "millisecond": "ms",
    "milliseconds": "ms",
    "microsecond": "us",
    "microseconds": "us",
    "nanosecond": "ns",
    "nanoseconds": "ns",
}


def to_datetime(
    arg: Any,
    errors: Any = "raise",
    dayfirst: Any = False,
    yearfirst: Any = False,
    utc: Any = False,
    format: Any = None,
    exact: Any = True,
    unit: Any = None,
    origin: Any = "unix",
    cache: Any = True,
) -> Column:
    """Times from strings (microseconds), numbers of a unit, dates, or a partition with year, month and day.

    Without a format strings are read as ISO 8601 each by itself; others need one. `errors="coerce"` needs a format
    too, which may be `"ISO8601"`. `"mixed"`, `dayfirst`, `exact=False` and other origins are refused.
    """
    call = "pandas.to_datetime"
    only(call, errors=(errors, "raise", "coerce"), exact=(exact, True), origin=(origin, "unix"))
    only(call, dayfirst=(dayfirst, False), yearfirst=(yearfirst, False), cache=(cache, True, False))
    aware = boolean(call, "utc", utc)
    if isinstance(arg, Partition):
        only(call, format=(format, None), unit=(unit, None))
        made = _assembled(arg, call, errors)
        return apply("dt_tz_localize", made, "UTC", "raise", "raise") if aware else made
    if not isinstance(arg, Column):
        refuse(
            f"`{call}` takes a column, not `{clipped(arg)}`",
            "Read constants outside the operation",
            call=call,
        )
    if format == "mixed" or (format is not None and not isinstance(format, str)):
        refuse(f"`{call}` with `format={clipped(format)}` is not native", "Name one format", call=call)
    text = arg.dtype == "str"
    if format is not None and unit is not None:
        refuse(f"`{call}` takes a format or a unit, not both", "Leave one of them out", call=call)
    if text and unit is not None:
        refuse(f"`{call}` of strings with a unit", "Convert them to numbers first", call=call)
    if text and format is None and errors == "coerce":
        refuse(
            f"`{call}` of strings with `errors='coerce'` and no format: pandas guesses it from the first value",
            "Name it, e.g. `format='ISO8601'`",
            call=call,
        )
    if format is not None and arg.dtype.kind in "iuf":
        refuse(f"`{call}` of numbers with a format", "Write `column.astype(str)` first", call=call)
    only(call, unit=(unit, None, *_UNITS))
    stamped = arg.dtype.kind == "M"
    if stamped and aware and "," not in str(arg.dtype):
        return apply("dt_tz_localize", arg, "UTC", "raise", "raise")  # type: ignore[no-any-return]
    given = (format or "", unit or "", errors, "utc" if aware else "")
    return apply("to_datetime", arg, *given, call=f"`{call}`")  # type: ignore[no-any-return]


def _assembled(p: Partition, call: str, errors: str) -> Column:
    names: dict[str, Any] = {}
    for label in p.columns:
        plain = str(label).lower()
        names[_ALIASES.get(plain, plain)] = label
    for part in ("year", "month", "day"):
        if part not in names:
            raise missing_column(part, p.columns, f"`{call}`")
    extra = set(names) - set(_PARTS) - {"year", "month", "day"}
    if extra:
        refuse(
            f"`{call}` of a partition with other columns: {sorted(extra)}",
            "Select the parts first",
            call=call,
        )
    first = [p[names[part]] for part in ("year", "month", "day")]
    made = apply("to_datetime_parts", *first, errors, call=f"`{call}`")
    for part, unit in _PARTS.items():
        if part in names:
            column = p[names[part]]
            if column.dtype.kind not in "iu":
                refuse(
                    f"`{call}` with {part} of type {column.dtype}", "Parts are whole numbers here", call=call
                )
            made = made + apply("to_timedelta", column, unit, errors)
    return made.rename(None)  # type: ignore[no-any-return]


def to_timedelta(arg: Any, unit: Any = None, errors: Any = "raise") -> Column:
    """Spans from numbers of a unit (nanoseconds if none is named); of strings it is refused."""
    call = "pandas.to_timedelta"
    only(call, errors=(errors, "raise", "coerce"), unit=(unit, None, *_UNITS, "W"))
    if not isinstance(arg, Column):
        refuse(
            f"`{call}` takes a column, not `{clipped(arg)}`",
            "Give a column of the partition: `pd.to_datetime(p['t'])`",
            call=call,
        )
    return apply("to_timedelta", arg, unit or "ns", errors, call=f"`{call}`")  # type: ignore[no-any-return]
