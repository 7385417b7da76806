"""What user code in a worker can ask of the call that runs: which it is, how long it has, whether it is wanted."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from rlm_hypervisor.errors import InvalidTaskError

if TYPE_CHECKING:
    from rlm_hypervisor.secrets import TaskSecrets

__all__ = ["CurrentTask", "SoftTimeout", "current_task"]


class SoftTimeout(Exception):
    """Raised in an operation that has run for the task's `softTimeoutMs`, once for each chunk or item.

    It interrupts what Python does, `time.sleep` and waiting for sockets too, but not a call into C that does not come
    back. An operation may catch it to clean up, or to return what it has; one that does not has failed by it.

    >>> import time
    >>> from rlm_hypervisor import RLMClient, SoftTimeout
    >>> def patient(item):
    ...     try:
    ...         time.sleep(60)
    ...     except SoftTimeout:
    ...         return "what there was"
    >>> with RLMClient(workers=1) as client:
    ...     client.execute({
    ...         "type": "parallel",
    ...         "input": {"items": [1], "operation": patient},
    ...         "options": {"softTimeoutMs": 50},
    ...     })
    ['what there was']
    """


class CurrentTask:
    """The call that runs in this worker; made by `current_task()`."""

    __slots__ = ("_current",)

    def __init__(self, current: object) -> None:
        from rlm_hypervisor.worker.context import Current

        assert isinstance(current, Current)
        self._current = current

    @property
    def id(self) -> str:
        """The run's id, as `Run.id` and errors have it."""
        return self._current.run

    @property
    def item(self) -> int:
        """The number of the item, batch or chunk in the run, from 0."""
        return int(self._current.item)

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._current.attempt

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline of the run or of the item (`chunkTimeoutMs`), whichever comes first, 0 when it has
        passed; None where there is neither."""
        deadline = self._current.nearest()
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)

    @property
    def cancelled(self) -> bool:
        """Whether the call is to stop: it has some hundredths of a second before it is ended."""
        return self._current.page.asked_to_stop(self._current.call)

    @property
    def secrets(self) -> TaskSecrets:
        """The secrets that the task names in `options.secrets`, by name: `current_task().secrets["db"].reveal()`."""
        from rlm_hypervisor.secrets import TaskSecrets

        return TaskSecrets(self._current.secrets)

    @property
    def setup(self) -> Any:
        """What the `setup` of `client.warm()` returned in this worker; None where none was given."""
        return self._current.setup

    def report(self, done: float, note: str | None = None) -> None:
        """Says how far the call is, for `Run.output()`.

        Args:
            done: the part that is done, from 0 to 1.
            note: for people.
        """
        self._current.channel.send(
            {"t": "progress", "done": float(done), "note": None if note is None else str(note)[:10_000]}
        )

    @property
    def logger(self) -> logging.Logger:
        """A logger whose records of level INFO and above come to `Run.output()`."""
        logger = logging.getLogger("rlm_hypervisor.task")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        return logger

    def __repr__(self) -> str:
        return f"<CurrentTask {self.id}, item {self.item}, attempt {self.attempt}>"


def current_task() -> CurrentTask:
    """The call that runs in this worker, for an operation that wants to know.

    Raises:
        InvalidTaskError: this is no worker, or no call runs: a native operation, the client's own process.

    >>> from rlm_hypervisor import RLMClient, current_task
    >>> def where(item):
    ...     return current_task().item, current_task().attempt
    >>> with RLMClient(workers=1) as client:
    ...     client.execute({"type": "parallel", "input": {"items": ["a", "b"], "operation": where}})
    [(0, 1), (1, 1)]
    """
    import sys

    module = sys.modules.get("rlm_hypervisor.worker.context")
    current = None if module is None else module.now()
    if current is None:
        raise InvalidTaskError(
            "`current_task()` was called where no call of a task runs. It is for operations in workers: on items, on "
            'values, and on sources in Python mode (`mode: "python"`)'
        )
    return CurrentTask(current)
