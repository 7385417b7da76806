"""One command: how long after a cancel or a deadline no code of the run is running any more.

python benchmarks/stop_times.py --output docs/benchmarks-stop-times.md
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import data
from _report import environment, number, table
from rlm_hypervisor import RLMClient


def _begin(mark: str) -> None:
    path = Path(mark)
    path.with_suffix(".part").write_text(str(os.getpid()))
    path.with_suffix(".part").rename(path)


def sleep(mark: str) -> None:
    """Waits in the system."""
    _begin(mark)
    time.sleep(3600)


def python_loop(mark: str) -> None:
    """Never leaves the interpreter, and catches what is raised in it."""
    _begin(mark)
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def c_loop(mark: str) -> None:
    """Holds the interpreter's lock: a regular expression of exponential backtracking."""
    _begin(mark)
    re.match(r"(a+)+$", "a" * 64 + "b")


CASES: dict[str, Callable[[str], None]] = {
    "time.sleep": sleep,
    "loop in Python": python_loop,
    "loop in C that holds the GIL": c_loop,
}


def _gone(pid: int) -> bool:
    """Whether a process runs no more; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stopped(client: RLMClient, operation: Callable[[str], None], folder: Path, deadline: bool) -> float:
    """Seconds from the wish to stop until the process of the operation is gone."""
    mark = folder / "mark"
    mark.unlink(missing_ok=True)
    allowed = 0.15
    options: dict[str, Any] = {"timeoutMs": int(allowed * 1000)} if deadline else {}
    submitted = time.perf_counter()
    run = client.submit(
        {"type": "parallel", "input": {"items": [str(mark)], "operation": operation}, "options": options}
    )
    while not mark.exists():
        if run.done:
            raise TimeoutError("the operation had not begun at its deadline")
        time.sleep(0.0005)
    pid = int(mark.read_text())
    if deadline:
        wished = submitted + allowed
    else:
        wished = time.perf_counter()
        run.cancel()
    while not _gone(pid):
        time.sleep(0.0001)
    seconds = time.perf_counter() - wished
    run.wait()
    return seconds


def measured(
    client: RLMClient, operation: Callable[[str], None], folder: Path, deadline: bool, stops: int
) -> list[float]:
    """Seconds of each stop, in order of size; every one begins with a warm worker."""
    taken = []
    while len(taken) < stops:
        client.warm(1)
        try:
            taken.append(_stopped(client, operation, folder, deadline))
        except TimeoutError:
            continue
    return sorted(taken)


def _share(taken: list[float], share: float) -> float:
    return taken[min(int(share * len(taken)), len(taken) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(description="From cancel or deadline to silence.")
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--output", type=Path, help="write the report here")
    options = parser.parse_args()
    told = environment()
    results: dict[str, list[float]] = {}
    rows = []
    with RLMClient(threads=1, workers=1) as client, tempfile.TemporaryDirectory() as folder:
        for name, operation in CASES.items():
            for wish in ("cancel", "deadline"):
                taken = measured(client, operation, Path(folder), wish == "deadline", options.stops)
                results[f"{wish}, {name}"] = taken
                shown = [number(_share(taken, share) * 1e3) for share in (0.5, 0.99, 1.0)]
                rows.append([f"{wish}, {name}", *shown])
    path = data.cache_dir() / "results" / "stop_times.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"environment": told, "seconds": results}, indent=1) + "\n")
    text = "\n\n".join(
        [
            "# From a stop to silence",
            f"`python benchmarks/stop_times.py`: {options.stops} stops of each kind, in a warm worker. Measured is the "
            "time from the call of `cancel()`, or from the deadline, until the process in which the operation ran is "
            "gone; an operation is told first and has 50 milliseconds to end by itself, which none of these do.",
            table(["milliseconds to silence", "p50", "p99", "longest"], rows),
            "On: " + ", ".join(f"{key} {value}" for key, value in told.items()),
        ]
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
