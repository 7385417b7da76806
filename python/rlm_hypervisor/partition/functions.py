"""Aggregate functions as users name them (strings, NumPy functions, `len`), as the core knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rlm_hypervisor._text import clipped, nearest
from rlm_hypervisor.partition.refusal import labels_of, refuse
from rlm_hypervisor.partition.surface import ADVICE

_BOTH = (
    *("sum", "mean", "min", "max", "count", "size", "std", "var", "nunique"),
    *("median", "quantile", "sem", "skew", "kurt", "prod", "any", "all", "idxmin", "idxmax"),
)

WHOLE = (*_BOTH, "product", "kurtosis", "argmin", "argmax")
"""What reduces a whole column."""

GROUPED = (*_BOTH, "first", "last")
"""What reduces the groups of a group-by."""

WINDOWED = (
    *("sum", "mean", "min", "max", "count", "std", "var", "median", "quantile"),
    *("sem", "skew", "kurt", "first", "last", "nunique", "rank"),
)
"""What reduces windows of rows."""

_ALIASES = {"product": "prod", "kurtosis": "kurt"}

_NUMPY = {
    "sum": "sum",
    "mean": "mean",
    "min": "min",
    "amin": "min",
    "max": "max",
    "amax": "max",
    "std": "std",
    "var": "var",
    "size": "size",
    "prod": "prod",
    "any": "any",
    "all": "all",
    "median": "median",
    "nansum": "sum",
    "nanmean": "mean",
    "nanmin": "min",
    "nanmax": "max",
    "nanstd": "std",
    "nanvar": "var",
    "nanprod": "prod",
    "nanmedian": "median",
}
"""NumPy's functions -> the core's names."""


class Function(NamedTuple):
    """One aggregate: the name pandas labels it with, the core's name, and its parameters; or a function to call."""

    label: str
    name: str
    params: dict[str, Any] = {}  # noqa: RUF012
    traced: Callable[[Any], Any] | None = None


def function(given: object, known: tuple[str, ...], call: str) -> Function:
    """What `agg` was given, as one function; refuses by name what is not native."""
    if isinstance(given, str):
        if given in known:
            return Function(given, _ALIASES.get(given, given))
        near = None if given in ADVICE else nearest(given, known)
        instead = ADVICE.get(given, f"Native are {', '.join(known)}")
        refuse(
            f"{call}: the aggregate {given!r} is not native in this version",
            f"Did you mean {near!r}?" if near else instead,
            call=call,
            aggregate=given,
        )
    name = getattr(given, "__name__", type(given).__name__)
    module = (getattr(given, "__module__", None) or "").partition(".")[0]
    if module == "numpy" and name in _NUMPY:
        # pandas calls the function itself, so NumPy's own degrees of freedom hold, and its own missing values.
        params: dict[str, Any] = {"ddof": 0} if _NUMPY[name] in ("std", "var") else {}
        return Function(name, _NUMPY[name], params | ({"skipna": False} if name == "median" else {}))
    if given is len:
        return Function("len", "size")
    if given is list and known == GROUPED:
        return Function("list", "list")
    if known == GROUPED and name == "join" and isinstance(getattr(given, "__self__", None), str):
        separator = given.__self__  # type: ignore[attr-defined]
        return Function(name, "", traced=lambda values: values.joined(separator))
    if given in (list, set, tuple, frozenset):
        refuse(
            f"{call}: the values as a {name} are not native",
            "In a group-by `agg(list)` collects values, and `unique()` each value once",
            call=call,
            aggregate=name,
        )
    if module == "builtins" and name in known:
        refuse(
            f"{call}: Python's own `{name}` does not skip missing values, and pandas calls it as it is",
            f"Use the string {name!r}",
            call=call,
        )
    if not callable(given):
        refuse(
            f"{call} takes the names of aggregates, not `{clipped(given)}`",
            f"Native are {', '.join(known)}",
            call=call,
        )
    return Function(name, "", traced=given)


def is_own(given: object) -> bool:
    """Whether this is a function of the user's own, not one that has a name here."""
    name = getattr(given, "__name__", None)
    module = (getattr(given, "__module__", None) or "").partition(".")[0]
    return callable(given) and given is not len and not (module in ("numpy", "builtins") and name in _NUMPY)


def functions(given: object, known: tuple[str, ...], call: str) -> list[Function]:
    """A list of functions, each a name or `(label, name)`; labels must differ."""
    found: list[Function] = []
    for item in labels_of(given) or ():
        if isinstance(item, tuple) and len(item) == 2:
            found.append(function(item[1], known, call)._replace(label=item[0]))
        else:
            found.append(function(item, known, call))
    if not found:
        refuse(f"{call} got an empty list of aggregates", "Name at least one", call=call)
    seen: set[str] = set()
    for item in found:
        if item.label in seen and item.label != "<lambda>":
            refuse(
                f"{call} would give two results called {item.label!r}",
                "Give them names: `total=('column', 'sum')`",
                call=call,
            )
        seen.add(item.label)
    return found


def is_list(given: object) -> bool:
    """Whether `agg` was given several functions."""
    return isinstance(given, list | tuple | set | frozenset)


def named_pairs(given: dict[str, Any], call: str) -> list[tuple[str, Any, object]]:
    """Named aggregation: `total=("value", "sum")`, or `pd.NamedAgg`, as (label, column, function)."""
    pairs: list[tuple[str, Any, object]] = []
    for label, pair in given.items():
        if type(pair).__name__ == "NamedAgg":
            column, fn = pair.column, pair.aggfunc
            extra = any((getattr(pair, "args", ()), getattr(pair, "kwargs", {})))
        elif isinstance(pair, tuple) and len(pair) == 2:
            (column, fn), extra = pair, False
        else:
            refuse(
                f"{call}: `{label}={clipped(pair)}` is not a named aggregation",
                f"Write `{label}=('column', 'sum')`",
                call=call,
            )
        if extra:
            refuse(
                f"{call}: further arguments in `{label}` are not native in this version",
                "Call the aggregate as a method, which takes its own: `.std(ddof=0)`",
                call=call,
            )
        pairs.append((label, column, fn))
    return pairs


def reject_arguments(call: str, args: tuple[object, ...], kwargs: dict[str, Any]) -> None:
    """`agg(func, *args, **kwargs)` hands arguments on to functions; nothing native takes any that way."""
    if args or kwargs:
        extra = [clipped(arg) for arg in args] + [
            f"{name}={clipped(value)}" for name, value in kwargs.items()
        ]
        refuse(
            f"{call} with the further arguments `{', '.join(extra)}` is not native in this version",
            "Call the aggregate as a method, which takes its own: `.std(ddof=0)`",
            call=call,
        )
