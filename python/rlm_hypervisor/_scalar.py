"""A scalar answer as the Python value that pandas would have returned."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor._lazy import loaded, require

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def python_value(value: Any) -> Any:
    """bool, int, float and str as they are; a missing number is NaN; times as `_time` says."""
    if value is None:
        return float("nan")
    if isinstance(value, tuple):
        return _time(*value)
    return value


def _time(kind: str, count: int | None, unit: str | None = None, tz: str | None = None) -> Any:
    """`pandas.Timestamp` or `Timedelta` where pandas is loaded, else the standard library's, if exact."""
    import datetime

    pandas = loaded("pandas")
    if count is None:
        return None if pandas is None or kind == "date" else pandas.NaT
    if kind == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=count)
    unit = unit or "ns"
    if pandas is None and (unit == "ns" and count % 1000):
        pandas = require("pandas", "a time with nanoseconds")
    if pandas is not None:
        if kind == "duration":
            return pandas.Timedelta(count, unit=unit).as_unit(unit)
        stamp = pandas.Timestamp(count, unit=unit).as_unit(unit)
        return stamp if tz is None else stamp.tz_localize("UTC").tz_convert(tz)
    microseconds = count * 1_000_000 // _PER_SECOND[unit]
    span = datetime.timedelta(microseconds=microseconds)
    if kind == "duration":
        return span
    if tz is None:
        return datetime.datetime(1970, 1, 1) + span
    from zoneinfo import ZoneInfo

    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + span).astimezone(ZoneInfo(tz))
