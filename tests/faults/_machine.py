"""What a soak must not leave behind, and whether memory is flat."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Sequence

from rlm_hypervisor import _core

from tests.faults._harm import children
from tests.faults._workers import handles, until

RISE = 1 << 20
"""Bytes by which what is in use has to grow twice, from one third of the looks to the next, to be called growing."""
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
        self.looks: list[int] = []
        """Bytes that were in use, after each client. None are there of a build that does not count them."""
        self.held: list[int] = []
        """Bytes that the process had of the system then, for whom reads the end of a long soak."""
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
        if (used := in_use()) is not None:
            self.looks.append(used)
        self.held.append(resident())

    def warmed(self) -> None:
        """What is needed once has been done: what is looked at from now on is to stay as it is."""
        self.looks.clear()
        self.held.clear()
        self._warm = _open()

    def is_flat(self) -> bool:
        """Whether memory is, as far as there were looks enough."""
        return grows(self.looks) is None

    def __str__(self) -> str:
        if not self.held:
            return "no look at memory"
        held = f"{min(self.held) >> 20} to {max(self.held) >> 20} MiB of the system's"
        if not self.looks:
            return f"memory not looked at, since this build does not count it; {held}"
        least, most, last = (
            f"{used / (1 << 20):.1f}" for used in (min(self.looks), max(self.looks), self.looks[-1])
        )
        told = f"{len(self.looks)} looks at memory: {least} to {most} MiB in use, {last} at the last; {held}"
        found = grows(self.looks)
        return told if found is None else f"{told}, {found[0] >> 10} and {found[1] >> 10} KiB more"


def grows(looks: Sequence[int]) -> tuple[int, int] | None:
    """By how many bytes more is in use, from the first third of the looks to the second, and on to the last.

    None where there is not: something may be needed for the first time however late. That does not make the least of a
    third grow twice. A leak of a quarter of a MiB a client is found after three dozen of them.
    """
    if len(looks) < ENOUGH:
        return None
    third = len(looks) // 3
    least = [min(some) for some in (looks[:third], looks[third:-third], looks[-third:])]
    first, second = least[1] - least[0], least[2] - least[1]
    return (first, second) if min(first, second) > RISE else None


_NAMES = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _Mallinfo(ctypes.Structure):
    """What C's allocator says of itself: `mallinfo2(3)`."""

    _fields_ = [(name, ctypes.c_size_t) for name in _NAMES]


BLOCK = 64
"""Bytes of one of the interpreter's small objects, about."""


def in_use() -> int | None:
    """Bytes that were allocated in this process and not freed: by the core, by C and by the interpreter.

    None of a release build, which does not count. What the process has of the system would not do: allocators keep what
    was freed, more at one time than at another, and each in its own way. Over 400 clients with threads as workers that
    grew from 180 to 225 MiB, by steps, while 33 KiB were in use of the core's.
    """
    if (core := _core.allocated()) is None:
        return None
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    c = mallinfo()
    arrow = sys.modules.get("pyarrow")
    others = arrow.total_allocated_bytes() if arrow else 0
    return core + c.uordblks + c.hblkhd + sys.getallocatedblocks() * BLOCK + others


def resident() -> int:
    """Bytes that this process has of the system, after what is free was given back where that can be asked for."""
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
