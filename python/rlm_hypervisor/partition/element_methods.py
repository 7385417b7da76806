"""Methods and attributes of single values: text as Python's `str` has them, times as `datetime` has them."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor.partition.element import Element, _path, element, isinstance_of
from rlm_hypervisor.partition.operators import apply

_TEXT = dict.fromkeys(
    (
        *("upper", "lower", "title", "capitalize", "swapcase", "casefold", "strip", "lstrip", "rstrip"),
        *("replace", "zfill", "removeprefix", "removesuffix", "ljust", "rjust", "center"),
    ),
    str,
)
_FLAGS = (
    *("startswith", "endswith", "isalpha", "isdigit", "isalnum", "isspace", "islower", "isupper"),
    *("istitle", "isnumeric", "isdecimal"),
)
_COUNTS = ("find", "rfind")
_TIMES = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
    "dayofweek",
    "dayofyear",
    "quarter",
)


def attribute(value: Element, name: str) -> Any:
    """`value.name` as Python's own value of that type would have it."""
    if value._kind == "str" and (name in _TEXT or name in _FLAGS or name in _COUNTS):
        value._present(lambda: AttributeError(f"'float' object has no attribute '{name}'"))
        return lambda *args: _called(value, name, args)
    if value._kind == "time":
        if name in _TIMES:
            return element(getattr(value._column.dt, name))
        if name in ("weekday", "isoweekday"):
            days = value._column.dt.dayofweek.astype("int64")
            return lambda: element(days if name == "weekday" else days + 1)
    if value._kind == "float" and name == "is_integer":
        column = value._column
        return lambda: Element(
            apply("eq", apply("floor", column), column) & apply("isfinite", column), "bool"
        )
    if hasattr({"int": 0, "float": 0.0, "bool": True, "str": ""}.get(value._kind), name) or value._kind in (
        "time",
        "span",
    ):
        _path().fail(
            f"`.{name}` of a value of type {value._kind} is not native",
            "Take it of the whole column: `p['x'].str`, `p['t'].dt`",
            name,
        )
    raise AttributeError(f"'{value._kind}' object has no attribute '{name}'")


def _called(value: Element, name: str, args: tuple[Any, ...]) -> Any:
    if not all(isinstance(arg, str | int | tuple) and not isinstance_of(arg) for arg in args):
        _path().fail(f"`.{name}` with an argument that is a value is not native", "Give a constant", name)
    text = value._column.str
    if name == "replace":
        if len(args) != 2:
            _path().fail("`.replace` of text with a count is not native", "Leave the count out", name)
        return Element(text.replace(args[0], args[1], regex=False), "str")
    found = getattr(text, name)(*args)
    if name in _FLAGS:
        return Element(apply("and", found, True), "bool")
    return Element(found, "str") if name in _TEXT else element(found)
