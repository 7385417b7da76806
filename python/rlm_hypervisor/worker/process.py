"""What operations may change in their worker's process, and others would stumble over."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys

_HIGH = 200
"""Handles of the worker itself lie from here on, out of the way of code that closes the low ones."""


def high(handle: int) -> int:
    """The same as a handle with a high number, which programs that are started do not get."""
    try:
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except (OSError, ValueError):
        return os.dup(handle)


class Process:
    """The process as it is when the worker begins.

    Each function has its own working directory, which stays its own from call to call; clocks that it has set and left
    behind ring for nobody; outputs that it has put elsewhere are a reason for another process.
    """

    def __init__(self) -> None:
        self._outputs = _same(1), _same(2)
        self._limit = sys.getrecursionlimit()
        self._home: str | None = None
        with contextlib.suppress(OSError):
            self._home = os.getcwd()
        self._places: dict[str, str] = {}
        """Where functions have gone."""
        self._function = ""

    def before(self, function: str) -> None:
        """Before a call of this function."""
        if function == self._function:
            return
        self._function = function
        wanted = self._places.get(function, self._home)
        if wanted is not None and wanted != _directory():
            with contextlib.suppress(OSError):
                os.chdir(wanted)
        if sys.getrecursionlimit() < self._limit:
            sys.setrecursionlimit(self._limit)

    def after(self, function: str) -> bool:
        """After a call of this function; whether the process may have another one."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        place = _directory()
        if place is not None and place != self._home:
            self._places[function] = place
        else:
            self._places.pop(function, None)
        return (_same(1), _same(2)) == self._outputs


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        # It was removed.
        return None


def _same(handle: int) -> tuple[int, int] | None:
    """What tells the file of a handle from others."""
    try:
        found = os.fstat(handle)
    except OSError:
        return None
    return found.st_dev, found.st_ino
