"""The report: markdown tables for people, JSON with every sample for machines."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from _driver import MemoryOutcome, Outcome, Settings
from _spec import VARIANTS, Dataset
from _targets import Measure, medians, of_memory, of_overhead, of_times
from engines import LIMITS, TITLES

BUSY = 0.5
"""A load average above this before the start means that something else was running."""


class Report:
    """Collects outcomes and writes them down."""

    def __init__(self, json_path: Path, markdown_path: Path | None) -> None:
        self.json_path = json_path
        self.markdown_path = markdown_path
        self.settings: Settings | None = None
        self.environment: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.times: list[Outcome] = []
        self.overhead: list[Outcome] = []
        self.memory: list[MemoryOutcome] = []

    def start(self, settings: Settings) -> None:
        self.settings = settings
        self.environment = environment()

    def finish(self) -> None:
        self.environment["finished"] = _now()
        self.save()

    def save(self) -> None:
        """Writes what there is so far."""
        self.json_path.parent.mkdir(parents=True, exist_ok=True)
        self.json_path.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        if self.markdown_path is not None:
            self.markdown_path.parent.mkdir(parents=True, exist_ok=True)
            self.markdown_path.write_text(self.markdown() + "\n")

    def failures(self) -> list[str]:
        """Engines that gave a wrong answer or none; not those that are not installed."""
        return [
            f"{TITLES[name]}, {where}: {reason}"
            for where, outcome in self._everything()
            for name, reason in outcome.failed.items()
        ]

    def _everything(self) -> Iterable[tuple[str, Outcome | MemoryOutcome]]:
        for outcome in (*self.overhead, *self.times):
            yield f"{outcome.case.variant}, {_data(outcome.case.dataset)}", outcome
        for remembered in self.memory:
            yield f"memory, {_data(remembered.dataset)}", remembered

    def to_json(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "versions": self.versions,
            "settings": asdict(self.settings) if self.settings else None,
            "times": [_outcome_json(outcome, of_times(outcome)) for outcome in self.times],
            "overhead": [_outcome_json(outcome, [of_overhead(outcome)]) for outcome in self.overhead],
            "memory": [
                {**asdict(outcome), "measures": [_measure_json(of_memory(outcome))]}
                for outcome in self.memory
            ],
        }

    def markdown(self) -> str:
        parts = ["# The seed job and its peers", *self._introduction(), *self._goals()]
        for variant in VARIANTS.values():
            outcomes = [outcome for outcome in self.times if outcome.case.variant == variant.name]
            if outcomes:
                parts += [f"## {variant.title}", *self._times(outcomes)]
        if self.overhead:
            parts += ["## Call overhead", *self._overhead()]
        if self.memory:
            parts += ["## Peak memory", *self._memory()]
        parts += self._remarks()
        return "\n\n".join(parts)

    def _introduction(self) -> list[str]:
        if self.settings is None:
            return ["Nothing was measured."]
        told = self.environment
        memory = f", {told['memory_bytes'] / 2**30:.0f} GiB" if told["memory_bytes"] else ""
        versions = ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        parts = [
            "Written by `python benchmarks/seed_job.py`; `benchmarks/README.md` says what is "
            "measured and how. Times are medians in seconds, of engines that took turns and whose "
            "answers were checked before the first timed run.",
            f"- {told['started']}, {told['processor']}, {told['processors']} processors{memory}, "
            f"{told['system']}, Python {told['python']}\n"
            f"- {self.settings.threads} threads for each engine, {self.settings.runs} rounds, "
            f"load average before the start {told['load']:.2f}\n"
            f"- {versions}",
        ]
        if told["load"] > BUSY:
            parts.append("**The machine was not quiet when this began: read ratios with care.**")
        return parts

    def _goals(self) -> list[str]:
        goals = [(where, measure) for where, measure in self._measures() if measure.goal is not None]
        rows = [
            [where, measure.what, number(measure.goal), number(measure.value), measure.verdict]
            for where, measure in goals
            if measure.value is not None
        ]
        met = sum(row[-1] == "met" for row in rows)
        said = f"{met} of {len(rows)} met, {len(goals) - len(rows)} not measured."
        if not rows:
            return ["## Goals", said]
        return [
            "## Goals",
            said,
            table(["case", "ours", "goal: at most", "measured", ""], rows, text=1),
        ]

    def _measures(self) -> Iterable[tuple[str, Measure]]:
        for outcome in self.times:
            for measure in of_times(outcome):
                yield f"{outcome.case.variant}, {_data(outcome.case.dataset)}", measure
        for outcome in self.overhead:
            yield f"overhead, {_data(outcome.case.dataset)}", of_overhead(outcome)
        for remembered in self.memory:
            yield f"memory, {_data(remembered.dataset)}", of_memory(remembered)

    def _engines(self) -> list[str]:
        chosen = self.settings.engines if self.settings else []
        return [name for name in TITLES if name in chosen]

    def _times(self, outcomes: Sequence[Outcome]) -> list[str]:
        engines = self._engines()
        rows = [
            [_data(outcome.case.dataset), *(_seconds(outcome, name) for name in engines)]
            for outcome in outcomes
        ]
        ratios = []
        for outcome in outcomes:
            measures = of_times(outcome)
            ratios.append([_data(outcome.case.dataset), *(_verdict(each) for each in measures)])
        names = [f"ours, {measure.what}" for measure in of_times(outcomes[0])[:-1]]
        return [
            table(["data", *(TITLES[name] for name in engines)], rows),
            table(["data", *names, "chunkSize 10,000 of auto"], ratios),
        ]

    def _overhead(self) -> list[str]:
        engines = [name for name in self._engines() if name not in LIMITS]
        rows = [
            [
                _data(outcome.case.dataset),
                *(_seconds(outcome, name, unit=1e3) for name in engines),
                of_overhead(outcome).verdict,
            ]
            for outcome in self.overhead
        ]
        return [
            "Milliseconds for one call of the seed job, opening the files included.",
            table(["data", *(TITLES[name] for name in engines), "goal"], rows),
        ]

    def _memory(self) -> list[str]:
        parts = [
            "MiB resident at the peak of one execution in a fresh process, children included; in "
            "brackets what was resident before it, with the engine imported and set up."
        ]
        engines = [name for name in self._engines() if name not in LIMITS]
        rows = []
        for outcome in self.memory:
            measure = of_memory(outcome)
            cells = [_mebibytes(outcome, name) for name in engines]
            rows.append([_data(outcome.dataset), *cells, _verdict(measure)])
        parts.append(table(["data", *(TITLES[name] for name in engines), "ours, of the leanest peer"], rows))
        if any(not memory.exact for each in self.memory for memory in each.engines.values()):
            parts.append("The kernel's mark could not be reset here: peaks include the start.")
        return parts

    def _remarks(self) -> list[str]:
        remarks = [f"**{failure}**" for failure in self.failures()]
        missing: dict[str, str] = {}
        for _, outcome in self._everything():
            missing.update(outcome.unavailable)
        remarks += [f"{TITLES[name]}: n/a, {reason}" for name, reason in missing.items()]
        for outcome in self.times:
            remarks += [
                f"{TITLES[name]}, {outcome.case.variant}, {_data(outcome.case.dataset)}: median of "
                f"{len(taken)} runs only"
                for name, taken in outcome.seconds.items()
                if self.settings and 0 < len(taken) < self.settings.runs
            ]
        if not remarks:
            return []
        return ["## Remarks", "\n".join(f"- {remark}" for remark in remarks)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text: int = 0) -> str:
    """A markdown table; columns after the first `text` + 1 are numbers, set to the right."""
    rule = ["---" if number <= text else "---:" for number in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def _data(dataset: Dataset) -> str:
    rows = (
        f"{dataset.rows // 1_000_000} million"
        if dataset.rows >= 1_000_000 and dataset.rows % 1_000_000 == 0
        else f"{dataset.rows:,}"
    )
    extras = "" if dataset.key_bytes == 12 else f" of {dataset.key_bytes} bytes"
    if dataset.files != 4:
        extras += f", {dataset.files} file{'s' if dataset.files > 1 else ''}"
    return f"{rows} rows, {dataset.keys:,} keys{extras}"


def _absent(outcome: Outcome | MemoryOutcome, engine: str) -> str:
    reason = outcome.failed.get(engine)
    if reason is None:
        return "n/a"
    return "WRONG" if reason.startswith("WRONG") else "failed"


def _seconds(outcome: Outcome, engine: str, unit: float = 1.0) -> str:
    value = medians(outcome).get(engine)
    if value is None:
        return _absent(outcome, engine)
    return number(value * unit)


def _mebibytes(outcome: MemoryOutcome, engine: str) -> str:
    memory = outcome.engines.get(engine)
    if memory is None:
        return _absent(outcome, engine)
    return f"{memory.peak / 2**20:,.0f} ({memory.baseline / 2**20:,.0f})"


def number(value: float | None) -> str:
    """A number with about three digits."""
    if value is None:
        return "n/a"
    digits = 1 if value >= 100 else 2 if value >= 10 else 3 if value >= 0.01 else 4
    return f"{value:.{digits}f}"


def _verdict(measure: Measure) -> str:
    if measure.value is None:
        return "n/a"
    beside = f" {TITLES[measure.beside]}" if measure.beside else ""
    verdict = f", {measure.verdict}" if measure.verdict else ""
    return f"{number(measure.value)}{beside}{verdict}"


def _outcome_json(outcome: Outcome, measures: Iterable[Measure]) -> dict[str, Any]:
    written = asdict(outcome)
    written["seconds"] = {
        name: [round(second, 6) for second in taken] for name, taken in outcome.seconds.items()
    }
    written["medians"] = medians(outcome)
    written["measures"] = [_measure_json(measure) for measure in measures]
    return written


def _measure_json(measure: Measure) -> dict[str, Any]:
    return {**asdict(measure), "verdict": measure.verdict}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Where and when: what a reader needs to judge the numbers."""
    processor = platform.processor() or platform.machine()
    memory = 0
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "started": _now(),
        "processor": processor,
        "processors": os.cpu_count(),
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
