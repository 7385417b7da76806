"""Calls in the thread that asks for them: where threads are the workers, and the operation is known to be short."""

from __future__ import annotations

import contextvars
import sys
import threading
from typing import Any

from rlm_hypervisor.worker import context
from rlm_hypervisor.worker.calls import Server
from rlm_hypervisor.worker.threads import Stopped, raise_in

_MOST_FUNCTIONS = 64
"""Functions that a thread keeps, which may live as long as the process."""


class _Kept:
    """A channel whose messages are kept until the call is over."""

    def __init__(self) -> None:
        self.said: list[tuple[dict[str, Any], list[Any]]] = []

    def send(self, head: dict[str, Any], blobs: list[Any] | None = None) -> None:
        """Keeps a message."""
        self.said.append((head, blobs or []))


class _Local(threading.local):
    """What each thread has of its own: operations keep their state as they do in a worker."""

    def __init__(self) -> None:
        self.channel = _Kept()
        self.server: Server | None = None


_local = _Local()


class Here:
    """The thread that asks for a call, while it runs it."""

    def __init__(self) -> None:
        self._ident = threading.get_ident()
        self._lock = threading.Lock()
        self._over = False
        self.stopped = False
        """Whether the call was told to end."""

    def call(
        self, function: bytes, head: dict[str, Any], blobs: list[Any]
    ) -> list[tuple[dict[str, Any], list[Any]]] | None:
        """Runs a call and returns what it says; None if it was told to end.

        Raises:
            KeyboardInterrupt: Ctrl-C ends the call as it would end any code of this thread.
        """
        channel = _local.channel
        channel.said = []
        server = _local.server
        if server is None:
            server = _local.server = Server(channel, self)
            server.start(bytearray(context.PAGE))
        server.serve_in(self)
        try:
            if not server.knows(head["function"], _MOST_FUNCTIONS):
                server.function({"id": head["function"]}, function)
            # A thread of its own would have none of this one's.
            contextvars.Context().run(server.call, head, blobs)
        except Stopped:
            self._over = True
            self.end()
            return None
        with self._lock:
            self._over = True
        if self.stopped:
            self.end()
            return None
        return channel.said

    def check(self) -> None:
        """Ends the call if it was told to, or if the exception that is handled is Ctrl-C's."""
        if self.stopped:
            raise Stopped
        error = sys.exc_info()[1]
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise error

    def interrupt(self) -> None:
        """Raises `Stopped` in the thread, as soon as it runs Python code."""
        with self._lock:
            self.stopped = True
            if not self._over:
                raise_in(self._ident, Stopped)

    def end(self) -> None:
        """Nothing is raised in the thread from now on."""
        self._over = True
        try:
            with self._lock:
                pass
            raise_in(self._ident, None)
        except Stopped:
            # It was on its way, and no other one is.
            pass


def here() -> Here | None:
    """This thread for a call; None where it runs one already, or an event loop, which its code would find."""
    asyncio = sys.modules.get("asyncio")
    if context.now() is not None or (asyncio is not None and asyncio._get_running_loop() is not None):
        return None
    return Here()
