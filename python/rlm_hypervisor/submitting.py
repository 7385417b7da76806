"""How a client starts tasks whose operation runs in workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.errors import InvalidTaskError, NotDecomposableError, PythonModeWarning
from rlm_hypervisor.run import Run

if TYPE_CHECKING:
    from rlm_hypervisor.calling import Calls
    from rlm_hypervisor.letters import DeadLetters

__all__ = ["Submitting", "handle_of"]


def handle_of(found: Any) -> int:
    """The handle of a marker: where its object lies."""
    return int(found["id"]) if isinstance(found, Mapping) else int(found)


class Submitting:
    """The part of a client that runs user code in workers."""

    _engine: _core.Engine

    def _operation(self, found: Mapping[str, Any], objects: list[Any]) -> Callable[..., Any]:
        raise NotImplementedError

    def _check(self) -> None:
        raise NotImplementedError

    def forget(self, key: str) -> bool:
        """Forgets what runs with this `idempotencyKey` have done; the next one begins anew.

        Returns whether there was something to forget.

        Raises:
            InvalidTaskError: a run with the key is going on, here or in another process.

        >>> from rlm_hypervisor import RLMClient
        >>> with RLMClient() as client:
        ...     client.forget("never used")
        False
        """
        self._check()
        return self._engine.forget(key)

    def metrics(self) -> dict[str, Any]:
        """Numbers of all runs of this client together, whether they have ended or not.

        `runs` has how many there are in each state, `chunks` the sums of their accounting, and `latency` how long items
        waited for workers and ran in them, as `Run.metrics` has it of one run. `plans` has how many native runs had
        their plan `made`, wholly or in part, and how many had it `kept` from an earlier one: the same question asked
        twice is planned once, whether it is asked of the same rows or of others that have the same columns.

        >>> from rlm_hypervisor import RLMClient
        >>> with RLMClient(workers=1) as client:
        ...     for _ in range(2):
        ...         _ = client.execute({"type": "parallel", "input": {"items": range(10), "operation": str}})
        ...     found = client.metrics()
        >>> found["runs"]["succeeded"], found["chunks"]["succeeded"], found["latency"]["running_ms"]["count"]
        (2, 20, 20)
        """
        self._check()
        return self._engine.metrics()

    def dead_letters(self) -> DeadLetters:
        """Items that failed for good and were put aside (`onError: "dead_letter"`), of all runs in `state_dir`.

        >>> import tempfile
        >>> from rlm_hypervisor import RLMClient
        >>> def invert(n):
        ...     return 1 / n
        >>> with tempfile.TemporaryDirectory() as folder, RLMClient(workers=1, state_dir=folder) as client:
        ...     client.execute({
        ...         "type": "parallel",
        ...         "input": {"items": [1, 0, 2], "operation": invert},
        ...         "options": {"onError": "dead_letter"},
        ...     })
        ...     letter, = client.dead_letters()
        ...     print(letter.item, letter.input, letter.error.details["exception"])
        ...     client.dead_letters().replay(lambda n: 0)
        [1.0, 0.5]
        1 0 ZeroDivisionError
        [0]
        """
        from rlm_hypervisor.letters import DeadLetters

        self._check()
        return DeadLetters._of(self)

    def _submit_rows(
        self,
        spec: Mapping[str, Any],
        frame: _core.Frame,
        operation: Callable[..., Any],
        objects: list[Any],
        timeout_ms: int | None,
        started_at: float,
        refusal: NotDecomposableError | None,
    ) -> Run:
        """Starts a task whose operation runs on the chunks of its source in workers."""
        from rlm_hypervisor.calling import over_rows

        if spec.get("output") is not None:
            _writable(spec)
        if timeout_ms is not None:
            timeout_ms = max(int(timeout_ms - (time.monotonic() - started_at) * 1000), 0)
        others = self._others(spec, objects)
        try:
            why = None if refusal is None else str(refusal)
            made = over_rows(spec, frame, operation, others, timeout_ms, why)
        except (ImportError, InvalidTaskError):
            # Python mode was the second choice; what stands in the way of the first is what there is to say.
            if refusal is not None:
                raise refusal from None
            raise
        self._keep(spec, made, [operation], others, None)
        if refusal is not None:
            import warnings

            warnings.warn(
                f"`{made.name}` is not native, so it is called on each chunk by itself in Python; what it computes "
                'over rows it computes over one chunk. `mode: "python"` says that this is meant, `mode: "native"` '
                f"refuses it. Why: {refusal}",
                PythonModeWarning,
                stacklevel=4,
            )
        return self._run(spec, made)

    def _run(self, spec: Mapping[str, Any], made: Calls, here_ms: int | None = None) -> Run:
        from rlm_hypervisor.calling import told

        return Run(
            self._engine.call(made.function, made.feed, told(made.asked), made.then, here_ms),
            made.name,
            description=spec.get("description"),
            tags=spec["options"].get("tags"),
            progress=spec["options"].get("progress"),
            client=self,
            shape=made.shape,
        )

    def _submit_calls(
        self, spec: Mapping[str, Any], task: Any, objects: list[Any], timeout_ms: int | None, waits_ms: int
    ) -> Run:
        """Starts a task whose operation runs in workers, on the user's own value or on items."""
        from rlm_hypervisor.calling import calls

        given = spec["input"]
        items = objects[handle_of(given["items"]["object"])] if "items" in given else None
        found = spec["operation"]
        references = found.get("steps", [found])
        operations = [self._operation(reference, objects) for reference in references]
        others = self._others(spec, objects)
        value = task.get("input")
        made = calls(spec, value, items, operations, others, timeout_ms)
        self._keep(spec, made, operations, others, value if items is None else None)
        return self._run(spec, made, waits_ms)

    def _keep(
        self,
        spec: Mapping[str, Any],
        made: Calls,
        operations: list[Callable[..., Any]],
        others: Mapping[str, Any],
        value: Any,
    ) -> None:
        """Under an `idempotencyKey` the core is told what makes the task what it is."""
        key = spec["options"]["idempotencyKey"]
        if key is not None:
            from rlm_hypervisor.fingerprint import task_of

            assert isinstance(made.asked, dict)
            made.asked.update(key=key, task=task_of(spec, operations, others, value))

    def _others(self, spec: Mapping[str, Any], objects: list[Any]) -> dict[str, Any]:
        """What a task says besides its operation: `combine`, `key`, `reduce`, `setup`, where they are given."""
        found: dict[str, Any] = {}
        for name in ("reduce", "setup"):
            if spec.get(name) is not None:
                found[name] = self._operation(spec[name], objects)
        for name in ("combine", "key"):
            given = spec.get(name)
            if isinstance(given, Mapping):
                handle = given.get("callable")
                found[name] = given["columns"] if handle is None else objects[handle_of(handle)]
            elif given not in (None, "auto"):
                found[name] = given
        return found


def _writable(spec: Mapping[str, Any]) -> None:
    """Refuses an `output` of results that are not rows of their chunks."""
    given = next(
        (word for word in ("combine", "reduce", "key") if spec.get(word) not in (None, "auto")), None
    )
    if given is not None or spec["type"] == "map_reduce":
        raise InvalidTaskError(
            f"`output` takes rows of the source's chunks, and {f'`{given}`' if given else 'map_reduce'} makes something "
            "else of the results. Leave one of them out, or write the result: `result.write.parquet(path)`",
            details={"path": "output", "unsupported": "output of results that are put together"},
        )
    if spec["options"]["onError"] == "collect":
        raise InvalidTaskError(
            f'`onError: "{spec["options"]["onError"]}"` does not go with `output` of an operation in workers: errors have '
            'no place in files. Say "skip" to leave out chunks that fail, or "fail"',
            details={"path": "options.onError"},
        )
