"""Filters, groups, joins with the groups, sorts and writes 100 million rows within 1.5 GB, beside DuckDB.

python benchmarks/larger_than_memory.py --rows 100000000 --limit 1.5GB

The data is that of the seed job with a million keys. Each engine runs in a process of its own, once: what counts is that it
ends, how much of the machine's memory it held, and roughly how long it took. What they wrote is compared, its order too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import data
import numpy as np
import pyarrow.parquet as pq
from _spec import Dataset


def ours(source: str, target: str, limit: str, spill: str) -> int:
    from rlm_hypervisor import RLMClient

    def job(p: Any) -> Any:
        p = p[p["value"] > 0.1]
        sums = p.groupby(["category", "region"], as_index=False)["value"].sum()
        joined = p.merge(sums.rename(columns={"value": "total"}), on=["category", "region"])
        return joined.sort_values("value").reset_index(drop=True)

    with RLMClient(threads=2, memory_limit=limit, spill_dir=spill, progress=False) as client:
        output = {"url": target, "compression": "snappy"}
        written = client.execute(
            {"type": "parallel", "input": {"source": source, "operation": job}, "output": output}
        )
        return int(written.rows)


def duckdb(source: str, target: str, limit: str, spill: str) -> int:
    import duckdb as engine

    options = {"threads": 2, "memory_limit": limit, "temp_directory": spill}
    query = f"""
        copy (
            with p as (select * from read_parquet('{source}/*.parquet') where value > 0.1),
                 sums as (select category, region, sum(value) as total from p group by all)
            select p.category, p.region, p.value, sums.total
            from p join sums on p.category = sums.category and p.region = sums.region
            order by p.value
        ) to '{target}.parquet' (format parquet, compression snappy)
    """
    found = engine.connect(config=options).execute(query).fetchone()
    assert found is not None
    return int(found[0])


ENGINES = {"rlm": ours, "duckdb": duckdb}


def digest(folder: str) -> dict[str, float]:
    """What was written, read by one and the same reader."""
    import duckdb as engine

    scan = f"read_parquet('{folder}/**/*.parquet')"
    sums = "count(*), sum(value), sum(total), min(total), max(total)"
    (row,) = engine.sql(f"select {sums} from {scan}").fetchall()
    return dict(zip(("rows", "value", "total", "least", "most"), map(float, row), strict=True))


def in_order(folder: str) -> bool:
    last = -1.0
    for file in sorted(Path(folder).rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=["value"]):
            values = batch.column(0).to_numpy()
            if len(values) and (values[0] < last or (np.diff(values) < 0).any()):
                return False
            last = values[-1] if len(values) else last
    return True


def one(engine: str, source: str, limit: str) -> None:
    """Runs one engine in this process, and prints what it took."""
    folder = tempfile.mkdtemp(prefix="rlm-larger-")
    started = time.monotonic()
    try:
        rows = ENGINES[engine](source, os.path.join(folder, "out"), limit, folder)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        answer = digest(folder)
        if answer["rows"] != rows or not in_order(folder):
            raise SystemExit("what was written is not what was told, or is not in order")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"rows": rows, "seconds": round(seconds, 1), "peak": peak, "answer": answer}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--limit", default="1.5GB")
    parser.add_argument("--engine", choices=ENGINES, help="one of them, in this process")
    parser.add_argument("--source", help="a directory of Parquet files instead of the seed job's")
    asked = parser.parse_args()
    if asked.source is None:
        asked.source = str(data.ensure(Dataset(asked.rows, 1_000_000, 12)))
    if asked.engine:
        return one(asked.engine, asked.source, asked.limit)
    print(f"| {asked.rows:,} rows, limit {asked.limit} | seconds | peak of the process, MiB | rows written |")
    print("| --- | ---: | ---: | ---: |")
    right: dict[str, float] | None = None
    for engine in ENGINES:
        command = [
            sys.executable,
            __file__,
            "--engine",
            engine,
            "--source",
            asked.source,
            "--limit",
            asked.limit,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {engine} | failed: {done.stderr.strip().splitlines()[-1][:200]} | | |")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        right = right or found["answer"]
        if any(not math.isclose(found["answer"][key], right[key], rel_tol=1e-9) for key in right):
            print(f"| {engine} | WRONG: {found['answer']}, and the first one {right} | | |")
            continue
        print(f"| {engine} | {found['seconds']} | {found['peak']:,} | {found['rows']:,} |")
    return None


if __name__ == "__main__":
    main()
