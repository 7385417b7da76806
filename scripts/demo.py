"""`make demo`: the seed job on 20 million rows, and the same by pandas and pyarrow, timed and compared."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow.dataset as ds

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from _data import data_dir, orders

ROWS = 20_000_000
T = TypeVar("T")

# As in the README, word for word; only the source differs.
JOB = """\
from rlm_hypervisor import RLMClient

client = RLMClient()

def process_partition(partition):
    # Same aggregation logic
    return partition.groupby("category")["value"].sum()

result = client.execute({
    "type": "parallel",
    "description": "Aggregate by category",
    "input": {
        "source": "s3://bucket/data",
        "operation": process_partition,
        "chunkSize": 10000
    }
})
"""


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """The answer, and the better of two times: the first also warms the page cache."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        answer = function()
        seconds.append(time.perf_counter() - started)
    return answer, min(seconds)


def by_pandas(source: Path) -> pd.Series:
    frame = pd.read_parquet(source, columns=["category", "value"])
    return frame.groupby("category")["value"].sum()


def by_pyarrow(source: Path) -> pd.Series:
    table = ds.dataset(source).to_table(columns=["category", "value"])
    sums = table.group_by("category").aggregate([("value", "sum")]).to_pandas()
    return sums.dropna().set_index("category")["value_sum"].sort_index()


def deviation(answer: pd.Series, expected: pd.Series) -> float:
    """The largest relative difference; the keys have to be the same, in the same order."""
    if answer.index.tolist() != expected.index.tolist():
        raise SystemExit("The keys differ.")
    return float(np.max(np.abs(answer.to_numpy() - expected.to_numpy()) / np.abs(expected.to_numpy())))


def main() -> None:
    print(f"{ROWS:,} rows in 4 Parquet files, under {data_dir()}", flush=True)
    source = orders(ROWS)
    job = JOB.replace("s3://bucket/data", str(source))
    print(f"\n{job}", flush=True)

    scope: dict[str, object] = {}
    exec(compile(job, "job.py", "exec"), scope)
    result, client, operation = scope["result"], scope["client"], scope["process_partition"]
    print(result)

    task = {"type": "parallel", "input": {"source": str(source), "operation": operation, "chunkSize": 10000}}
    run = client.submit(task)  # type: ignore[attr-defined]
    run.result()
    print(f"\n{run.explain()}", flush=True)

    answer, ours = timed(lambda: client.execute(task).to_pandas())  # type: ignore[attr-defined]
    print(f"\n{'':20}{'seconds':>8}{'ratio':>8}  largest relative difference")
    print(f"{'rlm-hypervisor':20}{ours:8.3f}{1:8.1f}")
    for name, function in (("pandas", by_pandas), ("pyarrow", by_pyarrow)):
        expected, seconds = timed(lambda function=function: function(source))  # type: ignore[misc]
        off = deviation(answer, expected)
        print(f"{name:20}{seconds:8.3f}{seconds / ours:8.1f}  {off:.1e}", flush=True)
        if off > 1e-9:
            raise SystemExit(f"The answers differ from {name}'s by more than 1e-9.")
    client.close()  # type: ignore[attr-defined]
    print("\nThe answers agree.")


if __name__ == "__main__":
    main()
