"""One command: what calls in worker processes cost, ours beside other pools of processes, side by side and in turns.

python benchmarks/workers.py --output docs/benchmarks-workers.md
python benchmarks/workers.py --rounds 1 --rows 200_000 --items 2_000 --peers concurrent.futures joblib

Peers that are not installed are named in the report: joblib, dask[distributed], ray, celery[redis] with `redis-server`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import _blas
import _serving
import data
import numpy as np
import pandas as pd
from _pool_functions import absolute, noop, work
from _pools import ALL, Peer, started
from _report import environment, table
from _threads import thread_pools
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
WARM = """
import time, pandas
from rlm_hypervisor import RLMClient
frame = pandas.DataFrame({"x": range(1_000)})
def doubled(part):
    return part.assign(x=part["x"] * 2)
value = {"type": "sequential", "operation": abs, "input": -1}
rows = {
    "type": "parallel", "input": {"source": frame, "operation": doubled}, "options": {"mode": "python"}
}
for task in (value, rows):
    with RLMClient(workers=2) as client:
        client.warm(setup=list)
        started = time.perf_counter()
        found = client.execute(task)
        print(time.perf_counter() - started)
    assert found == 1 if task is value else found.to_pandas()["x"].tolist() == list(range(0, 2_000, 2))
"""
"""Two clients, each the first to do what it does in its process."""
OURS = "ours"
SINGLES = 300
"""Single calls of each pool in a round."""

operation("noop")(noop)


def fib(n: int) -> Any:
    """A tree of calls."""
    return n if n < 2 else split([n - 1, n - 2], combine=sum)


def printed(program: str) -> list[float]:
    """The numbers that a program prints, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def tree(client: RLMClient) -> Any:
    return client.execute({"type": "recursive", "operation": fib, "input": 18, "options": {"maxDepth": 30}})


def source(rows: int) -> pd.DataFrame:
    chance = np.random.default_rng(1)
    names = np.array(["apple", "banana", "cherry", "date"])[chance.integers(0, 4, rows)]
    return pd.DataFrame({"name": pd.array(names, dtype="str"), "value": chance.normal(size=rows)})


def our_pool(client: RLMClient) -> Peer:
    """Ours, asked as the others are."""

    def items(function: Any, given: Any) -> Any:
        name = "noop" if function is noop else function
        return client.execute({"type": "parallel", "input": {"items": given, "operation": name}})

    def single(function: Any, item: Any) -> Any:
        name = "noop" if function is noop else function
        return client.execute({"type": "sequential", "operation": name, "input": item})

    return Peer(OURS, items, single, None)


def check(pools: list[Peer], client: RLMClient) -> None:
    """All give the right answers; what they need once, they have done then."""
    numbers = list(range(-500, 500))
    for pool in pools:
        if list(pool.items(absolute, numbers)) != list(map(abs, numbers)) or pool.single(absolute, -3) != 3:
            raise SystemExit(f"WRONG ANSWER: {pool.name}")
        pool.items(noop, range(FAN))
        pool.single(noop, 1)
    if tree(client) != 2_584:
        raise SystemExit("WRONG ANSWER: the tree")


def in_turns(pools: list[Peer], rounds: int, call: Callable[[Peer], list[float]]) -> dict[str, list[float]]:
    """Every pool once, then every pool once more, and so on: a slow moment of the machine is everybody's."""
    taken: dict[str, list[float]] = {pool.name: [] for pool in pools}
    for number in range(rounds):
        for place in range(len(pools)):
            pool = pools[(place + number) % len(pools)]
            taken[pool.name] += call(pool)
    return taken


def of_pandas(
    client: RLMClient, pools: list[Peer], workers: int, rows: int, rounds: int
) -> dict[str, list[float]]:
    """A pandas function over a table: alone on the whole of it, and in chunks in all pools that take tables."""
    frame = source(rows)
    task = {
        "type": "parallel",
        "input": {"source": frame, "operation": work, "chunkSize": CHUNK},
        "options": {"mode": "python"},
    }
    chunks = [frame.iloc[start : start + CHUNK] for start in range(0, rows, CHUNK)]
    calls: dict[str, Callable[[], Any]] = {
        "pandas, one process": lambda: work(frame),
        OURS: lambda: client.execute(task).to_pandas(),
    }
    for pool in pools:
        if pool.parts is not None:
            calls[pool.name] = lambda pool=pool: pd.concat(pool.parts(work, chunks))  # type: ignore[misc]
    right = work(frame)
    for name, call in calls.items():
        try:
            pd.testing.assert_frame_equal(call(), right)
        except AssertionError:
            raise SystemExit(f"WRONG ANSWER: {name}, the pandas function") from None
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        names = list(calls)
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            taken[name].append(timed(calls[name]))
    return taken


