"""Writes what it reads, filtered: Parquet to Parquet, CSV to Parquet, and to a thousand directories, beside its peers.

python benchmarks/writing.py --rows 5000000 --runs 5

All compress by snappy and use two threads. Ours brings the files to the disk before it shows them; the others leave that
to the operating system, and leave half a directory behind when they are stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from rlm_hypervisor import RLMClient

PARTITIONS = 1_000


def some(p: Any) -> Any:
    """About nine rows of ten."""
    return p[p["value"] > 87].reset_index(drop=True)


def data(rows: int) -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "category": pa.array(random.integers(0, PARTITIONS, rows)),
            "value": pa.array(np.round(random.normal(100, 10, rows), 3)),
            "note": pa.array([f"note number {n}" for n in random.integers(0, 10_000, rows)]),
        }
    )


def jobs(client: RLMClient, files: dict[str, str], out: str) -> dict[str, dict[str, Callable[[], Any]]]:
    """What is measured: for each job what each engine does."""
    database = duckdb.connect()
    database.execute("set threads = 2")

    def ours(source: str, output: dict[str, Any]) -> Callable[[], Any]:
        output = {"url": out, "compression": "snappy", **output}
        task = {
            "type": "parallel",
            "description": "nine of ten",
            "input": {"source": source, "operation": some},
            "output": output,
        }
        return lambda: client.execute(task)

    def duck(source: str, more: str = "") -> Callable[[], Any]:
        query = f"copy (select * from {source} where value > 87) to '{out}' (format parquet, compression snappy{more})"
        return lambda: database.execute(query)

    def arrow(source: Any, partitioning: Any = None) -> Callable[[], Any]:
        def write() -> None:
            scanner = source().scanner(filter=ds.field("value") > 87)
            options = ds.ParquetFileFormat().make_write_options(compression="snappy")
            ds.write_dataset(
                scanner,
                out,
                format="parquet",
                file_options=options,
                partitioning=partitioning,
                max_partitions=2 * PARTITIONS,
                max_open_files=2 * PARTITIONS,
            )

        return write

    def polars(source: pl.LazyFrame, by: str | None = None) -> Callable[[], Any]:
        target = f"{out}/part.parquet" if by is None else pl.PartitionBy(out, key=by, include_key=False)
        frame = source.filter(pl.col("value") > 87)
        return lambda: frame.sink_parquet(target, compression="snappy", mkdir=True)

    hive = ds.partitioning(pa.schema([("category", pa.int64())]), flavor="hive")
    parquet, csv = files["parquet"], files["csv"]
    return {
        "Parquet to Parquet": {
            "ours": ours(parquet, {}),
            "Polars": polars(pl.scan_parquet(parquet)),
            "DuckDB": duck(f"read_parquet('{parquet}')", ", per_thread_output true"),
            "pyarrow": arrow(lambda: ds.dataset(parquet)),
        },
        "CSV to Parquet": {
            "ours": ours(csv, {}),
            "Polars": polars(pl.scan_csv(csv)),
            "DuckDB": duck(f"read_csv('{csv}')", ", per_thread_output true"),
            "pyarrow": arrow(lambda: ds.dataset(csv, format="csv")),
        },
        "Parquet to 1,000 directories": {
            "ours": ours(parquet, {"partitionBy": "category"}),
            "Polars": polars(pl.scan_parquet(parquet), by="category"),
            "DuckDB": duck(f"read_parquet('{parquet}')", ", partition_by (category)"),
            "pyarrow": arrow(lambda: ds.dataset(parquet), hive),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, help="where the table goes as Markdown")
    arguments = parser.parse_args()
    pa.set_cpu_count(2)
    lines = [
        "# Writing\n",
        "Written by `python benchmarks/writing.py`. About nine rows of ten are kept; medians in seconds of engines that took",
        "turns, 2 threads each, all compressing by snappy, and whose files were counted first. Ours syncs its files and shows",
        "them in one step; the others do neither.\n",
        f"- {arguments.rows:,} rows, {arguments.runs} rounds, {time.strftime('%Y-%m-%d')}\n",
        "| job | ours | peers | ours, of the best |",
        "| --- | ---: | --- | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder, RLMClient(threads=2) as client:
        table = data(arguments.rows)
        wanted = int(np.count_nonzero(table["value"].to_numpy() > 87))
        files = {name: str(Path(folder) / f"rows.{name}") for name in ("parquet", "csv")}
        pq.write_table(table, files["parquet"], row_group_size=max(arguments.rows // 16, 10_000))
        pa.csv.write_csv(table, files["csv"], pa.csv.WriteOptions(quoting_style="none"))
        out = str(Path(folder) / "out")
        for name, engines in jobs(client, files, out).items():
            for engine, write in engines.items():
                write()
                found = ds.dataset(out, format="parquet", partitioning="hive").count_rows()
                assert found == wanted, (name, engine, found, wanted)
                shutil.rmtree(out)
            times: dict[str, list[float]] = {engine: [] for engine in engines}
            for _ in range(arguments.runs):
                for engine, write in engines.items():
                    started = time.perf_counter()
                    write()
                    times[engine].append(time.perf_counter() - started)
                    shutil.rmtree(out)
            medians = {engine: statistics.median(of) for engine, of in times.items()}
            mine = medians.pop("ours")
            shown = ", ".join(f"{engine} {seconds:.3f}" for engine, seconds in medians.items())
            best = min(medians, key=lambda engine: medians[engine])
            lines.append(f"| {name} | {mine:.3f} | {shown} | {mine / medians[best]:.2f} {best} |")
            print(lines[-1], flush=True)
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
