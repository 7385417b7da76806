"""The user's task as plain data: callables and tables become markers with handles."""

from __future__ import annotations

import os
from typing import Any

from rlm_hypervisor._core import Frame, Secret
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.lakes import is_lake
from rlm_hypervisor.secrets import SecretName
from rlm_hypervisor.streams import is_iterator


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
    if type(value) is str:
        return writable(value, path)
    if value is None or type(value) in (bool, int, float):
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
        return writable(str.__str__(value), path)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, os.PathLike):
        return writable(os.fsdecode(os.fspath(value)), path)
    if not isinstance(value, type) and hasattr(type(value), "__task__"):
        return _convert(value.__task__(), objects, path, within)
    if not isinstance(value, type) and (
        hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")
    ):
        _check_pandas(value, path)
        return _marker("$arrow", value, objects)
    if (path.startswith("input.source") or ".tables." in path) and (is_iterator(value) or is_lake(value)):
        return _marker("$arrow", value, objects)
    if is_instance(value, "numpy", "bool_", "integer", "floating", "str_"):
        return value.item()
    if callable(value):
        return _marker("$callable", value, objects)
    return _marker("$object", value, objects)


def writable(text: str, path: str) -> str:
    """The text, unless it has what is not of Unicode: a path may, with bytes that are not UTF-8."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise InvalidTaskError(
            f"`{path}` is {text!a}, which cannot be written as UTF-8. Give text, or rename the file",
            details={"path": path},
        ) from None
    return text


def _no_cycle(value: Any, path: str, within: tuple[int, ...]) -> None:
    if id(value) in within or len(within) > 64:
        raise InvalidTaskError(f"`{path}` contains itself, or is nested too deeply", details={"path": path})


def _marker(kind: str, value: Any, objects: list[Any]) -> dict[str, Any]:
    handle = len(objects)
    objects.append(value)
    if kind == "$callable":
        return {kind: {"name": getattr(value, "__name__", type(value).__name__), "id": handle}}
    return {kind: {"type": type(value).__name__, "id": handle}}


def has_index(value: Any) -> bool:
    """Whether it is a pandas DataFrame whose rows have other labels than their numbers."""
    if not is_instance(value, "pandas", "DataFrame"):
        return False
    index = value.index
    return bool(
        getattr(index, "start", None) != 0 or getattr(index, "step", None) != 1 or index.name is not None
    )


def indexed(frame: Any) -> Frame:
    """The symbolic frame of a pandas DataFrame with its index."""
    from rlm_hypervisor.partition.tables import in_memory

    return in_memory(frame, "`input.source`")


def _check_pandas(value: Any, path: str) -> None:
    """Rows of several tables are numbered from 0 and columns are called by strings; other labels would be lost."""
    if is_instance(value, "pandas", "Series"):
        raise InvalidTaskError(
            f"`{path}` is a Series, which cannot be taken as a table. Make it one: `series.to_frame('name')`",
            details={"path": path},
        )
    if not is_instance(value, "pandas", "DataFrame"):
        return
    index = value.index
    if has_index(value) and path.endswith("]"):
        raise InvalidTaskError(
            f"`{path}` is a pandas DataFrame with an index of its own, and the rows of several tables are numbered. "
            "Make it a column with `df.reset_index()`, or leave it out with `df.reset_index(drop=True)`",
            details={"path": path},
        )
    for name in index.names:
        if not (name is None or isinstance(name, str)):
            raise InvalidTaskError(
                f"`{path}` is a pandas DataFrame whose index is called {name!r}, and labels of a source are strings. "
                "Rename it: `df.rename_axis('name')`",
                details={"path": path},
            )
        if name is not None and name in value.columns:
            raise InvalidTaskError(
                f"`{path}` is a pandas DataFrame with an index and a column that are both called {name!r}. "
                "Rename one of them: `df.rename_axis('name')`",
                details={"path": path},
            )
    if not value.columns.is_unique:
        twice = value.columns[value.columns.duplicated()][0]
        raise InvalidTaskError(
            f"`{path}` is a pandas DataFrame with two columns named {twice!r}. Rename one of them",
            details={"path": path, "column": str(twice)},
        )
    for label in value.columns:
        if not isinstance(label, str):
            raise InvalidTaskError(
                f"`{path}` is a pandas DataFrame with the column label {label!r}, and columns of a "
                "source are called by strings. Rename it: `df.rename(columns=str)`",
                details={"path": path},
            )
