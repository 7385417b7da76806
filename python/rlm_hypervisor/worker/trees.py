"""The operation of a recursive task: inputs become values, or further inputs, some of which run here at once.

Where inputs are quick, passing each on costs more than running it. So a call goes on into what it has split, depth
first, for some milliseconds; what is left then goes back, for any worker.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rlm_hypervisor.splitting import Split
from rlm_hypervisor.worker.codec import dump
from rlm_hypervisor.worker.programs import Encoding, Handler

if TYPE_CHECKING:
    from rlm_hypervisor.worker.ranges import Source

BUDGET = 0.004
"""Seconds that a call goes on into what it has split; each of its jobs has a share of them."""

PLENTY = 2
LONG_BUDGET = 0.02
"""The same where so many other jobs wait for workers: what is handed back has to be combined by further calls."""

QUICK = 0.0003
"""Seconds that an input may take where that is worth while: a slow one keeps its neighbours from other workers."""

KNOWN = 8
"""Inputs that became values, before it is known how quick they are."""

NESTED = 64
"""Splits within splits that are handed back at most: what reads the message goes only so deep."""

Shape: TypeAlias = Any
"""What became of an input, for the core: None is a value, a number a split into so many inputs that have not run, a
list a split with an entry for each input, where 0 is one that has not run. Each but a list has one blob more."""


class Job(NamedTuple):
    """What a call is asked to do for one node of the tree."""

    combines: bool
    blobs: list[Any]
    """The input; or what combines, and the results."""
    source: Source | None
    depth: int
    within: Within | None
    """Where the call may go on into what it has split."""


class Within:
    """What a call has done of the tree beyond its jobs."""

    def __init__(self, deepest: int, jobs: int, others: int) -> None:
        self.deepest = deepest
        self._until = time.monotonic()
        self._share = (BUDGET if others < PLENTY else LONG_BUDGET) / max(jobs, 1)
        self.until = self._until
        self.widths: dict[int, int] = {}
        self.splits = 0

    def next(self) -> None:
        """The next job begins, whose share of the time is its own."""
        self._until += self._share
        self.until = max(self._until, time.monotonic() + self._share / 2)

    def combined(self, node: _Node) -> None:
        """A node has its value, and its inputs are no more to be seen."""
        self.splits += 1
        self.widths[node.depth] = self.widths.get(node.depth, 0) + len(node.inputs)


class _Node:
    """An input that was split, and whose inputs run here one after the other."""

    __slots__ = ("combine", "depth", "inputs", "results")

    def __init__(self, combine: Any, inputs: list[bytes], depth: int) -> None:
        self.combine = combine
        self.inputs = inputs
        self.depth = depth
        """Of its inputs."""
        self.results: list[bytes] = []


class Recursive(Encoding):
    """An operation that returns a value, or `split(...)`: what it is to be called on instead."""

    def __init__(self, operation: Callable[..., Any]) -> None:
        self._operation = Handler(operation)
        self.__name__ = self._operation.__name__
        self._within: Within | None = None
        self._values = 0
        self._pace = 0.0
        self._waited = 0

    def __call__(self, job: Job) -> tuple[Shape, list[Any]]:
        """What becomes of an input, or of the results of the inputs that one was split into."""
        first, *parts = job.blobs
        source = job.source
        if job.within is not self._within:
            self._within = job.within
            self._waited = _waits()
        if job.within is not None:
            job.within.next()
        if job.combines:
            combine = pickle.loads(first)
            results = [pickle.loads(part) for part in parts]
            value = results if combine is None else combine(results)
        else:
            value = self._called(first, source)
        if not isinstance(value, Split):
            return None, [_value(value, source)]
        node = _Node(value.combine, _inputs(value, source), job.depth + 1)
        within = job.within
        if within is None or not self._is_quick() or node.depth > within.deepest:
            return _left([node])
        return self._deeper(node, source, within)

    def _called(self, blob: Any, source: Source | None) -> Any:
        began, busy = time.monotonic(), time.thread_time()
        value = pickle.loads(blob) if len(blob) else None
        value = self._operation(value if source is None else source.given(value))
        took = time.monotonic() - began
        if took > QUICK:
            before, self._waited = self._waited, _waits()
            if before == self._waited:
                # It did not wait for anything, so what it did not use others had: a busy machine makes no slow input.
                took = time.thread_time() - busy
        # Slower is believed at once, faster by and by.
        self._pace = took if took > self._pace else (self._pace + took) / 2
        self._values += not isinstance(value, Split)
        return value

    def _is_quick(self) -> bool:
        return self._values >= KNOWN and self._pace < QUICK

    def _deeper(self, node: _Node, source: Source | None, within: Within) -> tuple[Shape, list[Any]]:
        """Runs inputs of a node, and of those below, depth first; the value, or what there is when time is up."""
        nodes = [node]
        while time.monotonic() < within.until and self._is_quick() and len(nodes) <= NESTED:
            node = nodes[-1]
            if len(node.results) < len(node.inputs):
                value = self._called(node.inputs[len(node.results)], source)
                if isinstance(value, Split):
                    nodes.append(_Node(value.combine, _inputs(value, source), node.depth + 1))
                    if node.depth + 1 > within.deepest:
                        # Too deep: the core says so.
                        break
                else:
                    node.results.append(_value(value, source))
                continue
            results = [pickle.loads(result) for result in node.results]
            value = results if node.combine is None else node.combine(results)
            within.combined(node)
            if isinstance(value, Split):
                nodes[-1] = _Node(value.combine, _inputs(value, source), node.depth)
                continue
            nodes.pop()
            if not nodes:
                return None, [_value(value, source)]
            nodes[-1].results.append(_value(value, source))
        return _left(nodes)

    def encode(self, places: list[int], results: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The blobs of all results, what they are, and which inputs have come and gone within the call."""
        told: dict[str, Any] = {"splits": [shape for shape, _ in results]}
        within = self._within
        if within is not None and within.splits:
            widths = [within.widths.get(depth, 0) for depth in range(max(within.widths) + 1)]
            told.update(widths=widths, within=within.splits)
            within.widths, within.splits = {}, 0
        return [blob for _, blobs in results for blob in blobs], told


