"""What operations may change in their worker's process, and others would stumble over."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
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


_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_DATA)


class Process:
    """The process as it is when the worker begins.

    Each function has its own working directory, which stays its own from call to call; clocks that it has set and left
    behind ring for nobody; outputs that it has put elsewhere, and limits that cannot be raised again, are a reason for
    another process.
    """

    def __init__(self) -> None:
        self._outputs = _same(1), _same(2)
        self._depth = sys.getrecursionlimit()
        self._limits = {kind: resource.getrlimit(kind)[0] for kind in _LIMITS}
        self._home: str | None = None
        with contextlib.suppress(OSError):
            self._home = os.getcwd()
        self._places: dict[str, str] = {}
        """Where functions have gone."""
        self._function = ""

    def before(self, function: str) -> bool:
        """Before a call of this function; whether the process may have it."""
        if function == self._function:
            return True
        self._function = function
        wanted = self._places.get(function, self._home)
        if wanted is not None and wanted != _directory():
            with contextlib.suppress(OSError):
                os.chdir(wanted)
        if sys.getrecursionlimit() < self._depth:
            sys.setrecursionlimit(self._depth)
        return all(_raised(kind, limit) for kind, limit in self._limits.items())

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


def _raised(kind: int, limit: int) -> bool:
    """Whether a limit of the system is what it was, or can be again."""
    soft, hard = resource.getrlimit(kind)
    if soft in (limit, resource.RLIM_INFINITY) or soft > limit != resource.RLIM_INFINITY:
        return True
    try:
        resource.setrlimit(kind, (limit, hard))
    except (OSError, ValueError):
        return False
    return True


def _same(handle: int) -> tuple[int, int] | None:
    """What tells the file of a handle from others."""
    try:
        found = os.fstat(handle)
    except OSError:
        return None
    return found.st_dev, found.st_ino
