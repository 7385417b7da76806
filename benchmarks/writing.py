"""Writes what it reads, filtered: Parquet to Parquet, CSV to Parquet, to a thousand directories; few rows of many; and to
and from a store that is 20 milliseconds away. Beside its peers.

python benchmarks/writing.py --rows 5000000 --runs 5 --output docs/benchmarks-writing.md

All compress by snappy and use two threads. Ours brings the files to the disk before it shows them; the others leave that
to the operating system, and leave half a directory behind when they are stopped. So that nobody waits for the disk on
account of another, all that was written is brought to it between two turns; and what syncing the others' files takes, file
by file and directory by directory as ours does it, is measured beside.
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

import datafusion
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from _far_store import BUCKET, FarStore
from pyarrow.fs import S3FileSystem
from rlm_hypervisor import RLMClient

PARTITIONS = 1_000
DELAY = 0.02
CHAINS = {"read": 2, "write": 4}
"""Requests of which each needs the answer to the one before: to find the source, with its footer, and its first rows; to see
what is at the target, to begin a file, to send its last part, and to complete it."""

Engines = dict[str, Callable[[], Any]]


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


class Peers:
    """What each engine's users write."""

    def __init__(self, client: RLMClient, out: str) -> None:
        self.client = client
        self.out = out
        self.database = duckdb.connect()
        self.database.execute("set threads = 2")
        config = datafusion.SessionConfig().with_target_partitions(2)
        self.context = datafusion.SessionContext(config)

    def ours(self, source: str, operation: Any = some, **output: Any) -> Callable[[], Any]:
        task: dict[str, Any] = {
            "type": "parallel",
            "description": "rows that are wanted",
            "input": {"source": source, "operation": operation},
        }
        if output:
            task["output"] = {"url": self.out, "compression": "snappy", **output}
            return lambda: self.client.execute(task)
        return lambda: self.client.execute(task).to_arrow()

    def polars(self, frame: pl.LazyFrame, by: str | None = None, **more: Any) -> Callable[[], Any]:
        target = (
            f"{self.out}/part.parquet" if by is None else pl.PartitionBy(self.out, key=by, include_key=False)
        )
        frame = frame.filter(pl.col("value") > 87)
        return lambda: frame.sink_parquet(target, compression="snappy", mkdir=True, **more)

    def duck(self, source: str, more: str = "") -> Callable[[], Any]:
        rows = f"(select * from {source} where value > 87)"
        query = f"copy {rows} to '{self.out}' (format parquet, compression snappy{more})"
        return lambda: self.database.execute(query)

    def fusion(self, source: str, by: str | None = None) -> Callable[[], Any]:
        def write() -> None:
            read = self.context.read_csv if source.endswith("csv") else self.context.read_parquet
            rows = read(source).filter(datafusion.col("value") > datafusion.lit(87.0))
            if by is None:
                rows.write_parquet(f"{self.out}/", compression="snappy")
                return
            options = datafusion.DataFrameWriteOptions(partition_by=by)
            rows.write_parquet(f"{self.out}/", compression="snappy", write_options=options)

        return write

    def arrow(
        self, source: Any, partitioning: Any = None, filesystem: Any = None, out: str = ""
    ) -> Callable[[], Any]:
        def write() -> None:
            scanner = source().scanner(filter=ds.field("value") > 87)
            options = ds.ParquetFileFormat().make_write_options(compression="snappy")
            ds.write_dataset(
                scanner,
                out or self.out,
                filesystem=filesystem,
                format="parquet",
                file_options=options,
                partitioning=partitioning,
                max_partitions=2 * PARTITIONS,
                max_open_files=2 * PARTITIONS,
            )

        return write


