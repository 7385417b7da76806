"""A proxy in front of the S3 server that fails as networks and stores do: what, where and how often a test says."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["status", "hang", "held", "slow", "reset", "cut", "short", "lost", "refused"]


@dataclass
class Fault:
    """What happens to requests whose method and target (path and query) fit.

    `status` answers without the server; `hang` never answers; `held` answers when it
    is released; `slow` waits with its first byte; `reset` and `cut`
    break off in the middle of the body, with an error and without one; `short` sends half of it and says that this is
    all; `lost` has the server do it and never says so; `refused` closes the connection unread.
    """

    kind: Kind
    method: str = ""
    part: str = ""
    """What the target has in it."""
    times: int | None = None
    """How often it happens; for ever without one."""
    skip: int = 0
    """How many requests pass before."""
    status: int = 503
    code: str = "SlowDown"
    happened: int = 0

    def meets(self, method: str, target: str) -> bool:
        """Whether it happens to this request; counts."""
        if (self.method and method != self.method) or self.part not in target:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.happened >= self.times:
            return False
        self.happened += 1
        return True


class Proxy:
    """Listens on loopback while it is entered."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        """Method and target of each request."""
        self.signed: set[tuple[str, str | None, str | None]] = set()
        """By which key, in which region and with which token requests were signed."""
        self.page: int | None = None
        """Keys on a page of a listing."""
        self.hanging = threading.Event()
        """Set as soon as a request hangs."""
        self.released = threading.Event()
        self.authorization: str | None = None
        """What the server is told instead of what the client says of itself."""
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def fail(self, *faults: Fault) -> None:
        """Only these from now on; what hangs is let go."""
        self.released.set()
        with self.lock:
            self.released = threading.Event()
            self.hanging = threading.Event()
            self.faults = list(faults)
            self.seen = []

    def happened(self) -> list[int]:
        """How often each fault did."""
        return [fault.happened for fault in self.faults]

    def fault(self, method: str, target: str) -> Fault | None:
        """The first that happens to this request."""
        with self.lock:
            self.seen.append((method, target))
            return next((fault for fault in self.faults if fault.meets(method, target)), None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def _break(self, reset: bool) -> None:
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server would shut it down in order, which is not what a broken one looks like.
        self.connection.close() if reset else self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy, method, target = self.proxy, self.command, self.path
        scope = re.search(r"Credential=([^/]+)/[0-9]+/([^/]+)/", self.headers.get("Authorization", ""))
        if scope:
            proxy.signed.add((scope[1], scope[2], self.headers.get("X-Amz-Security-Token")))
        if proxy.page and "list-type=2" in target:
            target += f"&max-keys={proxy.page}"
        released, hanging = proxy.released, proxy.hanging
        fault = proxy.fault(method, target)
        kind = fault.kind if fault else None
        if kind == "refused":
            return self._break(reset=True)
        if kind == "hang":
            hanging.set()
            released.wait(120)
            return self._break(reset=True)
        if kind == "slow":
            released.wait(0.4)
        if kind == "held":
            hanging.set()
            released.wait(120)
        if fault and kind == "status":
            content = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>no</Message></Error>"
            return self._send(fault.status, {"Content-Type": "application/xml"}, content.encode())
        server = http.client.HTTPConnection(proxy.upstream, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            if proxy.authorization:
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
                headers["Authorization"] = proxy.authorization
            server.request(method, target, body, headers)
            answer = server.getresponse()
            content = answer.read()
        finally:
            server.close()
        passed = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in ("connection", "transfer-encoding", "date", "server")
        }
        if kind == "lost":
            return self._break(reset=True)
        self._send(answer.status, passed, content, kind)

    def _send(self, status: int, headers: dict[str, str], content: bytes, kind: Kind | None = None) -> None:
        self.send_response(status)
        length = len(content) // 2 if kind == "short" else len(content)
        told = [value for name, value in headers.items() if name.lower() == "content-length"]
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        # An answer to HEAD has no body, and tells its length.
        self.send_header("Content-Length", (told or ["0"])[0] if self.command == "HEAD" else str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(content[: length // 2] if kind in ("reset", "cut") else content[:length])
        if kind in ("reset", "cut"):
            self._break(reset=kind == "reset")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer
