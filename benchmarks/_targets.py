"""The goals the product set itself, and whether a measurement meets them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from _driver import Memory, MemoryOutcome, Outcome
from _spec import VARIANTS
from engines import DECODE, OURS, OURS_IN_CHUNKS, PEERS, READ, SPARK, SUITE_OURS, SUITE_TITLES

FEW_KEYS = 10_000
"""Up to here keys count as of low cardinality."""

OF_BEST_PEER_FEW_KEYS = 0.5
OF_BEST_PEER_MANY_KEYS = 0.6
OF_DECODE = 1.4
OF_SPARK = 0.03
CHUNKS_OF_AUTO = 1.05
OVERHEAD_SECONDS = 0.003
OF_LEANEST_PEER = 1.0
MEMORY_ROWS = 100_000_000
OF_BEST_TOTAL = {"h2o_groupby": 0.8, "h2o_join": 1.0, "tpch": 1.0}
"""All questions of a suite together, of the best peer's total."""
OF_BEST_QUESTION = {"h2o_groupby": 1.2}
"""Any single question, of the best peer for that question."""
SUITE_PEERS = tuple(name for name in SUITE_TITLES if name not in (SUITE_OURS, "suite_pandas"))
TRACING_SECONDS = 0.001
"""Tracing a function of twenty steps."""


@dataclass(frozen=True)
class Measure:
    """One number with the goal it has, if it has one."""

    what: str
    value: float | None
    """None where a side of it was not measured."""
    goal: float | None = None
    beside: str = ""
    """What the number was compared with, where that varies."""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.goal else "missed"


def medians(outcome: Outcome) -> dict[str, float]:
    return {name: median(taken) for name, taken in outcome.seconds.items() if taken}


def _least(values: dict[str, float]) -> tuple[str, float] | None:
    peers = [(values[name], name) for name in PEERS if name in values]
    if not peers:
        return None
    value, name = min(peers)
    return name, value


def _ratio(ours: float | None, other: float | None) -> float | None:
    return None if ours is None or other is None else ours / other


def of_times(outcome: Outcome) -> list[Measure]:
    """The ratios of one case, always the same ones in the same order."""
    times = medians(outcome)
    ours = times.get(OURS)
    best = _least(times)
    few = outcome.case.dataset.keys <= FEW_KEYS
    # The goal speaks of two columns; with a second key there are three.
    two_columns = len(VARIANTS[outcome.case.variant].columns) == 2
    return [
        Measure(
            "of the best peer",
            _ratio(ours, best[1] if best else None),
            OF_BEST_PEER_FEW_KEYS if few else OF_BEST_PEER_MANY_KEYS,
            best[0] if best else "",
        ),
        Measure(
            "of PySpark",
            _ratio(ours, times.get(SPARK)),
            OF_SPARK,
        ),
        Measure(
            "of decode only",
            _ratio(ours, times.get(DECODE)),
            OF_DECODE if few and two_columns else None,
        ),
        Measure("of read bytes", _ratio(ours, times.get(READ))),
        Measure("chunkSize 10,000 of auto", _ratio(times.get(OURS_IN_CHUNKS), ours), CHUNKS_OF_AUTO),
    ]


def of_overhead(outcome: Outcome) -> Measure:
    """Seconds of one call on next to no data."""
    return Measure("seconds per call", medians(outcome).get(OURS), OVERHEAD_SECONDS)


def of_memory(outcome: MemoryOutcome) -> Measure:
    """Our peak as a share of the leanest peer's. The goal is one for the large table."""
    peaks = {name: float(memory.peak) for name, memory in outcome.engines.items()}
    leanest = _least(peaks)
    ours: Memory | None = outcome.engines.get(OURS)
    return Measure(
        "of the leanest peer",
        _ratio(float(ours.peak) if ours else None, leanest[1] if leanest else None),
        OF_LEANEST_PEER if outcome.dataset.rows >= MEMORY_ROWS else None,
        leanest[0] if leanest else "",
    )


def of_question(suite: str, question: str, times: dict[str, float]) -> Measure:
    """Our time for one question of a suite as a share of the best peer's."""
    best = min(((times[name], name) for name in SUITE_PEERS if name in times), default=None)
    return Measure(
        question,
        _ratio(times.get(SUITE_OURS), best[0] if best else None),
        OF_BEST_QUESTION.get(suite),
        best[1] if best else "",
    )


def of_suite(suite: str, times: dict[str, dict[str, float]]) -> list[Measure]:
    """Our time for all questions as a share of the best peer's total; only of what both answered."""
    totals = {
        name: sum(each[name] for each in times.values())
        for name in (SUITE_OURS, *SUITE_PEERS)
        if times and all(name in each for each in times.values())
    }
    ours = totals.pop(SUITE_OURS, None)
    best = min(((seconds, name) for name, seconds in totals.items()), default=None)
    return [
        Measure(
            "all questions",
            _ratio(ours, best[0] if best else None),
            OF_BEST_TOTAL.get(suite),
            best[1] if best else "",
        )
    ]


def of_tracing(seconds: float) -> Measure:
    """Seconds that recording a function of twenty steps takes."""
    return Measure("seconds for twenty steps", seconds, TRACING_SECONDS)