def writes(peers: Peers, files: dict[str, str]) -> dict[str, Engines]:
    """Everything that is written here: for each job what each engine does."""
    hive = ds.partitioning(pa.schema([("category", pa.int64())]), flavor="hive")
    parquet, csv = files["parquet"], files["csv"]
    each = ", per_thread_output true"
    return {
        "Parquet to Parquet": {
            "ours": peers.ours(parquet, mode="error"),
            "Polars": peers.polars(pl.scan_parquet(parquet)),
            "DuckDB": peers.duck(f"read_parquet('{parquet}')", each),
            "DataFusion": peers.fusion(parquet),
            "pyarrow": peers.arrow(lambda: ds.dataset(parquet)),
        },
        "CSV to Parquet": {
            "ours": peers.ours(csv, mode="error"),
            "Polars": peers.polars(pl.scan_csv(csv)),
            "DuckDB": peers.duck(f"read_csv('{csv}')", each),
            "DataFusion": peers.fusion(csv),
            "pyarrow": peers.arrow(lambda: ds.dataset(csv, format="csv")),
        },
        "Parquet to 1,000 directories": {
            "ours": peers.ours(parquet, partitionBy="category"),
            "Polars": peers.polars(pl.scan_parquet(parquet), by="category"),
            "DuckDB": peers.duck(f"read_parquet('{parquet}')", ", partition_by (category)"),
            "DataFusion": peers.fusion(parquet, by="category"),
            "pyarrow": peers.arrow(lambda: ds.dataset(parquet), hive),
        },
    }


def reads(peers: Peers, source: str, first: int, last: int) -> Engines:
    """A few rows of a file that is sorted by what is asked for."""

    def few(p: Any) -> Any:
        return p[(p["id"] >= first) & (p["id"] < last)]

    query = f"select * from read_parquet('{source}') where id >= {first} and id < {last}"
    chosen = (ds.field("id") >= first) & (ds.field("id") < last)
    frame = pl.scan_parquet(source).filter((pl.col("id") >= first) & (pl.col("id") < last))

    def fusion() -> Any:
        column = datafusion.col("id")
        rows = peers.context.read_parquet(source)
        wanted = rows.filter((column >= datafusion.lit(first)) & (column < datafusion.lit(last)))
        return wanted.to_arrow_table()

    return {
        "ours": peers.ours(source, few),
        "Polars": lambda: frame.collect(engine="streaming").to_arrow(),
        "DuckDB": lambda: peers.database.execute(query).to_arrow_table(),
        "DataFusion": fusion,
        "pyarrow": lambda: ds.dataset(source).to_table(filter=chosen),
    }


def synced(out: str) -> float:
    """Seconds that it takes to bring a directory with all that is in it to the disk."""
    started = time.perf_counter()
    for within, _, names in os.walk(out, topdown=False):
        for path in [*(os.path.join(within, name) for name in names), within]:
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.close(file)
    return time.perf_counter() - started


