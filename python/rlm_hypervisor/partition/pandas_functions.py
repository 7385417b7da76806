"""pandas' own functions called on what is symbolic: `pd.to_datetime(p["t"])`, `pd.merge(p, q)`.

pandas would ask such an argument for its rows. While an operation is traced, the functions listed here look at
their arguments first: with anything symbolic among them the call is ours, else it is pandas', unchanged. Other
threads notice nothing.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from rlm_hypervisor.partition.posing import stands_for

FUNCTIONS: dict[str, str] = {
    "isna": "numpy_functions:isna",
    "isnull": "numpy_functions:isna",
    "notna": "numpy_functions:notna",
    "notnull": "numpy_functions:notna",
    "cut": "bins:cut",
    "qcut": "bins:qcut",
    "get_dummies": "dummies:get_dummies",
    "factorize": "factorizing:factorize",
    "Series": "series:series",
    "DataFrame": "constructing:frame",
    "merge_asof": "asof:merge_asof",
    "merge": "merging:merge",
    "concat": "concatenating:concat",
    "melt": "reshaping:melt",
    "pivot_table": "pivoting:pivot_table",
    "pivot": "pivoting:pivot",
    "crosstab": "pivoting:crosstab",
    "to_numeric": "numeric:to_numeric",
    "to_datetime": "time_functions:to_datetime",
    "to_timedelta": "time_functions:to_timedelta",
}
"""Name in pandas -> `module:function` in this folder that answers for it, one line each; a class stays one."""

_lock = threading.Lock()
_traces = 0
_originals: dict[str, Callable[..., Any]] = {}
_ours: dict[str, tuple[Any, Any]] = {}
"""Name -> pandas' function and ours for it: made once, as long as pandas' stays the same."""


def _symbolic(value: Any, depth: int = 2) -> bool:
    if getattr(type(value), "_is_symbolic", False):
        return True
    if depth and isinstance(value, list | tuple):
        return any(_symbolic(item, depth - 1) for item in value)
    return (
        depth > 0 and isinstance(value, dict) and any(_symbolic(item, depth - 1) for item in value.values())
    )


def _dispatching_class(original: type, place: str) -> type:
    """A class that is the original in all but its calls: instances of the one are those of the other."""

    class Meta(type(original)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return call(*args, **kwargs)

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, original) or stands_for(instance, original.__name__)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, original)

    call = _dispatching_call(original, place)
    names = {"__module__": original.__module__, "__doc__": original.__doc__}
    return Meta(original.__name__, (original,), names)


def _dispatching(original: Any, place: str) -> Any:
    if isinstance(original, type):
        return _dispatching_class(original, place)
    return _dispatching_call(original, place)


def _dispatching_call(original: Callable[..., Any], place: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        if not any(map(_symbolic, args)) and not any(map(_symbolic, kwargs.values())):
            return original(*args, **kwargs)
        module, _, name = place.partition(":")
        ours = getattr(importlib.import_module(f"rlm_hypervisor.partition.{module}"), name)
        return ours(*args, **kwargs)

    return function


def _known(name: str, original: Any) -> Any:
    """Ours in the place of a function of pandas."""
    known = _ours.get(name)
    if known is None or known[0] is not original:
        known = _ours[name] = (original, _dispatching(original, FUNCTIONS[name]))
    return known[1]


@contextlib.contextmanager
def dispatched() -> Iterator[None]:
    """pandas' functions know the symbolic classes while this lasts, if pandas has been imported."""
    global _traces
    pandas = sys.modules.get("pandas")
    if pandas is None:
        yield
        return
    with _lock:
        _traces += 1
        if _traces == 1:
            for name in FUNCTIONS:
                _originals[name] = getattr(pandas, name)
                setattr(pandas, name, _known(name, _originals[name]))
    try:
        yield
    finally:
        with _lock:
            _traces -= 1
            if _traces == 0:
                for name, original in _originals.items():
                    setattr(pandas, name, original)
                _originals.clear()
