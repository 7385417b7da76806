"""Functions and items as bytes for workers, and how a worker is started."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import Any

from rlm_hypervisor.errors import InvalidTaskError, exposed
from rlm_hypervisor.worker.codec import by_value, dump

_CODE = (
    "import sys, json; parent, sys.path[:] = json.loads(sys.argv.pop()); "
    "from rlm_hypervisor.worker.main import main; main(parent)"
)


def launch() -> tuple[str, list[str], list[tuple[str, str]]]:
    """Program, arguments and environment of a worker: this interpreter, which finds what this process finds."""
    import json
    import os

    program = sys.executable
    if not program:
        raise InvalidTaskError(
            "this process does not know its Python interpreter (`sys.executable` is empty)"
        )
    return program, ["-c", _CODE, json.dumps([os.getpid(), _paths()])], []


def _paths() -> list[str]:
    import os

    # An empty entry means the directory that one is in; it stays that one.
    return [path or os.getcwd() for path in sys.path if isinstance(path, str)]


def pack(function: Callable[..., Any], what: str = "the operation") -> bytes:
    """A function for workers: by name where its module can be imported, else with its code and what it closes over."""
    try:
        return pickle.dumps((_paths(), by_value(function)), protocol=5)
    except Exception as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise InvalidTaskError(
            f"{what} `{name}` cannot be sent to a worker: {type(error).__name__}: {error}. "
            "It closes over something that belongs to this process; make that inside the function",
            details={"path": "input.operation"},
        ) from exposed(error)


def pack_value(value: Any, what: str) -> bytes:
    """A value for workers."""
    try:
        return dump(value)
    except Exception as error:
        raise InvalidTaskError(
            f"{what} cannot be sent to a worker: {type(error).__name__}: {error}"
        ) from exposed(error)


class Items:
    """The items of a task, taken from their iterable and pickled when a worker is free for them."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._left = len(items) if isinstance(items, Sized) else None
        self._items: Iterator[Any] = iter(items)
        self._taken = 0

    def next(self, most: int) -> tuple[int, bytes] | None:
        """Up to `most` further items as a pickled list; None when there are no more."""
        found = list(islice(self._items, most))
        if not found:
            return None
        first = self._taken
        self._taken += len(found)
        try:
            return len(found), pickle.dumps(found, protocol=5)
        except Exception:
            return len(found), pack_value(found, f"of the items from {first} on, one")

    def left(self) -> int | None:
        """How many are left, if the iterable tells."""
        return None if self._left is None else max(self._left - self._taken, 0)


class Batches(Items):
    """The items of a task, a list of `size` of them at a time."""

    def __init__(self, items: Iterable[Any], size: int) -> None:
        super().__init__(items)
        self._size = size

    def next(self, most: int) -> tuple[int, bytes] | None:
        """The next list; `most` is not asked, for a batch is one call."""
        found = super().next(self._size)
        return None if found is None else (1, found[1])

    def left(self) -> int | None:
        """How many batches are left."""
        items = super().left()
        return None if items is None else -(-items // self._size)
