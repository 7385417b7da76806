"""One command: how long recording a function of twenty steps takes, and questions asked for the first and for the second time.

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


def asked(ask: Callable[[], Any]) -> float:
    """Seconds of a whole call: check, trace, plan, run, answer in memory."""
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def function(client: RLMClient, rows: pa.Table) -> Callable[[int], Callable[[], Any]]:
    """The twenty steps, a constant of which makes them another question."""

    def question(number: int) -> Callable[[], Any]:
        def operation(partition: Any) -> Any:
            return twenty_steps(partition[partition["y"] > -10.0 - number])

        task = {"type": "parallel", "input": {"source": rows, "operation": operation}}
        return lambda: client.execute(task).to_arrow()

    return question


def query(client: RLMClient, rows: pa.Table) -> Callable[[int], Callable[[], Any]]:
    """A query over four tables with a subquery, a constant of which makes it another one."""
    tables = {name: rows.select(["k", "g", name[0]]).slice(0, 40) for name in ("x1", "x2", "y1")}

    def question(number: int) -> Callable[[], Any]:
        text = f"""
            select p.k, sum(p.x * x1.x) as total, count(distinct p.g) as many
            from partition p join x1 on p.g = x1.g join x2 on p.k = x2.k join y1 on y1.g = p.g and y1.k = p.k
            where p.y > {-10 - number} and x2.x < (select max(x) from x2)
            group by p.k having sum(p.x) > -1000 order by total desc limit 3"""
        return lambda: client.sql(text, source=rows, tables=tables).to_arrow()

    return question


def twice(question: Callable[[int], Callable[[], Any]], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of many questions, each asked for the first time, and right after for the second."""
    for place in range(3):
        question(-1 - place)()
    first, second = [], []
    for place in range(repeats):
        ask = question(place)
        first.append(asked(ask))
        second.append(asked(ask))
    return first, second


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
        traced = tracing(client, task, options.repeats)
        steps = twice(function(client, rows), options.repeats)
        queries = twice(query(client, rows), options.repeats)
    goal = of_tracing(median(traced))
    results = {
        "environment": told,
        "tracing": traced,
        "function": {"first": steps[0], "second": steps[1]},
        "query": {"first": queries[0], "second": queries[1]},
        "measure": {"value": goal.value, "goal": goal.goal, "verdict": goal.verdict},
    }
    path = data.cache_dir() / "results" / "tracing.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    milliseconds = [
        ["tracing twenty steps", number(goal.value and goal.value * 1e3), goal.verdict],
        ["a function of twenty steps, asked for the first time", number(median(steps[0]) * 1e3), ""],
        ["the same asked again", number(median(steps[1]) * 1e3), ""],
        ["a query over four tables, asked for the first time", number(median(queries[0]) * 1e3), ""],
        ["the same asked again", number(median(queries[1]) * 1e3), ""],
    ]
    heads = [
        f"{ROWS:,} rows in memory, median of {options.repeats}",
        "milliseconds",
        f"goal: at most {goal.goal} s",
    ]
    print(table(heads, milliseconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
