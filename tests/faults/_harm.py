"""What a soak does to workers: harm from within their calls, and signals from outside at random moments."""

from __future__ import annotations

import ctypes
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any


class Dying:
    """A result that ends its worker while it is pickled."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return int, ()


def harm(kind: str) -> Any:
    """Does to its worker what is asked; what it returns is to be returned."""
    match kind:
        case "exit":
            os._exit(random.randrange(256))
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "group":
            # All of its process group.
            os.killpg(0, signal.SIGKILL)
        case "answer":
            return Dying()
        case "garble":
            # Speaks over its channel.
            for handle in range(200, 260):
                try:
                    with socket.socket(fileno=os.dup(handle)) as found:
                        found.send(b"no message at all")
                except OSError:
                    continue
            time.sleep(30)
        case "deaf":
            # Closes its channel.
            os.closerange(200, 300)
        case "sleep":
            time.sleep(3600)
        case "spin":
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    continue
        case "backtrack":
            re.match(r"(a+)+$", "a" * 64 + "b")
        case "memory":
            held = []
            while True:
                held.append(bytearray(b"x" * (1 << 25)))
        case "raise":
            raise ArithmeticError("by chance")
        case "lack":
            raise MemoryError
        case "daemon":
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
        case "child":
            if os.fork() == 0:
                time.sleep(3600)
        case "noise":
            print("x" * 100_000, file=random.choice([sys.stdout, sys.stderr]))
        case "close":
            os.closerange(3, 190)
        case "large":
            return bytes(1 << 20)
        case "late":
            # Ends while it answers, or some time later.
            threading.Timer(random.uniform(0, 0.004), os.kill, (os.getpid(), signal.SIGKILL)).start()
            return bytes(1 << 19)
    return None


CRASHING = ("exit", "segfault", "kill", "abort", "group", "answer", "garble", "deaf")
"""The worker is gone."""
LATE = ("late",)
"""The worker is gone some time later, which may be the time of another item."""
ENDLESS = ("sleep", "spin", "backtrack")
"""The worker is ended at the deadline of the item."""
GREEDY = ("memory",)
"""The worker is ended because of what it holds."""
HARMLESS = ("daemon", "child", "noise", "close", "large")
"""The item comes to its end."""

ON_THREADS = ("raise", "noise", "large")
"""What threads can be asked to do."""


def children() -> list[int]:
    """The processes that this one has started, without a look at all others."""
    found: list[int] = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children") as file:
                found += map(int, file.read().split())
        except FileNotFoundError:
            continue
    return found


def lives(pid: int) -> bool:
    """Whether a process runs, and is not dead and waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Striker(threading.Thread):
    """Sends signals to the workers of this process, each at an age that is drawn when it is first seen.

    Ages lie from before a worker runs its first line to after its first calls, so all phases are struck.
    """

    SIGNALS = (signal.SIGKILL,) * 12 + (signal.SIGTERM,) * 2 + (signal.SIGSEGV, signal.SIGABRT)

    def __init__(self, seed: int, longest: float, most: int) -> None:
        super().__init__(name="striker")
        self._chance = random.Random(seed)
        self._longest = longest
        self._most = most
        self._over = threading.Event()
        self._seen: dict[int, tuple[float, float]] = {}
        """When each was first seen, and when it is struck."""
        self.struck: Counter[str] = Counter()
        """How many, by the time that the worker had lived."""

    def run(self) -> None:
        while self.struck.total() < self._most and not self._over.wait(0.003):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        for pid in children():
            since, due = self._seen.setdefault(pid, (now, now + self._draw()))
            if due > now or not lives(pid):
                continue
            try:
                os.kill(pid, self._chance.choice(self.SIGNALS))
            except ProcessLookupError:
                continue
            # It may ignore one that can be.
            self._seen[pid] = (since, now + 0.05)
            age = now - since
            self.struck["within 20 ms" if age < 0.02 else "within 200 ms" if age < 0.2 else "later"] += 1

    def _draw(self) -> float:
        # A third at once, a third while it starts, a third while it runs.
        return self._chance.choice(
            [0.0, self._chance.uniform(0, 0.15), self._chance.uniform(0, self._longest)]
        )

    def __enter__(self) -> Striker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
