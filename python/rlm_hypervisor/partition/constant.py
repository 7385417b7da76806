"""Constants of the user's function, as the core takes them."""

from __future__ import annotations

import datetime
from typing import Any

from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.refusal import refuse

_PLAIN = (bool, int, float, str)
_TIMES = (datetime.date, datetime.timedelta)
_PASSED_ON = (float, str, datetime.date, datetime.timedelta)


def constant(value: object, call: str) -> Any:
    """The value as a `_core._Constant`, or the end of the trace."""
    if value is None or type(value) in _PLAIN:
        return value
    pandas_na = is_missing(value)
    if pandas_na:
        return None
    library = type(value).__module__.partition(".")[0]
    if library == "pandas" and isinstance(value, _TIMES):
        return _exact_time(value)
    if isinstance(value, _PASSED_ON) or is_instance(value, "numpy", "generic"):
        return value
    if isinstance(value, int):
        return int(value)
    if is_instance(value, "numpy", "ndarray") and getattr(value, "ndim", 1) == 0:
        return value[()]  # type: ignore[index]
    if isinstance(value, list | tuple | set | frozenset | dict) or library in (
        "pandas",
        "numpy",
        "pyarrow",
        "polars",
    ):
        refuse(
            f"{call} meets `{clipped(value)}`, a {type(value).__name__} made outside the partition",
            "A partition's columns combine with each other and with single values; "
            "write constants into the expression, or use `isin` for membership",
            call=call,
        )
    refuse(
        f"{call} meets `{clipped(value)}`, and a {type(value).__name__} cannot stand in a native operation",
        "Use numbers, strings, dates, times or booleans",
        call=call,
    )


def constants(values: Any, call: str) -> list[Any]:
    """The values of a list-like, as `isin` takes them."""
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        refuse(
            f"{call} takes a list of values, not `{clipped(values)}`", "Give a list: `[1, 2, 3]`", call=call
        )
    if type(values).__module__.startswith("rlm_hypervisor"):
        refuse(
            f"{call} with a column or partition is not native in this version",
            "Pass the values as a list",
            call=call,
        )
    if hasattr(values, "tolist") and type(values).__module__.startswith("numpy"):
        return [constant(value, call) for value in list(values)]
    return [constant(value, call) for value in values]


def is_missing(value: object) -> bool:
    """pandas' own missing values; NaN is a float like any other here."""
    return (
        type(value).__name__ in ("NAType", "NaTType") and type(value).__module__.partition(".")[0] == "pandas"
    )


def _exact_time(value: Any) -> Any:
    """A Timestamp or Timedelta; with nanoseconds as the NumPy scalar that can hold them."""
    if not getattr(value, "nanosecond", 0) and not getattr(value, "nanoseconds", 0):
        return value
    if isinstance(value, datetime.timedelta):
        return value.to_timedelta64()  # type: ignore[attr-defined]
    if value.tzinfo is not None:
        refuse(
            f"`{value!r}` has nanoseconds and a time zone, which no native constant holds",
            "Round it to microseconds",
        )
    return value.to_datetime64()
