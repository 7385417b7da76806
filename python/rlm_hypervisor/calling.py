"""Tasks whose operation runs in workers: what is called on what, and how the results become the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rlm_hypervisor.combining import FAN, Associative, is_aggregate
from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.packing import Batches, Items, each_packed, launch, pack, pack_value
from rlm_hypervisor.worker import programs, trees
from rlm_hypervisor.worker.joined import Joined

BATCH_ITEMS = 100
"""Items of a batch where the task leaves it to the engine."""


class Calls(NamedTuple):
    """A run of calls, ready for the core."""

    name: str
    function: bytes
    feed: Any
    """The payload of a single call, or what hands out items."""
    asked: dict[str, Any] | bytes
    shape: str
    """How results become the answer: `one` value, a `list`, a list of what is pickled `each` for itself, `flat` lists
    joined, `rows` of chunks, results by key
    (`keyed`), or what the only one is (`reduced`); with ` collect`, errors of failed items stand in their places."""
    then: bytes | None = None
    """What is called on all results together."""


def over_rows(
    spec: Mapping[str, Any],
    frame: Any,
    operation: Callable[..., Any],
    others: Mapping[str, Any],
    timeout_ms: int | None,
    why: str | None,
) -> Calls:
    """What the core needs to run an operation on the chunks of a source in workers.

    `others` has the task's `combine` (its word, or the user's function), `key`, `reduce`, `setup`. `why` says why
    the operation is not native.
    """
    from rlm_hypervisor._lazy import require
    from rlm_hypervisor.worker.rows import OverRows

    require("pandas", "an operation in Python mode")
    require("pyarrow", "an operation in Python mode")
    name = getattr(operation, "__name__", type(operation).__name__)
    asked = asked_of(spec, name, timeout_ms)
    chunk = spec["chunkSize"]
    asked.update(kind="rows", why=why, chunk_rows=chunk if isinstance(chunk, int) else None, most=1)
    if spec["type"] == "map_reduce":
        return _map_reduce(name, frame, operation, others, spec, asked, rows=True)
    if spec["type"] == "recursive":
        options = spec["options"]
        asked.update(kind="tree", single=True, made="value", most=None, memoised=options["cache"])
        return Calls(name, pack(trees.Recursive(operation)), frame, asked, "one tree")
    if spec["type"] == "parallel_inference":
        operation = programs.Inference(others.get("setup"), operation, counted=False)
    combine = others.get("combine", "auto")
    aligned = combine == "auto"
    inference = spec["type"] == "parallel_inference"
    asked.update(
        aligned=aligned,
        output=spec.get("output"),
        made="inference" if inference else "aligned rows" if aligned else "rows",
    )
    if spec["type"] == "sequential":
        asked.update(in_flight=1)
    if is_aggregate(combine):
        operation = programs.Stated(operation, combine)
    then = _together(combine, asked)
    shape = "rows" if aligned else "list" if combine == "list" else "one"
    return Calls(name, pack(OverRows(operation, aligned)), frame, asked, _shape(shape, spec["options"]), then)


def asked_of(spec: Mapping[str, Any], name: str, timeout_ms: int | None) -> dict[str, Any]:
    """What the core is asked for where a task says nothing special."""
    options = spec["options"]
    return {
        "name": name,
        "kind": "items",
        "single": False,
        "priority": options["priority"],
        "retries": options["retries"],
        "backoff_ms": options["backoffMs"],
        "max_backoff_ms": options["maxBackoffMs"],
        "retry_on": options["retryOn"],
        "do_not_retry": options["doNotRetry"],
        "item_timeout_ms": options["chunkTimeoutMs"],
        "soft_timeout_ms": options["softTimeoutMs"],
        "key": None,
        "task": None,
        "made": "items",
        "on_error": options["onError"],
        "max_failures": options["maxFailures"],
        "in_flight": None,
        "most": None,
        "max_wait_ms": None,
        "parallelism": options["parallelism"],
        "memory_limit": options["memoryLimit"],
        "timeout_ms": timeout_ms,
        "chunk_rows": None,
        "aligned": False,
        "max_depth": options["maxDepth"],
        "memoised": False,
        "parts": None,
        "then_name": None,
        "fan": None,
        "why": None,
        "output": None,
        "secrets": options["secrets"],
        "launch": launch(),
    }


def _known_of(
    spec: Mapping[str, Any], name: str, timeout_ms: int | None, **more: Any
) -> dict[str, Any] | bytes:
    """As `asked_of`, with more; of a task that comes again and again, what it was told before."""
    options, started = spec["options"], launch()
    if options["idempotencyKey"] is not None:
        # There is more to be said of it.
        return {**asked_of(spec, name, timeout_ms), **more}
    key = name, timeout_ms, *more.values()
    known = _known.get(id(options))
    if known is not None and known[0] is options and known[1] is started and known[2] == key:
        return known[3]
    asked = told({**asked_of(spec, name, timeout_ms), **more})
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[id(options)] = options, started, key, asked
    return asked


_MOST_KNOWN = 128
_known: dict[int, tuple[Any, Any, tuple[Any, ...], bytes]] = {}
"""By the `options` of a document that was checked before: these, how a worker is started, and what else it was made of."""


def told(asked: dict[str, Any] | bytes) -> bytes:
    """What the core is asked for, as it reads it."""
    return asked if isinstance(asked, bytes) else json.dumps(asked).encode()


def _shape(shape: str, options: Mapping[str, Any]) -> str:
    return f"{shape} collect" if options["onError"] == "collect" else shape


def calls(
    spec: Mapping[str, Any],
    value: Any,
    items: Any,
    operations: list[Callable[..., Any]],
    others: Mapping[str, Any],
    timeout_ms: int | None,
) -> Calls:
    """What the core needs to run a task's operation on the user's own value or on items.

    `operations` are the operation, or the steps of a chain; `others` the task's `key`, `reduce`, `combine`, `setup`.
    """
    kind = spec["type"]
    operation = operations[0] if len(operations) == 1 else programs.Chain(operations)
    name = getattr(operation, "__name__", type(operation).__name__)
    size = spec["chunkSize"] if isinstance(spec["chunkSize"], int) else None
    options = spec["options"]
    if items is None:
        payload = pack_value(value, "the task's `input`")
        if kind == "recursive":
            tree = asked_of(spec, name, timeout_ms)
            tree.update(kind="tree", single=True, made="value", memoised=options["cache"])
            return Calls(name, pack(trees.Recursive(operation)), payload, tree, "one tree")
        single = _known_of(spec, name, timeout_ms, kind="value", single=True, made="value")
        return Calls(name, pack(programs.Handler(operation)), payload, single, _shape("one", options))
    if spec.get("maxWaitMs") is not None:
        most, waits = size or BATCH_ITEMS, spec["maxWaitMs"]
        joined = _known_of(spec, name, timeout_ms, kind="joined", made=None, most=most, max_wait_ms=waits)
        model = programs.Inference(others.get("setup"), operation, counted=True)
        return Calls(name, pack(Joined(model)), each_packed(items), joined, _shape("each", options))
    asked = asked_of(spec, name, timeout_ms)
    feed: Any = Items(items)
    shape = "list"
    if kind == "sequential":
        asked.update(in_flight=1)
    elif kind in ("batch_processing", "parallel_inference"):
        asked.update(kind="batch", made="batch" if kind == "batch_processing" else "inference")
        feed = Batches(items, size or BATCH_ITEMS)
        if kind == "parallel_inference":
            operation, shape = programs.Inference(others.get("setup"), operation, counted=True), "flat"
    else:
        asked.update(in_flight=size)
    if kind == "map_reduce":
        return _map_reduce(name, feed, operation, others, spec, asked, rows=False)
    combine = others.get("combine", "list")
    if is_aggregate(combine):
        operation = programs.Stated(operation, combine)
    then = _together(combine, asked)
    return Calls(name, pack(operation), feed, asked, _shape("one" if then else shape, options), then)


def _together(combine: Any, asked: dict[str, Any]) -> bytes | None:
    """What is called on all results, if `combine` is not just their list."""
    from rlm_hypervisor.worker.rows import Together

    if isinstance(combine, str) and combine in ("auto", "list"):
        return None
    aggregate = is_aggregate(combine)
    program: Any
    if aggregate or isinstance(combine, Associative):
        asked.update(fan=FAN)
        program = programs.Merging(combine if aggregate else combine.function, aggregate)
    else:
        program = Together(None if combine == "concat" else combine)
    asked.update(then_name=program.__name__)
    return pack(program, "`input.combine`")


PARTS = 8
"""Into how many parts the values of a map and reduce are shuffled by their keys."""


def _map_reduce(
    name: str,
    feed: Any,
    operation: Any,
    others: Mapping[str, Any],
    spec: Mapping[str, Any],
    asked: dict[str, Any],
    *,
    rows: bool,
) -> Calls:
    key = others.get("key")
    combine = others.get("combine")
    if combine is not None and not callable(combine):
        raise InvalidTaskError(
            f"`input.combine` of a map_reduce task is a function of a list of values, not {combine!r}. "
            "Leave it out, or give a function whose result stands for the values",
            details={"path": "input.combine"},
        )
    if isinstance(combine, Associative) or is_aggregate(combine):
        raise InvalidTaskError(
            "`input.combine` of a map_reduce task is a plain function: it is called on values that are together "
            "before they travel. Leave out `associative`, or make it a parallel task with this `combine`",
            details={"path": "input.combine"},
        )
    parts = PARTS if key is not None else 1
    mapped = programs.MapSide(operation, key, combine, parts, rows)
    reduced = programs.ReduceSide(others["reduce"], key is not None)
    asked.update(kind="map_rows" if rows else "map", parts=parts, aligned=False, then_name=reduced.__name__)
    shape = "keyed" if key is not None else "reduced"
    return Calls(name, pack(mapped), feed, asked, shape, pack(reduced, "`input.reduce`"))
