"""Calls of an operation that is told when it takes long: an exception is raised in it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from rlm_hypervisor.context import SoftTimeout


class Warned:
    """Calls functions, and raises `SoftTimeout` in one that takes longer than so many milliseconds.

    Python acts on signals in its main thread, which is where workers call operations.
    """

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._calling = False

    def __call__(self, function: Callable[[Any], Any], item: Any) -> Any:
        """What the function returns. A handler of SIGALRM that it installs takes the place of ours."""
        signal.signal(signal.SIGALRM, self._ring)
        self._calling = True
        signal.setitimer(signal.ITIMER_REAL, self._milliseconds / 1000)
        try:
            return function(item)
        finally:
            self._calling = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, number: int, frame: Any) -> None:
        # Between the end of the function and the end of the clock there is nobody to be told.
        if self._calling:
            self._calling = False
            raise SoftTimeout(f"it has run for the {self._milliseconds} ms of `softTimeoutMs`")
