"""Messages to and from the supervisor: a head of JSON and blobs, large ones as shared memory.

`src/worker/wire.rs` says how a message lies in the socket.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import threading
from typing import Any, TypeAlias

Bytes: TypeAlias = bytes | memoryview

SHARED_FROM = 256 * 1024
"""From here on bytes are shared, not sent."""

LONGEST = 1 << 20
"""Characters of a text that is for people: a run keeps no more."""

_SHARED = 1 << 63
_MOST_SHARED = 64
_START = struct.Struct("<II")


class Channel:
    """The worker's end of the socket. Sending is safe from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def receive(self) -> tuple[dict[str, Any], list[Bytes]]:
        """The next message; EOFError when the supervisor is gone. A page of `start` is one that both write."""
        start, files = self._start()
        head_length, count = _START.unpack(start)
        lengths = struct.unpack(f"<{count}Q", self._exactly(8 * count))
        head = json.loads(self._exactly(head_length))
        blobs: list[Bytes] = []
        for length in lengths:
            if length & _SHARED:
                blobs.append(_mapped(files.pop(0), length & ~_SHARED, head["t"] == "start"))
            else:
                blobs.append(self._exactly(length))
        return head, blobs

    def _start(self) -> tuple[bytes, list[int]]:
        files: list[int] = []
        start = b""
        while len(start) < _START.size:
            # Handles are attached to the first byte.
            data, attached, _, _ = socket.recv_fds(self._socket, _START.size - len(start), _MOST_SHARED)
            files += attached
            if not data:
                raise EOFError
            start += data
        return start, files

    def _exactly(self, count: int) -> bytes:
        if count == 0:
            return b""
        data = self._socket.recv(count, socket.MSG_WAITALL)
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def send(self, head: dict[str, Any], blobs: list[Any] | None = None) -> None:
        """Sends a message. A forked child of the worker, which is no worker, ends here."""
        if os.getpid() != self._pid:
            os._exit(0)
        blobs = blobs or []
        text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        lengths = []
        inline: list[Any] = []
        files: list[int] = []
        for blob in blobs:
            view = memoryview(blob).cast("B")
            file = _shared(view) if view.nbytes >= SHARED_FROM and len(files) < _MOST_SHARED else None
            if file is not None:
                files.append(file)
                lengths.append(view.nbytes | _SHARED)
            else:
                inline.append(view)
                lengths.append(view.nbytes)
        packed = _START.pack(len(text), len(blobs)) + struct.pack(f"<{len(lengths)}Q", *lengths)
        message = b"".join((packed, text, *inline))
        try:
            with self._lock:
                if files:
                    sent = socket.send_fds(self._socket, [message], files)
                    self._socket.sendall(memoryview(message)[sent:])
                else:
                    self._socket.sendall(message)
        finally:
            for file in files:
                os.close(file)


def _mapped(file: int, length: int, both: bool) -> memoryview:
    """Shared memory, as long as anything refers to it. What the worker writes is its own copy, unless `both` see it."""
    try:
        return memoryview(mmap.mmap(file, length, access=mmap.ACCESS_WRITE if both else mmap.ACCESS_COPY))
    finally:
        os.close(file)


def _shared(view: memoryview) -> int | None:
    """A file that holds these bytes; None where the system has none, so that they go the other way."""
    try:
        file = unnamed()
    except OSError:
        return None
    try:
        while view.nbytes:
            view = view[os.write(file, view) :]
    except OSError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def unnamed() -> int:
    """A new file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rlm")
    import tempfile

    file, path = tempfile.mkstemp()
    os.unlink(path)
    return file
