"""Functions and items as bytes for workers, and how a worker is started."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from types import FunctionType
from typing import Any, TypeAlias

from rlm_hypervisor.errors import InvalidTaskError, exposed
from rlm_hypervisor.fingerprint import print_of, together
from rlm_hypervisor.worker.codec import by_value, dump
from rlm_hypervisor.worker.joined import Joined
from rlm_hypervisor.worker.programs import Handler, Inference

# The directory that it is started in has no modules for it, unless this process finds its own there.
_CODE = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "import json; parent, sys.path[:] = json.loads(sys.argv.pop()); "
    "from rlm_hypervisor.worker.main import main; main(parent)"
)


_KEPT = {
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "MIMALLOC_PURGE_DELAY": "200",
}
"""Chunks are of one size, and what one has freed is what the next one needs: the allocators of C and of Arrow keep so
many bytes, or for so many milliseconds. To have them from the system again costs a tenth of the time of a chunk."""


def launch() -> tuple[str, list[str], list[tuple[str, str]]]:
    """Program, arguments and environment of a worker: this interpreter, which finds what this process finds."""
    import json

    global _launch
    program = sys.executable
    if not program:
        raise InvalidTaskError(
            "this process does not know its Python interpreter (`sys.executable` is empty)"
        )
    told = (program, os.getpid(), _paths())
    if _launch is None or _launch[0] != told:
        kept = [pair for pair in _KEPT.items() if pair[0] not in os.environ]
        _launch = told, (program, ["-c", _CODE, json.dumps(told[1:])], kept)
    return _launch[1]


_launch: tuple[Any, tuple[str, list[str], list[tuple[str, str]]]] | None = None
"""The last one, and what it was made of."""


def _paths() -> list[str]:
    # An empty entry means the directory that one is in; it stays that one.
    return [path or os.getcwd() for path in sys.path if isinstance(path, str)]


def pack(function: Callable[..., Any], what: str = "the operation", path: str = "input.operation") -> bytes:
    """A function for workers: by name where its module can be imported, else with its code and what it closes over."""
    paths, name = _paths(), _name(function)
    known = None if name is None else _named.get(name)
    if known is not None and known[0] == paths:
        return known[1]
    try:
        packed = pickle.dumps((paths, by_value(function)), protocol=5)
        if name is not None:
            if len(_named) == _MOST_NAMED:
                _named.clear()
            _named[name] = paths, packed
        return packed
    except Exception as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise InvalidTaskError(
            f"{what} `{name}` cannot be sent to a worker: {type(error).__name__}: {error}. "
            "It closes over something that belongs to this process; make that inside the function",
            details={"path": path},
        ) from exposed(error)


_MOST_NAMED = 256
_named: dict[Any, tuple[list[str], bytes]] = {}
"""Functions that travel as nothing but names, and what they were packed to while `sys.path` was this."""


def _name(function: Any) -> Any:
    """What tells a function from others if all that is packed of it is its name; else None.

    Others are packed anew each time: what they close over may have changed.
    """
    if type(function) in _MADE:
        parts = tuple(_part(part) for part in function.made_of())
        return None if None in parts else (type(function), *parts)
    if type(function) is not FunctionType or function.__module__ in (None, "__main__"):
        return None
    found: Any = sys.modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not function or _by_value_modules():
        return None
    return function, function.__module__, function.__qualname__, function.__name__


_MADE = (Handler, Inference, Joined)
"""Programs that are nothing but what they are made of."""


def _part(part: Any) -> Any:
    """What tells a part of a program from others, or None."""
    return (part,) if part is None or part is True or part is False else _name(part)


def _by_value_modules() -> Any:
    """Modules whose functions the user wants to travel with their code."""
    cloudpickle = sys.modules.get("cloudpickle")
    return None if cloudpickle is None else cloudpickle.list_registry_pickle_by_value()


def pack_value(value: Any, what: str) -> bytes:
    """A value for workers."""
    try:
        return dump(value)
    except Exception as error:
        raise InvalidTaskError(
            f"{what} cannot be sent to a worker: {type(error).__name__}: {error}"
        ) from exposed(error)


def each_packed(items: Iterable[Any]) -> list[bytes]:
    """Items for workers, each for itself: all of them now, as others wait for them."""
    if not isinstance(items, Sized):
        raise InvalidTaskError(
            "`input.items` of a task with `maxWaitMs` is taken at once, and has to be a list or something else with a "
            f"length, not a {type(items).__name__}. Give a list, or leave `maxWaitMs` out",
            details={"path": "input.items"},
        )
    return [pack_value(item, f"item {place}") for place, item in enumerate(items)]


Handed: TypeAlias = tuple[int, bytes | None, bytes | None, int, dict[str, Any] | None]
"""How many items, their bytes, what tells each of them from others, into how many parts one can be cut, and what else
the worker has to know."""


def _prints(items: list[Any], first: int) -> Iterator[bytes]:
    for place, item in enumerate(items, first):
        try:
            yield print_of(item)
        except Exception as error:
            raise InvalidTaskError(
                f"item {place} cannot be told from others, as `idempotencyKey` needs it: {error}",
                details={"path": "options.idempotencyKey", "item": place},
            ) from error


class Items:
    """The items of a task, taken from their iterable and pickled when a worker is free for them."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._left = len(items) if isinstance(items, Sized) else None
        self._items: Iterator[Any] = iter(items)
        self._taken = 0

    def next(self, most: int, prints: bool, done: bool) -> Handed | None:
        """Up to `most` further items as a pickled list; None when there are no more.

        `prints`: with what tells each of them from others. `done`: without the list, for they are done.
        """
        found = list(islice(self._items, most))
        if not found:
            return None
        first = self._taken
        self._taken += len(found)
        told = b"".join(_prints(found, first)) if prints else None
        return len(found), None if done else self._packed(found, first), told, 1, None

    def _packed(self, found: list[Any], first: int) -> bytes:
        try:
            return pickle.dumps(found, protocol=5)
        except Exception:
            return pack_value(found, f"of the items from {first} on, one")

    def left(self) -> int | None:
        """How many are left, if the iterable tells."""
        return None if self._left is None else max(self._left - self._taken, 0)


class Batches(Items):
    """The items of a task, a list of `size` of them at a time."""

    def __init__(self, items: Iterable[Any], size: int) -> None:
        super().__init__(items)
        self._size = size

    def next(self, most: int, prints: bool, done: bool) -> Handed | None:
        """The next list; `most` is not asked, for a batch is one call. It can be cut into its values."""
        found = super().next(self._size, prints, done)
        if found is None:
            return None
        count, packed, told, _, _ = found
        return 1, packed, None if told is None else together(told), count, None

    def left(self) -> int | None:
        """How many batches are left."""
        items = super().left()
        return None if items is None else -(-items // self._size)
