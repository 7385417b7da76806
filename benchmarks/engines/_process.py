"""What a process knows about itself: its processors, and its peak memory with its children's."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
import threading
from pathlib import Path
from types import TracebackType


def pin(threads: int) -> list[int]:
    """Confines this process to `threads` processors, on different cores where there are enough.

    Every engine is also told its number of threads in its own way; this holds the ones that keep
    further pools to the same amount of machine.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    firsts: list[int] = []
    siblings: list[int] = []
    seen: set[str] = set()
    for cpu in allowed:
        core = _core_of(cpu)
        (siblings if core in seen else firsts).append(cpu)
        seen.add(core)
    chosen = (firsts + siblings)[:threads]
    os.sched_setaffinity(0, chosen)
    return chosen


def _core_of(cpu: int) -> str:
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    try:
        package = (topology / "physical_package_id").read_text().strip()
        return f"{package}/{(topology / 'core_id').read_text().strip()}"
    except OSError:
        return f"cpu{cpu}"


def die_first() -> None:
    """Under memory pressure the kernel shall take the benchmark and nobody else."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def trim() -> None:
    """Gives freed heap pages back to the system."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _family() -> list[int]:
    """This process and everything below it: an engine may live in a child, as Spark's JVM does."""
    found = [os.getpid()]
    for pid in found:
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found.extend(int(child) for child in path.read_text().split())
    return found


def _status_bytes(field: str) -> int:
    total = 0
    for pid in _family():
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(f"{field}:"):
                total += int(line.split()[1]) * 1024
    return total


def resident() -> int:
    """Bytes resident now; 0 where the system does not tell."""
    return _status_bytes("VmRSS")


def reset_peak() -> bool:
    """Starts the kernel's high-water mark afresh. False where that cannot be done."""
    try:
        for pid in _family():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak() -> int:
    """The high-water mark of resident bytes, summed over the family."""
    high = _status_bytes("VmHWM")
    if high:
        return high
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Watch:
    """The most memory of its own, and the most of mapped files, that this process and its children hold meanwhile.

    The kernel keeps a high-water mark of both together only, so they are looked at every few milliseconds.
    """

    SECONDS = 0.005

    def __init__(self) -> None:
        self.anonymous = 0
        self.files = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while True:
            self.anonymous = max(self.anonymous, _status_bytes("RssAnon"))
            self.files = max(self.files, _status_bytes("RssFile"))
            if self._done.wait(self.SECONDS):
                return

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
