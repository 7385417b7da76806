"""One command: as many groups as rows inside a memory limit, ours and its peers, with time and what each process held.

python benchmarks/h2o_limit.py --rows 10_000_000 --limit 1.2GB --output docs/benchmarks-h2o-limit.md

The question is the tenth group-by of db-benchmark. Every round starts each engine in a process of its own, asks once
(first call), asks again (warm calls) and compares a whole answer, row by row, with that of DuckDB without a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import data
import pyarrow as pa
from _digest import Digest, digest, reference
from _driver import Child, EngineFailed, Settings, note
from _job import SUITES, Job
from _report import BUSY, environment, number, table

SUITE, QUESTION = "h2o_groupby", "q10"
OURS = "limited_rlm"
ENGINES = {
    OURS: "**ours**",
    "limited_duckdb": "DuckDB",
    "limited_datafusion": "DataFusion (SQL)",
    "suite_polars": "Polars streaming, without a limit: it has none",
}
LIMITED = [name for name in ENGINES if name.startswith("limited_")]
MIB = 1 << 20


@dataclass
class Measured:
    """What came of one engine, a value for each round (warm: several)."""

    first: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """Resident bytes before the first call."""
    peak: list[int] = field(default_factory=list)
    """Resident bytes at most, within the first call."""
    anonymous: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    failed: str | None = None


def ask(
    engine: str, settings: Settings, job: Job, right: Digest, warm: int, found: Measured
) -> dict[str, str]:
    """One round of one engine in a fresh process; the versions that it told."""
    with tempfile.TemporaryDirectory(prefix="rlm-bench-") as scratch:
        for directory in job.needs.values():
            data.warm(Path(directory))
        with Child(engine, settings, Path(scratch)) as child:
            versions: dict[str, str] = child.hello()["versions"]
            first = child.call("memory", job)
            again = [child.call("run", job) for _ in range(warm)]
            path = Path(scratch) / "answer.arrow"
            child.call("answer", job, path=str(path))
        with pa.memory_map(str(path)) as source:
            wrong = digest(pa.ipc.open_file(source).read_all(), settings.threads).difference(right)
        groups = {first["groups"], *(reply["groups"] for reply in again)}
        if wrong is not None or groups != {right.rows}:
            raise EngineFailed(f"WRONG ANSWER: {wrong or f'{groups} rows in timed calls'}")
        found.first.append(first["seconds"])
        found.warm.extend(second for reply in again for second in reply["seconds"])
        found.before.append(first["baseline"])
        found.peak.append(first["peak"])
        found.anonymous.append(first["anonymous"])
        found.files.append(first["files"])
        return versions


def measure(options: argparse.Namespace) -> dict[str, Any]:
    suite = SUITES[SUITE]
    tables = {name: str(path) for name, path in suite.tables(options.rows).items()}
    job = Job(SUITE, QUESTION, tables)
    settings = Settings(options.engines, options.threads, options.runs, options.timeout)
    report: dict[str, Any] = {"environment": environment(), "versions": {}, "measured": {}}
    found = {name: Measured() for name in options.engines}
    os.environ["RLM_BENCH_LIMIT"] = options.limit
    right = reference(job.sql, job.needs, options.threads)
    for turn in range(options.runs):
        for name in options.engines[turn % len(found) :] + options.engines[: turn % len(found)]:
            if found[name].failed is None:
                note(f"round {turn + 1} of {options.runs}: {name}")
                try:
                    report["versions"] |= ask(name, settings, job, right, options.warm, found[name])
                except EngineFailed as error:
                    note(f"  {name}: {error}")
                    found[name].failed = str(error)
    report["measured"] = {name: asdict(measured) for name, measured in found.items()}
    return report


def goals(measured: dict[str, Any], limit: float) -> list[list[str]]:
    """Ours beside the best peer with a limit, and beside the limit."""
    rows = []
    good = {name: each for name, each in measured.items() if name in LIMITED and not each["failed"]}
    for what, title in (("first", "first call"), ("warm", "warm calls")):
        times = {name: median(each[what]) for name, each in good.items() if each[what]}
        ours = times.pop(OURS, None)
        if ours is not None and times:
            best = min(times, key=lambda name: times[name])
            ratio = ours / times[best]
            rows.append([f"{title}, of {ENGINES[best]}", number(1.0), number(ratio), _verdict(ratio <= 1.0)])
    if OURS in good:
        share = max(good[OURS]["anonymous"]) / limit
        rows.append(["memory of its own, of the limit", number(1.0), number(share), _verdict(share <= 1.0)])
    return rows


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def in_bytes(size: str) -> float:
    """`1.2GB` as a number of bytes."""
    return float(size[:-2]) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[size[-2:].upper()]


def markdown(report: dict[str, Any], options: argparse.Namespace) -> str:
    told, measured = report["environment"], report["measured"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report["versions"].items()))
    rows = []
    for name, each in measured.items():
        if each["failed"]:
            rows.append([ENGINES[name], f"failed: {each['failed'].partition(chr(10))[0][:120]}", *[""] * 6])
            continue
        spread = f"{min(each['first']):.2f} to {max(each['first']):.2f}"
        bytes_ = [f"{max(each[what]) / MIB:,.0f}" for what in ("before", "peak", "anonymous", "files")]
        rows.append(
            [ENGINES[name], number(median(each["first"])), spread, number(median(each["warm"])), *bytes_]
        )
    heads = [
        "",
        "first call",
        "from, to",
        "warm calls",
        "MiB before",
        "MiB at most",
        "of its own",
        "of files",
    ]
    command = f"python benchmarks/h2o_limit.py --rows {options.rows:_} --limit {options.limit}"
    parts = [
        f"# As many groups as rows inside {options.limit}",
        f"Written by `{command}`. Question 10 of db-benchmark (sum of v3 and number of v1 by all six ids) over "
        f"{options.rows:,} rows, which make about as many groups. Each engine was asked in {options.runs} fresh "
        f"processes, once (first call) and then {options.warm} times more (warm calls): medians in seconds. Resident "
        "memory of the process within the first call, the most of all processes: in all, of its own, and of mapped "
        "files, most of which are libraries. The whole answer, which is in memory as an Arrow table in the end, is "
        "part of it. Every process's answer was compared with that of DuckDB without a limit: keys and counts by "
        "hash, row by row, sums within 1e-9.",
        f"- {told['started']}, {told['processor']}, {told['system']}, Python {told['python']}\n"
        f"- {options.threads} threads for each engine, load average before the start {told['load']:.2f}\n- {versions}",
    ]
    if told["load"] > BUSY:
        parts.append("**The machine was not quiet when this began: read ratios with care.**")
    beside = goals(measured, in_bytes(options.limit))
    parts += ["## Goals", table(["ours", "goal: at most", "measured", ""], beside, text=1)]
    parts += ["## Measured", table(heads, rows, text=1)]
    return "\n\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--limit", default="1.2GB", help="a number and KB, MB or GB; default: 1.2GB")
    parser.add_argument(
        "--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES), metavar="ENGINE"
    )
    parser.add_argument("--runs", type=int, default=5, help="fresh processes of each engine; default: 5")
    parser.add_argument("--warm", type=int, default=3, help="calls after the first one; default: 3")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one call")
    parser.add_argument("--output", type=Path, help="write the report here, its numbers beside it as .json")
    options = parser.parse_args()
    if min(options.rows, options.runs, options.warm, options.threads) <= 0:
        parser.error("rows, runs, warm calls and threads must be positive")
    report = measure(options)
    text = markdown(report, options)
    print(text)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")
        options.output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(each["failed"] for each in report["measured"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
