"""The command of a suite: every question asked of every engine in turns, answers checked first, one report."""

from __future__ import annotations

import argparse
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import data
import pyarrow as pa
from _digest import Digest, digest, reference
from _driver import MIN_RUNS, Child, EngineFailed, EngineUnavailable, Settings, note
from _job import SUITES, Job, Suite
from engines import SUITE_OURS, SUITE_TITLES

DEFAULT = [name for name in SUITE_TITLES if name != "suite_pandas"]


@dataclass
class Asked:
    """What came of one question: seconds of every timed execution, or why there are none."""

    question: str
    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class SuiteBench:
    """Asks the questions of one suite. `versions` fills as engines start."""

    def __init__(self, suite: Suite, size: float, settings: Settings) -> None:
        self.suite = suite
        self.settings = settings
        self.versions: dict[str, str] = {}
        self.tables = {name: str(path) for name, path in suite.tables(size).items()}
        self._scratch = tempfile.TemporaryDirectory(prefix="rlm-bench-")
        self._children: dict[str, Child] = {}

    def __enter__(self) -> SuiteBench:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            child.kill()
            child.close()
        self._scratch.cleanup()

    def _staff(self) -> None:
        """A living process for every engine; what is not installed is not tried again."""
        for name in self.settings.engines:
            child = self._children.get(name)
            if child is None or (child.gone and not isinstance(child.gone, EngineUnavailable)):
                if child is not None:
                    child.close()
                self._children[name] = Child(name, self.settings, Path(self._scratch.name))

    def ask(self, question: str) -> Asked:
        """Checks every engine's answer, then lets them take turns."""
        job = Job(self.suite.name, question, self.tables)
        asked = Asked(question, (job.function.__doc__ or question).partition("\n")[0].rstrip("."))
        self._staff()
        note(f"{self.suite.name} {question}: checking answers")
        right = reference(job.sql, job.needs, self.settings.threads)
        for name, child in self._children.items():
            with self._record(asked, name):
                self.versions.update(child.hello()["versions"])
                self._check(child, job, right)
                asked.seconds[name] = []
        for number in range(self.settings.runs):
            note(f"{self.suite.name} {question}: round {number + 1} of {self.settings.runs}")
            for name in list(asked.seconds):
                taken = asked.seconds[name]
                if number >= MIN_RUNS and sum(taken) > self.settings.patience:
                    continue
                for directory in job.needs.values():
                    data.warm(Path(directory))
                with self._record(asked, name):
                    reply = self._children[name].call("run", job)
                    if reply["groups"] != right.rows:
                        raise EngineFailed(f"WRONG ANSWER: {reply['groups']} rows in a timed run")
                    taken.extend(reply["seconds"])
        return asked

    def _check(self, child: Child, job: Job, right: Digest) -> None:
        path = Path(self._scratch.name) / f"{child.engine}.arrow"
        try:
            child.call("answer", job, path=str(path))
            with pa.memory_map(str(path)) as source:
                answer = pa.ipc.open_file(source).read_all()
                wrong = digest(answer, self.settings.threads).difference(right)
        finally:
            path.unlink(missing_ok=True)
        if wrong is not None:
            raise EngineFailed(f"WRONG ANSWER: {wrong}")

    @contextlib.contextmanager
    def _record(self, asked: Asked, engine: str) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable as error:
            asked.unavailable[engine] = str(error)
        except EngineFailed as error:
            note(f"  {engine}: {error}")
            asked.failed[engine] = str(error)
            asked.seconds.pop(engine, None)


def parse(suite: Suite, full: float, quick: float, arguments: list[str] | None) -> argparse.Namespace:
    flag = "--scale" if suite.unit == "scale factor" else "--rows"
    kind: Any = float if suite.unit == "scale factor" else int
    parser = argparse.ArgumentParser(description=f"{suite.title}, ours and its peers.")
    parser.add_argument(flag, dest="size", type=kind, help=f"{suite.unit}; default: {full:,}")
    parser.add_argument("--quick", action="store_true", help=f"{suite.unit} {quick:,}, 3 runs")
    parser.add_argument("--questions", nargs="+", choices=suite.names, default=suite.names, metavar="NAME")
    parser.add_argument(
        "--engines",
        nargs="+",
        choices=list(SUITE_TITLES),
        default=DEFAULT,
        metavar="ENGINE",
        help=f"of {', '.join(SUITE_TITLES)}; default: all but pandas",
    )
    parser.add_argument("--runs", type=int, help="timed runs of every engine; default: 5")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one run")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after which 3 runs suffice")
    parser.add_argument("--output", type=Path, help="write the report here, its numbers beside it as .json")
    parsed = parser.parse_args(arguments)
    parsed.size = parsed.size or (quick if parsed.quick else full)
    parsed.runs = parsed.runs or (3 if parsed.quick else 5)
    if min(parsed.size, parsed.runs, parsed.threads) <= 0:
        parser.error("sizes, runs and threads must be positive")
    return parsed


def main(name: str, full: float, quick: float, arguments: list[str] | None = None) -> int:
    """Runs a suite; `full` and `quick` are its sizes. 1 if an engine failed or was wrong."""
    from _suite_report import SuiteReport

    suite = SUITES[name]
    options = parse(suite, full, quick, arguments)
    settings = Settings(options.engines, options.threads, options.runs, options.timeout, options.patience)
    output: Path | None = options.output
    json_path = output.with_suffix(".json") if output else data.cache_dir() / "results" / f"{name}.json"
    report = SuiteReport(suite, options.size, settings, json_path, output)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    interrupted = False
    try:
        with SuiteBench(suite, options.size, settings) as bench:
            for question in options.questions:
                report.asked.append(bench.ask(question))
                report.versions.update(bench.versions)
                report.save()
    except KeyboardInterrupt:
        interrupted = True
        note("interrupted: the report has what was complete")
        report.save()
    print(report.markdown())
    note(f"numbers: {json_path}" + (f", report: {output}" if output else ""))
    if interrupted:
        return 130
    return 1 if any(asked.failed for asked in report.asked) else 0


__all__ = ["SUITE_OURS", "Asked", "SuiteBench", "main"]
