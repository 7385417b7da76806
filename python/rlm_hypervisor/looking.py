"""Sources of which no more files are opened than what is done with their rows needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.errors import RLMError

__all__ = ["Looking"]

_TURNS = 3
"""How often an operation is traced on what is known of a source; then all of its files are opened."""


class Looking:
    """The source of a task, and the plan that its operation makes of it.

    Of files below directories by value one is opened at first. When the operation was traced, the files are that its
    conditions on directories leave; where these have other columns than that one, it is traced again.
    """

    def __init__(self, engine: _core.Engine, frame: _core.Frame, timeout_ms: int | None) -> None:
        self._engine = engine
        self._frame = frame
        self._ends = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000

    def _opened(self, plan: _core.Frame | None) -> tuple[_core.Frame, bool]:
        left = None if self._ends is None else max(int((self._ends - time.monotonic()) * 1000), 1)
        return self._engine.opened(self._frame, plan, left)

    def whole(self) -> _core.Frame:
        """The frame with all files opened."""
        if self._engine.is_pending(self._frame):
            self._frame, _ = self._opened(None)
        return self._frame

    def plan(self, operation: Callable[..., Any]) -> Any:
        """What the operation records; raises what `trace` raises."""
        from rlm_hypervisor.partition.trace import trace

        for _ in range(_TURNS):
            if not self._engine.is_pending(self._frame):
                break
            known = _known(self._frame)
            try:
                plan = trace(operation, self._frame)
            except RLMError:
                # It may miss a column that other files have.
                if _known(self.whole()) == known:
                    raise
                break
            if not isinstance(plan, _core.Frame):
                if _known(self.whole()) == known:
                    return plan
                break
            found, settled = self._opened(plan)
            if settled:
                return found
            self._frame = found
        return trace(operation, self.whole())


def _known(frame: _core.Frame) -> tuple[Any, ...]:
    """What an operation is told of a source."""
    return frame.columns, frame.dtypes, frame.index_names
