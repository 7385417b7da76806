"""The life of a worker process: it takes calls until its supervisor ends it."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
from typing import Any

from rlm_hypervisor.worker.channel import LONGEST, Channel
from rlm_hypervisor.worker.process import high


def main(parent: int) -> None:
    """Takes the socket from standard input and serves it; `parent` is the supervisor's process."""
    connection = socket.socket(fileno=high(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    from rlm_hypervisor import _core

    _watch(connection.fileno(), parent, _core.watch_parent)
    faulthandler.enable()
    # Ctrl-C is the supervisor's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")

    from rlm_hypervisor.worker.calls import Server

    channel = Channel(connection)
    logging.getLogger().addHandler(_Forwarding(channel))
    try:
        serve(Server(channel), channel)
    except (EOFError, ConnectionError):
        pass
    except OSError as error:
        # User code closed the channel, which the supervisor sees as well.
        if error.errno != errno.EBADF:
            raise
    # The watch ends this process, after all that it has started. Threads that user code left behind do not keep it.
    time.sleep(5)
    os._exit(0)


class _Forwarding(logging.Handler):
    """Sends records of the user's logging to the run."""

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        try:
            text = self.format(record)[:LONGEST]
            self._channel.send({"t": "log", "level": record.levelname, "name": record.name, "text": text})
        except Exception:
            self.handleError(record)


def _watch(connection: int, parent: int, watch_parent: Any) -> None:
    """Sees to it that this process ends with its supervisor."""
    handle = None
    with contextlib.suppress(AttributeError, OSError):
        handle = os.pidfd_open(parent)
    if os.getppid() != parent:
        # It is gone already.
        os._exit(1)
    watch_parent(connection, handle)
    if handle is not None:
        os.close(handle)


def serve(server: Any, channel: Any) -> None:
    """Runs what comes over the channel, until its other end is closed."""
    while True:
        head, blobs = channel.receive()
        kind = head["t"]
        if kind == "call":
            server.call(head, blobs)
        elif kind == "function":
            server.function(head, blobs[0])
        elif kind == "secrets":
            server.secrets(blobs[0])
        elif kind == "start":
            server.start(blobs[0])
            said, pickles = server.set_up(head, blobs[1:])
            channel.send(said, pickles)
