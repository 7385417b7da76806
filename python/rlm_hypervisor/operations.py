"""Registered operations: functions that tasks name instead of carrying them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from rlm_hypervisor.errors import InvalidTaskError

_F = TypeVar("_F", bound=Callable[..., Any])

__all__ = ["Operations", "operation"]


class Operations:
    """Functions by name, each with a description."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, tuple[Callable[..., Any], str]] = {}

    def add(self, function: Callable[..., Any], name: str | None, description: str | None) -> None:
        """Registers a function; a name that is there already is given to the new one."""
        if not callable(function):
            raise InvalidTaskError(f"an operation must be callable, and {function!r} is not")
        name = name if name is not None else getattr(function, "__name__", "")
        if not isinstance(name, str) or not name.strip() or name == "<lambda>":
            raise InvalidTaskError(
                f"an operation needs a name, and {function!r} has none. Write `@operation('name')`"
            )
        lines = str(getattr(function, "__doc__", None) or "").strip().splitlines()
        self._found[name] = (function, description if description is not None else lines[0] if lines else "")

    def get(self, name: str) -> Callable[..., Any] | None:
        """The function of that name."""
        found = self._found.get(name)
        return None if found is None else found[0]

    def descriptions(self) -> dict[str, str]:
        """Name to description, in the order of registration."""
        return {name: description for name, (_, description) in self._found.items()}

    def decorator(self, name: Any, description: str | None) -> Any:
        """`@operation`, `@operation("name")` and `@operation(description="...")`."""
        if callable(name):
            self.add(name, None, description)
            return name

        def register(function: _F) -> _F:
            self.add(function, name, description)
            return function

        return register


EVERYWHERE = Operations()
"""What the module-level `@operation` registers: for every client of the process."""


@overload
def operation(name: _F, /) -> _F: ...
@overload
def operation(name: str | None = None, *, description: str | None = None) -> Callable[[_F], _F]: ...
def operation(name: Any = None, *, description: str | None = None) -> Any:
    """Registers a function for every client of this process; a task then names it.

    Args:
        name: what tasks call it; default the function's own name.
        description: what it does, for people and for tasks that have only a description; default the first
            line of the docstring.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient, operation
    >>> @operation("total", description="Add up the values")
    ... def add_up(p):
    ...     return p["v"].sum()
    >>> data = pd.DataFrame({"v": [1, 2, 3]})
    >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": "total"}})
    6
    """
    return EVERYWHERE.decorator(name, description)
