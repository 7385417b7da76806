"""Workers that are threads of the client's process: started by its core, one call at a time like a process."""

from __future__ import annotations

import ctypes
import logging
import socket
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from rlm_hypervisor.worker import context
from rlm_hypervisor.worker.channel import LONGEST

if TYPE_CHECKING:
    from rlm_hypervisor._core import Ending


_PIECES = 1_000
"""Pieces of text that wait for the end of their line."""
_ROUTED = 32
"""Outputs that are kept after they were put back."""


class Stopped(BaseException):
    """Raised in a thread whose call is to stop."""


class Thread(threading.Thread):
    """Takes calls from a socket until its other end is closed.

    Args:
        handle: of the socket.
        ending: is told when the thread ends.
    """

    def __init__(self, handle: int, ending: Ending) -> None:
        super().__init__(name="rlm-worker-thread", daemon=True)
        self._handle = handle
        self._ending: Ending | None = ending
        self._lock = threading.Lock()
        self.stopped = False
        """Whether it was told to end."""
        self._over = False

    def run(self) -> None:
        """Serves."""
        ending, self._ending = self._ending, None
        assert ending is not None
        try:
            with socket.socket(fileno=self._handle) as connection:
                self._serve(connection)
        except BaseException:
            # It was told to end, or who would be told of an error is gone.
            pass
        finally:
            # It may be told to end again at any call: after this not once more.
            self._over = True
            try:
                with self._lock:
                    pass
            except Stopped:
                pass
            ending.set()

    def _serve(self, connection: socket.socket) -> None:
        from rlm_hypervisor.worker.calls import Server
        from rlm_hypervisor.worker.channel import Channel
        from rlm_hypervisor.worker.main import serve

        channel = Channel(connection)
        serve(Server(channel, self), channel)

    def check(self) -> None:
        """Ends the thread if it was told to."""
        if self.stopped:
            raise Stopped

    def interrupt(self) -> None:
        """Raises `Stopped` in the thread, as soon as it runs Python code."""
        with self._lock:
            self.stopped = True
            if self.ident is not None and self.is_alive() and not self._over:
                raise_in(self.ident, Stopped)


def start(handle: int, ending: Ending) -> Thread:
    """A thread that serves."""
    thread = Thread(handle, ending)
    thread.start()
    return thread


def raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """Raises an exception in a thread when it next runs Python code; None takes back one that was not raised yet."""
    raised = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


class _Routed:
    """An output that passes on what threads with calls write to their runs, and what others write as before."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        """Writes."""
        current = context.of_thread()
        if current is None:
            return int(self._stream.write(text))
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        for start in range(0, len(text), LONGEST):
            current.written.append((self._name, text[start : start + LONGEST]))
            if start:
                send_written(current)
        if "\n" in text or len(current.written) > _PIECES:
            send_written(current)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes them all."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def send_written(current: context.Current) -> None:
    """Sends what a call has written so far."""
    found, current.written = current.written, []
    for name, text in found:
        clean = text.encode("utf-8", "backslashreplace").decode()
        current.channel.send({"t": "wrote", "stream": name, "text": clean})


class _Forwarding(logging.Handler):
    """Sends records of logging in threads with calls to their runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        current = context.of_thread()
        if current is None:
            return
        try:
            text = self.format(record)[:LONGEST]
            current.channel.send({"t": "log", "level": record.levelname, "name": record.name, "text": text})
        except Exception:
            self.handleError(record)


class Capture:
    """While calls run in threads, what they write and log goes to their runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._handler = _Forwarding()
        self._routed: dict[str, _Routed] = {}
        # Before Python 3.13.3 `print` borrows `sys.stdout` while it writes: one that is put back and freed meanwhile would
        # end the process (https://github.com/python/cpython/issues/130163). So the last ones are kept.
        self._kept: deque[_Routed] = deque(maxlen=_ROUTED)

    def __enter__(self) -> None:
        with self._lock:
            self._calls += 1
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                # Somebody may have put another one in its place meanwhile.
                if stream is not None and stream is not self._routed.get(name):
                    self._routed[name] = self._of(stream, name)
                    setattr(sys, name, self._routed[name])
            if self._calls == 1:
                logging.getLogger().addHandler(self._handler)

    def _of(self, stream: Any, name: str) -> _Routed:
        for routed in self._kept:
            if routed._stream is stream and routed._name == name:
                return routed
        self._kept.append(_Routed(stream, name))
        return self._kept[-1]

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            if self._calls:
                return
            logging.getLogger().removeHandler(self._handler)
            for name, routed in self._routed.items():
                if getattr(sys, name) is routed:
                    setattr(sys, name, routed._stream)
            self._routed.clear()


capture = Capture()
