"""What the fault suite of worker processes shares: tasks, the books of a run, and a look at the machine."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or needs memfd and pidfd")

PATIENCE = 60.0
"""Seconds until a test gives up waiting for what is to come soon, also on a machine that has much else to do."""


def task(operation: Callable[..., Any] | None, items: Any, **more: Any) -> dict[str, Any]:
    """A task over items; options beside `input` as keyword arguments, `chunkSize` into it."""
    given: dict[str, Any] = {"items": items, "operation": operation}
    if "chunkSize" in more:
        given["chunkSize"] = more.pop("chunkSize")
    kind = more.pop("type", "parallel")
    if more.get("retries"):
        more.setdefault("backoffMs", 1)
    return {"type": kind, "input": given, "options": more}


def books(run: Any) -> dict[str, int]:
    """The accounting of a run, which adds up whenever it is looked at."""
    metrics = run.metrics()
    found = {name: metrics[f"chunks_{name}"] for name in _ENDS}
    assert found["accepted"] == sum(found.values()) - found["accepted"], found
    return found


_ENDS = ("accepted", "pending", "succeeded", "failed", "dead_lettered", "cancelled", "skipped")


def looked_after(run: Any, patience: float = PATIENCE) -> dict[str, int]:
    """Waits for a run and looks at its books all the while."""
    deadline = time.monotonic() + patience
    while not run.wait(0.002):
        books(run)
        assert time.monotonic() < deadline, (run, books(run))
    return books(run)


def until(true: Callable[[], Any], what: str = "") -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what or true
        time.sleep(0.002)


def workers(pid: int | None = None) -> list[psutil.Process]:
    """The processes that a process has started, and those that they have."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def serving() -> set[threading.Thread]:
    """The threads of this process that are workers."""
    return {thread for thread in threading.enumerate() if thread.name == "rlm-worker-thread"}


def bodies(kind: str) -> set[Any]:
    """What the workers of this process are now: numbers of processes, or threads."""
    return {process.pid for process in workers()} if kind == "processes" else serving()


def lives(body: Any) -> bool:
    """Whether one of them goes on."""
    return body.is_alive() if isinstance(body, threading.Thread) else alive(body)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def handles(pid: int | None = None) -> int:
    """How many files a process holds open."""
    return len(os.listdir(f"/proc/{pid or os.getpid()}/fd"))


def still_serves(client: RLMClient) -> None:
    """A run beside or after a fault is as good as any."""
    run = client.submit(task(abs, range(-20, 0)))
    assert run.result(PATIENCE) == list(range(20, 0, -1))
    assert books(run) == {
        "accepted": 20, "pending": 0, "succeeded": 20, "failed": 0, "dead_lettered": 0, "cancelled": 0, "skipped": 0
    }  # fmt: skip


PRELUDE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import os, time, signal
from rlm_hypervisor import RLMClient
from tests.faults._workers import books, handles, looked_after, still_serves, task, until, workers
"""
"""The beginning of a program that runs in a process of its own."""
