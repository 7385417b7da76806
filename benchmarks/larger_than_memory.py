"""Questions over more rows than a memory limit holds: time, peak and order, beside DuckDB and DataFusion.

python benchmarks/larger_than_memory.py --rows 100000000 --limit 1.5GB --cases job --output docs/benchmarks-larger-than-memory.md

`job` filters, groups, joins with the groups, sorts and writes; `sort`, `group` (about as many groups as rows) and `join`
(of two tables of which neither fits) are one step each, and write what comes out. The data is that of the seed job; with
`--key-bytes 80` it is 10 GB of text and numbers. Each engine runs in a process of its own, once: what counts is that it
ends, how much of the machine's memory it held, and roughly how long it took. What they wrote is compared, where there is
an order its order too.

With `--container 1.5GB` each runs in a control group that has so much memory, as in a container, and is told no limit of
its own: it is for the engine to find out, and who takes more is killed. Making one needs the right to (root has it).
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import data
import numpy as np
import pyarrow.parquet as pq
from _spec import Dataset


@dataclass(frozen=True)
class Sources:
    left: str
    right: str


def _job(p: Any, _: Any) -> Any:
    p = p[p["value"] > 0.1]
    sums = p.groupby(["category", "region"], as_index=False)["value"].sum()
    joined = p.merge(sums.rename(columns={"value": "total"}), on=["category", "region"])
    return joined.sort_values("value").reset_index(drop=True)


@dataclass(frozen=True)
class Case:
    ours: Callable[[Any, Any], Any]
    sql: str
    """With `left` and `right` as tables."""
    sums: tuple[str, ...]
    """Columns whose sums tell a right answer."""
    ordered: str | None
    """The column that ascends in what is written."""
    keys: float
    """Keys for each row of the left table."""


CASES = {
    "job": Case(
        _job,
        """
        with p as (select * from "left" where value > 0.1),
             sums as (select category, region, sum(value) as total from p group by category, region)
        select p.category, p.region, p.value, sums.total
        from p join sums on p.category = sums.category and p.region = sums.region
        order by p.value
        """,
        ("value", "total"),
        "value",
        0.0,
    ),
    "sort": Case(
        lambda p, _: p.sort_values("value").reset_index(drop=True),
        'select * from "left" order by value',
        ("value",),
        "value",
        0.0,
    ),
    "group": Case(
        lambda p, _: p.groupby("category", as_index=False)["value"].sum(),
        'select category, sum(value) as value from "left" group by category',
        ("value",),
        None,
        1.0,
    ),
    "join": Case(
        lambda p, q: p.merge(
            q[["category", "value"]].rename(columns={"value": "other"}), on="category"
        ).reset_index(drop=True),
        """
        select "left".category, "left".region, "left".value, "right".value as other
        from "left" join "right" on "left".category = "right".category
        """,
        ("value", "other"),
        None,
        1.0,
    ),
}


def bytes_of(size: str) -> int:
    return int(float(size.removesuffix("GB").removesuffix("MB")) * (10**9 if size.endswith("GB") else 10**6))


def top_group() -> tuple[Path, str]:
    """The group that all are in, and the file that limits the memory of one."""
    old = Path("/sys/fs/cgroup/memory")
    return (old, "memory.limit_in_bytes") if old.exists() else (old.parent, "memory.max")


@contextmanager
def container(size: str) -> Iterator[list[str]]:
    """A control group with so much memory and no swap, of either version; what to put before a command that is to be in it."""
    root, file = top_group()
    group = root / f"rlm-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / file).write_text(str(bytes_of(size)))
        if (swap := group / "memory.swap.max").exists():
            swap.write_text("0")
        yield ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
    finally:
        group.rmdir()


def ours(case: Case, sources: Sources, target: str, limit: str, spill: str) -> int:
    from rlm_hypervisor import RLMClient

    limits = {"memory_limit": limit} if limit else {}
    with RLMClient(threads=2, spill_dir=spill, progress=False, **limits) as client:
        right = client.table(sources.right)
        output = {"url": target, "compression": "snappy"}
        task = {"input": {"source": sources.left, "operation": lambda p: case.ours(p, right)}}
        run = client.submit({"type": "parallel", **task, "output": output})
        written = run.result()
        if os.environ.get("RLM_BENCH_EXPLAIN"):
            print(run.explain(), file=sys.stderr)
        return int(written.rows)


def duckdb(case: Case, sources: Sources, target: str, limit: str, spill: str) -> int:
    import duckdb as engine

    options = {"threads": 2, "temp_directory": spill, **({"memory_limit": limit} if limit else {})}
    connection = engine.connect(config=options)
    for name in ("left", "right"):
        scan = f"select * from read_parquet('{getattr(sources, name)}/*.parquet')"
        connection.execute(f'create view "{name}" as {scan}')
    if not case.ordered:
        connection.execute("set preserve_insertion_order = false")
    written = connection.execute(
        f"copy ({case.sql}) to '{target}.parquet' (format parquet, compression snappy)"
    )
    found = written.fetchone()
    assert found is not None
    return int(found[0])


def datafusion(case: Case, sources: Sources, target: str, limit: str, spill: str) -> int:
    import datafusion as engine

    if not limit:
        raise SystemExit("Error: DataFusion has no limit unless it is told one")
    pool = engine.RuntimeEnvBuilder().with_fair_spill_pool(bytes_of(limit))
    runtime = pool.with_disk_manager_specified(spill)
    context = engine.SessionContext(engine.SessionConfig().with_target_partitions(2), runtime)
    for name in ("left", "right"):
        context.register_parquet(name, getattr(sources, name))
    os.makedirs(target)
    to = f"copy ({case.sql}) to '{target}/' stored as parquet options ('format.compression' 'snappy')"
    (batch,) = context.sql(to).collect()
    return int(batch.column(0)[0].as_py())


ENGINES = {"rlm": ours, "duckdb": duckdb, "datafusion": datafusion}


def digest(case: Case, folder: str) -> dict[str, float]:
    """What was written, read by one and the same reader."""
    import duckdb as engine

    scan = f"read_parquet('{folder}/out*/**/*.parquet')" if os.path.isdir(f"{folder}/out") else None
    scan = scan or f"read_parquet('{folder}/out*')"
    sums = ", ".join(f"sum({column}), min({column}), max({column})" for column in case.sums)
    (row,) = engine.sql(f"select count(*), {sums} from {scan}").fetchall()
    names = ["rows", *(f"{what} {column}" for column in case.sums for what in ("sum", "least", "most"))]
    return dict(zip(names, map(float, row), strict=True))


def in_order(folder: str, column: str) -> bool:
    last = -1.0
    for file in sorted(Path(folder).rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=[column]):
            values = batch.column(0).to_numpy()
            if len(values) and (values[0] < last or (np.diff(values) < 0).any()):
                return False
            last = values[-1] if len(values) else last
    return True


def one(engine: str, case: Case, sources: Sources, limit: str) -> None:
    """Runs one engine in this process, and prints what it took."""
    folder = tempfile.mkdtemp(prefix="rlm-larger-")
    started, worked = time.monotonic(), time.process_time()
    try:
        rows = ENGINES[engine](case, sources, os.path.join(folder, "out"), limit, folder)
        seconds, cpu = time.monotonic() - started, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if not limit:
            # Those who look at what was written take memory of their own.
            (top_group()[0] / "cgroup.procs").write_text(str(os.getpid()))
        answer = digest(case, folder)
        ordered = case.ordered is None or engine == "datafusion" or in_order(folder, case.ordered)
        if answer["rows"] != rows or not ordered:
            raise SystemExit("what was written is not what was told, or is not in order")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        json.dumps(
            {"rows": rows, "seconds": round(seconds, 1), "cpu": round(cpu, 1), "peak": peak, "answer": answer}
        )
    )


def sources_of(case: Case, rows: int, key_bytes: int) -> Sources:
    keys = int(rows * case.keys) or 1_000_000
    return Sources(*(str(data.ensure(Dataset(count, keys, key_bytes))) for count in (rows, rows // 2)))


HEAD = """# Larger than memory

