"""One command: what calls in worker processes cost, ours beside the pools of the standard library and joblib.

python benchmarks/workers.py
python benchmarks/workers.py --output docs/benchmarks-workers.md
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import Pool
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import data
import numpy as np
import pandas as pd
from _report import environment, table
from rlm_hypervisor import RLMClient, operation, split

ITEMS = 100_000
FAN = 1_000
ROWS = 10_000_000
CHUNK = 100_000
FIRST = """
import time; started = time.perf_counter()
from rlm_hypervisor import RLMClient
with RLMClient(workers=1) as client:
    client.execute({"type": "sequential", "operation": abs, "input": -1})
    print(time.perf_counter() - started)
"""


@operation("noop")
def noop(item: Any) -> None:
    """Nothing."""


def fib(n: int) -> Any:
    """A tree of calls."""
    return n if n < 2 else split([n - 1, n - 2], combine=sum)


def work(frame: Any) -> Any:
    """Text and float work of pandas, row by row."""
    frame = pd.DataFrame(frame)
    frame["name"] = frame["name"].str.upper().str.replace("A", "-", regex=False)
    frame["value"] = np.sqrt(frame["value"].abs()) * 2 + frame["value"].round(1)
    return frame[frame["value"] > 0.5]


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def waits(call: Callable[[], Any], repeats: int = 1_000) -> tuple[float, float]:
    """The 50th and 99th percentile."""
    taken = [timed(call) for _ in range(repeats)]
    cuts = quantiles(taken, n=100)
    return median(taken), cuts[98]


def items(client: RLMClient, count: int) -> Callable[[], Any]:
    return lambda: client.execute({"type": "parallel", "input": {"items": range(count), "operation": "noop"}})


def tree(client: RLMClient) -> Any:
    return client.execute({"type": "recursive", "operation": fib, "input": 18, "options": {"maxDepth": 30}})


def source(rows: int) -> pd.DataFrame:
    chance = np.random.default_rng(1)
    names = np.array(["apple", "banana", "cherry", "date"])[chance.integers(0, 4, rows)]
    return pd.DataFrame({"name": pd.array(names, dtype="str"), "value": chance.normal(size=rows)})


def check(client: RLMClient, executor: ProcessPoolExecutor) -> None:
    """What is timed below gives the right answers: ours, and in the same shape the peers'."""
    numbers = list(range(1_000))
    task = {"type": "parallel", "input": {"items": numbers, "operation": abs}}
    if not client.execute(task) == list(executor.map(abs, numbers)) == numbers:
        raise SystemExit("WRONG ANSWER: items")
    if tree(client) != 2_584:
        raise SystemExit("WRONG ANSWER: the tree")


def of_pandas(client: RLMClient, workers: int, rows: int) -> list[list[Any]]:
    """A pandas function over a table: alone on the whole of it, in our workers, in the standard library's."""
    frame = source(rows)
    task = {
        "type": "parallel",
        "input": {"source": frame, "operation": work, "chunkSize": CHUNK},
        "options": {"mode": "python"},
    }
    alone, ours, theirs = [], [], []
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(noop, range(workers)))
        right = work(frame)
        pd.testing.assert_frame_equal(client.execute(task).to_pandas(), right)
        chunks = [frame.iloc[start : start + CHUNK] for start in range(0, rows, CHUNK)]
        pd.testing.assert_frame_equal(pd.concat(pool.map(work, chunks)), right)
        for _ in range(3):
            alone.append(timed(lambda: work(frame)))
            ours.append(timed(lambda: client.execute(task).to_pandas()))
            theirs.append(timed(lambda: pd.concat(pool.map(work, chunks))))
    ideal = median(alone) / workers
    return [
        ["pandas on the whole, one process", f"{median(alone):.3f} s", ""],
        [
            "our workers",
            f"{median(ours):.3f} s",
            f"{median(ours) / ideal:.2f} of that divided by {workers} (goal: 1.15)",
        ],
        ["ProcessPoolExecutor", f"{median(theirs):.3f} s", f"{median(theirs) / ideal:.2f}"],
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="What calls in worker processes cost.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--output", type=Path, help="write the report here")
    options = parser.parse_args()
    workers = options.workers
    lines: list[list[str]] = []
    numbers: dict[str, Any] = {}

    def note(what: str, ours: float, unit: float, word: str, goal: str, peers: dict[str, float]) -> None:
        numbers[what] = {"ours": ours, **peers}
        beside = ", ".join(f"{name} {value * unit:.3g}" for name, value in peers.items())
        lines.append([what, f"{ours * unit:.3g} {word}", goal, beside])

    first = [
        float(
            subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(5)
    ]
    note("client start to first result", median(first), 1e3, "ms", "250 ms", {})
    with (
        RLMClient(workers=workers) as client,
        ProcessPoolExecutor(workers) as executor,
        Pool(workers) as pool,
    ):
        client.warm()
        parallel: Any = None
        with suppress(ImportError):
            from joblib import Parallel, delayed

            parallel = Parallel(n_jobs=workers)
        list(executor.map(noop, range(workers)))
        check(client, executor)
        ours, peers = [], {"ProcessPoolExecutor": [], "multiprocessing": [], "joblib": []}
        for _ in range(5):
            ours.append(timed(items(client, ITEMS)))
            peers["multiprocessing"].append(timed(lambda: pool.map(noop, range(ITEMS))))
        for _ in range(2):
            peers["ProcessPoolExecutor"].append(
                timed(lambda: list(executor.map(noop, range(ITEMS), chunksize=500)))
            )
            if parallel is not None:
                peers["joblib"].append(timed(lambda: parallel(delayed(noop)(item) for item in range(ITEMS))))
        each = {name: median(taken) / ITEMS for name, taken in peers.items() if taken}
        note(f"no-op over {ITEMS:,} items, each", median(ours) / ITEMS, 1e6, "µs", "10 µs", each)
        single = {"type": "sequential", "operation": "noop", "input": 1}
        half, late = waits(lambda: client.execute(single))
        their_half, their_late = waits(lambda: executor.submit(noop, 1).result())
        note("submit and wait, p50", half, 1e6, "µs", "150 µs", {"ProcessPoolExecutor": their_half})
        note("submit and wait, p99", late, 1e6, "µs", "1,000 µs", {"ProcessPoolExecutor": their_late})
        fans = [timed(items(client, FAN)) for _ in range(20)]
        theirs = [timed(lambda: pool.map(noop, range(FAN))) for _ in range(20)]
        note(
            f"{FAN:,}-way fan-out and fan-in",
            median(fans),
            1e3,
            "ms",
            "30 ms",
            {"multiprocessing": median(theirs)},
        )
        trees = [timed(lambda: tree(client)) for _ in range(5)]
        note("tree of 8,361 inputs (fib 18)", median(trees), 1e3, "ms", "150 ms for 10,000", {})
        of = of_pandas(client, workers, options.rows)
    told = environment()
    text = "\n\n".join(
        [
            "# Calls in worker processes",
            f"`python benchmarks/workers.py` with {workers} workers; medians, side by side in one run, answers checked before.",
            table(["what", "ours", "goal: at most", "peers, in the same unit"], lines),
            f"A pandas function (text and floats) over {options.rows:,} rows in chunks of {CHUNK:,}:",
            table(["where", "seconds", "ratio"], of),
            "On: " + ", ".join(f"{key} {value}" for key, value in told.items()),
        ]
    )
    print(text)
    path = data.cache_dir() / "results" / "workers.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"environment": told, "numbers": numbers}, indent=1, default=str) + "\n")
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
