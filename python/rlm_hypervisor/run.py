"""Run: one execution of a task, from start to answer."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rlm_hypervisor import _core
from rlm_hypervisor.errors import (
    InvalidTaskError,
    OperationFailedError,
    RLMError,
    TaskTimeoutError,
    cleaned,
    exposed,
)

if TYPE_CHECKING:
    from rlm_hypervisor._core import Answer
    from rlm_hypervisor.progress import Progress

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

__all__ = ["Explanation", "Run"]


class CoreRun(Protocol):
    """What a Run stands on: a run of the core, or the constant that an operation returned."""

    @property
    def id(self) -> str: ...
    def state(self) -> State: ...
    def progress(self) -> dict[str, Any]: ...
    def latency(self) -> dict[str, Any] | None: ...
    def wait(self, seconds: float | None) -> bool: ...
    def wait_async(self) -> Awaitable[None]: ...
    def cancel(self) -> None: ...
    def answer(self) -> Answer: ...
    def explain(self) -> dict[str, Any]: ...
    def has_values(self) -> bool: ...
    def values(self, lent: bool = False) -> tuple[list[Any], list[Any]]: ...
    def written(self) -> list[dict[str, Any]]: ...
    def files(self) -> dict[str, Any] | None: ...


class Run:
    """One execution of a task.

    Can be awaited (`answer = await run`), asked (`run.state`, `run.progress`), waited for
    (`run.result(timeout=10)`) and stopped (`run.cancel()`).

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"v": [1, 2, 3]})
    >>> def total(p):
    ...     return p["v"].sum()
    >>> run = RLMClient().submit({"type": "parallel", "input": {"source": data, "operation": total}})
    >>> run.result()
    6
    >>> run.state
    'succeeded'
    """

    def __init__(
        self,
        core: CoreRun,
        operation: str,
        *,
        description: str | None = None,
        tags: list[str] | dict[str, str] | None = None,
        progress: bool | Literal["auto"] | None = None,
        client: object = None,
        shape: str = "one",
    ) -> None:
        self._core = core
        self._shape = shape
        # Until the answer is there: a client that nothing refers to stops what it runs.
        self._client = client
        self._pid = os.getpid()
        self._operation = operation
        self._progress = progress
        self._value: tuple[Any] | None = None
        self._events: list[dict[str, Any]] = [{"time": time.time(), "event": "submitted"}]
        self.description = None if description is None else _core.redact(description)
        """What the task says about itself."""
        self.tags = cleaned(tags or [])
        """The labels that the task gives its run."""

    @property
    def id(self) -> str:
        """Names the run in errors, logs and events."""
        return self._core.id

    @property
    def state(self) -> State:
        """`queued`, `running`, `succeeded`, `failed` or `cancelled`; the last three are for good."""
        self._check()
        return self._core.state()

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in ("succeeded", "failed", "cancelled")

    @property
    def progress(self) -> Progress:
        """How far it is: chunks, rows, bytes, seconds, and the accounting of all chunks."""
        from rlm_hypervisor.progress import Progress

        self._check()
        return Progress.of(self._core.progress())

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it has ended or `timeout` seconds are over; returns whether it has ended."""
        self._check()
        return self._core.wait(timeout)

    def result(self, timeout: float | None = None) -> Any:
        """The answer: a Python value for a scalar, what was `Written` for an `output`, else a `Result`.

        Waits for it up to `timeout` seconds.

        Raises:
            TaskTimeoutError: it is not ready; the run goes on, and may be asked again.
            RLMError: the run failed or was cancelled.
        """
        if not self.wait(timeout):
            raise TaskTimeoutError(
                f"run {self.id} is not done after {timeout or 0:g} s. It goes on: ask again or `cancel()`",
                task_id=self.id,
                details={"timeout_seconds": timeout, "stopped": False},
            )
        if self._value is None:
            try:
                value = _value(self._core, self._shape)
                of_client = getattr(type(value), "_of_client", None)
                if of_client is not None and self._client is not None:
                    of_client(value, self._client)
                self._value = (value,)
            except RLMError as error:
                error.task_id = error.task_id or self.id
                raise
            finally:
                self._client = None
        return self._value[0]

    def exception(self, timeout: float | None = None) -> RLMError | None:
        """The error it ended with; None if it succeeded. Waits like `result`."""
        if not self.wait(timeout):
            self.result(0)
        try:
            self.result(0)
        except RLMError as error:
            return error
        return None

    def cancel(self) -> None:
        """Stops it; returns at once. A run that has ended stays as it is."""
        self._check()
        if not self.done:
            self._events.append({"time": time.time(), "event": "cancel_requested"})
            self._core.cancel()

    def explain(self) -> Explanation:
        """What ran, and how: mode, plan, what was pruned and pushed down, rows and time of every stage."""
        self._check()
        return Explanation(self._core.explain())

    def metrics(self) -> dict[str, Any]:
        """Numbers: `rows`, `bytes_read`, `chunks`, `elapsed_seconds`, and one for each end of chunks.

        `memory_peak_bytes` is the most that operators which gather rows (groups, joins, sorts) held at one time,
        `spilled_bytes` what they wrote to disk because it did not fit the limit.

        A run of user code in workers has `latency` too, a dict of

        - `waiting_ms`: how long items waited for a worker, from when they were there: the only item of a run from the
          start, items of an iterable from when they were taken from it, which is when a thread is free for them;
        - `running_ms`: how long those ran that came back; of items that a worker was sent together each has an equal share, and a batch
          is one item;
        - `items_per_call`: how many went together;
        - `abandoned_threads`: threads that went on when they were to stop, where threads are the workers.

        The first three are dicts of `count`, `mean`, `p50`, `p90`, `p99` and `max`; percentiles are at most 1 % too high.

        >>> from rlm_hypervisor import RLMClient
        >>> with RLMClient(workers=1) as client:
        ...     run = client.submit({"type": "parallel", "input": {"items": range(10), "operation": str}})
        ...     _ = run.result()
        ...     latency = run.metrics()["latency"]
        >>> latency["running_ms"]["count"], latency["running_ms"]["p50"] <= latency["running_ms"]["p99"]
        (10, True)
        """
        self._check()
        found = self._core.progress()
        latency = self._core.latency()
        return {
            "elapsed_seconds": found.get("elapsed_seconds", 0.0),
            "rows": found.get("rows_done", 0),
            "bytes_read": found.get("bytes_read", 0),
            "memory_peak_bytes": found.get("memory_peak", 0),
            "spilled_bytes": found.get("spilled_bytes", 0),
            "chunks": found.get("chunks_done", 0),
            **{f"chunks_{name}": count for name, count in (found.get("accounting") or {}).items()},
            **({} if latency is None else {"latency": latency}),
        }

    def events(self) -> list[dict[str, Any]]:
        """What happened, in order: dicts of `time` (seconds since 1970) and `event`."""
        found = list(self._events)
        state = self.state
        if state in ("succeeded", "failed", "cancelled"):
            seconds = float(self._core.progress().get("elapsed_seconds") or 0.0)
            found.append({"time": found[0]["time"] + seconds, "event": state})
        elif state == "running":
            found.append({"time": found[0]["time"], "event": "running"})
        return sorted(found, key=lambda event: event["time"])

    def output(self) -> list[dict[str, Any]]:
        """What the operation wrote in workers: dicts of `at` (seconds since the start), `stream`
        (`stdout`, `stderr`, `log` or `progress`) and `text`; the first million characters."""
        self._check()
        return self._core.written()

    def failures(self) -> dict[int, RLMError]:
        """Of a run that is done: the errors of items that failed for good while it went on, by item."""
        self._check()
        if not self._core.has_values():
            return {}
        return dict(self._core.values()[1])

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        self._check()
        try:
            await self._core.wait_async()
        except BaseException:  # the awaiting task was cancelled or the loop stopped
            self.cancel()
            raise
        return self.result(0)

    def _execute(self, progress: Any) -> Any:
        """Waits with a progress bar; Ctrl-C stops the run before it is passed on."""
        wanted = progress if self._progress is None else self._progress
        try:
            if wanted is False or self._core.wait(1.0):
                self._core.wait(None)
            else:
                from rlm_hypervisor.progress import watch

                watch(self._core, self._operation, wanted)
        except KeyboardInterrupt:
            self.cancel()
            self._core.wait(None)
            raise
        return self.result(0)

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise InvalidTaskError(
                "this run belongs to the process that forked this one; ask it there",
                task_id=self.id,
                details={"parent_pid": self._pid},
            )

    def __reduce__(self) -> Any:
        raise TypeError("a Run cannot be pickled: it belongs to its process")

    def __repr__(self) -> str:
        state = "of the parent process" if os.getpid() != self._pid else self._core.state()
        return f"<Run {self.id} {self._operation!r}, {state}>"


