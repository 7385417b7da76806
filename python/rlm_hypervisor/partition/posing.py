"""What `isinstance` is told of symbolic objects: to the user's own code they are what pandas has in their place.

A function that asks `isinstance(p, pd.DataFrame)` goes the way that it goes with pandas. This package and
libraries see the real class.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def posing(name: str | Callable[[Any], type | None]) -> Any:
    """`__class__` of a class that stands for one of pandas, called `name`, or what a function of it says."""

    def seen(self: Any) -> type:
        own = type(self)
        file = sys._getframe(1).f_code.co_filename
        if file.startswith(_PACKAGE):
            return own
        from rlm_hypervisor.partition.trace import _is_users

        if not _is_users(file):
            return own
        if not isinstance(name, str):
            return name(self) or own
        return getattr(sys.modules.get("pandas"), name, own)

    return property(seen)


def stands_for(value: Any, name: str) -> bool:
    """Whether it is a symbolic object in the place of pandas' class of that name."""
    return name == {"Column": "Series", "Partition": "DataFrame"}.get(type(value).__name__) and getattr(
        type(value), "_is_symbolic", False
    )


def numbers(scalar: Any) -> type | None:
    """The class of a scalar: NumPy's numbers, pandas' times."""
    dtype = str(scalar._frame.dtypes[0])
    if dtype == "str":
        return str
    if dtype.startswith(("datetime", "timedelta")):
        return getattr(
            sys.modules.get("pandas"), "Timestamp" if dtype.startswith("datetime") else "Timedelta", None
        )
    found = getattr(sys.modules.get("numpy"), "bool_" if dtype == "bool" else dtype, None)
    return found if isinstance(found, type) else None
