"""Functions that do harm to the worker that calls them."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

BAD = 5
"""The item at which the functions below do harm."""


def exits(item: int) -> int:
    """Ends the process with a status."""
    if item == BAD:
        os._exit(7)
    return item


def segfaults(item: int) -> int:
    """Reads at address 0."""
    if item == BAD:
        ctypes.string_at(0)
    return item


def kills_itself(item: int) -> int:
    """Sends itself SIGKILL."""
    if item == BAD:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def aborts(item: int) -> int:
    """Ends as a failed assertion of a C library does."""
    if item == BAD:
        os.abort()
    return item


def crashes_in_a_thread(item: int) -> int:
    """Another thread of it crashes."""
    if item == BAD:
        threading.Thread(target=ctypes.string_at, args=(0,)).start()
        time.sleep(30)
    return item


def deafens(item: int) -> int:
    """Closes the channel of its worker, and goes on."""
    if item == BAD:
        os.closerange(3, 4096)
    return item


def deafens_and_stays(item: int) -> int:
    """The same, and does not come back."""
    if item == BAD:
        os.closerange(3, 4096)
        time.sleep(3600)
    return item


DEADLY = {
    exits: ("exit status 7", None),
    segfaults: ("SIGSEGV", signal.SIGSEGV),
    kills_itself: ("SIGKILL", signal.SIGKILL),
    aborts: ("SIGABRT", signal.SIGABRT),
    crashes_in_a_thread: ("SIGSEGV", signal.SIGSEGV),
    deafens: ("closed its channel", None),
    deafens_and_stays: ("closed its channel", None),
}
"""What the error says, and the signal it names."""


def leaves(item: int) -> int:
    """sys.exit."""
    if item == BAD:
        sys.exit(3)
    return item


def interrupts(item: int) -> int:
    """KeyboardInterrupt."""
    if item == BAD:
        raise KeyboardInterrupt
    return item


class Base(BaseException):
    """No Exception."""


def raises_base(item: int) -> int:
    """An exception that `except Exception` does not catch."""
    if item == BAD:
        raise Base("bottom")
    return item


class Picky(Exception):
    """Cannot be unpickled: its `__init__` wants more than its arguments."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def raises_picky(item: int) -> int:
    """An exception that cannot be read again."""
    if item == BAD:
        raise Picky(1, 2)
    return item


class Mute(Exception):
    """Its text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_mute(item: int) -> int:
    """An exception without a text."""
    if item == BAD:
        raise Mute
    return item


class Hostile(Exception):
    """What is asked of it raises, and it cannot be pickled."""

    @property
    def retryable(self) -> bool:
        raise RuntimeError("not told")

    @property
    def code(self) -> str:
        raise SystemExit(9)

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


def raises_hostile(item: int) -> int:
    """An exception that raises at every touch."""
    if item == BAD:
        raise Hostile("come closer")
    return item


def raises_half_a_character(item: int) -> int:
    """A message that UTF-8 cannot carry."""
    if item == BAD:
        raise ValueError("half \ud83d a face")
    return item


def raises_much(item: int) -> int:
    """A message of megabytes."""
    if item == BAD:
        raise ValueError("x" * 5_000_000)
    return item


def returns_a_lock(item: int) -> Any:
    """A result that cannot be pickled."""
    return threading.Lock() if item == BAD else item


class Unpickled:
    """Pickling it raises something that is no Exception."""

    def __reduce__(self) -> Any:
        raise SystemExit(4)


def returns_hostile(item: int) -> Any:
    """A result whose pickling wants to leave."""
    return Unpickled() if item == BAD else item


def recurses(item: int) -> int:
    """Runs out of Python's stack."""
    return recurses(item) + 1 if item == BAD else item


RAISING = {
    leaves: "SystemExit",
    interrupts: "KeyboardInterrupt",
    raises_base: "Base",
    raises_picky: "Picky",
    raises_mute: "Mute",
    raises_hostile: "Hostile",
    raises_half_a_character: "ValueError",
    raises_much: "ValueError",
    returns_a_lock: "TypeError",
    returns_hostile: "TypeError",
    recurses: "RecursionError",
}
"""The exception that the error names."""


def chatters(item: int) -> int:
    """Fills both outputs, faster than anybody reads."""
    if item == BAD:
        os.write(1, b"out" * 1_000_000)
        os.write(2, b"err" * 1_000_000)
        print("ß" * 1_000_000)
    return item


def closes_low_handles(item: int) -> int:
    """Closes what a program might take for its own."""
    if item == BAD:
        os.closerange(0, 21)
    return item


def forks_and_returns(item: int) -> int:
    """Its child comes back from the function as well."""
    if item == BAD:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
    return item


def forks_and_raises(item: int) -> int:
    """Its child leaves the function with an exception."""
    if item == BAD:
        child = os.fork()
        if not child:
            raise ValueError("in the child")
        os.waitpid(child, 0)
    return item


def leaves_threads(item: int) -> int:
    """Threads that never end."""
    if item == BAD:
        for daemon in (True, False):
            threading.Thread(target=time.sleep, args=(3600,), daemon=daemon).start()
    return item


def leaves_a_child(item: int) -> int:
    """A child that outlives the call, and holds everything open that it can."""
    if item == BAD:
        subprocess.Popen(["sleep", "3600"], close_fds=False)
        if os.fork() == 0:
            time.sleep(3600)
    return item


def changes_its_process(item: int) -> int:
    """Another directory, other signals, other limits, no more hooks."""
    if item == BAD:
        os.chdir("/")
        os.umask(0)
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        sys.excepthook = None  # type: ignore[assignment]
        sys.setrecursionlimit(100)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
    return item


HARMLESS = [
    chatters,
    closes_low_handles,
    forks_and_returns,
    forks_and_raises,
    leaves_threads,
    leaves_a_child,
    changes_its_process,
]
"""What does no harm at all, not even to its own item."""


def ignores_signals() -> None:
    """Nothing but SIGKILL ends the process; a thread that is no main one has no signals to ignore."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


def tells(mark: str | None) -> None:
    """Says that the function has begun, and in which process."""
    if mark is not None:
        path = Path(mark)
        path.with_suffix(".part").write_text(str(os.getpid()))
        path.with_suffix(".part").rename(path)


def sleeps(mark: str | None) -> None:
    """Sleeps."""
    ignores_signals()
    tells(mark)
    time.sleep(3600)


def loops(mark: str | None) -> None:
    """A loop in Python, which catches whatever may be raised in it."""
    ignores_signals()
    tells(mark)
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def backtracks(mark: str | None) -> None:
    """A loop in C that never gives the interpreter away."""
    ignores_signals()
    tells(mark)
    re.match(r"(a+)+$", "a" * 64 + "b")


def sorts(mark: str | None) -> None:
    """Sorts without end, in C."""
    rows = list(range(3_000_000, 0, -1))
    tells(mark)
    while True:
        sorted(rows, key=rows.__getitem__ if len(rows) < 0 else None)


def waits_for_a_child(mark: str | None) -> None:
    """Waits for a program that it has started."""
    tells(mark)
    subprocess.run(["sleep", "3600"], check=False)


def stops_itself(mark: str | None) -> None:
    """Is halted, as by a debugger."""
    tells(mark)
    os.kill(os.getpid(), signal.SIGSTOP)


ENDLESS = [sleeps, loops, backtracks, sorts, waits_for_a_child, stops_itself]
"""What ends only when it is ended. Each tells of its beginning in the file it is given."""
