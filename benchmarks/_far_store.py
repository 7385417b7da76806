"""An S3 server that is far away: it keeps one bucket in memory, and every answer comes some milliseconds late.

python benchmarks/_far_store.py --delay 0.02

Only what clients need to read, list and write is there, so that it takes next to none of the processors it shares with
them. It prints its port. `GET /` tells how many requests of each kind there were since it was asked last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

BUCKET = "bench"
NOW = time.time()


class Objects:
    """What is in the bucket, and the parts of what is being uploaded."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.counts: Counter[str] = Counter()

    @staticmethod
    def tag(content: bytes) -> str:
        return (
            '"' + hashlib.blake2b(content[:64] + str(len(content)).encode(), digest_size=16).hexdigest() + '"'
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    store: Objects
    delay: float

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _send(self, status: int, body: bytes | memoryview = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _xml(self, body: str) -> None:
        self._send(200, f'<?xml version="1.0"?>{body}'.encode(), Content_Type="application/xml")

    def _missing(self) -> None:
        self._send(404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def _begun(self) -> tuple[str, dict[str, list[str]], bytes]:
        url = urlsplit(self.path)
        body = self._body()
        if "aws-chunked" in (self.headers.get("Content-Encoding") or ""):
            body = _unchunked(body)
        query = parse_qs(url.query, keep_blank_values=True)
        kind = self.command + (
            "".join(f" ?{name}" for name in query if name in ("list-type", "uploads", "uploadId"))
        )
        if url.path != "/":
            self.store.counts[kind] += 1
            time.sleep(self.delay)
        return unquote(url.path).removeprefix(f"/{BUCKET}").lstrip("/"), query, body

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self) -> None:
        key, query, _ = self._begun()
        store = self.store
        if urlsplit(self.path).path == "/":
            with store.lock:
                told, store.counts = json.dumps(store.counts).encode(), Counter()
            return self._send(200, told)
        if not key:
            return self._list(query)
        content = store.objects.get(key)
        if content is None:
            return self._missing()
        told = {
            "ETag": store.tag(content),
            "Last_Modified": formatdate(NOW, usegmt=True),
            "Accept_Ranges": "bytes",
        }
        asked = self.headers.get("Range")
        if not asked:
            return self._send(200, content, **told)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = (
            (len(content) - int(last), len(content))
            if not first
            else (int(first), int(last or len(content)) + 1)
        )
        start, end = max(start, 0), min(end, len(content))
        told["Content_Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return self._send(206, memoryview(content)[start:end], **told)

    def do_HEAD(self) -> None:
        key, _, _ = self._begun()
        content = self.store.objects.get(key)
        if key and content is None:
            return self._send(404)
        content = content or b""
        return self._send(
            200,
            Content_Length=str(len(content)),
            ETag=self.store.tag(content),
            Last_Modified=formatdate(NOW, usegmt=True),
            Accept_Ranges="bytes",
        )

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        entries, common = [], set()
        with self.store.lock:
            found = sorted(item for item in self.store.objects.items() if item[0].startswith(prefix))
        when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW))
        for key, content in found:
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                common.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            entries.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{when}</LastModified>"
                f"<ETag>{escape(self.store.tag(content))}</ETag><Size>{len(content)}</Size></Contents>"
            )
        entries += [
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(common)
        ]
        count = (
            f"<KeyCount>{len(entries)}</KeyCount><MaxKeys>100000</MaxKeys><IsTruncated>false</IsTruncated>"
        )
        name = f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
        self._xml(f"<ListBucketResult>{name}{count}{''.join(entries)}</ListBucketResult>")

    def do_PUT(self) -> None:
        key, query, body = self._begun()
        if "partNumber" in query:
            self.store.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
        elif key:
            self.store.objects[key] = body
        self._send(200, ETag=self.store.tag(body))

    def do_POST(self) -> None:
        key, query, body = self._begun()
        store = self.store
        if "uploads" in query:
            number = os.urandom(8).hex()
            store.uploads[number] = {}
            return self._xml(
                f"<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
                f"<UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
            )
        if "uploadId" in query:
            parts = store.uploads.pop(query["uploadId"][0])
            store.objects[key] = b"".join(parts[number] for number in sorted(parts))
            return self._xml(
                f"<CompleteMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
                f"<ETag>{escape(store.tag(store.objects[key]))}</ETag></CompleteMultipartUploadResult>"
            )
        for found in ElementTree.fromstring(body).iter():
            if found.tag.endswith("Key"):
                store.objects.pop(found.text or "", None)
        return self._xml("<DeleteResult></DeleteResult>")

    def do_DELETE(self) -> None:
        key, query, _ = self._begun()
        if "uploadId" in query:
            self.store.uploads.pop(query["uploadId"][0], None)
        else:
            self.store.objects.pop(key, None)
        self._send(204)


def _unchunked(body: bytes) -> bytes:
    """A body in signed chunks without their heads."""
    parts, at = [], 0
    while at < len(body):
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            break
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(parts)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away."""


class FarStore:
    """The server in a process of its own, while it is entered."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def __enter__(self) -> FarStore:
        command = [sys.executable, __file__, "--delay", str(self.delay)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait()

    @property
    def options(self) -> dict[str, str]:
        return {
            "aws_endpoint_url": self.endpoint,
            "aws_access_key_id": "bench",
            "aws_secret_access_key": "bench",
            "aws_region": "us-east-1",
            "aws_allow_http": "true",
        }

    def put(self, key: str, content: bytes) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}/{key}", data=content, method="PUT")
        urllib.request.urlopen(request).close()

    def requests(self) -> dict[str, int]:
        """How many of each kind there were since it was asked last."""
        with urllib.request.urlopen(f"{self.endpoint}/") as answer:
            told: dict[str, int] = json.loads(answer.read())
            return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds before every answer")
    Handler.store, Handler.delay = Objects(), parser.parse_args().delay
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