def _value(core: CoreRun, shape: str) -> Any:
    if isinstance(core, ConstantRun):
        return core.value
    if core.has_values():
        return _returned(*core.values(shape.startswith("rows")), shape)
    files = core.files()
    if files is not None:
        from rlm_hypervisor.written import Written

        return Written._of(files)
    answer = core.answer()
    if answer.kind == "scalar":
        from rlm_hypervisor._scalar import python_value

        return python_value(answer.scalar())
    from rlm_hypervisor.result import Result

    return Result(answer)


def _returned(segments: list[Any], failures: list[Any], shape: str) -> Any:
    """What calls returned, in the order of their items; where a failed item is kept, its error is its result."""
    if shape.startswith("rows"):
        from rlm_hypervisor.rows import whole

        if failures and not segments:
            raise failures[0][1]
        return whole(segments)
    if shape in ("keyed", "reduced"):
        found = [
            entry
            for first, count, _, blobs, _ in segments
            for part in _read(blobs[0], first, count)
            for entry in part
        ]
        found.sort(key=lambda entry: entry[0])
        if shape == "keyed":
            return {key: value for _, key, value in found}
        return found[0][2] if found else None
    if shape == "one tree":
        return _read(segments[0][3][0], 0, 1)
    placed: list[tuple[int, Any]] = list(failures) if shape.endswith("collect") else []
    for first, count, failed, blobs, _ in segments:
        gone = set(failed)
        kept = (item for item in range(first, first + count) if item not in gone)
        one_each = shape.startswith("each")
        values = [_read(blob, first, count) for blob in blobs] if one_each else _read(blobs[0], first, count)
        placed += zip(kept, values, strict=True)
    # What was tried again comes in a segment of its own, from the middle of another one.
    if failures or any(failed for _, _, failed, _, _ in segments):
        placed.sort(key=lambda pair: pair[0])
    values = [value for _, value in placed]
    if shape.startswith("one"):
        return values[0]
    if shape.startswith("flat"):
        return [one for value in values for one in (value if isinstance(value, list) else [value])]
    return values


