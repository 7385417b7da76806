"""The one command: the seed job against its peers, as a table of medians and ratios.

python benchmarks/seed_job.py --quick
python benchmarks/seed_job.py --output docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import _report
import data
from _driver import Bench, Case, Outcome, Settings, note
from _spec import VARIANTS, Dataset
from engines import DECODE, OURS, OURS_IN_CHUNKS, PEERS, READ, SPARK, TITLES

FULL_ROWS = [20_000_000, 100_000_000]
QUICK_ROWS = [2_000_000]
KEYS = [100, 10_000, 1_000_000]
QUICK_KEYS = [100, 1_000_000]
OVERHEAD_ROWS = 1_000
OVERHEAD_CALLS = 200


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2 million rows, 3 runs; without PySpark, 10,000 keys and peak memory",
    )
    parser.add_argument("--rows", type=int, nargs="+", help="default: 20 and 100 million")
    parser.add_argument("--keys", type=int, nargs="+", help="distinct keys")
    parser.add_argument("--key-bytes", type=int, nargs="+", default=[12], help="bytes of a key")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument(
        "--engines",
        nargs="+",
        choices=[*TITLES, "all"],
        metavar="ENGINE",
        help=f"of {', '.join(TITLES)}; the physical limits are always measured",
    )
    parser.add_argument("--runs", type=int, help="timed runs of every engine; default: 5")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one run")
    parser.add_argument(
        "--patience",
        type=float,
        default=120.0,
        help="seconds after which an engine makes no more than 3 runs of a case",
    )
    parser.add_argument(
        "--memory",
        action=argparse.BooleanOptionalAction,
        help="peak memory, on the largest --rows; default: unless --quick",
    )
    parser.add_argument(
        "--overhead",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="call overhead, on 1,000 rows",
    )
    parser.add_argument(
        "--output", type=Path, help="write the report here, and its numbers beside it as .json"
    )
    parsed = parser.parse_args(arguments)
    if parsed.runs is not None and parsed.runs < 1:
        parser.error("runs must be positive")
    if min(parsed.threads, *(parsed.rows or [1]), *(parsed.keys or [1])) < 1:
        parser.error("threads, rows and keys must be positive")
    return parsed


def chosen_engines(options: argparse.Namespace) -> list[str]:
    everything = [OURS, OURS_IN_CHUNKS, *PEERS]
    if options.engines is None:
        asked = [name for name in everything if not (options.quick and name == SPARK)]
    elif "all" in options.engines:
        asked = everything
    else:
        asked = [name for name in everything if name in options.engines]
    return [READ, DECODE, *asked]


def measure(options: argparse.Namespace, report: _report.Report) -> None:
    """Fills the report, and writes it after every step: an interrupted run loses nothing."""
    quick: bool = options.quick
    rows = options.rows or (QUICK_ROWS if quick else FULL_ROWS)
    keys_asked = options.keys or (QUICK_KEYS if quick else KEYS)
    datasets = [
        Dataset(rows_each, keys, key_bytes)
        for rows_each in rows
        for key_bytes in options.key_bytes
        for keys in keys_asked
    ]
    settings = Settings(
        engines=chosen_engines(options),
        threads=options.threads,
        runs=options.runs or (3 if quick else 5),
        timeout=options.timeout,
        patience=options.patience,
        reuse=quick,
    )
    report.start(settings)
    with Bench(settings) as bench:
        if options.overhead:
            for files in (4, 1):
                dataset = Dataset(OVERHEAD_ROWS, 100, files=files)
                cases = [Case(dataset, "seed", OVERHEAD_CALLS)]
                for outcome in bench.times(dataset, cases):
                    _keep(report, report.overhead, outcome, bench)
        for dataset in datasets:
            cases = [Case(dataset, variant) for variant in options.variants]
            for outcome in bench.times(dataset, cases):
                _keep(report, report.times, outcome, bench)
        if options.memory if options.memory is not None else not quick:
            for dataset in datasets:
                if dataset.rows == max(rows):
                    report.memory.append(bench.memory(dataset))
                    report.versions.update(bench.versions)
                    report.save()
    report.finish()


def _keep(report: _report.Report, into: list[Outcome], outcome: Outcome, bench: Bench) -> None:
    into.append(outcome)
    report.versions.update(bench.versions)
    report.save()


def main() -> int:
    options = parse()
    output: Path | None = options.output
    json_path = output.with_suffix(".json") if output else data.cache_dir() / "results" / "seed_job.json"
    report = _report.Report(json_path, output)
    # Also where a shell started this in the background with interrupts ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    interrupted = False
    try:
        measure(options, report)
    except KeyboardInterrupt:
        interrupted = True
        note("interrupted: the report has what was complete")
        report.save()
    print(report.markdown())
    note(f"numbers: {json_path}" + (f", report: {output}" if output else ""))
    if interrupted:
        return 130
    return 1 if report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
