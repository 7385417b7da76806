"""Reads and groups the same rows from CSV, JSON lines and Arrow IPC, beside Polars, DuckDB, pyarrow and pandas.

python benchmarks/formats.py --rows 5000000 --runs 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json
from rlm_hypervisor import RLMClient


def grouped(p: Any) -> Any:
    """The question: a sum by a key of a thousand values."""
    return p.groupby("category")["value"].sum()


def data(rows: int) -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "category": pa.array([f"category {n}" for n in random.integers(0, 1000, rows)]),
            "value": pa.array(np.round(random.normal(100, 10, rows), 3)),
            "note": pa.array([f"note number {n}" for n in random.integers(0, 10_000, rows)]),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, help="where the table goes as Markdown")
    arguments = parser.parse_args()
    pa.set_cpu_count(2)
    database = duckdb.connect()
    database.execute("set threads = 2")
    with tempfile.TemporaryDirectory() as folder, RLMClient(threads=2) as client:
        table = data(arguments.rows)
        files = {name: str(Path(folder) / f"rows.{name}") for name in ("csv", "jsonl", "arrow")}
        pa.csv.write_csv(table, files["csv"], pa.csv.WriteOptions(quoting_style="none"))
        table.to_pandas().to_json(files["jsonl"], orient="records", lines=True)
        with pa.ipc.new_file(files["arrow"], table.schema) as writer:
            writer.write_table(table, max_chunksize=100_000)
        wanted = table.to_pandas().groupby("category")["value"].sum()
        ours = {name: _ours(client, path) for name, path in files.items()}
        sql = "select category, sum(value) v from {} group by 1 order by 1"
        peers: dict[str, dict[str, Callable[[], Any]]] = {
            "csv": {
                "Polars": lambda: _polars(pl.scan_csv(files["csv"])),
                "DuckDB": lambda: database.execute(sql.format(f"read_csv('{files['csv']}')")).df()["v"],
                "pyarrow": lambda: _arrow(pa.csv.read_csv(files["csv"])),
                "pandas": lambda: grouped(pd.read_csv(files["csv"])),
            },
            "jsonl": {
                "Polars": lambda: _polars(pl.scan_ndjson(files["jsonl"])),
                "DuckDB": lambda: database.execute(sql.format(f"read_json('{files['jsonl']}')")).df()["v"],
                "pyarrow": lambda: _arrow(pa.json.read_json(files["jsonl"])),
            },
            "arrow": {
                "Polars": lambda: _polars(pl.scan_ipc(files["arrow"])),
                "pyarrow": lambda: _arrow(pa.dataset.dataset(files["arrow"], format="ipc").to_table(["category", "value"])),
            },
        }  # fmt: skip
        lines = [
            "# Reading and grouping other formats than Parquet\n",
            "Written by `python benchmarks/formats.py`. A sum by a key of 1,000 values; medians in seconds of engines that",
            "took turns, 2 threads each, and whose answers were compared with pandas' first. Every time includes opening the",
            "file and finding its types: ours and pandas' from all values, the others' from the first rows.\n",
            f"- {arguments.rows:,} rows, {arguments.runs} rounds, {time.strftime('%Y-%m-%d')}\n",
            "| format | MB | ours | peers | ours, of the best |",
            "| --- | ---: | ---: | --- | ---: |",
        ]
        for name, path in files.items():
            engines = {"ours": ours[name], **peers[name]}
            for engine, question in engines.items():
                found = np.asarray(question())
                assert np.allclose(found, wanted.to_numpy()), (name, engine)
            times: dict[str, list[float]] = {engine: [] for engine in engines}
            for _ in range(arguments.runs):
                for engine, question in engines.items():
                    started = time.perf_counter()
                    question()
                    times[engine].append(time.perf_counter() - started)
            medians = {engine: statistics.median(of) for engine, of in times.items()}
            mine = medians.pop("ours")
            shown = ", ".join(f"{engine} {seconds:.3f}" for engine, seconds in medians.items())
            best = min(medians, key=lambda engine: medians[engine])
            size = os.path.getsize(path) / 1e6
            lines.append(
                f"| {name} | {size:.0f} | {mine:.3f} | {shown} | {mine / medians[best]:.2f} {best} |"
            )
            print(lines[-1], flush=True)
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ours(client: RLMClient, path: str) -> Callable[[], Any]:
    task = {"type": "parallel", "description": "by category", "input": {"source": path, "operation": grouped}}
    return lambda: client.execute(task).to_pandas()


def _polars(frame: pl.LazyFrame) -> Any:
    answer = frame.group_by("category").agg(pl.col("value").sum()).sort("category")
    return answer.collect(engine="streaming")["value"].to_numpy()


def _arrow(table: pa.Table) -> Any:
    return table.group_by("category").aggregate([("value", "sum")]).sort_by("category")["value_sum"]


if __name__ == "__main__":
    main()