def _waits() -> int:
    """How often this thread has waited for something so far; 0 where the system does not tell."""
    import resource

    of_thread = getattr(resource, "RUSAGE_THREAD", None)
    return 0 if of_thread is None else resource.getrusage(of_thread).ru_nvcsw


def _value(value: Any, source: Source | None) -> bytes:
    if source is not None:
        from rlm_hypervisor.worker.rows import plain

        value = plain(value)
    return dump(value)


def _inputs(value: Split, source: Source | None) -> list[bytes]:
    """Also those that run here are copies, as those that run elsewhere are."""
    return [dump(one) for one in (value.inputs if source is None else map(source.sent, value.inputs))]


def _left(nodes: list[_Node]) -> tuple[Shape, list[Any]]:
    """What there is of a node, whose next input is the next node, and so on."""
    shape: Shape = None
    blobs: list[Any] = []
    for node in reversed(nodes):
        done = len(node.results)
        below = [] if shape is None else [shape]
        rest = len(node.inputs) - done - len(below)
        blobs = [dump(node.combine), *node.results, *blobs, *node.inputs[done + len(below) :]]
        shape = [None] * done + below + [0] * rest
    return shape, blobs


def jobs(more: Mapping[str, Any], blobs: list[Any]) -> list[Job]:
    """The jobs of a call of a recursive task. An input counts as 0, and has one blob."""
    counts = more["jobs"]
    source = None
    if "table" in more:
        from rlm_hypervisor.worker.ranges import Source

        source, blobs = Source(blobs[0], more["table"]), blobs[1:]
    within = Within(more["deepest"], len(counts), more["others"]) if "deepest" in more else None
    depths = more.get("depths") or [0] * len(counts)
    sizes = [count or 1 for count in counts]
    ends = accumulate(sizes)
    return [
        Job(count > 0, blobs[end - size : end], source, depth, within)
        for count, size, end, depth in zip(counts, sizes, ends, depths, strict=True)
    ]
