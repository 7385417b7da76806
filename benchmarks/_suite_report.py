"""The report of a suite: medians and ratios as a markdown table, every sample as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from _driver import Settings
from _job import Suite
from _report import BUSY, environment, number, table
from _suite import Asked
from _targets import Measure, of_question, of_suite
from engines import SUITE_TITLES


class SuiteReport:
    """Collects what was asked and writes it down."""

    def __init__(
        self, suite: Suite, size: float, settings: Settings, json_path: Path, markdown_path: Path | None
    ) -> None:
        self.suite = suite
        self.size = size
        self.settings = settings
        self.json_path = json_path
        self.markdown_path = markdown_path
        self.environment = environment()
        self.versions: dict[str, str] = {}
        self.asked: list[Asked] = []

    def save(self) -> None:
        """Writes what there is so far."""
        self.json_path.parent.mkdir(parents=True, exist_ok=True)
        self.json_path.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        if self.markdown_path is not None:
            self.markdown_path.parent.mkdir(parents=True, exist_ok=True)
            self.markdown_path.write_text(self.markdown() + "\n")

    def to_json(self) -> dict[str, Any]:
        return {
            "suite": self.suite.name,
            "size": self.size,
            "environment": self.environment,
            "versions": self.versions,
            "settings": asdict(self.settings),
            "asked": [asdict(asked) for asked in self.asked],
            "measures": [asdict(measure) | {"verdict": measure.verdict} for measure in self.measures()],
        }

    def times(self) -> dict[str, dict[str, float]]:
        """Median seconds by question and engine."""
        return {
            asked.question: {name: median(taken) for name, taken in asked.seconds.items() if taken}
            for asked in self.asked
        }

    def measures(self) -> list[Measure]:
        times = self.times()
        return [
            *of_suite(self.suite.name, times),
            *(of_question(self.suite.name, name, each) for name, each in times.items()),
        ]

    def markdown(self) -> str:
        told = self.environment
        versions = ", ".join(f"{name} {version}" for name, version in sorted(self.versions.items()))
        parts = [
            f"# {self.suite.title}",
            f"Written by `python benchmarks/{self.suite.name}.py`. Times are medians in seconds, of engines "
            "that took turns and whose whole answers were compared with DuckDB's before the first timed run.",
            f"- {self.size:,} {self.suite.unit}, {told['started']}, {told['processor']}, "
            f"{told['system']}, Python {told['python']}\n"
            f"- {self.settings.threads} threads for each engine, {self.settings.runs} rounds, load average "
            f"before the start {told['load']:.2f}\n- {versions}",
        ]
        if told["load"] > BUSY:
            parts.append("**The machine was not quiet when this began: read ratios with care.**")
        goals = [measure for measure in self.measures() if measure.goal is not None]
        rows = [[m.what, _beside(m), number(m.goal), number(m.value), m.verdict] for m in goals]
        parts += ["## Goals", table(["ours", "", "goal: at most", "measured", ""], rows, text=1)]
        parts += ["## Times", self._times(), *self._remarks()]
        return "\n\n".join(parts)

    def _times(self) -> str:
        engines = list(self.settings.engines)
        times = self.times()
        rows = []
        for asked in self.asked:
            cells = [_cell(asked, name, times[asked.question]) for name in engines]
            measure = of_question(self.suite.name, asked.question, times[asked.question])
            rows.append([asked.question, asked.title, *cells, f"{number(measure.value)} {_beside(measure)}"])
        totals = {
            name: sum(each[name] for each in times.values())
            for name in engines
            if all(name in each for each in times.values())
        }
        cells = [number(totals.get(name)) for name in engines]
        rows.append(["all", "", *cells, ""])
        titles = [SUITE_TITLES[name] for name in engines]
        return table(["", "question", *titles, "ours, of the best peer"], rows, text=1)

    def _remarks(self) -> list[str]:
        remarks = [
            f"- **{SUITE_TITLES[name].strip(chr(42))}, {asked.question}: {why.partition(chr(10))[0]}**"
            for asked in self.asked
            for name, why in asked.failed.items()
        ]
        missing = {name: why for asked in self.asked for name, why in asked.unavailable.items()}
        remarks += [f"- {SUITE_TITLES[name]}: n/a, {why}" for name, why in missing.items()]
        return ["## Remarks", "\n".join(remarks)] if remarks else []


def _beside(measure: Measure) -> str:
    return SUITE_TITLES.get(measure.beside, measure.beside)


def _cell(asked: Asked, engine: str, times: dict[str, float]) -> str:
    if engine in times:
        return number(times[engine])
    reason = asked.failed.get(engine)
    if reason is None:
        return "n/a"
    return "WRONG" if reason.startswith("WRONG") else "failed"