def of_threads(
    workers: int, items: int, rounds: int
) -> tuple[list[str], list[list[str]], dict[str, str], Any]:
    """Threads as workers beside pools of threads: the columns, the rows, who is not there, and the numbers."""
    numbers: dict[str, Any] = {}
    lines: list[list[str]] = []
    with (
        thread_pools(workers) as (peers, missing),
        RLMClient(workers=workers, threads=workers, worker_kind="threads") as client,
    ):
        client.warm()
        pools = [our_pool(client), *peers]
        check(pools, client)

        def note(
            what: str, unit: float, taken: dict[str, list[float]], by: int = 1, late: bool = False
        ) -> None:
            found = {
                name: quantiles(times, n=100)[98] if late else median(times) for name, times in taken.items()
            }
            found = {name: seconds / by for name, seconds in found.items()}
            numbers[what] = found
            least = min(seconds for name, seconds in found.items() if name == "ThreadPoolExecutor")
            lines.append(
                [what, f"{least * unit:,.3g}", *(f"{found[pool.name] * unit:,.3g}" for pool in pools)]
            )

        many = range(items)
        taken = in_turns(pools, rounds, lambda pool: [timed(lambda: pool.items(noop, many))])
        note(f"no-op over {items:,} items, µs each", 1e6, taken, items)
        taken = in_turns(
            pools, rounds, lambda pool: [timed(lambda: pool.single(noop, 1)) for _ in range(SINGLES)]
        )
        note("submit and wait, p50, µs", 1e6, taken)
        note("submit and wait, p99, µs", 1e6, taken, late=True)
        taken = in_turns(pools, 4 * rounds, lambda pool: [timed(lambda: pool.items(noop, range(FAN)))])
        note(f"{FAN:,}-way fan-out and fan-in, ms", 1e3, taken)
        names = [pool.name for pool in pools]
    return ["what", "goal: at most", *names], lines, missing, numbers


def main() -> int:
    parser = argparse.ArgumentParser(description="What calls in worker processes cost.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=50, help="inputs of each caller of the served model")
    parser.add_argument("--peers", nargs="*", default=list(ALL), choices=list(ALL))
    parser.add_argument("--output", type=Path, help="write the report here")
    options = parser.parse_args()
    workers, rounds = options.workers, options.rounds
    numbers: dict[str, Any] = {}
    lines: list[list[str]] = []
    told = environment()
    firsts = [printed(FIRST) for _ in range(max(rounds, 3))]
    warm = [printed(WARM) for _ in range(max(rounds, 3))]
    with (
        started(options.peers, workers) as (peers, missing),
        RLMClient(workers=workers, threads=workers) as client,
    ):
        client.warm()
        pools = [our_pool(client), *peers]
        check(pools, client)
        names = [pool.name for pool in pools]

        def note(what: str, goal: str, unit: float, taken: dict[str, float]) -> None:
            numbers[what] = taken
            lines.append(
                [what, goal, *(f"{taken[name] * unit:,.3g}" if name in taken else "" for name in names)]
            )

        def medians(taken: dict[str, list[float]], by: int = 1) -> dict[str, float]:
            return {name: median(times) / by for name, times in taken.items()}

        note("client start to first result, ms", "250", 1e3, {OURS: median(took[0] for took in firsts)})
        note("first result of a warm client, ms", "5", 1e3, {OURS: median(took[0] for took in warm)})
        note("the same, over a table, ms", "5", 1e3, {OURS: median(took[1] for took in warm)})
        many = range(options.items)
        taken = in_turns(pools, rounds, lambda pool: [timed(lambda: pool.items(noop, many))])
        note(f"no-op over {options.items:,} items, µs each", "10", 1e6, medians(taken, options.items))
        taken = in_turns(
            pools, rounds, lambda pool: [timed(lambda: pool.single(noop, 1)) for _ in range(SINGLES)]
        )
        note("submit and wait, p50, µs", "150", 1e6, medians(taken))
        late = {name: quantiles(times, n=100)[98] for name, times in taken.items()}
        note("submit and wait, p99, µs", "1,000", 1e6, late)
        taken = in_turns(pools, 4 * rounds, lambda pool: [timed(lambda: pool.items(noop, range(FAN)))])
        note(f"{FAN:,}-way fan-out and fan-in, ms", "30", 1e3, medians(taken))
        trees = [timed(lambda: tree(client)) for _ in range(max(rounds, 3))]
        note("tree of 8,361 inputs (fib 18), ms", "125", 1e3, {OURS: median(trees)})
        of = of_pandas(client, peers, workers, options.rows, max(rounds // 2, 1))
        served, unserved, numbers["serving"] = _serving.served(client, workers, rounds, options.calls)
    columns, of_thread, unthreaded, numbers["threads"] = of_threads(workers, options.items, rounds)
    missing.update({**unserved, **unthreaded})
    numbers["pandas"] = {name: median(times) for name, times in of.items()}
    ideal = median(of["pandas, one process"]) / workers
    seconds = [[name, f"{median(times):.3f}", f"{median(times) / ideal:.2f}"] for name, times in of.items()]
    text = "\n\n".join(
        [
            "# Calls in worker processes",
            f"`python benchmarks/workers.py` with {workers} workers: medians of {rounds} rounds, in which all pools take "
            "turns; answers are checked before. Every pool is started once, and warm. Where a peer wants to be told how "
            "many items go together, it is told four lots for each worker.",
            table(["what", "goal: at most", *names], lines),
            f"A pandas function (text and floats) over {options.rows:,} rows in chunks of {CHUNK:,}; the goal is a ratio "
            f"of 1.15 to the time of one process on the whole, divided by {workers}:",
            table(["where", "seconds", "ratio"], seconds),
            f"Serving a model (three matrices of {_serving.WIDTH:,} by {_serving.WIDTH:,}, `{_blas.VARIABLES[0]}={os.environ[_blas.VARIABLES[0]]}`) to "
            f"{_serving.CALLERS} callers, each of which asks for one input after the other; ours and Ray Serve join "
            f"them into batches of at most {_serving.BATCH}, for which an input waits {_serving.WAIT_MS} ms at most:",
            table(["where", "inputs a second", "p50, ms", "p99, ms"], served),
            'Threads as workers (`worker_kind="threads"`), beside pools of threads; the goal is what '
            "`ThreadPoolExecutor` takes:",
            table(columns, of_thread),
            "\n".join(f"Not there: {name} ({why})." for name, why in missing.items())
            or "All peers were there.",
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
