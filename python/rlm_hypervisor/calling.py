"""Tasks that run user code in workers: functions and items pickled, and how a worker is started."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any, NamedTuple

from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.worker import programs

BATCH_ITEMS = 100
"""Items of a batch where the task leaves it to the engine."""


def over_rows(
    spec: Mapping[str, Any],
    frame: Any,
    operation: Callable[..., Any],
    combine: Any,
    timeout_ms: int | None,
    why: str | None,
) -> Calls:
    """What the core needs to run an operation on the chunks of a source in workers.

    `combine` is the task's word, or the user's function. `why` says why the operation is not native.
    """
    from rlm_hypervisor._lazy import require
    from rlm_hypervisor.worker.rows import OverRows, Together

    require("pandas", "an operation in Python mode")
    require("pyarrow", "an operation in Python mode")
    name = getattr(operation, "__name__", type(operation).__name__)
    aligned = combine == "auto"
    asked = _asked(spec, name, timeout_ms)
    chunk = spec["chunkSize"]
    asked.update(
        kind="rows", aligned=aligned, why=why, chunk_rows=chunk if isinstance(chunk, int) else None, most=1
    )
    if spec["type"] == "sequential":
        asked.update(in_flight=1)
    then = None if combine in ("auto", "list") else pack(Together(None if combine == "concat" else combine))
    shape = "rows" if aligned else "list" if combine == "list" else "one"
    return Calls(name, pack(OverRows(operation, aligned)), frame, asked, _shape(shape, spec["options"]), then)


def _asked(spec: Mapping[str, Any], name: str, timeout_ms: int | None) -> dict[str, Any]:
    options = spec["options"]
    return {
        "name": name,
        "kind": "items",
        "single": False,
        "more": None,
        "priority": options["priority"],
        "retries": options["retries"],
        "backoff_ms": options["backoffMs"],
        "on_error": options["onError"],
        "max_failures": options["maxFailures"],
        "in_flight": None,
        "most": None,
        "parallelism": options["parallelism"],
        "memory_limit": options["memoryLimit"],
        "timeout_ms": timeout_ms,
        "chunk_rows": None,
        "aligned": False,
        "why": None,
        "launch": launch(),
    }


def _shape(shape: str, options: Mapping[str, Any]) -> str:
    return f"{shape} collect" if options["onError"] == "collect" else shape


class Calls(NamedTuple):
    """A run of calls, ready for the core."""

    name: str
    function: bytes
    feed: Any
    """The payload of a single call, or what hands out items."""
    asked: dict[str, Any]
    shape: str
    then: bytes | None = None
    """What is called on all results together."""
    """`one` value or a `list`; with ` collect`, errors of failed items stand in their places."""


def calls(
    spec: Mapping[str, Any],
    value: Any,
    items: Any,
    operations: list[Callable[..., Any]],
    timeout_ms: int | None,
) -> Calls:
    """What the core needs to run a task's operation on the user's own value or on items.

    `operations` are the operation, or the steps of a chain.
    """
    kind = spec["type"]
    operation = operations[0] if len(operations) == 1 else programs.Chain(operations)
    name = getattr(operation, "__name__", type(operation).__name__)
    size = spec["chunkSize"] if isinstance(spec["chunkSize"], int) else None
    options = spec["options"]
    asked = _asked(spec, name, timeout_ms)
    if items is None:
        asked.update(kind="value", single=True)
        function = pack(programs.Handler(operation))
        return Calls(name, function, pack_value(value, "the task's `input`"), asked, _shape("one", options))
    feed: Any = Items(items)
    if kind == "sequential":
        asked.update(in_flight=1)
    elif kind == "batch_processing":
        asked.update(kind="batch")
        feed = Batches(items, size or BATCH_ITEMS)
    else:
        asked.update(in_flight=size)
    return Calls(name, pack(operation), feed, asked, _shape("list", options))


_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); "
    "from rlm_hypervisor.worker.main import main; main()"
)


def launch() -> tuple[str, list[str], list[tuple[str, str]]]:
    """Program, arguments and environment of a worker: this interpreter, which finds what this process finds."""
    import json

    program = sys.executable
    if not program:
        raise InvalidTaskError(
            "this process does not know its Python interpreter (`sys.executable` is empty)"
        )
    return program, ["-c", _CODE, json.dumps(_paths())], []


def _paths() -> list[str]:
    import os

    # An empty entry means the directory that one is in; it stays that one.
    return [path or os.getcwd() for path in sys.path if isinstance(path, str)]


def pack(function: Callable[..., Any], what: str = "the operation") -> bytes:
    """A function for workers: by name where its module can be imported, else with its code and what it closes over."""
    import cloudpickle

    try:
        return pickle.dumps((_paths(), cloudpickle.dumps(function, protocol=5)), protocol=5)
    except Exception as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise InvalidTaskError(
            f"{what} `{name}` cannot be sent to a worker: {type(error).__name__}: {error}. "
            "It closes over something that belongs to this process; make that inside the function",
            details={"path": "input.operation"},
        ) from error


def pack_value(value: Any, what: str) -> bytes:
    """A value for workers."""
    try:
        try:
            return pickle.dumps(value, protocol=5)
        except Exception:
            import cloudpickle

            return bytes(cloudpickle.dumps(value, protocol=5))
    except Exception as error:
        raise InvalidTaskError(
            f"{what} cannot be sent to a worker: {type(error).__name__}: {error}"
        ) from error


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
