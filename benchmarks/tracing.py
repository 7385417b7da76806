"""One command: how long recording a function of twenty steps takes, and the same question asked twice.

python benchmarks/tracing.py
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import data
import numpy as np
import pyarrow as pa
from _report import environment, number, table
from _targets import of_tracing
from rlm_hypervisor import RLMClient

ROWS = 1_000


def twenty_steps(p: Any) -> Any:
    """Filters, arithmetic, assignments, a group-by, work on its answer: twenty calls of pandas' interface."""
    p = p[p["x"] > -2.0]  # 1, 2
    p["a"] = p["x"] * 2  # 3, 4
    p["b"] = p["a"] + p["y"]  # 5, 6
    p = p[p["k"].isin(["a", "b", "c"])]  # 7, 8
    p["c"] = p["b"].fillna(0.0)  # 9, 10
    p = p.rename(columns={"c": "d"})  # 11
    p = p[["k", "g", "d"]]  # 12
    sums = p.groupby(["k", "g"], as_index=False).agg(total=("d", "sum"), mean=("d", "mean"))  # 13, 14
    sums["share"] = sums["total"] / sums["total"].sum()  # 15, 16
    sums = sums[sums["share"].notna()]  # 17, 18
    return sums.sort_values("share", ascending=False).head(10)  # 19, 20


def source() -> pa.Table:
    chance = np.random.default_rng(1)
    return pa.table(
        {
            "k": chance.choice(["a", "b", "c", "d"], ROWS),
            "g": chance.integers(0, 10, ROWS),
            "x": chance.normal(size=ROWS),
            "y": chance.normal(size=ROWS),
        }
    )


def tracing(client: RLMClient, task: Callable[[Any], dict[str, Any]], repeats: int) -> list[float]:
    """Seconds of the function alone, called again and again on the partition of one trace."""
    taken: list[float] = []

    def operation(partition: Any) -> Any:
        for _ in range(repeats):
            started = time.perf_counter()
            answer = twenty_steps(partition)
            taken.append(time.perf_counter() - started)
        return answer

    client.execute(task(operation))
    return taken


def asked(client: RLMClient, task: dict[str, Any], repeats: int) -> list[float]:
    """Seconds of the whole call: check, trace, run, answer in memory."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        client.execute(task).to_arrow()
        taken.append(time.perf_counter() - started)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description="Tracing twenty steps; the same question asked twice.")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rows = source()

    def task(operation: Callable[[Any], Any]) -> dict[str, Any]:
        return {"type": "parallel", "input": {"source": rows, "operation": operation}}

    told = environment()
    with RLMClient(threads=options.threads) as client:
        calls = asked(client, task(twenty_steps), 2)
        traced = tracing(client, task, options.repeats)
        warm = asked(client, task(twenty_steps), options.repeats)
    goal = of_tracing(median(traced))
    results = {
        "environment": told,
        "tracing": traced,
        "first": calls[0],
        "second": calls[1],
        "calls": warm,
        "measure": {"value": goal.value, "goal": goal.goal, "verdict": goal.verdict},
    }
    path = data.cache_dir() / "results" / "tracing.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    milliseconds = [
        ["tracing twenty steps, median", number(goal.value and goal.value * 1e3), goal.verdict],
        ["the question for the first time", number(calls[0] * 1e3), ""],
        ["the same question again", number(calls[1] * 1e3), ""],
        [f"the same question, median of {options.repeats}", number(median(warm) * 1e3), ""],
    ]
    print(table([f"{ROWS:,} rows in memory", "milliseconds", f"goal: at most {goal.goal} s"], milliseconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
