"""What a soak must not leave behind, and whether memory is flat."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Sequence

from tests.faults._harm import children
from tests.faults._workers import handles, until

RISE = 6 << 20
"""Bytes by which the process has to grow twice, from one third of the looks to the next, to be called growing."""
ENOUGH = 30
"""Looks at memory without which nothing is said of it."""


SPARE = 2
"""Handles and threads by which a look may differ: what the interpreter opens when it is first needed."""


def _open() -> tuple[int, int]:
    """Handles and threads of this process."""
    return handles(), len(os.listdir("/proc/self/task"))


class Machine:
    """Looks at this process between clients, when nothing of a client may be left."""

    def __init__(self) -> None:
        keep_little()
        self.looks: list[int] = []
        """Bytes that were resident, after each client."""
        self._warm: tuple[int, int] | None = None

    def look(self) -> None:
        """Nothing is left of a client that was closed."""
        until(lambda: not children(), "children live on, or are dead and not waited for")
        gc.collect()
        # A thread that was a worker lets go of its page a moment after it was told to end.
        until(lambda: not shared(), f"shared memory is left: {shared()}")
        if self._warm is not None:
            # Threads end a moment after what they did.
            most = [warm + SPARE for warm in self._warm]
            until(lambda: _open()[0] <= most[0], f"handles: {_open()[0]}, {self._warm[0]} when warm")
            until(lambda: _open()[1] <= most[1], f"threads: {_open()[1]}, {self._warm[1]} when warm")
        self.looks.append(resident())

    def warmed(self) -> None:
        """What is needed once has been done: what is looked at from now on is to stay as it is."""
        self.looks.clear()
        self._warm = _open()

    def is_flat(self) -> bool:
        """Whether memory is, as far as there were looks enough."""
        return grows(self.looks) is None

    def __str__(self) -> str:
        if not self.looks:
            return "no look at memory"
        least, most, last = (held >> 20 for held in (min(self.looks), max(self.looks), self.looks[-1]))
        told = f"{len(self.looks)} looks at memory: {least} to {most} MiB, {last} MiB at the last"
        found = grows(self.looks)
        return told if found is None else f"{told}, {found[0] >> 20} and {found[1] >> 20} MiB more"


def grows(looks: Sequence[int]) -> tuple[int, int] | None:
    """By how many bytes a process grew, from the first third of the looks to the second, and on to the last.

    None where it did not: allocators keep more at one time than at another, and something may be needed for the first
    time however late. Neither makes the least of a third grow twice. A leak of a MiB a client is found after three
    dozen of them.
    """
    if len(looks) < ENOUGH:
        return None
    third = len(looks) // 3
    least = [min(some) for some in (looks[:third], looks[third:-third], looks[-third:])]
    first, second = least[1] - least[0], least[2] - least[1]
    return (first, second) if min(first, second) > RISE else None


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_little() -> None:
    """Has C's allocator give back what is freed.

    Else each of its arenas, of which threads have up to eight a core, keeps what its largest results took, and
    `malloc_trim` does not come to that: 150 clients with threads as workers seemed to take 90 MiB so, of which none
    was in use.
    """
    with contextlib.suppress(AttributeError, OSError):
        for what in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            ctypes.CDLL(None).mallopt(what, 128 << 10)


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
