"""The life of a worker process: it takes calls until its supervisor ends it."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
from typing import Any


def main() -> None:
    """Takes the socket from standard input and serves it."""
    connection = socket.socket(fileno=os.dup(0))
    os.set_inheritable(connection.fileno(), False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    from rlm_hypervisor import _core

    _core.watch_parent(connection.fileno())
    faulthandler.enable()
    # Ctrl-C is the supervisor's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")

    from rlm_hypervisor.worker.calls import Server
    from rlm_hypervisor.worker.channel import Channel

    channel = Channel(connection)
    logging.getLogger().addHandler(_Forwarding(channel))
    with contextlib.suppress(EOFError, ConnectionError):
        _serve(Server(channel), channel)
    # Threads that user code left behind do not keep the process.
    os._exit(0)


class _Forwarding(logging.Handler):
    """Sends records of the user's logging to the run."""

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        try:
            text = self.format(record)
            self._channel.send({"t": "log", "level": record.levelname, "name": record.name, "text": text})
        except Exception:
            self.handleError(record)


def _serve(server: Any, channel: Any) -> None:
    while True:
        head, blobs = channel.receive()
        kind = head["t"]
        if kind == "call":
            server.call(head, blobs)
        elif kind == "function":
            server.function(head, blobs[0])
        elif kind == "start":
            server.start(blobs[0])
            channel.send({"t": "ready"})
