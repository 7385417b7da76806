"""The user's task as plain data: callables and tables become markers with handles."""

from __future__ import annotations

import os
from typing import Any

from rlm_hypervisor._core import Secret
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.secrets import SecretName


def plain(task: Any) -> tuple[Any, list[Any]]:
    """The document for the core, and the objects behind its markers by handle. The task is not changed."""
    objects: list[Any] = []
    return _convert(task, objects, "", ()), objects


def _convert(value: Any, objects: list[Any], path: str, within: tuple[int, ...]) -> Any:
    if path == "input.items" and isinstance(value, bytes | bytearray):
        raise InvalidTaskError(
            f"`{path}` is a {type(value).__name__}, but must be a list or another iterable of items",
            details={"path": path},
        )
    # Items are not looked into: there may be millions, and they are the user's own.
    if (
        path == "input.items"
        and hasattr(type(value), "__iter__")
        and not isinstance(value, str | bytes | dict)
    ):
        return _marker("$object", value, objects)
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, dict):
        _no_cycle(value, path, within)
        if not all(isinstance(key, str) for key in value):
            return _marker("$object", value, objects)
        inside = (*within, id(value))
        return {
            key: _convert(item, objects, f"{path}.{key}" if path else key, inside)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        _no_cycle(value, path, within)
        inside = (*within, id(value))
        return [_convert(item, objects, f"{path}[{i}]", inside) for i, item in enumerate(value)]
    if isinstance(value, SecretName):
        return {"secret": value.name}
    if isinstance(value, Secret) and path.split(".")[0] != "input":
        raise InvalidTaskError(
            f"`{path}` is the value of a secret, and documents hold none. Name it: `secret(name)`",
            details={"path": path},
        )
    # A subclass, such as an enum's member, is the plain value.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if not isinstance(value, type) and hasattr(type(value), "__task__"):
        return _convert(value.__task__(), objects, path, within)
    if not isinstance(value, type) and (
        hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")
    ):
        _check_pandas(value, path)
        return _marker("$arrow", value, objects)
    if is_instance(value, "numpy", "bool_", "integer", "floating", "str_"):
        return value.item()
    if callable(value):
        return _marker("$callable", value, objects)
    return _marker("$object", value, objects)


def _no_cycle(value: Any, path: str, within: tuple[int, ...]) -> None:
    if id(value) in within or len(within) > 64:
        raise InvalidTaskError(f"`{path}` contains itself, or is nested too deeply", details={"path": path})


def _marker(kind: str, value: Any, objects: list[Any]) -> dict[str, Any]:
    handle = len(objects)
    objects.append(value)
    if kind == "$callable":
        return {kind: {"name": getattr(value, "__name__", type(value).__name__), "id": handle}}
    return {kind: {"type": type(value).__name__, "id": handle}}


def _check_pandas(value: Any, path: str) -> None:
    """Rows of a source are numbered from 0 and columns are called by strings; other labels would be lost."""
    if not is_instance(value, "pandas", "DataFrame"):
        return
    index = value.index
    start, step = getattr(index, "start", None), getattr(index, "step", None)
    if start != 0 or step != 1 or index.name is not None:
        if len(value) == 0 and index.nlevels == 1 and index.name is None:
            return
        raise InvalidTaskError(
            f"`{path}` is a pandas DataFrame with an index of its own, and a source's rows are numbered. "
            "Make it a column with `df.reset_index()`, or leave it out with `df.reset_index(drop=True)`",
            details={"path": path},
        )
    for label in value.columns:
        if not isinstance(label, str):
            raise InvalidTaskError(
                f"`{path}` is a pandas DataFrame with the column label {label!r}, and columns of a "
                "source are called by strings. Rename it: `df.rename(columns=str)`",
                details={"path": path},
            )
