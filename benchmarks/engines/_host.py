"""The process of one engine: answers requests, one JSON line each, until its input ends.

python -m engines._host <engine> <threads>
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from _job import Job
from _spec import Spec

from engines import _process

ROUND_SECONDS = 5.0
"""Repeated calls of one request stop after this long; at least MIN_CALLS are made."""
MIN_CALLS = 5


class Host:
    """Carries out requests with one engine."""

    def __init__(self, name: str, threads: int) -> None:
        self.cpus = _process.pin(threads)
        _process.die_first()
        self.engine = importlib.import_module(f"engines.{name}").ENGINE(threads)

    def hello(self) -> dict[str, Any]:
        return {
            "versions": self.engine.versions(),
            "answers": self.engine.answers,
            "cpus": self.cpus,
        }

    def prepare(self, spec: Spec) -> dict[str, Any]:
        self.engine.prepare(spec)
        return {}

    def answer(self, spec: Spec, path: str) -> dict[str, Any]:
        """Writes the answer to `path`, for the driver to compare."""
        import pyarrow as pa

        table = self.engine.answer(spec)
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        del table
        self._tidy()
        return {}

    def run(self, spec: Spec) -> dict[str, Any]:
        """Seconds of each execution, and the number of groups that the last one gave."""
        seconds: list[float] = []
        groups: int | None = None
        until = time.perf_counter() + ROUND_SECONDS
        while len(seconds) < spec.calls:
            if len(seconds) >= MIN_CALLS and time.perf_counter() > until:
                break
            elapsed, result = self.engine.run(spec)
            seconds.append(elapsed)
            groups = len(result) if self.engine.answers else None
            del result
        self._tidy()
        return {"seconds": seconds, "groups": groups}

    def memory(self, spec: Spec) -> dict[str, Any]:
        """Peak resident bytes of this process's first execution, and what was resident before."""
        self._tidy()
        baseline = _process.resident()
        exact = _process.reset_peak()
        with _process.Watch() as watch:
            elapsed, result = self.engine.run(spec)
        peak = _process.peak()
        groups = len(result) if self.engine.answers else None
        return {
            "baseline": baseline,
            "peak": peak,
            "anonymous": watch.anonymous,
            "files": watch.files,
            "exact": exact,
            "seconds": elapsed,
            "groups": groups,
        }

    def _tidy(self) -> None:
        gc.collect()
        self.engine.release()
        _process.trim()


def main() -> int:
    # What engines print must not mix with the replies: they keep a descriptor of their own.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")

    try:
        host = Host(sys.argv[1], int(sys.argv[2]))
        reply(host.hello())
    except Exception as error:
        from engines._base import Unavailable

        kind = "unavailable" if isinstance(error, (ImportError, Unavailable)) else "error"
        reply({kind: f"{type(error).__name__}: {error}"})
        return 0

    for line in sys.stdin:
        request = json.loads(line)
        asked = request.pop("spec")
        spec = Job(**asked) if "suite" in asked else Spec(**asked)
        method: Callable[..., dict[str, Any]] = getattr(host, request.pop("call"))
        try:
            reply(method(spec, **request))
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {error}"})
    with contextlib.suppress(Exception):
        host.engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
