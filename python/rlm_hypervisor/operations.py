"""Registered operations: functions that tasks name instead of carrying them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

from rlm_hypervisor.errors import InvalidTaskError

_F = TypeVar("_F", bound=Callable[..., Any])

__all__ = ["Operations", "operation"]


VERSION = "@"
"""What comes between the name of an operation and its version; `src/task/operations.rs` has the same."""


class Operations:
    """Functions by name and version, each with a description."""

    __slots__ = ("_found", "changes")

    def __init__(self) -> None:
        # For each name its versions; None is the one of a function that was registered without.
        self._found: dict[str, dict[str | None, tuple[Callable[..., Any], str]]] = {}
        self.changes = 0
        """How often something was registered."""

    def add(
        self,
        function: Callable[..., Any],
        name: str | None,
        description: str | None,
        version: str | int | None = None,
    ) -> None:
        """Registers a function; a name and version that is there already is given to the new one."""
        if not callable(function):
            raise InvalidTaskError(f"an operation must be callable, and {function!r} is not")
        name = name if name is not None else getattr(function, "__name__", "")
        if not isinstance(name, str) or not name.strip() or name == "<lambda>":
            raise InvalidTaskError(
                f"an operation needs a name, and {function!r} has none. Write `@operation('name')`"
            )
        if VERSION in name:
            raise InvalidTaskError(
                f"the name of an operation has no {VERSION!r}, and {name!r} has one. "
                f"Write `@operation({name.partition(VERSION)[0]!r}, version={name.partition(VERSION)[2]!r})`"
            )
        if version is not None and (not str(version).strip() or VERSION in str(version)):
            raise InvalidTaskError(f"a version is a number or a text such as '1.2', and {version!r} is none")
        lines = str(getattr(function, "__doc__", None) or "").strip().splitlines()
        text = description if description is not None else lines[0] if lines else ""
        versions = self._found.setdefault(name, {})
        versions[None if version is None else str(version)] = (function, text)
        self.changes += 1

    def get(self, name: str) -> Callable[..., Any] | None:
        """The function of a name, or of a version of it: `"name@2"`. The name alone is the newest."""
        base, _, version = name.partition(VERSION)
        versions = self._found.get(base)
        if not versions:
            return None
        found = versions.get(version) if version else versions[max(versions, key=_age)]
        return None if found is None else found[0]

    def descriptions(self) -> dict[str, str]:
        """Name to description, in the order of registration; versions follow their name, the newest first."""
        found: dict[str, str] = {}
        for name, versions in self._found.items():
            found[name] = versions[max(versions, key=_age)][1]
            for version in sorted((v for v in versions if v is not None), key=_age, reverse=True):
                found[f"{name}{VERSION}{version}"] = versions[version][1]
        return found

    def decorator(self, name: Any, description: str | None, version: str | int | None = None) -> Any:
        """`@operation`, `@operation("name")` and `@operation(description="...", version=2)`."""
        if callable(name):
            self.add(name, None, description, version)
            return name

        def register(function: _F) -> _F:
            self.add(function, name, description, version)
            return function

        return register


def _age(version: str | None) -> tuple[Any, ...]:
    """Versions from old to new: numbers in them by their value, "2-rc1" before "2", no version before all."""
    if version is None:
        return ()
    parts = re.findall(r"\d+|[^\d.]+", version)
    known = ((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
    return (1, *known, (1, -1, ""))


EVERYWHERE = Operations()
"""What the module-level `@operation` registers: for every client of the process."""


@overload
def operation(name: _F, /) -> _F: ...
@overload
def operation(
    name: str | None = None, *, description: str | None = None, version: str | int | None = None
) -> Callable[[_F], _F]: ...
def operation(name: Any = None, *, description: str | None = None, version: str | int | None = None) -> Any:
    """Registers a function for every client of this process; a task then names it.

    Args:
        name: what tasks call it; default the function's own name.
        description: what it does, for people and for tasks that have only a description; default the first
            line of the docstring.
        version: a number or a text such as `"1.2"`, where there are several of one name. A task names one of them
            as `"total@1.2"`; the name alone is the newest.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient, operation
    >>> @operation("total", description="Add up the values")
    ... def add_up(p):
    ...     return p["v"].sum()
    >>> data = pd.DataFrame({"v": [1, 2, 3]})
    >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": "total"}})
    6
    """
    return EVERYWHERE.decorator(name, description, version)
