"""Messages to and from the supervisor: a head of JSON and blobs, large ones as shared memory.

`src/worker/wire.rs` says how a message lies in the socket.
"""

from __future__ import annotations

import contextlib
import fcntl
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

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_READ = 16 * 1024
"""Bytes that are read at a time; more of them would only be copied once more."""

_SHARED = 1 << 63
_MOST_SHARED = 64
_START = struct.Struct("<II")


class Written:
    """Bytes that are in shared memory already: its handle is sent, and goes with this object."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.length = os.fstat(file).st_size

    def __del__(self) -> None:
        os.close(self.file)


class Channel:
    """The worker's end of the socket. Sending is safe from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._came, self._at = b"", 0
        """Bytes that came, and how many of them are taken."""
        self._files: list[int] = []
        """Handles that came and are not taken."""

    def receive(self) -> tuple[dict[str, Any], list[Bytes]]:
        """The next message; EOFError when the supervisor is gone. A page of `start` is one that both write."""
        head_length, count = _START.unpack(self._take(_START.size))
        lengths = struct.unpack(f"<{count}Q", self._take(8 * count))
        head = json.loads(self._take(head_length))
        blobs: list[Bytes] = []
        for length in lengths:
            if length & _SHARED:
                blobs.append(_mapped(self._files.pop(0), length & ~_SHARED, head["t"] == "start"))
            else:
                blobs.append(self._take(length))
        return head, blobs

    def _take(self, count: int) -> bytes:
        """So many of the bytes that come."""
        start, self._at = self._at, self._at + count
        if self._at <= len(self._came):
            return self._came[start : self._at]
        came = self._came[start:]
        if count > _READ:
            # Nothing of the next message, which may have handles.
            self._came, self._at = b"", 0
            return came + self._exactly(count - len(came))
        while len(came) < count:
            # Handles are attached to the first byte of their message, and what comes at a time ends behind them.
            data, attached, _, _ = socket.recv_fds(self._socket, _READ, _MOST_SHARED)
            self._files += attached
            if not data:
                raise EOFError
            came += data
        self._came, self._at = came, count
        return came[:count]

    def _exactly(self, count: int) -> bytes:
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
        text = _encode(head).encode("utf-8", "replace")
        lengths = []
        inline: list[Any] = []
        files: list[int] = []
        made: list[int] = []
        for blob in blobs:
            if isinstance(blob, Written):
                _seal(blob.file)
                files.append(blob.file)
                lengths.append(blob.length | _SHARED)
                continue
            view = memoryview(blob).cast("B")
            file = _shared(view) if view.nbytes >= SHARED_FROM and len(files) < _MOST_SHARED else None
            if file is not None:
                files.append(file)
                made.append(file)
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
            for file in made:
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
    _seal(file)
    return file


def _seal(file: int) -> None:
    """What is in a file without a name stays as it is: the supervisor maps it then, and else copies it."""
    if hasattr(fcntl, "F_ADD_SEALS"):
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        with contextlib.suppress(OSError):
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)


def unnamed() -> int:
    """A new file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rlm", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    import tempfile

    file, path = tempfile.mkstemp()
    os.unlink(path)
    return file
