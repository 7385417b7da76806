"""What a soak must not leave behind, and whether memory is flat."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from itertools import combinations
from statistics import median

from tests.faults._harm import children
from tests.faults._workers import handles, until

SLOPE = 4 << 20
"""Bytes that the process may grow by with a thousand kills."""
NOISE = 24 << 20
"""Bytes by which what it holds may differ without a slope: the allocator's."""


SPARE = 2
"""Handles and threads by which a look may differ: what the interpreter opens when it is first needed."""


def _open() -> tuple[int, int]:
    """Handles and threads of this process."""
    return handles(), len(os.listdir("/proc/self/task"))


class Machine:
    """Looks at this process between clients, when nothing of a client may be left."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, int]] = []
        """Kills so far, and the bytes that are resident."""
        self._warm: tuple[int, int] | None = None

    def look(self, kills: int) -> None:
        """Nothing is left of a client that was closed."""
        until(lambda: not children(), "children live on, or are dead and not waited for")
        gc.collect()
        assert not shared(), f"shared memory is left: {shared()}"
        if len(self.samples) == 2:
            self._warm = _open()
        if self._warm is not None:
            # Threads end a moment after what they did.
            most = [warm + SPARE for warm in self._warm]
            until(lambda: _open()[0] <= most[0], f"handles: {_open()[0]}, {self._warm[0]} when warm")
            until(lambda: _open()[1] <= most[1], f"threads: {_open()[1]}, {self._warm[1]} when warm")
        self.samples.append((kills, resident()))

    def slope(self) -> float:
        """Bytes for a thousand kills: the median of the slopes of all pairs of samples, the first third left out.

        A line through single peaks would follow the peaks; this one follows what half of all pairs do.
        """
        kept = self.samples[len(self.samples) // 3 :]
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) * 1_000 for a, b in combinations(kept, 2) if b[0] > a[0]]
        return median(slopes) if slopes else 0.0

    def is_flat(self) -> bool:
        """Whether memory is: no slope, or less than what single looks differ by."""
        kept = self.samples[len(self.samples) // 3 :]
        if len(kept) < 4:
            return True
        half = len(kept) // 2
        before, after = median(held for _, held in kept[:half]), median(held for _, held in kept[half:])
        return self.slope() < SLOPE or after - before < NOISE

    def __str__(self) -> str:
        if not self.samples:
            return "no look at memory"
        first, last = (self.samples[place][1] >> 20 for place in (len(self.samples) // 3, -1))
        return f"{first} MiB after a third, {last} MiB at the end, {self.slope() / (1 << 20):+.2f} MiB for 1,000 kills"


def resident() -> int:
    """Bytes that this process holds, after what is free was given back where that can be asked for."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def shared() -> list[str]:
    """Shared memory of workers that this process maps or holds open, and files of that name."""
    found = [f"/dev/shm/{name}" for name in os.listdir("/dev/shm") if "rlm" in name]
    with open("/proc/self/maps") as file:
        found += [line.strip() for line in file if "memfd:rlm" in line]
    for handle in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{handle}")
        except FileNotFoundError:
            continue
        if "memfd:rlm" in name:
            found.append(name)
    return found