Written by `python benchmarks/larger_than_memory.py`, each case run once, each engine in a process of its own with 2
threads, the same limit and the same directory to spill to; what they wrote was compared by count, sums and extremes, ours
and DuckDB's in its order too where there is one. `job` filters, groups, joins with the groups, sorts and writes. The peak is
that of the whole process, with its interpreter and libraries: what decoders, encoders and the allocator take comes on top
of the limit.
"""


def put(page: Path, title: str, lines: list[str]) -> None:
    """Writes one part of the page, in place of the one of the same title."""
    text = page.read_text() if page.exists() else HEAD
    head, *parts = text.split("\n## ")
    parts = [part.strip("\n") for part in parts if part.split("\n", 1)[0] != title]
    today = datetime.date.today().isoformat()
    parts.append("\n".join([title, "", f"On {today}.", "", *lines]))
    page.write_text("\n\n## ".join([head.rstrip("\n"), *parts]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--limit", default="1.5GB")
    parser.add_argument("--container", help="a control group of this size, in place of a limit")
    parser.add_argument("--key-bytes", type=int, default=12, help="how long a category is")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["job"])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["rlm", "duckdb"])
    parser.add_argument("--here", action="store_true", help="the only case and engine in this process")
    parser.add_argument("--output", type=Path, help="a page: its part about such rows is written")
    asked = parser.parse_args()
    if asked.here:
        case = CASES[asked.cases[0]]
        limit = "" if asked.container else asked.limit
        return one(asked.engines[0], case, sources_of(case, asked.rows, asked.key_bytes), limit)
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    tell("| case | engine | seconds | of CPU | peak of the process, MiB | rows written |")
    tell("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in asked.cases:
        right: dict[str, float] | None = None
        sources_of(CASES[name], asked.rows, asked.key_bytes)
        for engine in asked.engines:
            options = [
                "--rows",
                str(asked.rows),
                "--limit",
                asked.limit,
                "--key-bytes",
                str(asked.key_bytes),
                "--cases",
                name,
                "--engines",
                engine,
            ]
            command = [sys.executable, __file__, "--here", *options]
            if asked.container:
                command += ["--container", asked.container]
            with container(asked.container) if asked.container else nullcontext([]) as within:
                done = subprocess.run([*within, *command], capture_output=True, text=True, check=False)
            sys.stderr.write(done.stderr if os.environ.get("RLM_BENCH_EXPLAIN") else "")
            if done.returncode:
                told = done.stderr.strip().splitlines() or ["killed"]
                said = next((line for line in reversed(told) if "Error" in line), told[-1])[:200]
                tell(f"| {name} | {engine} | failed: {said} | | | |")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            right = right or found["answer"]
            if any(not math.isclose(found["answer"][key], right[key], rel_tol=1e-9) for key in right):
                tell(f"| {name} | {engine} | WRONG: {found['answer']}, and the first one {right} | | | |")
                continue
            row = f"{found['seconds']} | {found['cpu']} | {found['peak']:,} | {found['rows']:,}"
            tell(f"| {name} | {engine} | {row} |")
    if asked.output:
        limit = f"a container of {asked.container}" if asked.container else f"limit {asked.limit}"
        title = f"{asked.rows:,} rows, {limit}, categories of {asked.key_bytes} bytes"
        put(asked.output, title, lines)
    return None


if __name__ == "__main__":
    main()
