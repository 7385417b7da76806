"""Calls of an operation that is told when it takes long: an exception is raised in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

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


class WarnedInThread:
    """The same in a thread, which takes no signals: the exception is raised when the thread next runs Python code."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds
        self._lock = threading.Lock()
        self._calling = False

    def __call__(self, function: Callable[[Any], Any], item: Any) -> Any:
        """What the function returns."""
        from rlm_hypervisor.worker.threads import raise_in

        here = threading.get_ident()
        clock = threading.Timer(self._milliseconds / 1000, self._ring, (here,))
        clock.daemon = True
        self._calling = True
        clock.start()
        try:
            return function(item)
        finally:
            clock.cancel()
            with self._lock:
                self._calling = False
                # It may be on its way.
                raise_in(here, None)

    def _ring(self, thread: int) -> None:
        from rlm_hypervisor.worker.threads import raise_in

        with self._lock:
            if self._calling:
                self._calling = False
                raise_in(thread, SoftTimeout)


AnyWarned: TypeAlias = Warned | WarnedInThread


def warned(milliseconds: int, in_thread: bool) -> AnyWarned:
    """What calls functions and warns them, in a process or in a thread of it."""
    return WarnedInThread(milliseconds) if in_thread else Warned(milliseconds)
