"""What `client.warm` brings forward: what workers do before their first call, and what this process would import then."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.packing import pack

_OURS = (
    "calling",
    "looking",
    "result",
    "rows",
    "splitting",
    "writer",
    "_exact",
    "worker.ranges",
    "worker.rows",
)
"""Modules of ours that the first calls on values and on tables import."""


def rehearse() -> None:
    """Imports what a first call needs of ours, in this process."""
    for module in _OURS:
        importlib.import_module(f"rlm_hypervisor.{module}")


def imported() -> list[str]:
    """What this process has imported of the libraries that take long to import, and operations on tables need."""
    return [name for name in ("numpy", "pandas", "pyarrow", "polars") if name in sys.modules]


def packed(setup: Any) -> tuple[str, bytes]:
    """The name and the bytes of what workers call before their first call."""
    if not callable(setup):
        raise InvalidTaskError(
            f"`setup` of `client.warm()` is a {type(setup).__name__}, not a function. Give a function without "
            "arguments: what it returns is `current_task().setup` in operations",
            details={"path": "setup"},
        )
    name = getattr(setup, "__name__", type(setup).__name__)
    try:
        inspect.signature(setup).bind()
    except TypeError as error:
        raise InvalidTaskError(
            f"`{name}`, the `setup` of `client.warm()`, cannot be called without arguments: {error}. "
            "Give what it needs by a closure or `functools.partial`",
            details={"path": "setup"},
        ) from None
    except ValueError:
        # Some builtins do not tell.
        pass
    return name, pack(setup, "the `setup` of `client.warm()`,", "setup")