def rounds(
    engines: Engines, runs: int, clean: Callable[[], None], out: str = ""
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of engines that take turns; and with what it takes to sync what is in `out`."""
    times: dict[str, list[float]] = {engine: [] for engine in engines}
    with_sync: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(runs):
        for engine, work in engines.items():
            os.sync()
            started = time.perf_counter()
            work()
            seconds = time.perf_counter() - started
            times[engine].append(seconds)
            with_sync[engine].append(seconds if engine == "ours" else seconds + synced(out))
            clean()
    median = lambda all: {engine: statistics.median(of) for engine, of in all.items()}  # noqa: E731
    return median(times), median(with_sync)


def row(name: str, medians: dict[str, float], with_sync: dict[str, float] | None = None) -> str:
    mine = medians["ours"]

    def best(of: dict[str, float]) -> str:
        others = {engine: seconds for engine, seconds in of.items() if engine != "ours"}
        engine = min(others, key=lambda engine: others[engine])
        return f"{mine / others[engine]:.2f} {engine}"

    shown = ", ".join(f"{engine} {seconds:.3f}" for engine, seconds in medians.items() if engine != "ours")
    return f"| {name} | {mine:.3f} | {shown} | {best(medians)} | {best(with_sync) if with_sync else 'nothing written'} |"


def local(folder: str, table: pa.Table, runs: int, only: str) -> list[str]:
    rows, lines = len(table), []
    kept = table.filter(pc.greater(table["value"], 87))
    wanted = (len(kept), pc.sum(kept["id"]).as_py())
    files = {name: str(Path(folder) / f"rows.{name}") for name in ("parquet", "csv")}
    pq.write_table(table, files["parquet"], row_group_size=max(rows // 16, 10_000))
    pa.csv.write_csv(table, files["csv"], pa.csv.WriteOptions(quoting_style="none"))
    out = str(Path(folder) / "out")
    with RLMClient(threads=2) as client:
        peers = Peers(client, out)
        for name, engines in writes(peers, files).items():
            if only not in name:
                continue
            for engine, write in engines.items():
                write()
                there = ds.dataset(out, format="parquet", partitioning="hive").to_table(columns=["id"])["id"]
                found = (len(there), pc.sum(there).as_py())
                assert found == wanted, (name, engine, found, wanted)
                shutil.rmtree(out)
            lines.append(row(name, *rounds(engines, runs, lambda: shutil.rmtree(out), out)))
            print(lines[-1], flush=True)
        name = "2,000 rows of a sorted file"
        if only in name:
            first = rows // 3
            engines = reads(peers, files["parquet"], first, first + 2_000)
            for engine, ask in engines.items():
                answer = ask()
                found = sorted(answer["id"].to_pylist())
                assert found == list(range(first, first + 2_000)), (name, engine, len(found))
            lines.append(row(name, rounds(engines, 5 * runs, lambda: None)[0]))
            print(lines[-1], flush=True)
    return lines


Jobs = dict[str, dict[str, Callable[[str], Any]]]


def jobs_at(store: FarStore, client: RLMClient) -> Jobs:
    """What writes from a store's object to a prefix of it, by job and engine."""
    options = store.options
    files = S3FileSystem(
        access_key="bench",
        secret_key="bench",
        scheme="http",
        endpoint_override=store.endpoint.removeprefix("http://"),
        allow_bucket_creation=False,
    )
    there = f"s3://{BUCKET}/rows.parquet"

    def ours(by: str | None) -> Callable[[str], Any]:
        output = {"partitionBy": by} if by else {"mode": "error"}
        return lambda out: Peers(client, f"s3://{out}").ours(there, **output)()

    def polars(by: str | None) -> Callable[[str], Any]:
        def write(out: str) -> None:
            frame = pl.scan_parquet(there, storage_options=options)
            Peers(client, f"s3://{out}").polars(frame, by, storage_options=options)()

        return write

    def arrow(out: str) -> None:
        found = lambda: ds.dataset(f"{BUCKET}/rows.parquet", filesystem=files)  # noqa: E731
        Peers(client, out).arrow(found, None, files, out)()

    # To a thousand directories pyarrow takes minutes.
    return {
        "Parquet to Parquet": {"ours": ours(None), "Polars": polars(None), "pyarrow": arrow},
        "Parquet to 1,000 directories": {"ours": ours("category"), "Polars": polars("category")},
    }


def far(folder: str, table: pa.Table, runs: int, only: str) -> list[str]:
    """Each job on local files, on those of a server that answers at once, and on those of a far one, by the same engine."""
    source = str(Path(folder) / "rows.parquet")
    if not os.path.exists(source):
        pq.write_table(table, source, row_group_size=max(len(table) // 16, 10_000))
    out, lines = str(Path(folder) / "out"), []
    wanted = int(np.count_nonzero(table["value"].to_numpy() > 87))
    number = 0

    def fresh() -> str:
        nonlocal number
        number += 1
        return f"{BUCKET}/out-{number}"

    with (
        FarStore(DELAY) as store,
        FarStore(0) as close,
        RLMClient(threads=2, storage_options=store.options) as client,
        RLMClient(threads=2, storage_options=close.options) as beside,
    ):
        for one in (store, close):
            one.put("rows.parquet", Path(source).read_bytes())
        peers = Peers(client, out)
        local_jobs: dict[str, Engines] = {
            "Parquet to Parquet": {
                "ours": peers.ours(source, mode="error"),
                "Polars": peers.polars(pl.scan_parquet(source), None),
                "pyarrow": peers.arrow(lambda: ds.dataset(source)),
            },
            "Parquet to 1,000 directories": {
                "ours": peers.ours(source, partitionBy="category"),
                "Polars": peers.polars(pl.scan_parquet(source), "category"),
            },
        }
        remote, near = jobs_at(store, client), jobs_at(close, beside)
        chain = sum(CHAINS.values()) * DELAY
        for name, engines in local_jobs.items():
            if only not in name:
                continue
            for engine, write in remote[name].items():
                write(target := fresh())
                files = S3FileSystem(
                    access_key="bench",
                    secret_key="bench",
                    scheme="http",
                    endpoint_override=store.endpoint.removeprefix("http://"),
                )
                written = ds.dataset(target, filesystem=files, format="parquet", partitioning="hive")
                assert written.count_rows() == wanted, (name, engine)
            here, _ = rounds(engines, runs, lambda: shutil.rmtree(out))

            def timed(jobs: Jobs, name: str = name) -> dict[str, float]:
                return rounds(
                    {engine: lambda write=write: write(fresh()) for engine, write in jobs[name].items()},
                    runs,
                    lambda: None,
                )[0]

            at_once, away = timed(near), timed(remote)
            for engine, write in remote[name].items():
                store.requests()
                write(fresh())
                requests = sum(store.requests().values())
                times = f"{here[engine]:.3f} | {at_once[engine]:.3f} | {away[engine]:.3f} | {requests:,}"
                of_here = away[engine] / (here[engine] + chain)
                of_server = away[engine] / (at_once[engine] + chain)
                lines.append(f"| {name} | {engine} | {times} | {of_here:.2f} | {of_server:.2f} |")
                print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="jobs whose name has this in it")
    parser.add_argument("--place", choices=["local", "far"], help="only one of both")
    parser.add_argument("--output", type=Path, help="where the tables go as Markdown")
    arguments = parser.parse_args()
    pa.set_cpu_count(2)
    lines = [
        "# Writing\n",
        "Written by `python benchmarks/writing.py`. About nine rows of ten are kept; medians in seconds of engines that took",
        "turns, 2 threads each, all compressing by snappy, and whose rows were checked first. Ours syncs its files and shows",
        "them in one step; the others do neither. The last column counts for the others what syncing their files takes.\n",
        f"- {arguments.rows:,} rows, {arguments.runs} rounds, {time.strftime('%Y-%m-%d')}\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        table = data(arguments.rows)
        if arguments.place != "far":
            lines += [
                "| job | ours | peers | ours, of the best | of the best that syncs too |",
                "| --- | ---: | --- | ---: | ---: |",
            ]
            lines += local(folder, table, arguments.runs, arguments.only)
        if arguments.place != "local":
            lines += [
                "\n## A store that is far away\n",
                f"An S3 server on the same machine answers every request {DELAY * 1000:.0f} ms late. What each job takes with",
                "local files, with a server that answers at once (both servers are Python, on the same two cores), and with the",
                "late one, by the same engine; and how much the last is of each of the others and the",
                f"{sum(CHAINS.values())} requests that wait for one another at least: to find the source, with its footer, and its first rows; to",
                "see what is at the target, to begin a file, to send its last part, and to complete it.\n",
                "| job | engine | local | at once | late | requests | late, of local and the chain | of at once and the chain |",
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            ]
            lines += far(folder, table, arguments.runs, arguments.only)
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