def _read(blob: bytes, first: int, count: int) -> Any:
    """What a worker pickled, for these items; reading it is the user's code, and may do anything."""
    import pickle

    try:
        return pickle.loads(blob)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        which = f"item {first}" if count == 1 else f"one of the items {first} to {first + count - 1}"
        name = type(error).__name__
        raise OperationFailedError(
            f"the result of {which} came back, but cannot be read here: {name}: {_words(error)}. "
            "Its class has to be importable in this process as well; or return plain values",
            details={"item": first, "exception": name},
        ) from exposed(error)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an exception without a text"


class Explanation:
    """What a run did, for a person: `print(run.explain())`, a table in a notebook, or `to_dict()`."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)

    def to_dict(self) -> dict[str, Any]:
        """The same for programs: `mode`, `plan`, `stages`, `scan`, ..."""
        return dict(self._facts)

    def __str__(self) -> str:
        return str(self._facts.get("text", ""))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


class ConstantRun:
    """An operation that returned a plain value: done at once, without reading a row."""

    def __init__(self, value: Any) -> None:
        import secrets

        self.value = value
        self.id = f"constant-{secrets.token_hex(6)}"

    def state(self) -> State:
        return "succeeded"

    def progress(self) -> dict[str, Any]:
        counts = dict.fromkeys(
            ("accepted", "succeeded", "failed", "dead_lettered", "cancelled", "skipped", "restored"), 0
        )
        return {
            "chunks_total": 0,
            "chunks_done": 0,
            "rows_done": 0,
            "bytes_read": 0,
            "elapsed_seconds": 0.0,
            "stage": "done",
            "accounting": counts,
        }

    def latency(self) -> None:
        return None

    def wait(self, seconds: float | None) -> bool:
        return True

    async def wait_async(self) -> None:
        return None

    def cancel(self) -> None:
        return None

    def answer(self) -> Answer:
        raise InvalidTaskError("a constant has no table")

    def has_values(self) -> bool:
        return False

    def values(self, lent: bool = False) -> tuple[list[Any], list[Any]]:
        return [], []

    def written(self) -> list[dict[str, Any]]:
        return []

    def files(self) -> dict[str, Any] | None:
        return None

    def explain(self) -> dict[str, Any]:
        text = "mode: constant\nThe operation returned a plain value without using rows; none was read."
        return {"mode": "constant", "plan": "", "stages": [], "text": text}
